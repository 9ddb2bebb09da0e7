//! Packets that are about earlier ones: answers, what comes next, errors.

use tenet::model::security::{Direction, Family};

use crate::dice::Dice;
use crate::frames::{self, ACK, FIN, ICMP, ICMPV6, Ip, RST, SCTP, SYN, TCP, UDP};
use crate::traffic::{Talk, Traffic};
use crate::world::{self, address};
use crate::{noise, packets};

/// Something about one of the latest packets.
pub fn about(traffic: &mut Traffic) {
    let count = traffic.talks.len();
    if count == 0 {
        return packets::fresh(traffic);
    }
    // The newest more often than others.
    let back = traffic.dice.roll(count).min(traffic.dice.roll(count));
    let talk = traffic.talks[count - 1 - back].clone();
    let dice = &mut traffic.dice;
    let talk = match dice.roll(20) {
        0..9 => answer(dice, &talk),
        9..14 => next(dice, talk),
        14..19 => error(dice, &talk),
        // The same at another port, or the other way.
        _ if dice.once_in(2) => Talk { port: dice.roll(world::PORTS), ..talk },
        _ => Talk { direction: other(talk.direction), ..talk },
    };
    traffic.talk(talk);
}

/// A packet, and now and then what both ends say next.
pub fn conversation(traffic: &mut Traffic, mut talk: Talk) {
    let count = if traffic.dice.once_in(3) { traffic.dice.roll(8) } else { 0 };
    for _ in 0..count {
        let dice = &mut traffic.dice;
        let then = if dice.once_in(3) { next(dice, talk.clone()) } else { answer(dice, &talk) };
        let wrong = dice.once_in(5).then(|| error(dice, &talk));
        traffic.talk(talk);
        if let Some(error) = wrong {
            traffic.talk(error);
        }
        talk = then;
        match traffic.dice.roll(20) {
            0 | 1 => traffic.wait(),
            2 => traffic.change(),
            _ => {}
        }
    }
    traffic.talk(talk);
}

fn other(direction: Direction) -> Direction {
    match direction {
        Direction::Egress => Direction::Ingress,
        Direction::Ingress => Direction::Egress,
    }
}

/// Who sends the other way.
fn mac(talk: &Talk, ip: &Ip, dice: &mut Dice) -> frames::Mac {
    // The guest's own, or a pair's, which nobody here knows but by trying.
    let shared = ip.source == world::v4(0, 6) && dice.once_in(2);
    if talk.direction == Direction::Egress || shared { world::SHARED } else { world::mac(talk.port) }
}

fn answer(dice: &mut Dice, talk: &Talk) -> Talk {
    let (protocol, old) = (talk.ip.protocol, &talk.ip.payload);
    let payload = match (protocol, old.first_chunk::<8>()) {
        (TCP | UDP | SCTP, Some([a, b, c, d, ..])) => {
            let (from, to) = (u16::from_be_bytes([*c, *d]), u16::from_be_bytes([*a, *b]));
            match protocol {
                TCP => frames::tcp(from, to, reply(dice, old.get(13).copied()), &[]),
                UDP => frames::udp(from, to, &dice.bytes(40)),
                _ => frames::sctp(from, to, &dice.bytes(40)),
            }
        }
        (ICMP | ICMPV6, Some([kind, code, _, _, high, low, ..])) => {
            let kind = match kind {
                // Or that end asks, too.
                8 | 13 | 128 if dice.once_in(4) => *kind,
                8 => 0,
                13 | 17 => kind + 1,
                128 => 129,
                135 => 136,
                0 | 14 | 18 | 129 => dice.pick(&[8, 13, 17, 128]),
                _ => *kind,
            };
            frames::icmp(kind, *code, u16::from_be_bytes([*high, *low]), &dice.bytes(40))
        }
        _ => dice.bytes(40),
    };
    let ip = Ip::between(talk.ip.destination, talk.ip.source, protocol, payload);
    Talk { port: talk.port, direction: other(talk.direction), mac: mac(talk, &ip, dice), ip }
}

/// What TCP answers, mostly.
fn reply(dice: &mut Dice, to: Option<u8>) -> u8 {
    match to {
        _ if dice.once_in(6) => packets::flags(dice),
        Some(SYN) => SYN | ACK,
        Some(flags) if flags & RST != 0 => dice.pick(&[ACK, SYN, RST, FIN | ACK]),
        Some(flags) if flags & FIN != 0 => dice.pick(&[FIN | ACK, ACK, SYN]),
        _ => dice.pick(&[ACK, ACK, FIN | ACK, RST]),
    }
}

/// The same end goes on, or asks again.
fn next(dice: &mut Dice, mut talk: Talk) -> Talk {
    if talk.ip.protocol == TCP
        && let Some(flags) = talk.ip.payload.get_mut(13)
    {
        *flags = if dice.once_in(3) { packets::flags(dice) } else { dice.pick(&[ACK, ACK, FIN | ACK]) };
    }
    talk
}

/// An ICMP error about a packet that went the other way.
fn error(dice: &mut Dice, talk: &Talk) -> Talk {
    let v4 = talk.ip.source.is_ipv4();
    let family = if v4 { Family::V4 } else { Family::V6 };
    let kinds: &[u8] = if v4 { &[3, 3, 11, 12, 5, 4] } else { &[1, 2, 2, 3, 4, 5] };
    let mut quoted = talk.ip.bytes();
    match dice.roll(5) {
        0 => quoted.truncate(dice.roll(quoted.len() + 1)),
        1 => noise::damage(dice, &mut quoted),
        2 => quoted.truncate(if v4 { 28 } else { 48 }),
        _ => {}
    }
    let payload = frames::icmp(dice.pick(kinds), dice.pick(&[0, 1, 3]), 0, &quoted);
    let protocol = if v4 { ICMP } else { ICMPV6 };
    // A guest's is from itself; others are of any router on the way.
    let from_guest = talk.direction == Direction::Ingress;
    let source = if from_guest || dice.once_in(2) { talk.ip.destination } else { address(dice, family) };
    let destination = if dice.once_in(6) { address(dice, family) } else { talk.ip.source };
    let ip = Ip::between(source, destination, protocol, payload);
    Talk { port: talk.port, direction: other(talk.direction), mac: mac(talk, &ip, dice), ip }
}
