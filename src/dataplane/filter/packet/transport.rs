//! What an IP packet carries, as far as rules and flows look at it.

use crate::dataplane::filter::verdict::Reason;
use crate::model::security::Family;

/// IP protocol number of ICMP.
pub const ICMP: u8 = 1;
/// IP protocol number of TCP.
pub const TCP: u8 = 6;
/// IP protocol number of UDP.
pub const UDP: u8 = 17;
/// IP protocol number of `ICMPv6`.
pub const ICMPV6: u8 = 58;
/// IP protocol number of SCTP.
pub const SCTP: u8 = 132;

/// What an IP packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport<'a> {
    /// TCP: source and destination port.
    Tcp(u16, u16, Flags),
    /// UDP: source and destination port.
    Udp(u16, u16),
    /// SCTP: source and destination port.
    Sctp(u16, u16),
    /// ICMP in IPv4, `ICMPv6` in IPv6.
    Icmp(Icmp<'a>),
    /// A protocol without ports, or one that we do not know.
    Other,
    /// This is a later fragment: it stood in the first.
    Hidden,
}

/// TCP's flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data comes.
    #[must_use]
    pub fn fin(self) -> bool {
        self.0 & 0x01 != 0
    }

    /// A connection begins.
    #[must_use]
    pub fn syn(self) -> bool {
        self.0 & 0x02 != 0
    }

    /// There is no such connection (any more).
    #[must_use]
    pub fn rst(self) -> bool {
        self.0 & 0x04 != 0
    }

    /// Something was received.
    #[must_use]
    pub fn ack(self) -> bool {
        self.0 & 0x10 != 0
    }

    /// Whether it begins a connection and does nothing else.
    #[must_use]
    pub fn begins(self) -> bool {
        self.syn() && !self.ack() && !self.rst() && !self.fin()
    }
}

/// An ICMP message of either family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp<'a> {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// The second half of its header: of queries and answers, the identifier.
    pub identifier: u16,
    /// What stands behind the header of 8 bytes.
    pub body: &'a [u8],
}

/// How the flows between two addresses are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// By ports, 0 and 0 of protocols without them.
    Pair {
        /// Source port.
        source: u16,
        /// Destination port.
        destination: u16,
    },
    /// By identifier and type of an ICMP query.
    Query {
        /// Type of the query, also where this is the answer.
        kind: u8,
        /// Identifier.
        identifier: u16,
        /// Whether this is the answer.
        answer: bool,
    },
}

impl Transport<'_> {
    /// What the packet's flow goes by. None: it has no flow.
    #[must_use]
    pub fn ports(&self, family: Family) -> Option<Ports> {
        match *self {
            Self::Tcp(source, destination, _) | Self::Udp(source, destination) | Self::Sctp(source, destination) => {
                Some(Ports::Pair { source, destination })
            }
            Self::Icmp(icmp) => query(family, icmp.kind, icmp.identifier),
            Self::Other => Some(Ports::Pair { source: 0, destination: 0 }),
            Self::Hidden => None,
        }
    }

    /// The two numbers that rules compare.
    #[must_use]
    pub fn numbers(&self) -> (u16, u16) {
        match *self {
            Self::Tcp(_, destination, _) | Self::Udp(_, destination) | Self::Sctp(_, destination) => (destination, 0),
            Self::Icmp(icmp) => (icmp.kind.into(), icmp.code.into()),
            Self::Other | Self::Hidden => (0, 0),
        }
    }
}

/// What the flow of an ICMP query or answer goes by. None: it is neither.
#[must_use]
pub fn query(family: Family, kind: u8, identifier: u16) -> Option<Ports> {
    let (kind, answer) = match (family, kind) {
        // Echo, timestamp, address mask.
        (Family::V4, 8 | 13 | 17) | (Family::V6, 128) => (kind, false),
        (Family::V4, 0) => (8, true),
        (Family::V4, 14) => (13, true),
        (Family::V4, 18) => (17, true),
        (Family::V6, 129) => (128, true),
        _ => return None,
    };
    Some(Ports::Query { kind, identifier, answer })
}

/// Reads a whole packet's payload, or a first fragment's.
pub(super) fn read(family: Family, protocol: u8, payload: &[u8]) -> Result<Transport<'_>, Reason> {
    let short = Reason::TransportCut;
    let ports = || {
        let [s0, s1, d0, d1] = *payload.first_chunk::<4>().ok_or(short)?;
        Ok((u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1])))
    };
    let least = |bytes: usize| if payload.len() < bytes { Err(short) } else { ports() };
    Ok(match (family, protocol) {
        (_, TCP) => {
            let (source, destination) = least(20)?;
            Transport::Tcp(source, destination, Flags(payload.get(13).copied().ok_or(short)?))
        }
        (_, UDP) => {
            let (source, destination) = least(8)?;
            Transport::Udp(source, destination)
        }
        (_, SCTP) => {
            let (source, destination) = least(12)?;
            Transport::Sctp(source, destination)
        }
        (Family::V4, ICMP) | (Family::V6, ICMPV6) => {
            let (header, body) = payload.split_first_chunk::<8>().ok_or(short)?;
            let [kind, code, _, _, i0, i1, _, _] = *header;
            Transport::Icmp(Icmp { kind, code, identifier: u16::from_be_bytes([i0, i1]), body })
        }
        _ => Transport::Other,
    })
}
