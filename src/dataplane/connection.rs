//! Connections that a router translates, as one node tells another of them when the router moves.

use std::net::Ipv4Addr;

use crate::dataplane::told::Record;

/// Protocols that are told of, by IP protocol number: ICMP, TCP, UDP. Others begin anew on the new node.
pub const PROTOCOLS: [u8; 3] = [1, 6, 17];
/// Bits of a connection's state that it keeps: a reply was seen, and it is not the first to be dropped when the table is full
/// (`IPS_SEEN_REPLY`, `IPS_ASSURED`; `linux/netfilter/nf_conntrack_common.h`).
pub const STATUS: u32 = 0b110;
/// The greatest TCP state (`TCP_CONNTRACK_SYN_SENT2`; `linux/netfilter/nf_conntrack_tcp.h`).
const TCP_STATES: u8 = 9;
/// The longest that a connection may rest, seconds: the kernel's five days for TCP.
const LONGEST: u32 = 432_000;

/// One direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Way {
    /// From where.
    pub source: Ipv4Addr,
    /// To where.
    pub destination: Ipv4Addr,
    /// Ports of source and destination; of ICMP the identifier, and type and code in one.
    pub ports: [u16; 2],
}

/// A connection, translated or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Connection {
    /// IP protocol number, one of [`PROTOCOLS`].
    pub protocol: u8,
    /// As it began, before it was translated.
    pub original: Way,
    /// As answers come, before they are translated back.
    pub reply: Way,
    /// State of TCP, as the kernel numbers it.
    pub tcp: u8,
    /// Bits of [`STATUS`].
    pub status: u32,
    /// Mark.
    pub mark: u32,
}

/// A connection, and how long it may rest from now, seconds.
pub type Told = (Connection, u32);

impl Way {
    /// The way back.
    #[must_use]
    pub fn back(&self, protocol: u8) -> Self {
        let [first, second] = self.ports;
        // Of ICMP the request with this identifier is answered: echo by echo reply, timestamp by its reply (RFC 792).
        let ports = if protocol == 1 { [first, answer(second)] } else { [second, first] };
        Self { source: self.destination, destination: self.source, ports }
    }
}

/// Type and code of the answer to an ICMP message.
fn answer(kind: u16) -> u16 {
    let [type_, code] = kind.to_be_bytes();
    let other = match type_ {
        8 => 0,
        0 => 8,
        13 => 14,
        14 => 13,
        other => other,
    };
    u16::from_be_bytes([other, code])
}

impl Record for Told {
    const FORMAT: [u8; 4] = *b"tct1";
    const LENGTH: usize = 38;

    fn write(&self, bytes: &mut Vec<u8>) {
        let (connection, rest) = self;
        bytes.push(connection.protocol);
        for way in [&connection.original, &connection.reply] {
            bytes.extend(way.source.octets());
            bytes.extend(way.destination.octets());
            bytes.extend(way.ports.iter().flat_map(|port| port.to_be_bytes()));
        }
        bytes.push(connection.tcp);
        for number in [connection.status, connection.mark, *rest] {
            bytes.extend(number.to_be_bytes());
        }
    }

    fn read(record: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(u32::from_be_bytes(record.get(at..at + 4)?.try_into().ok()?));
        let port = |at: usize| Some(u16::from_be_bytes(record.get(at..at + 2)?.try_into().ok()?));
        let way = |at: usize| {
            let (source, destination) = (Ipv4Addr::from(number(at)?), Ipv4Addr::from(number(at + 4)?));
            Some(Way { source, destination, ports: [port(at + 8)?, port(at + 10)?] })
        };
        let connection = Connection {
            protocol: *record.first()?,
            original: way(1)?,
            reply: way(13)?,
            tcp: *record.get(25)?,
            status: number(26)? & STATUS,
            mark: number(30)?,
        };
        let sane = PROTOCOLS.contains(&connection.protocol) && connection.tcp <= TCP_STATES;
        sane.then_some((connection, number(34)?.min(LONGEST)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dataplane::told::{HEADER, MOST, decode, encode, follows};

    const LENGTH: usize = Told::LENGTH;

    fn way() -> impl Strategy<Value = Way> {
        (any::<u32>(), any::<u32>(), any::<[u16; 2]>()).prop_map(|(source, destination, ports)| Way {
            source: source.into(),
            destination: destination.into(),
            ports,
        })
    }

    fn told() -> impl Strategy<Value = Told> {
        let connection = (0..3usize, way(), way(), 0..=TCP_STATES, 0..4u32, any::<u32>());
        (connection, 0..=LONGEST).prop_map(|((protocol, original, reply, tcp, status, mark), rest)| {
            let protocol = PROTOCOLS[protocol];
            (Connection { protocol, original, reply, tcp, status: status << 1, mark }, rest)
        })
    }

    proptest! {
        #[test]
        fn what_is_told_is_heard(all in proptest::collection::vec(told(), 0..20)) {
            let bytes = encode(&all);
            let (header, rest) = bytes.split_first_chunk::<HEADER>().unwrap();
            prop_assert_eq!(follows::<Told>(*header), Some(rest.len()));
            prop_assert_eq!(decode::<Told>(rest), Some(all));
        }

        #[test]
        fn hostile_octets_are_no_connections_and_never_more_than_there_is_room_for(
            header in any::<[u8; HEADER]>(), bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            prop_assert!(follows::<Told>(header).is_none_or(|length| length <= MOST * LENGTH));
            if let Some(all) = decode::<Told>(&bytes) {
                prop_assert_eq!(all.len() * LENGTH, bytes.len());
                let sane = |(c, rest): &Told| {
                    PROTOCOLS.contains(&c.protocol) && c.tcp <= TCP_STATES && c.status & !STATUS == 0 && *rest <= LONGEST
                };
                prop_assert!(all.iter().all(sane));
            }
        }
    }

    #[test]
    fn an_answer_to_an_echo_is_an_echo_reply_with_the_same_identifier() {
        let echo = Way { source: [10, 0, 0, 2].into(), destination: [203, 0, 113, 1].into(), ports: [77, 0x0800] };
        let back = echo.back(1);
        assert_eq!((back.source, back.ports), (echo.destination, [77, 0]));
        assert_eq!(back.back(1), echo);
        assert_eq!(echo.back(17).ports, [0x0800, 77]);
    }
}
