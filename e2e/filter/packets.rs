//! Packets that begin something, good and nearly good ones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use tenet::model::security::{Direction, Family};

use crate::dice::Dice;
use crate::frames::{
    self, ACK, AUTHENTICATION, FIN, HOP_BY_HOP, ICMP, ICMPV6, Ip, Mac, OPTIONS, RST, SCTP, SYN, TCP, UDP,
};
use crate::replies;
use crate::traffic::{Talk, Traffic};
use crate::world::{self, PORTS, SERVICES, SHARED, TYPES, TYPES_6, address};

/// One packet or all fragments of it.
pub fn fresh(traffic: &mut Traffic) {
    let port = traffic.dice.roll(PORTS);
    let direction = world::direction(&mut traffic.dice);
    let family = world::family(&mut traffic.dice);
    let (mac, local) = local(traffic, port, family);
    let mac = if direction == Direction::Egress { mac } else { frames::SOMEBODY };
    let dice = &mut traffic.dice;
    let remote = address(dice, family);
    let (source, destination) = if direction == Direction::Egress { (local, remote) } else { (remote, local) };
    let ip = match dice.roll(10) {
        0 => dhcp(dice, direction, source, destination),
        1 | 2 if family == Family::V6 => neighbours(dice, source, destination, local),
        _ => {
            let (protocol, payload) = payload(dice, family);
            Ip::between(source, destination, protocol, payload)
        }
    };
    let mut ip = wrapped(dice, ip);
    if dice.once_in(20) {
        ip.hops = dice.byte();
    }
    let talk = Talk { port, direction, mac, ip };
    if talk.ip.payload.len() >= 16 && traffic.dice.once_in(5) {
        in_parts(traffic, &talk);
    } else {
        replies::conversation(traffic, talk);
    }
}

/// A source that the port may use, most times.
pub fn local(traffic: &mut Traffic, port: usize, family: Family) -> (Mac, IpAddr) {
    let own = traffic.security(port).map(|security| {
        let fits = |net: &IpNet| net.addr().is_ipv4() == (family == Family::V4);
        security.pairs.iter().filter(|pair| fits(&pair.net)).map(|pair| (pair.mac.0, pair.net)).collect::<Vec<_>>()
    });
    let dice = &mut traffic.dice;
    match own {
        Some(pairs) if !pairs.is_empty() && !dice.once_in(8) => {
            // Most times the first: its fixed IP.
            let (mac, net) = if dice.once_in(2) { pairs[0] } else { dice.pick(&pairs) };
            match dice.roll(12) {
                0 => (dice.pick(&[mac, SHARED, world::mac(port), world::mac(port + 1)]), net.addr()),
                1 if family == Family::V6 => (mac, world::link_local(mac)),
                2 if family == Family::V6 => (mac, address(dice, family)),
                _ => (mac, within(dice, net)),
            }
        }
        _ => (world::mac(port), address(dice, family)),
    }
}

fn within(dice: &mut Dice, net: IpNet) -> IpAddr {
    let host = dice.roll(8);
    let ip = match net.network() {
        IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from(u32::from(ip) | u32::try_from(host).expect("small"))),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from(u128::from(ip) | u128::try_from(host).expect("small"))),
    };
    if net.contains(&ip) { ip } else { net.addr() }
}

/// Something small of bytes.
fn data(dice: &mut Dice) -> Vec<u8> {
    dice.bytes(48)
}

pub fn flags(dice: &mut Dice) -> u8 {
    dice.pick(&[SYN, SYN | ACK, ACK, ACK, FIN | ACK, FIN, RST, RST | ACK, SYN | FIN, SYN | RST, 0, 0xff])
}

fn port_number(dice: &mut Dice) -> u16 {
    if dice.once_in(3) { dice.pick(&SERVICES) } else { dice.pick(&[22, 53, 80, 443]) }
}

/// An ephemeral port, or an identifier.
fn own_number(dice: &mut Dice) -> u16 {
    if dice.once_in(12) { dice.pick(&SERVICES) } else { dice.pick(&[40_000, 40_001, 40_002]) }
}

/// A protocol and its bytes.
pub fn payload(dice: &mut Dice, family: Family) -> (u8, Vec<u8>) {
    let (from, to) = (own_number(dice), port_number(dice));
    let data = data(dice);
    match dice.roll(12) {
        0..4 => {
            let flags = if dice.once_in(4) { flags(dice) } else { SYN };
            (TCP, frames::tcp(from, to, flags, &data))
        }
        4..6 => (UDP, frames::udp(from, to, &data)),
        6 => (SCTP, frames::sctp(from, to, &data)),
        7..10 => {
            let code = if dice.once_in(6) { dice.pick(&[1, 2, 255]) } else { 0 };
            let query = !dice.once_in(3);
            match family {
                Family::V4 => {
                    let kind = if query { dice.pick(&[8, 8, 13, 17]) } else { dice.pick(&TYPES) };
                    (ICMP, frames::icmp(kind, code, from, &data))
                }
                Family::V6 => {
                    let kind = if query { 128 } else { dice.pick(&TYPES_6) };
                    (ICMPV6, frames::icmp(kind, code, from, &data))
                }
            }
        }
        _ => (dice.pick(&[47, 47, 50, 41, 2, 59, 135, ICMP, ICMPV6, 254]), data),
    }
}

