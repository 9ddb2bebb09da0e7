//! Random tables: few of everything, so that packets meet rules, flows and each other.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use tenet::api::MacAddr;
use tenet::dataplane::filter::{Policy, Tables};
use tenet::model::security::{
    Direction, Family, Member, Number, Pair, RULES_MAX, Remote, RuleView, SecurityView, Span,
};

use crate::dice::Dice;
use crate::frames::{ICMP, ICMPV6, Mac, SCTP, TCP, UDP};

/// Ports that may be in the tables.
pub const PORTS: usize = 6;
/// Groups that may be.
const GROUPS: usize = 20;
/// Shared by some ports, as VRRP does.
pub const SHARED: Mac = [0, 0, 0x5e, 0, 1, 1];

/// Ports of TCP, UDP and SCTP.
pub const SERVICES: [u16; 9] = [22, 53, 67, 68, 80, 443, 546, 547, 65535];
/// Types of ICMP.
pub const TYPES: [u8; 12] = [0, 3, 4, 5, 8, 11, 12, 13, 14, 17, 18, 42];
/// Types of `ICMPv6`.
pub const TYPES_6: [u8; 18] = [1, 2, 3, 4, 5, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 143, 151];

/// A number like those made of UIDs: both halves filled.
fn number(kind: u64, n: usize) -> Number {
    let n = u64::try_from(n).expect("small");
    Number((n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (kind << 60))
}

pub fn port(n: usize) -> Number {
    number(1, n)
}

fn group(n: usize) -> Number {
    number(2, n)
}

/// The ports with even numbers share one, the others the other: addresses are the same in both.
fn domain(n: usize) -> Number {
    number(3, n % 2)
}

pub fn mac(n: usize) -> Mac {
    let [.., n] = n.to_be_bytes();
    [2, 0x1f, 0xaa, 0, n / 7, n]
}

/// The link-local address that is made of a MAC address.
pub fn link_local([first, m1, m2, m3, m4, m5]: Mac) -> IpAddr {
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, first ^ 2, m1, m2, 0xff, 0xfe, m3, m4, m5]).into()
}

pub fn v4(net: u8, host: usize) -> IpAddr {
    Ipv4Addr::new(10, 0, net, host.to_be_bytes()[7]).into()
}

pub fn v6(net: u16, host: usize) -> IpAddr {
    let [.., low] = host.to_be_bytes();
    Ipv6Addr::new(0x2001, 0xdb8, net, 0, 0, 0, 0, low.into()).into()
}

/// An address of the pool that all share.
pub fn address(dice: &mut Dice, family: Family) -> IpAddr {
    match (family, dice.roll(12)) {
        (Family::V4, 0) => v4(1, dice.roll(3)),
        (Family::V4, 1) => Ipv4Addr::from(dice.pick(&[[224, 0, 0, 1], [255; 4], [0; 4], [127, 0, 0, 1]])).into(),
        (Family::V4, _) => v4(0, 1 + dice.roll(6)),
        (Family::V6, 0) => v6(1, dice.roll(3)),
        (Family::V6, 1 | 2) => link_local(mac(dice.roll(PORTS + 1))),
        (Family::V6, 3) => {
            let odd =
                ["ff02::1", "ff05::2", "::", "::1", "::ffff:10.0.0.1", "fe80::1", "fe80::7:7:7:7", "fe80:0:0:1::9"];
            dice.pick(&odd).parse().expect("an address")
        }
        (Family::V6, _) => v6(0, 1 + dice.roll(6)),
    }
}

pub fn family(dice: &mut Dice) -> Family {
    if dice.once_in(2) { Family::V4 } else { Family::V6 }
}

pub fn direction(dice: &mut Dice) -> Direction {
    if dice.once_in(2) { Direction::Egress } else { Direction::Ingress }
}

/// The tables that a node begins with.
pub fn world(dice: &mut Dice) -> Tables {
    let mut tables = Tables { epoch: 1, ..Tables::default() };
    for n in 0..PORTS {
        set_port(dice, &mut tables, n);
    }
    for n in 0..GROUPS {
        set_group(dice, &mut tables, n);
    }
    for _ in 0..30 {
        let member = member(dice);
        tables.members.insert(member);
    }
    tables
}

/// Changes something, or nothing but the epoch.
pub fn change(dice: &mut Dice, tables: &mut Tables) {
    tables.epoch += 1;
    for _ in 0..dice.roll(4) {
        let (a_port, a_group) = (dice.roll(PORTS), dice.roll(GROUPS));
        match dice.roll(8) {
            0 => set_port(dice, tables, a_port),
            1 => _ = tables.groups.remove(&group(a_group)),
            2 | 3 => {
                let member = member(dice);
                if !tables.members.remove(&member) {
                    tables.members.insert(member);
                }
            }
            4 => {
                if let Some(Policy::Guarded(security)) = tables.ports.get_mut(&port(a_port)) {
                    let security = Arc::make_mut(security);
                    security.stateful = !security.stateful;
                }
            }
            _ => set_group(dice, tables, a_group),
        }
    }
}

