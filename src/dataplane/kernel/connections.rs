//! Reading a router's connections, and making them again on another node.
//!
//! The kernel is told of a connection as it began, and of the translation that it is to have: it takes neither bits that say
//! "translated" nor a reply that is translated already.

use std::collections::HashSet;
use std::io;
use std::net::Ipv4Addr;

use super::conntrack::{CONNTRACK, Conntrack, DELETE, GET, NEW, ORIGINAL, REPLY};
use super::netfilter::{Answer, Request, attributes, be32};
use crate::dataplane::connection::{Connection, PROTOCOLS, STATUS, Told, Way};
use crate::dataplane::told::MOST;

/// Attributes of an entry (`linux/netfilter/nfnetlink_conntrack.h`).
const STATUS_BITS: u16 = 3;
const PROTOCOL_STATE: u16 = 4;
const NAT_SOURCE: u16 = 6;
const TIMEOUT: u16 = 7;
const MARK: u16 = 8;
const NAT_DESTINATION: u16 = 13;
/// In a direction: addresses (source, destination) and protocol (number, ports; of ICMP identifier, type, code).
const ADDRESSES: u16 = 1;
const PROTOCOL: u16 = 2;
const SOURCE: u16 = 1;
const DESTINATION: u16 = 2;
const NUMBER: u16 = 1;
const PORTS: [u16; 2] = [2, 3];
const ICMP: [u16; 3] = [4, 5, 6];
/// In the state of TCP.
const TCP: u16 = 1;
const TCP_STATE: u16 = 1;
const TCP_FLAGS: [u16; 2] = [4, 5];
/// `IP_CT_TCP_FLAG_BE_LIBERAL`, value and mask: this node has not seen the windows, and judges none.
const LIBERAL: [u8; 2] = [8, 8];
/// In a translation: the first and last address, and the ports, first and last.
const NAT_FIRST: u16 = 1;
const NAT_LAST: u16 = 2;
const NAT_PORTS: u16 = 3;
/// `IPS_CONFIRMED`: an entry of the table.
const CONFIRMED: u32 = 8;
/// `NLM_F_EXCL | NLM_F_CREATE`.
const MAKE: u16 = 0x600;
/// `AF_INET`.
const IPV4: u8 = 2;
/// `EEXIST`: this node tracks it already; `ENOENT`: it has gone by itself.
const THERE: i32 = 17;
const GONE: i32 = 2;

impl Conntrack {
    /// All connections that can be told of.
    ///
    /// # Errors
    /// The kernel's.
    pub fn read(&mut self) -> io::Result<Vec<Told>> {
        let mut all = Vec::new();
        self.0.dump(Request::new(CONNTRACK, GET, 0, IPV4, "reading connections"), |answer| {
            all.extend(told(&answer).filter(|_| all.len() < MOST));
        })?;
        Ok(all)
    }

    /// Makes connections. What is there already is left as it is.
    ///
    /// # Errors
    /// The first of the kernel's; the others are made.
    pub fn make(&mut self, all: &[Told]) -> io::Result<()> {
        let requests = all.iter().map(|(connection, rest)| creation(connection, *rest));
        self.0.each(requests.collect(), THERE)
    }

    /// Forgets connections.
    ///
    /// # Errors
    /// The first of the kernel's; the others are forgotten.
    pub fn forget(&mut self, all: &HashSet<Connection>) -> io::Result<()> {
        let requests = all.iter().map(|connection| {
            let mut request = Request::new(CONNTRACK, DELETE, 0, IPV4, "forgetting a connection");
            direction(&mut request, ORIGINAL, connection.protocol, &connection.original);
            request
        });
        self.0.each(requests.collect(), GONE)
    }
}

