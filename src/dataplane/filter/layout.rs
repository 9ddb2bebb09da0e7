//! The bytes of the filters' tables, as `kernel/filter/bpf/tables.h` has them.

mod bytes;
#[cfg(test)]
mod tests;
mod told;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::api::MacAddr;
use crate::dataplane::filter::flow::Stage;
use crate::dataplane::filter::packet::{ICMP, ICMPV6};
use crate::dataplane::filter::{Handed, Policy, Wire};
use crate::model::active::Announcement;
use crate::model::security::{
    Direction, Family, GROUPS_MAX, Member, Number, PAIRS_MAX, Pair, RULES_MAX, Remote, RuleView, SecurityView, Span,
};

pub use told::{ToldFlow, told};

use bytes::{RANGE, Reader, Writer, address, net_of, range};

/// Raised with every change of the tables: tables of another layout are none that a program can use.
pub const LAYOUT: u32 = 3;

/// Bytes of a pair.
const PAIR: usize = RANGE + 8;
/// Bytes before a port's groups.
const PORT_HEAD: usize = 48;
/// Bytes of a port.
pub const PORT: usize = PORT_HEAD + 8 * GROUPS_MAX + PAIR * PAIRS_MAX;
/// Bytes of a rule.
const RULE: usize = 48;
/// Bytes before a group's rules.
const GROUP_HEAD: usize = 8;
/// Bytes of a group.
pub const GROUP: usize = GROUP_HEAD + RULE * RULES_MAX;
/// Bytes of a station's key.
pub const STATION: usize = 16;
/// Bytes of a member.
pub const MEMBER: usize = 32;
/// Bytes of a flow's key, and of what is remembered of it.
pub const FLOW: (usize, usize) = (48, 16);
/// Where a flow's key says the protocol.
const FLOW_PROTOCOL: usize = 44;
/// Bytes of a fragment's key, and of what is remembered of it.
pub const FRAGMENT: (usize, usize) = (48, 16);
/// Bytes of an announcement.
pub const ANNOUNCEMENT: usize = 40;

const GUARDED: u8 = 1;
const STATEFUL: u8 = 2;
const ANNOUNCES: u8 = 4;

/// The key of a port on its network.
#[must_use]
pub fn station(wire: &Wire) -> [u8; STATION] {
    let mut out = [0; STATION];
    let mut at = Writer::new(&mut out);
    at.put(&wire.network.0.to_ne_bytes());
    at.put(&wire.mac.0);
    out
}

/// What a port's entry holds, at an interface by its index and at its station. More pairs or groups than there is room for are
/// left out: they pass nothing.
#[must_use]
pub fn port(policy: &Policy, wire: &Wire, index: u32) -> [u8; PORT] {
    let mut out = [0; PORT];
    let view = if let Policy::Guarded(view) = policy { Some(&**view) } else { None };
    let pairs = view.map_or(&[][..], |view| &view.pairs).iter().take(PAIRS_MAX);
    let groups = view.iter().flat_map(|view| &view.groups).take(GROUPS_MAX);
    let flags = view.map_or(0, |view| {
        let flags = [(view.stateful, STATEFUL), (view.announces, ANNOUNCES)];
        flags.iter().filter(|(is_set, _)| *is_set).fold(GUARDED, |all, (_, flag)| all | flag)
    });
    let tap = u8::from(wire.handed == Some(Handed::Device));
    let mut at = Writer::new(&mut out);
    at.put(&wire.port.0.to_ne_bytes());
    at.put(&wire.network.0.to_ne_bytes());
    at.put(&view.map_or(0, |view| view.domain.0).to_ne_bytes());
    at.put(&index.to_ne_bytes());
    at.put(&[flags, count(pairs.len()), count(groups.clone().count()), tap]);
    at.put(&view.map_or([0; 6], |view| view.mac.0));
    at.put(&wire.mac.0);
    at.skip(4);
    groups.for_each(|group| at.put(&group.0.to_ne_bytes()));
    let mut at = Writer::new(&mut out[PORT_HEAD + 8 * GROUPS_MAX..]);
    for pair in pairs {
        at.put(&range(pair.net));
        at.put(&pair.mac.0);
        at.put(&[number_of(family(pair.net)), 0]);
    }
    out
}

