//! Frames as guests send them, good and bad: a builder for each thing that filters look at. It knows nothing of Tenet.

use std::net::IpAddr;

/// A MAC address.
pub type Mac = [u8; 6];

/// Where frames go that go nowhere in particular.
pub const SOMEBODY: Mac = [2, 0, 0, 0, 0, 0xee];

pub const IPV4: u16 = 0x0800;
pub const ARP: u16 = 0x0806;
pub const RARP: u16 = 0x8035;
pub const IPV6: u16 = 0x86dd;

pub const ICMP: u8 = 1;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const ICMPV6: u8 = 58;
pub const SCTP: u8 = 132;

pub const HOP_BY_HOP: u8 = 0;
pub const ROUTING: u8 = 43;
pub const FRAGMENT: u8 = 44;
pub const AUTHENTICATION: u8 = 51;
pub const OPTIONS: u8 = 60;

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const ACK: u8 = 0x10;

/// An Ethernet frame.
pub fn ethernet(source: Mac, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&SOMEBODY[..], &source, &ethertype.to_be_bytes(), payload].concat()
}

/// ARP: 1 asks, 2 answers.
pub fn arp(operation: u16, (mac, ip): (Mac, [u8; 4]), target: [u8; 4]) -> Vec<u8> {
    [&[0, 1, 8, 0, 6, 4], &operation.to_be_bytes()[..], &mac, &ip, &[0; 6], &target].concat()
}

pub fn udp(source: u16, destination: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + data.len()).unwrap_or(u16::MAX);
    [&ports(source, destination)[..], &length.to_be_bytes(), &[0, 0], data].concat()
}

pub fn tcp(source: u16, destination: u16, flags: u8, data: &[u8]) -> Vec<u8> {
    let rest = [0, 0, 0, 7, 0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0];
    [&ports(source, destination)[..], &rest, data].concat()
}

pub fn sctp(source: u16, destination: u16, data: &[u8]) -> Vec<u8> {
    [&ports(source, destination)[..], &[0; 8], data].concat()
}

/// ICMP of either family; of queries and answers, `identifier` is theirs.
pub fn icmp(kind: u8, code: u8, identifier: u16, body: &[u8]) -> Vec<u8> {
    [&[kind, code, 0, 0], &identifier.to_be_bytes()[..], &[0, 1], body].concat()
}

fn ports(source: u16, destination: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (source.to_be_bytes(), destination.to_be_bytes());
    [a, b, c, d]
}

/// An IP packet of either family.
#[derive(Clone, Debug)]
pub struct Ip {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: u8,
    pub hops: u8,
    /// IPv4: its fragment's identification, offset in bytes, and whether more come.
    pub fragment: (u16, u16, bool),
    /// IPv4: options, a multiple of 4 bytes. IPv6: extension headers, each with the first byte to be filled in.
    pub headers: Vec<(u8, Vec<u8>)>,
    pub payload: Vec<u8>,
}

impl Ip {
    pub fn new(source: &str, destination: &str, protocol: u8, payload: Vec<u8>) -> Self {
        let ip = |text: &str| text.parse().unwrap_or_else(|_| panic!("{text} is an address"));
        Self::between(ip(source), ip(destination), protocol, payload)
    }

    /// With the hop limit of neighbour discovery.
    pub fn between(source: IpAddr, destination: IpAddr, protocol: u8, payload: Vec<u8>) -> Self {
        Self { source, destination, protocol, hops: 255, fragment: (0, 0, false), headers: vec![], payload }
    }

    pub fn hops(mut self, hops: u8) -> Self {
        self.hops = hops;
        self
    }

    /// IPv6: one more extension header, of 8 bytes and `more` units (of 8 bytes; authentication: of 4).
    pub fn header(mut self, kind: u8, more: u8) -> Self {
        let (length, size) =
            if kind == AUTHENTICATION { (more, 8 + 4 * usize::from(more)) } else { (more, 8 + 8 * usize::from(more)) };
        let mut body = vec![0; size];
        body[1] = length;
        self.headers.push((kind, body));
        self
    }

