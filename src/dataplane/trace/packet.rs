//! A packet, and the frame that filters judge.

use std::fmt;
use std::net::Ipv4Addr;

use crate::api::MacAddr;

/// A packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    pub source: Ipv4Addr,
    pub target: Ipv4Addr,
    pub content: Content,
}

/// What is in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A SYN, or the SYN and ACK that answers it.
    Tcp { source: u16, target: u16, answer: bool },
    /// A datagram.
    Udp { source: u16, target: u16 },
    /// An echo request, or what answers it.
    Echo { answer: bool },
}

impl Content {
    /// A port that a guest's kernel chooses (RFC 6056).
    pub const FREE: u16 = 50_000;

    /// What answers it.
    pub fn answer(self) -> Self {
        match self {
            Self::Tcp { source, target, answer } => Self::Tcp { source: target, target: source, answer: !answer },
            Self::Udp { source, target } => Self::Udp { source: target, target: source },
            Self::Echo { answer } => Self::Echo { answer: !answer },
        }
    }

    /// Protocol and port where it goes to, as port forwardings have them.
    pub fn forwarded(self) -> Option<(crate::api::Protocol, u16)> {
        match self {
            Self::Tcp { target, .. } => Some((crate::api::Protocol::TCP, target)),
            Self::Udp { target, .. } => Some((crate::api::Protocol::UDP, target)),
            Self::Echo { .. } => None,
        }
    }

    /// The same to another port.
    pub fn to_port(self, port: u16) -> Self {
        match self {
            Self::Tcp { source, answer, .. } => Self::Tcp { source, target: port, answer },
            Self::Udp { source, .. } => Self::Udp { source, target: port },
            Self::Echo { answer } => Self::Echo { answer },
        }
    }

    fn transport(self) -> (u8, Vec<u8>) {
        let ports = |source: u16, target: u16| [source.to_be_bytes(), target.to_be_bytes()].concat();
        match self {
            Self::Tcp { source, target, answer } => {
                let mut bytes = ports(source, target);
                // Sequence numbers, five words of header, flags, window, checksum, urgent (RFC 9293).
                bytes.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, if answer { 0x12 } else { 0x02 }, 0xff, 0xff, 0, 0, 0, 0]);
                (6, bytes)
            }
            Self::Udp { source, target } => {
                let mut bytes = ports(source, target);
                bytes.extend([0, 8, 0, 0]);
                (17, bytes)
            }
            // Type, code, checksum, identifier, sequence number (RFC 792).
            Self::Echo { answer } => (1, vec![if answer { 0 } else { 8 }, 0, 0, 0, 0x12, 0x34, 0, 1]),
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { target, .. } => write!(f, "TCP {target}"),
            Self::Udp { target, .. } => write!(f, "UDP {target}"),
            Self::Echo { answer: false } => f.write_str("ICMP echo request"),
            Self::Echo { answer: true } => f.write_str("ICMP echo reply"),
        }
    }
}

impl Packet {
    /// The packet in a frame of such a station. Checksums are none: filters do not look at them.
    pub fn frame(&self, from: MacAddr) -> Vec<u8> {
        let (protocol, transport) = self.content.transport();
        let length = u16::try_from(20 + transport.len()).unwrap_or(u16::MAX);
        let mut frame = vec![2, 0, 0, 0, 0, 1];
        frame.extend(from.0);
        frame.extend([0x08, 0x00, 0x45, 0]);
        frame.extend(length.to_be_bytes());
        // Identification, don't fragment, time to live.
        frame.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
        frame.extend(self.source.octets());
        frame.extend(self.target.octets());
        frame.extend(transport);
        frame
    }
}