fn creation(connection: &Connection, rest: u32) -> Request {
    let Connection { protocol, original, reply, tcp, status, mark } = connection;
    let mut request = Request::new(CONNTRACK, NEW, MAKE, IPV4, "restoring a connection");
    let plain = original.back(*protocol);
    direction(&mut request, ORIGINAL, *protocol, original);
    direction(&mut request, REPLY, *protocol, &plain);
    // The answer comes to the translated source, and from the translated destination.
    let icmp = *protocol == 1;
    let (to, from) = if icmp { (reply.ports[0], None) } else { (reply.ports[1], Some(reply.ports[0])) };
    if (reply.source, from) != (plain.source, (!icmp).then_some(plain.ports[0])) {
        translation(&mut request, NAT_DESTINATION, reply.source, from);
    }
    if (reply.destination, to) != (plain.destination, if icmp { plain.ports[0] } else { plain.ports[1] }) {
        translation(&mut request, NAT_SOURCE, reply.destination, Some(to));
    }
    request.be32(STATUS_BITS, status | CONFIRMED);
    request.be32(TIMEOUT, rest.max(1));
    request.be32(MARK, *mark);
    if *protocol == 6 {
        request.nest(PROTOCOL_STATE, |r| {
            r.nest(TCP, |r| {
                r.bytes(TCP_STATE, &[*tcp]);
                for flags in TCP_FLAGS {
                    r.bytes(flags, &LIBERAL);
                }
            });
        });
    }
    request
}

fn direction(request: &mut Request, kind: u16, protocol: u8, way: &Way) {
    let [first, second] = way.ports.map(u16::to_be_bytes);
    request.nest(kind, |r| {
        r.nest(ADDRESSES, |r| {
            r.bytes(SOURCE, &way.source.octets());
            r.bytes(DESTINATION, &way.destination.octets());
        });
        r.nest(PROTOCOL, |r| {
            r.bytes(NUMBER, &[protocol]);
            if protocol == 1 {
                r.bytes(ICMP[0], &first);
                r.bytes(ICMP[1], &second[..1]);
                r.bytes(ICMP[2], &second[1..]);
            } else {
                r.bytes(PORTS[0], &first);
                r.bytes(PORTS[1], &second);
            }
        });
    });
}

fn translation(request: &mut Request, kind: u16, to: Ipv4Addr, port: Option<u16>) {
    request.nest(kind, |r| {
        r.bytes(NAT_FIRST, &to.octets());
        r.bytes(NAT_LAST, &to.octets());
        if let Some(port) = port {
            r.nest(NAT_PORTS, |r| [NAT_FIRST, NAT_LAST].iter().for_each(|at| r.bytes(*at, &port.to_be_bytes())));
        }
    });
}

/// An entry, if it is a connection that can be told of.
fn told(answer: &Answer<'_>) -> Option<Told> {
    let find = |wanted: u16| answer.attributes().find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    let number = |kind: u16| find(kind).and_then(be32);
    let (protocol, original) = read(find(ORIGINAL)?)?;
    let (_, reply) = read(find(REPLY)?)?;
    let inside = |bytes: Option<&[u8]>, wanted: u16| -> Option<Vec<u8>> {
        attributes(bytes?).find(|(kind, _)| *kind == wanted).map(|(_, value)| value.to_vec())
    };
    let state = inside(inside(find(PROTOCOL_STATE), TCP).as_deref(), TCP_STATE);
    let connection = Connection {
        protocol,
        original,
        reply,
        tcp: state.and_then(|state| state.first().copied()).unwrap_or_default(),
        status: number(STATUS_BITS)? & STATUS,
        mark: number(MARK).unwrap_or_default(),
    };
    Some((connection, number(TIMEOUT)?))
}

/// Protocol and way of a direction.
fn read(direction: &[u8]) -> Option<(u8, Way)> {
    let (mut ips, mut number, mut ports) = ([None; 2], None, [0; 2]);
    let port = |value: &[u8]| value.try_into().map(u16::from_be_bytes).unwrap_or_default();
    for (part, value) in attributes(direction) {
        for (kind, value) in attributes(value) {
            match (part, kind) {
                (ADDRESSES, SOURCE) => ips[0] = be32(value),
                (ADDRESSES, DESTINATION) => ips[1] = be32(value),
                (PROTOCOL, NUMBER) => number = value.first().copied(),
                (PROTOCOL, 2 | 4) => ports[0] = port(value),
                (PROTOCOL, 3) => ports[1] = port(value),
                (PROTOCOL, 5) => ports[1] |= u16::from(*value.first()?) << 8,
                (PROTOCOL, 6) => ports[1] |= u16::from(*value.first()?),
                _ => {}
            }
        }
    }
    let protocol = number.filter(|number| PROTOCOLS.contains(number))?;
    Some((protocol, Way { source: ips[0]?.into(), destination: ips[1]?.into(), ports }))
}