/// What an entry of an interface or a station says: what its port's packets are judged by, what is behind it, and its index. Whether
/// the port is handed packets says that there is a station; only how is said here.
#[must_use]
pub fn port_of(bytes: &[u8; PORT]) -> (Policy, Wire, u32) {
    let mut at = Reader(bytes);
    let (port, network, domain) = (Number(at.number()), Number(at.number()), Number(at.number()));
    let index = u32::from_ne_bytes(at.take());
    let [flags, pairs, groups, tap] = at.take();
    let (mac, station) = (MacAddr(at.take()), MacAddr(at.take()));
    let handed = Some(if tap == 0 { Handed::Peer } else { Handed::Device });
    let wire = Wire { port, network, mac: station, handed };
    if flags & GUARDED == 0 {
        return (Policy::Open, wire, index);
    }
    let _: [u8; 4] = at.take();
    let (pairs, groups) = (usize::from(pairs).min(PAIRS_MAX), usize::from(groups).min(GROUPS_MAX));
    let groups = (0..groups).map(|_| Number(at.number())).collect();
    let mut at = Reader(&bytes[PORT_HEAD + 8 * GROUPS_MAX..]);
    let pair = |_| {
        let (net, mac) = (at.take::<RANGE>(), MacAddr(at.take()));
        let [family, _] = at.take();
        Pair { mac, net: net_of(&net, family) }
    };
    let pairs = (0..pairs).map(pair).collect();
    let (stateful, announces) = (flags & STATEFUL != 0, flags & ANNOUNCES != 0);
    (Policy::Guarded(Arc::new(SecurityView { mac, pairs, groups, stateful, domain, announces })), wire, index)
}

/// What a group's entry holds: rules for ingress first. More rules than there is room for are left out: they pass nothing.
#[must_use]
pub fn group(rules: &[RuleView]) -> Box<[u8; GROUP]> {
    let mut out = Box::new([0; GROUP]);
    let of = |direction| rules.iter().filter_map(whole).filter(move |rule| rule.direction == direction);
    let ingress = of(Direction::Ingress).count().min(RULES_MAX);
    let total = (ingress + of(Direction::Egress).count()).min(RULES_MAX);
    let mut at = Writer::new(&mut *out);
    at.put(&wide(ingress).to_ne_bytes());
    at.put(&wide(total).to_ne_bytes());
    at.skip(4);
    for rule in of(Direction::Ingress).chain(of(Direction::Egress)).take(RULES_MAX) {
        at.put(&[
            rule.family.map_or(0, number_of),
            u8::from(rule.protocol.is_none()),
            rule.protocol.unwrap_or_default(),
            match rule.remote {
                Remote::Anywhere => 0,
                Remote::Net(_) => 1,
                Remote::Group(_) => 2,
            },
        ]);
        for span in [rule.first, rule.second] {
            at.put(&span.first.to_ne_bytes());
            at.put(&span.last.to_ne_bytes());
        }
        at.skip(4);
        let mut remote = [0; RANGE];
        match rule.remote {
            Remote::Anywhere => {}
            Remote::Net(net) => remote = range(net),
            Remote::Group(group) => remote[..8].copy_from_slice(&group.0.to_ne_bytes()),
        }
        at.put(&remote);
    }
    out
}

/// The rules of a group's entry, in the order of [`RuleView`]: two equal groups have equal entries.
#[must_use]
pub fn group_of(bytes: &[u8; GROUP]) -> Arc<[RuleView]> {
    let mut at = Reader(bytes);
    let (ingress, total) = (at.small(), at.small());
    let _: [u8; 4] = at.take();
    let mut rules = Vec::new();
    for index in 0..total.min(wide(RULES_MAX)) {
        let [family, any, protocol, remote] = at.take();
        let mut span = || Span { first: at.small(), last: at.small() };
        let (first, second) = (span(), span());
        let _: [u8; 4] = at.take();
        let range = at.take::<RANGE>();
        let remote = match remote {
            0 => Remote::Anywhere,
            1 => Remote::Net(net_of(&range, family)),
            _ => Remote::Group(Number(Reader(&range).number())),
        };
        let direction = if index < ingress { Direction::Ingress } else { Direction::Egress };
        let family = match family {
            4 => Some(Family::V4),
            6 => Some(Family::V6),
            _ => None,
        };
        rules.push(RuleView { direction, family, protocol: (any == 0).then_some(protocol), first, second, remote });
    }
    rules.sort_unstable();
    rules.into()
}

