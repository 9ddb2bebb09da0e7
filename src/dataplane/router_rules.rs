//! The rules of a router: guards, NAT, what the router itself answers.
//!
//! A packet's way, chain by chain:
//! - `arrival` drops what may not come in at all (from the outside: to anything but a public address; from a tenant leg:
//!   from an address that nobody has) and keeps conntrack away from what is not translated;
//! - `crowd` caps the connections of one guest, so that it cannot fill the table for the others;
//! - `inward` translates floating IPs and port forwardings, from whichever side they are called;
//! - `way` marks what leaves by a floating IP, where a router has several nodes: it leaves right here;
//! - `input` is all that the router itself answers;
//! - `forward` refuses addresses that nobody has: otherwise the kernel would ask for each by ARP, and the neighbour table
//!   is the whole host's. Where others may be (on the outside, on provider networks) it asks for few at a time;
//! - `outward` translates sources on their way out, and those of guests that call a floating IP from inside, whose answers
//!   would otherwise bypass the router;
//! - `leak` is the last look: no tenant's address goes out untranslated.
//!
//! Everything here matches sets. A port or a floating IP that comes or goes changes elements and no rule.

mod arp;
mod cut;
mod memory;
mod outside;
#[cfg(test)]
mod tests;

pub use cut::{cut, translates};
pub use memory::Memory;

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use crate::dataplane::nft::{
    Chain, ChainKind, Family, Field, Hook, Policy, Rule, Ruleset, Set, Table, Term, Type, Value,
};
use crate::dataplane::state::IfName;
use crate::model::view::RouterView;

use outside::Outside;

/// Stations that nobody knows, on the outside or on a provider network, that one router looks for within so many seconds.
/// The kernel keeps a neighbour that did not answer for half a minute, and a thousand for the whole host (`gc_thresh3`).
const ASKED: u32 = 128;
const ASKED_SECONDS: u32 = 10;

/// ICMP types: echo request, and the errors that path MTU discovery and the router's own packets need (RFC 792).
const ECHO_REQUEST: u8 = 8;
const ICMP_ERRORS: [u8; 3] = [3, 11, 12];
/// The server's port of DHCP (RFC 2131): guests renew their leases by unicast to the gateway address.
const DHCP_SERVER: u16 = 67;

/// Names of a router's legs, in the order of [`RouterView::interfaces`].
pub struct Legs {
    /// Legs into tenant networks.
    pub interfaces: Vec<IfName>,
    /// The leg to the outside.
    pub external: Option<IfName>,
    /// The way to the gateway node.
    pub transit: Option<IfName>,
}

/// The mark of packets whose source is translated to a floating IP here.
pub const MARK: u32 = 1;

/// The rules of one router. IPv4 only: IPv6 is switched off in a router's namespace.
#[must_use]
pub fn ruleset(router: &RouterView, legs: &Legs) -> Ruleset {
    let mut table = Table::default();
    let outside = router.external.as_ref().zip(legs.external.as_ref());
    let outside = outside.and_then(|(view, leg)| Outside::new(view, leg, legs.transit.as_ref()));
    let inner = inner(router);
    let ports = router.interfaces.iter().flat_map(|i| i.peers.keys()).filter_map(v4).map(|ip| [Value::Ip(ip)]);
    table.sets.insert("ports".into(), Set::exact([Type::Ipv4Addr], ports));
    table.sets.insert("open".into(), Set::ranges(open(router)));
    table.sets.insert("wire".into(), Set::ranges(wire(router)));
    table.sets.insert("asked".into(), Set::dynamic(Type::Ipv4Addr, ASKED, ASKED_SECONDS));
    if let Some(outside) = &outside {
        outside.sets(inner, &mut table);
    }
    let outside = outside.as_ref();
    let mut chain = |name: &str, kind, hook, priority, policy, rules: Vec<Vec<Term>>| {
        let rules = rules.into_iter().map(Rule::new).collect();
        table.chains.insert(name.into(), Chain { kind, hook, priority, policy, rules });
    };
    let (filter, nat, accept) = (ChainKind::Filter, ChainKind::Nat, Policy::Accept);
    chain("arrival", filter, Hook::Prerouting, -300, accept, arrival(outside, leads_out(router)));
    chain("input", filter, Hook::Input, 0, Policy::Drop, input(outside));
    chain("forward", filter, Hook::Forward, 0, accept, forward(router, outside, legs.transit.as_ref()));
    if let Some(outside) = outside {
        chain("crowd", filter, Hook::Prerouting, -150, accept, outside.crowd());
        chain("inward", nat, Hook::Prerouting, -100, accept, inward());
        if outside.has_nodes() {
            chain("way", filter, Hook::Prerouting, -90, accept, outside.way());
        }
        chain("outward", nat, Hook::Postrouting, 100, accept, outside.outward());
        chain("leak", filter, Hook::Postrouting, 300, accept, outside.leak());
    }
    Ruleset { tables: [(Family::Ip, table), (Family::Arp, arp::table(router, legs))].into() }
}

