//! The packet that an ICMP error quotes: its beginning, as far as the error's sender kept it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::transport::query;
use super::{ICMP, ICMPV6, Icmp, Ports, SCTP, TCP, UDP};
use crate::model::security::Family;

/// What a quoted packet's flow goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// Who sent it.
    pub source: IpAddr,
    /// To whom.
    pub destination: IpAddr,
    /// IP protocol number.
    pub protocol: u8,
    /// Its ports.
    pub ports: Ports,
}

/// Whether a message says that a packet went wrong: ICMP 3, 11 and 12; `ICMPv6` 1 to 4.
fn is_error(family: Family, kind: u8) -> bool {
    match family {
        Family::V4 => matches!(kind, 3 | 11 | 12),
        Family::V6 => matches!(kind, 1..=4),
    }
}

/// The packet that a message quotes. None: it is no error, or quotes none that could have a flow.
#[must_use]
pub fn quoted(family: Family, icmp: &Icmp<'_>) -> Option<Quoted> {
    if !is_error(family, icmp.kind) {
        return None;
    }
    let (source, destination, protocol, payload) = match family {
        Family::V4 => v4(icmp.body)?,
        Family::V6 => v6(icmp.body)?,
    };
    let [b0, b1, b2, b3, b4, b5, _, _] = *payload.first_chunk::<8>()?;
    let ports = match (family, protocol) {
        (_, TCP | UDP | SCTP) => {
            Ports::Pair { source: u16::from_be_bytes([b0, b1]), destination: u16::from_be_bytes([b2, b3]) }
        }
        (Family::V4, ICMP) | (Family::V6, ICMPV6) => query(family, b0, u16::from_be_bytes([b4, b5]))?,
        _ => return None,
    };
    Some(Quoted { source, destination, protocol, ports })
}

/// Source, destination, protocol, and what is left.
type Header<'a> = (IpAddr, IpAddr, u8, &'a [u8]);

fn v4(bytes: &[u8]) -> Option<Header<'_>> {
    let [first, _, _, _, _, _, f0, f1, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] =
        *bytes.first_chunk::<20>()?;
    let length = usize::from(first & 0x0f) * 4;
    let later = u16::from_be_bytes([f0, f1]) & 0x1fff != 0;
    if first >> 4 != 4 || length < 20 || later {
        return None;
    }
    let (source, destination) = (Ipv4Addr::new(s0, s1, s2, s3), Ipv4Addr::new(d0, d1, d2, d3));
    Some((source.into(), destination.into(), protocol, bytes.get(length..)?))
}

fn v6(bytes: &[u8]) -> Option<Header<'_>> {
    let (header, payload) = bytes.split_first_chunk::<40>()?;
    let [first, _, _, _, _, _, protocol, _, addresses @ ..] = *header;
    if first >> 4 != 6 {
        return None;
    }
    let source = Ipv6Addr::from(*addresses.first_chunk::<16>()?);
    let destination = Ipv6Addr::from(*addresses.last_chunk::<16>()?);
    Some((source.into(), destination.into(), protocol, payload))
}
