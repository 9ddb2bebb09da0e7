//! The ARP guard of a router: a sender that nobody has is not heard, so it neither takes another's place nor fills the
//! neighbour table of the host.

use std::net::IpAddr;

use crate::api::MacAddr;
use crate::dataplane::names;
use crate::dataplane::nft::{Chain, ChainKind, Field, Hook, Policy, Rule, Set, Table, Term, Type, Value};
use crate::dataplane::state::IfName;
use crate::model::view::{InterfaceView, RouterView};

use super::{Legs, routed, v4, v4_net};

/// The table of the ARP family. On tenant legs only known pairs of IP and MAC address are heard; on provider and external
/// legs whoever is in the subnet; everywhere probes, whose sender has no address yet (RFC 5227).
///
/// A next hop that answers from an address behind it (an appliance that has one there itself) asks for the router from that
/// address (Linux does, `arp_announce` 0). It gets its answer as if it had asked from its port's address, which is put in
/// the place of the other: so it is heard, and the kernel learns no address that nobody has.
pub(super) fn table(router: &RouterView, legs: &Legs) -> Table {
    let pair = |(ip, mac): (IpAddr, MacAddr)| v4(&ip).map(|ip| [Value::Ip(ip), Value::Mac(mac)]);
    let known = |i: &'_ InterfaceView| {
        let peers = i.peers.iter().map(|(ip, mac)| (*ip, *mac));
        peers.chain(i.askers.iter().copied()).filter_map(pair).collect::<Vec<_>>()
    };
    let pairs = router.interfaces.iter().flat_map(known);
    let heard = |terms: Vec<Term>| Rule::new([&[Term::ArpForIpv4], terms.as_slice(), &[Term::Accept]].concat());
    let within = |leg: &IfName, net| {
        heard(vec![Term::Is(Field::IifName, Value::Name(leg.clone())), Term::Within(Field::ArpSaddrIp, net)])
    };
    let probe = heard(vec![Term::Is(Field::ArpSaddrIp, Value::Ip([0; 4].into()))]);
    let known = Term::In(vec![Field::ArpSaddrIp, Field::ArpSaddrEther], "pairs".into());
    let not_outside = legs.external.iter().map(|leg| Term::IsNot(Field::IifName, Value::Name(leg.clone())));
    let behind = Term::In(vec![Field::ArpSaddrIp], "behind".into());
    let by = vec![Field::ArpDaddrIp, Field::ArpSaddrEther];
    let as_hop = vec![behind, Term::ArpSpeakAs { by, map: "hops".into() }];
    // Nobody learns where that one is: it is on the leg for the kernel's sake.
    let keeper = Rule::new(vec![Term::Is(Field::ArpDaddrIp, Value::Ip(names::KEEPER)), Term::Drop]);
    let mut rules: Vec<Rule> = legs.external.as_ref().and(legs.transit.as_ref()).map(|_| keeper).into_iter().collect();
    rules.extend([heard(not_outside.chain([known]).collect()), probe, heard(as_hop)]);
    let provider = router.interfaces.iter().zip(&legs.interfaces).filter(|(i, _)| i.provider);
    rules.extend(provider.filter_map(|(i, leg)| v4_net(&i.cidr).map(|net| within(leg, net))));
    if let Some((external, leg)) = router.external.as_ref().zip(legs.external.as_ref()) {
        rules.extend(external.cidrs.iter().filter_map(v4_net).map(|net| within(leg, net)));
    }
    let chain = Chain { kind: ChainKind::Filter, hook: Hook::Input, priority: 0, policy: Policy::Drop, rules };
    let pair_type = [Type::Ipv4Addr, Type::EtherAddr];
    Table {
        sets: [
            ("behind".into(), Set::ranges(routed(router))),
            ("hops".into(), Set::map(pair_type, [Type::Ipv4Addr], hops(router))),
            ("pairs".into(), Set::exact(pair_type, pairs)),
        ]
        .into(),
        chains: [("input".into(), chain)].into(),
    }
}

/// Next hops that are ports or routers of ours: of who asks for that address of the router from that MAC address, the IP
/// address.
fn hops(router: &RouterView) -> impl Iterator<Item = ([Value; 2], [Value; 1])> {
    let hops = || router.routes.values().flatten();
    router.interfaces.iter().filter_map(|leg| Some((leg, v4(&leg.ip)?))).flat_map(move |(leg, asked)| {
        let known = hops().filter_map(|hop| Some((v4(hop)?, *leg.peers.get(hop)?)));
        known.map(move |(hop, mac)| ([Value::Ip(asked), Value::Mac(mac)], [Value::Ip(hop)]))
    })
}