    /// IPv6: a routing header with so many segments left.
    pub fn routing(mut self, left: u8) -> Self {
        self.headers.push((ROUTING, vec![0, 0, 0, left, 0, 0, 0, 0]));
        self
    }

    /// IPv4: options.
    pub fn options(mut self, words: usize) -> Self {
        self.headers.push((0, vec![1; words * 4]));
        self
    }

    /// A part of a datagram: its place in bytes, a multiple of 8. IPv6: the fragment header stands behind those before.
    pub fn fragment(mut self, identification: u32, offset: u16, more: bool) -> Self {
        if self.source.is_ipv4() {
            self.fragment = (u16::try_from(identification & 0xffff).unwrap_or(0), offset, more);
        } else {
            let field = (offset & 0xfff8) | u16::from(more);
            let body = [&[0, 0], &field.to_be_bytes()[..], &identification.to_be_bytes()].concat();
            self.headers.push((FRAGMENT, body));
        }
        self
    }

    /// The packet in two parts; what stands before the fragment header stays there.
    pub fn split(&self, identification: u32, at: usize) -> [Self; 2] {
        let at = (at & !7).min(self.payload.len());
        let (front, back) = self.payload.split_at(at);
        let part = |payload: &[u8], offset: usize, more| {
            let part = Self { payload: payload.to_vec(), ..self.clone() };
            part.fragment(identification, u16::try_from(offset).unwrap_or(0), more)
        };
        [part(front, 0, true), part(back, at, false)]
    }

    /// From the IP header on.
    pub fn bytes(&self) -> Vec<u8> {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let options: Vec<u8> = self.headers.iter().flat_map(|(_, body)| body.clone()).collect();
                let length = 20 + options.len();
                let total = u16::try_from(length + self.payload.len()).unwrap_or(u16::MAX);
                let (identification, offset, more) = self.fragment;
                let field = (offset / 8) | if more { 0x2000 } else { 0 };
                let first = 0x40 | u8::try_from(length / 4).unwrap_or(15);
                let mut header = [
                    &[first, 0],
                    &total.to_be_bytes()[..],
                    &identification.to_be_bytes(),
                    &field.to_be_bytes(),
                    &[self.hops, self.protocol, 0, 0],
                    &source.octets(),
                    &destination.octets(),
                    &options,
                ]
                .concat();
                let sum = checksum(&header);
                header[10..12].copy_from_slice(&sum.to_be_bytes());
                [header, self.payload.clone()].concat()
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let mut payload = self.payload.clone();
                let mut next = self.protocol;
                for (kind, body) in self.headers.iter().rev() {
                    let mut header = body.clone();
                    header[0] = next;
                    next = *kind;
                    payload = [header, payload].concat();
                }
                let length = u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes();
                let [high, low] = length;
                let header = [0x60, 0, 0, 0, high, low, next, self.hops];
                [&header[..], &source.octets(), &destination.octets(), &payload].concat()
            }
            _ => panic!("{} and {} are of different families", self.source, self.destination),
        }
    }

    /// The frame that carries it.
    pub fn frame(&self, source: Mac) -> Vec<u8> {
        ethernet(source, if self.source.is_ipv4() { IPV4 } else { IPV6 }, &self.bytes())
    }
}

/// Cuts a frame with an IP packet off, and its header says so: what is missing is not seen from its lengths.
pub fn cut(frame: &mut Vec<u8>, length: usize) {
    frame.truncate(length);
    let (at, less) = if frame.get(12..14) == Some(&IPV4.to_be_bytes()) { (16, 14) } else { (18, 54) };
    if let (Some(field), Some(left)) = (frame.get_mut(at..at + 2), length.checked_sub(less)) {
        field.copy_from_slice(&u16::try_from(left).unwrap_or(u16::MAX).to_be_bytes());
    }
}

/// Of an IPv4 header (RFC 1071).
fn checksum(header: &[u8]) -> u16 {
    let words = header.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}