fn dhcp(dice: &mut Dice, direction: Direction, source: IpAddr, destination: IpAddr) -> Ip {
    let v4 = source.is_ipv4();
    let (client, server) = if v4 { (68, 67) } else { (546, 547) };
    let to_server = (direction == Direction::Egress) != dice.once_in(4);
    let (from, to) = if to_server { (client, server) } else { (server, client) };
    let payload = frames::udp(from, to, &data(dice));
    let unspecified: IpAddr = if v4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let all: IpAddr = if v4 { Ipv4Addr::BROADCAST.into() } else { Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2).into() };
    let source = if dice.once_in(2) { unspecified } else { source };
    let destination = if dice.once_in(3) { destination } else { all };
    Ip::between(source, destination, UDP, payload)
}

/// Neighbour and listener discovery.
fn neighbours(dice: &mut Dice, source: IpAddr, destination: IpAddr, own: IpAddr) -> Ip {
    let kind = dice.pick(&[130, 131, 132, 133, 134, 135, 135, 136, 136, 137, 143]);
    let octets = |ip: IpAddr| match ip {
        IpAddr::V4(_) => [0; 16],
        IpAddr::V6(ip) => ip.octets(),
    };
    let target = octets(if dice.once_in(4) { address(dice, Family::V6) } else { own });
    let mut body = [&target[..], &[2, 1, 0, 0, 0, 0, 0, 0]].concat();
    if dice.once_in(8) {
        body.truncate(dice.roll(24));
    }
    let code = u8::from(dice.once_in(12));
    let mut solicited = octets("ff02::1:ff00:0".parse().expect("an address"));
    solicited[13..].copy_from_slice(&target[13..]);
    let destination = match dice.roll(6) {
        0..3 => IpAddr::V6(solicited.into()),
        3 | 4 => dice.pick(&["ff02::1", "ff02::2", "ff02::16"]).parse().expect("an address"),
        _ => destination,
    };
    let source = if dice.once_in(3) { Ipv6Addr::UNSPECIFIED.into() } else { source };
    let listener = matches!(kind, 130..=132 | 143) && !dice.once_in(8);
    Ip::between(source, destination, ICMPV6, frames::icmp(kind, code, 0, &body)).hops(if listener { 1 } else { 255 })
}

/// With options, or a chain of extension headers that may be too long or lead elsewhere.
fn wrapped(dice: &mut Dice, ip: Ip) -> Ip {
    if !dice.once_in(6) {
        return ip;
    }
    if ip.source.is_ipv4() {
        return ip.options(1 + dice.roll(10));
    }
    let count = dice.pick(&[1, 1, 2, 3, 7, 8, 9, 12]);
    (0..count).fold(ip, |ip, _| match dice.roll(16) {
        0 => ip.routing(u8::from(dice.once_in(3))),
        1 | 2 => ip.fragment(dice.roll(3).try_into().expect("small"), 0, false),
        3 => ip.header(AUTHENTICATION, dice.pick(&[0, 1, 4, 9])),
        4..9 => ip.header(HOP_BY_HOP, dice.pick(&[0, 0, 1, 5])),
        _ => ip.header(OPTIONS, dice.pick(&[0, 0, 1, 20])),
    })
}

/// All fragments of a packet, in order or not, with holes and overlaps.
fn in_parts(traffic: &mut Traffic, talk: &Talk) {
    let dice = &mut traffic.dice;
    let identification = dice.roll(4).try_into().expect("small");
    let at = if dice.once_in(6) { 8 } else { dice.pick(&[24, 24, 32]) };
    let [first, rest] = talk.ip.split(identification, at);
    let mut parts = vec![first, rest];
    if dice.once_in(3) {
        // Another cut of the same: overlaps, or a first one of another length.
        let at = dice.pick(&[8, 16, 32, 40]);
        parts.push(talk.ip.split(identification, at)[dice.roll(2)].clone());
    }
    if dice.once_in(4) {
        parts.reverse();
    }
    if dice.once_in(5) {
        parts.remove(0);
    }
    if dice.once_in(4) {
        let again = dice.pick(&[0, parts.len() - 1]);
        parts.push(parts[again].clone());
    }
    for ip in parts {
        match traffic.dice.roll(16) {
            0 => traffic.wait(),
            1 => traffic.change(),
            _ => {}
        }
        traffic.talk(Talk { ip, ..talk.clone() });
    }
}