/// The key of a member; none for an IPv4 address in IPv6's clothes (`::ffff:0:0/96`), which no packet comes from.
#[must_use]
pub fn member(member: &Member) -> Option<[u8; MEMBER]> {
    if matches!(member.ip, IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some()) {
        return None;
    }
    let mut out = [0; MEMBER];
    let mut at = Writer::new(&mut out);
    at.put(&member.group.0.to_ne_bytes());
    at.put(&member.domain.0.to_ne_bytes());
    at.put(&address(member.ip));
    Some(out)
}

/// The member of a key.
#[must_use]
pub fn member_of(bytes: &[u8; MEMBER]) -> Member {
    let mut at = Reader(bytes);
    let (group, domain) = (Number(at.number()), Number(at.number()));
    Member { group, domain, ip: Ipv6Addr::from(at.take::<16>()).to_canonical() }
}

/// What a table remembers of an established flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The port that it is of.
    pub port: Number,
    /// When a packet of it was last noted, ns since the machine started (`CLOCK_MONOTONIC`).
    pub seen: u64,
    /// How long it is remembered from then on.
    pub lasts: Duration,
}

impl Remembered {
    /// Whether it is older than it lasts. What was noted while we looked is not old.
    #[must_use]
    pub fn is_old(&self, now: u64) -> bool {
        let age = now.wrapping_sub(self.seen).cast_signed();
        u64::try_from(age).is_ok_and(|age| u128::from(age) > self.lasts.as_nanos())
    }
}

/// What an entry of the flows says.
#[must_use]
pub fn flow_of(key: &[u8; FLOW.0], value: &[u8; FLOW.1]) -> Remembered {
    let port = Number(Reader(key).number());
    let [protocol, family] = Reader(&key[FLOW_PROTOCOL..]).take();
    let mut at = Reader(value);
    let seen = at.number();
    let _epoch: [u8; 4] = at.take();
    let [stage] = at.take();
    let stage = match stage {
        0 => Stage::Pending,
        1 => Stage::Established,
        2 => Stage::Closing,
        3 => Stage::Closed,
        _ => Stage::Cut,
    };
    let query = matches!((family, protocol), (4, ICMP) | (6, ICMPV6));
    Remembered { port, seen, lasts: stage.lasts(protocol, query) }
}

/// What a guest has announced. `now`: since the machine started; `late`: how old it is when it is of long ago.
#[must_use]
pub fn announcement_of(bytes: &[u8; ANNOUNCEMENT], now: Duration, late: Duration) -> Announcement {
    let mut at = Reader(bytes);
    let (port, seen) = (Number(at.number()), Duration::from_nanos(at.number()));
    let (ip, mac) = (Ipv6Addr::from(at.take::<16>()).to_canonical(), MacAddr(at.take()));
    Announcement { port, ip, mac, late: now.saturating_sub(seen) > late }
}

/// A rule with the family that its remote has; none: it says another, so it allows nothing.
fn whole(rule: &RuleView) -> Option<RuleView> {
    let Remote::Net(net) = rule.remote else { return Some(*rule) };
    let family = family(net);
    rule.family.is_none_or(|said| said == family).then_some(RuleView { family: Some(family), ..*rule })
}

fn family(net: IpNet) -> Family {
    if net.addr().is_ipv4() { Family::V4 } else { Family::V6 }
}

fn number_of(family: Family) -> u8 {
    match family {
        Family::V4 => 4,
        Family::V6 => 6,
    }
}

fn count(length: usize) -> u8 {
    u8::try_from(length).unwrap_or_default()
}

fn wide(length: usize) -> u16 {
    u16::try_from(length).unwrap_or_default()
}