fn v4(ip: &IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(ip) => Some(*ip),
        IpAddr::V6(_) => None,
    }
}

fn v4_net(net: &IpNet) -> Option<Ipv4Net> {
    match net {
        IpNet::V4(net) => Some(net.trunc()),
        IpNet::V6(_) => None,
    }
}

/// Destinations of static routes through tenant legs.
fn routed(router: &RouterView) -> impl Iterator<Item = Ipv4Net> {
    let tenant = |hop: &IpAddr| router.interfaces.iter().any(|i| i.cidr.contains(hop));
    router.routes.iter().filter(move |(_, hops)| hops.iter().any(tenant)).filter_map(|(to, _)| v4_net(to))
}

/// Ranges in which stations may be that are no ports of ours: provider subnets, and what is behind a next hop.
pub(in crate::dataplane) fn open(router: &RouterView) -> Vec<Ipv4Net> {
    provider(router).chain(routed(router)).collect()
}

fn provider(router: &RouterView) -> impl Iterator<Item = Ipv4Net> {
    router.interfaces.iter().filter(|i| i.provider).filter_map(|i| v4_net(&i.cidr))
}

/// Ranges in which the router looks for stations that nobody knows.
fn wire(router: &RouterView) -> Vec<Ipv4Net> {
    provider(router).chain(router.external.iter().flat_map(|e| &e.cidrs).filter_map(v4_net)).collect()
}

/// All that is on the tenant side. A route that leads the outside itself (a default route) into a tenant network does not
/// make the outside a tenant.
pub(in crate::dataplane) fn inner(router: &RouterView) -> Vec<Ipv4Net> {
    let outside: Vec<_> = router.external.iter().flat_map(|e| &e.cidrs).filter_map(v4_net).collect();
    let behind = routed(router).filter(|net| !outside.iter().any(|o| net.contains(o)));
    router.interfaces.iter().filter_map(|i| v4_net(&i.cidr)).chain(behind).collect()
}

/// Whether all that is not on the tenant side leaves by the outside: no route leads the outside into a tenant network.
fn leads_out(router: &RouterView) -> bool {
    let inner = inner(router);
    routed(router).all(|net| inner.contains(&net))
}

fn known(field: Field, set: &str) -> Term {
    Term::In(vec![field], set.into())
}

fn unknown(field: Field, set: &str) -> Term {
    Term::NotIn(vec![field], set.into())
}

/// A match for everything that came from a tenant leg; nothing to match where there is no other.
fn from_inside(outside: Option<&Outside<'_>>) -> Vec<Term> {
    outside.map(|o| Term::IsNot(Field::IifName, o.leg())).into_iter().collect()
}

