//! Frames that are no IP, or no good.

use tenet::model::security::{Direction, Family};

use crate::dice::Dice;
use crate::frames::{self, ARP, IPV4, IPV6, RARP};
use crate::packets;
use crate::traffic::{Frame, Traffic};
use crate::world::{self, PORTS};

/// ARP and other types, an earlier frame again or with something wrong in it, or any bytes.
pub fn noise(traffic: &mut Traffic) {
    let earlier = traffic.frames.len();
    match traffic.dice.roll(10) {
        0..3 => arp(traffic),
        3..7 if earlier > 0 => {
            let at = traffic.dice.roll(earlier);
            let mut frame = traffic.frames[at].clone();
            let dice = &mut traffic.dice;
            match dice.roll(8) {
                0 => {}
                1 => frame.bytes.truncate(dice.roll(frame.bytes.len() + 1)),
                2 => frame.bytes.extend(dice.bytes(40)),
                3 => frame.direction = world::direction(dice),
                4 | 5 => {
                    // Somewhere in what stands behind the IP header.
                    let length = 34 + dice.roll(60);
                    frames::cut(&mut frame.bytes, length);
                }
                _ => damage(dice, &mut frame.bytes),
            }
            traffic.frame(frame);
        }
        _ => other(traffic),
    }
}

/// Changes some bytes, mostly of headers.
pub fn damage(dice: &mut Dice, bytes: &mut [u8]) {
    for _ in 0..=dice.roll(2) {
        let at = dice.roll(bytes.len().clamp(1, 90));
        if let Some(byte) = bytes.get_mut(at) {
            *byte = match dice.roll(4) {
                0 => dice.byte(),
                1 => byte.wrapping_add(1),
                2 => dice.pick(&[0, 1, 6, 17, 44, 43, 58, 60, 0x45, 0xff]),
                _ => *byte ^ (1 << dice.roll(8)),
            };
        }
    }
}

fn arp(traffic: &mut Traffic) {
    let port = traffic.dice.roll(PORTS);
    let direction = world::direction(&mut traffic.dice);
    let (mac, ip) = packets::local(traffic, port, Family::V4);
    let dice = &mut traffic.dice;
    let octets = |ip| if let std::net::IpAddr::V4(ip) = ip { ip.octets() } else { [0; 4] };
    let sender = if dice.once_in(8) { [0; 4] } else { octets(ip) };
    let inside = if dice.once_in(8) { world::mac(dice.roll(PORTS)) } else { mac };
    let mut payload = frames::arp(dice.pick(&[1, 1, 2, 2, 3]), (inside, sender), octets(world::v4(0, 2)));
    match dice.roll(8) {
        0 => damage(dice, &mut payload),
        1 => payload.truncate(dice.roll(29)),
        _ => {}
    }
    let kind = if dice.once_in(8) { RARP } else { ARP };
    traffic.frame(Frame { port, direction, bytes: frames::ethernet(mac, kind, &payload) });
}

fn other(traffic: &mut Traffic) {
    let dice = &mut traffic.dice;
    let (port, direction) = (dice.roll(PORTS), world::direction(dice));
    let mac = if direction == Direction::Egress && !dice.once_in(8) {
        world::mac(port)
    } else {
        dice.pick(&[[0xff; 6], [0; 6]])
    };
    let kind = dice.pick(&[IPV4, IPV6, ARP, RARP, 0x8100, 0x88a8, 0x9100, 0x88cc, 0x8863, 0x0026]);
    let mut bytes = frames::ethernet(mac, kind, &dice.bytes(90));
    // As if it were IP, at least.
    if let (IPV4 | IPV6, Some(first)) = (kind, bytes.get_mut(14)) {
        *first = if kind == IPV4 { 0x45 } else { 0x60 };
    }
    if dice.once_in(6) {
        bytes.truncate(dice.roll(20));
    }
    traffic.frame(Frame { port, direction, bytes });
}
