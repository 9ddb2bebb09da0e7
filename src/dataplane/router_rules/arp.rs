//! The ARP guard of a router: a sender that nobody has is not heard, so it neither takes another's place nor fills the
//! neighbour table of the host.

use crate::dataplane::nft::{Chain, ChainKind, Field, Hook, Policy, Rule, Set, Table, Term, Type, Value};
use crate::dataplane::state::IfName;
use crate::model::view::RouterView;

use super::{Legs, v4, v4_net};

/// The table of the ARP family. On tenant legs only known pairs of IP and MAC address are heard; on provider and external
/// legs whoever is in the subnet; everywhere probes, whose sender has no address yet (RFC 5227).
pub(super) fn table(router: &RouterView, legs: &Legs) -> Table {
    let pair = |(ip, mac)| v4(ip).map(|ip| [Value::Ip(ip), Value::Mac(mac)]);
    let pairs = router.interfaces.iter().flat_map(|i| i.peers.iter().map(|(ip, mac)| (ip, *mac))).filter_map(pair);
    let heard = |terms: Vec<Term>| Rule::new([&[Term::ArpForIpv4], terms.as_slice(), &[Term::Accept]].concat());
    let within = |leg: &IfName, net| {
        heard(vec![Term::Is(Field::IifName, Value::Name(leg.clone())), Term::Within(Field::ArpSaddrIp, net)])
    };
    let probe = heard(vec![Term::Is(Field::ArpSaddrIp, Value::Ip([0; 4].into()))]);
    let known = Term::In(vec![Field::ArpSaddrIp, Field::ArpSaddrEther], "pairs".into());
    let not_outside = legs.external.iter().map(|leg| Term::IsNot(Field::IifName, Value::Name(leg.clone())));
    let mut rules = vec![heard(not_outside.chain([known]).collect()), probe];
    let provider = router.interfaces.iter().zip(&legs.interfaces).filter(|(i, _)| i.provider);
    rules.extend(provider.filter_map(|(i, leg)| v4_net(&i.cidr).map(|net| within(leg, net))));
    if let Some((external, leg)) = router.external.as_ref().zip(legs.external.as_ref()) {
        rules.extend(external.cidrs.iter().filter_map(v4_net).map(|net| within(leg, net)));
    }
    let chain = Chain { kind: ChainKind::Filter, hook: Hook::Input, priority: 0, policy: Policy::Drop, rules };
    Table {
        sets: [("pairs".into(), Set::exact([Type::Ipv4Addr, Type::EtherAddr], pairs))].into(),
        chains: [("input".into(), chain)].into(),
    }
}