/// `leaves`: all that is no tenant's is outside.
///
/// Where a router has several nodes, one lookup decides of a packet from inside whether it goes on to the node that translates,
/// untouched (`theirs` has all then), or is translated and leaves from here: it is tracked and marked, or neither. So a node
/// becomes the gateway node, and is it no more, when elements change, between two packets.
fn arrival(outside: Option<&Outside<'_>>, leaves: bool) -> Vec<Vec<Term>> {
    let mut nobody = from_inside(outside);
    nobody.extend([unknown(Field::IpSaddr, "ports"), unknown(Field::IpSaddr, "open"), Term::Drop]);
    let Some(outside) = outside else { return vec![nobody] };
    let from_outside = || Term::Is(Field::IifName, outside.leg());
    let inside = || Term::IsNot(Field::IifName, outside.leg());
    let mut injected = vec![from_outside(), unknown(Field::IpDaddr, "public")];
    if outside.has_part() && !outside.view.snat {
        injected.push(unknown(Field::IpDaddr, "inner"));
    }
    injected.push(Term::Drop);
    let mut rules = vec![injected, vec![from_outside(), known(Field::IpSaddr, "inner"), Term::Drop], nobody];
    let moves = outside.has_nodes() && outside.has_part();
    if moves {
        rules.push(vec![from_outside(), known(Field::IpDaddr, "public"), Term::Accept]);
        rules.push(vec![known(Field::IpDaddr, "home"), Term::Accept]);
    } else {
        rules.push(vec![known(Field::IpDaddr, "public"), Term::Accept]);
    }
    rules.push(vec![known(Field::IpSaddr, "inner"), known(Field::IpDaddr, "inner"), Term::Notrack, Term::Accept]);
    if moves {
        let theirs = [inside(), known(Field::IpSaddr, "theirs"), unknown(Field::IpSaddr, "owned")];
        rules.push([theirs.as_slice(), &[Term::Notrack, Term::Accept]].concat());
        if leaves {
            rules.push(vec![inside(), unknown(Field::IpDaddr, "inner"), Term::Mark(MARK)]);
        }
    }
    if !outside.translates_all() {
        let plain = [unknown(Field::IpSaddr, "translated"), unknown(Field::IpDaddr, "translated")];
        rules.push([plain.as_slice(), &[Term::Notrack]].concat());
    }
    rules
}

fn input(outside: Option<&Outside<'_>>) -> Vec<Vec<Term>> {
    let icmp = |kind| {
        let is_icmp = Term::Is(Field::L4Proto, Value::Proto(1));
        vec![is_icmp, Term::Is(Field::IcmpType, Value::Octet(kind)), Term::Accept]
    };
    let mut rules: Vec<_> = [ECHO_REQUEST].into_iter().chain(ICMP_ERRORS).map(icmp).collect();
    let mut dhcp = from_inside(outside);
    dhcp.push(Term::Is(Field::L4Proto, Value::Proto(17)));
    dhcp.extend([Term::Is(Field::ThDport, Value::Port(DHCP_SERVER)), Term::Accept]);
    rules.push(dhcp);
    rules
}

fn forward(router: &RouterView, outside: Option<&Outside<'_>>, transit: Option<&IfName>) -> Vec<Vec<Term>> {
    let mut nobody: Vec<_> = outside.map(|o| Term::IsNot(Field::OifName, o.leg())).into_iter().collect();
    nobody.extend(transit.map(|leg| Term::IsNot(Field::OifName, Value::Name(leg.clone()))));
    nobody.extend([unknown(Field::IpDaddr, "ports"), unknown(Field::IpDaddr, "open"), Term::Reject]);
    let mut rules = vec![nobody];
    let mut mtus = router.interfaces.iter().map(|i| i.mtu).chain(router.external.iter().map(|e| e.mtu));
    let first = mtus.next();
    if mtus.any(|mtu| Some(mtu) != first) || transit.is_some() {
        rules.push(vec![Term::Syn, Term::ClampMss]);
    }
    // Answers go to who is there. Without an outside there is no conntrack to tell them.
    let mut ask: Vec<_> = outside.map(|_| Term::NewOrUntracked).into_iter().collect();
    // What goes on to another node is asked for there.
    ask.extend(transit.map(|leg| Term::IsNot(Field::OifName, Value::Name(leg.clone()))));
    ask.extend([known(Field::IpDaddr, "wire"), unknown(Field::IpDaddr, "ports")]);
    rules.push([ask.as_slice(), &[Term::Remember("asked".into()), Term::Accept]].concat());
    ask.push(Term::Drop);
    rules.push(ask);
    rules
}

/// By address before by port: a floating IP has either a port or port forwardings.
fn inward() -> Vec<Vec<Term>> {
    let by_port = vec![Field::L4Proto, Field::IpDaddr, Field::ThDport];
    vec![
        vec![Term::Dnat { by: vec![Field::IpDaddr], map: "floating".into(), port: false }],
        vec![Term::Dnat { by: by_port, map: "forwarded".into(), port: true }],
    ]
}