fn set_port(dice: &mut Dice, tables: &mut Tables, n: usize) {
    match dice.roll(20) {
        0 => _ = tables.ports.remove(&port(n)),
        1 => _ = tables.ports.insert(port(n), Policy::Open),
        _ => {
            let policy = Policy::Guarded(Arc::new(security(dice, n)));
            tables.ports.insert(port(n), policy);
        }
    }
}

fn security(dice: &mut Dice, n: usize) -> SecurityView {
    let mut pairs = Vec::new();
    let mut pair = |mac: Mac, net: &str| pairs.push(Pair { mac: MacAddr(mac), net: net.parse().expect("a net") });
    let own = mac(n);
    // Ports 0 and 1, 2 and 3, ... have the same addresses, in two domains.
    pair(own, &format!("{}/32", v4(0, 1 + n / 2)));
    pair(own, &format!("{}/128", v6(0, 1 + n / 2)));
    let more = [
        (own, "10.0.0.4/30"),
        (own, "10.0.1.0/24"),
        (own, "2001:db8:1::/64"),
        (own, "0.0.0.0/0"),
        (own, "::/0"),
        (own, "fe80::1/128"),
        (SHARED, "10.0.0.6/32"),
        (SHARED, "2001:db8::4/126"),
        (SHARED, "10.0.0.0/29"),
        (mac(n + 1), "10.0.0.1/32"),
    ];
    for (mac, net) in more {
        if dice.once_in(6) && (!net.ends_with("/0") || dice.once_in(4)) {
            pair(mac, net);
        }
    }
    let most = dice.pick(&[0, 1, 2, 3, 4, 4, 6, 16]);
    let groups = (0..most).map(|_| group(dice.roll(GROUPS + 1))).collect();
    SecurityView {
        mac: MacAddr(own),
        pairs,
        groups,
        stateful: !dice.once_in(4),
        domain: domain(n),
        announces: dice.once_in(2),
    }
}

fn set_group(dice: &mut Dice, tables: &mut Tables, n: usize) {
    let most = if dice.once_in(12) { RULES_MAX } else { dice.roll(10) };
    let mut rules: BTreeSet<RuleView> = (0..most).map(|_| rule(dice)).collect();
    if dice.once_in(3) {
        // What every group begins with, in one family or both; now and then for what comes in.
        let direction = if dice.once_in(4) { Direction::Ingress } else { Direction::Egress };
        let family = if dice.once_in(3) { Some(family(dice)) } else { None };
        let (first, second, remote) = (Span::ALL, Span::ALL, Remote::Anywhere);
        rules.insert(RuleView { direction, family, protocol: None, first, second, remote });
    }
    tables.groups.insert(group(n), rules.into_iter().collect());
}

fn span(dice: &mut Dice, numbers: &[u16], most: u16) -> Span {
    let first = dice.pick(numbers);
    match dice.roll(4) {
        0 => Span::ALL,
        1 => Span { first, last: most.max(first) },
        2 => Span { first: 0, last: first },
        _ => Span { first, last: first },
    }
}

fn rule(dice: &mut Dice) -> RuleView {
    let types = |types: &[u8]| types.iter().map(|kind| u16::from(*kind)).collect::<Vec<_>>();
    let protocol =
        dice.pick(&[None, Some(ICMP), Some(TCP), Some(TCP), Some(UDP), Some(ICMPV6), Some(SCTP), Some(47), Some(0)]);
    let (first, second) = match protocol {
        Some(TCP | UDP | SCTP) => (span(dice, &SERVICES, 1000), Span::ALL),
        Some(ICMP) => (span(dice, &types(&TYPES), 255), span(dice, &[0, 1, 255], 255)),
        Some(ICMPV6) => (span(dice, &types(&TYPES_6), 255), span(dice, &[0, 1, 255], 255)),
        _ => (Span::ALL, Span::ALL),
    };
    let remote = match dice.roll(4) {
        0 => Remote::Group(group(dice.roll(6))),
        1 => {
            let nets = [
                "10.0.0.1/32",
                "10.0.0.2/31",
                "10.0.0.0/29",
                "10.0.0.0/16",
                "0.0.0.0/0",
                "2001:db8::1/128",
                "2001:db8::2/127",
                "2001:db8::/48",
                "fe80::/10",
                "::/0",
            ];
            Remote::Net(dice.pick(&nets).parse().expect("a net"))
        }
        _ => Remote::Anywhere,
    };
    let family = if dice.once_in(2) { None } else { Some(family(dice)) };
    RuleView { direction: direction(dice), family, protocol, first, second, remote }
}

fn member(dice: &mut Dice) -> Member {
    let family = family(dice);
    Member { group: group(dice.roll(6)), domain: domain(dice.roll(2)), ip: address(dice, family) }
}
