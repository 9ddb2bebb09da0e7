//! A restarted agent reads back what was written, and finds nothing to change.
#![allow(clippy::unwrap_used, reason = "a test that cannot begin ends there")]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use proptest::prelude::*;

use super::*;
use crate::dataplane::filter::{Handed, Policy, Wire};

fn ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        // Not IPv4 in IPv6's clothes, which no subnet has.
        any::<[u8; 15]>().prop_map(|rest| {
            let mut octets = [0x20; 16];
            octets[1..].copy_from_slice(&rest);
            IpAddr::from(octets)
        }),
    ]
}

fn net() -> impl Strategy<Value = IpNet> {
    (ip(), any::<u8>()).prop_map(|(ip, bits)| {
        let most = if ip.is_ipv4() { 32 } else { 128 };
        // No less than 8: a range with nothing of its first octet says nothing of its family here.
        IpNet::new(ip, 8 + bits % (most - 7)).unwrap().trunc()
    })
}

fn mac() -> impl Strategy<Value = MacAddr> {
    any::<[u8; 6]>().prop_map(MacAddr)
}

fn number() -> impl Strategy<Value = Number> {
    any::<u64>().prop_map(Number)
}

fn policy() -> impl Strategy<Value = Policy> {
    let pairs = proptest::collection::vec((mac(), net()).prop_map(|(mac, net)| Pair { mac, net }), 0..=PAIRS_MAX);
    let groups = proptest::collection::btree_set(number(), 0..=GROUPS_MAX);
    let flags = (any::<bool>(), any::<bool>());
    let guarded = (mac(), pairs, groups, flags, number()).prop_map(|(mac, pairs, groups, flags, domain)| {
        let (stateful, announces) = flags;
        Policy::Guarded(Arc::new(SecurityView { mac, pairs, groups, stateful, domain, announces }))
    });
    prop_oneof![1 => Just(Policy::Open), 9 => guarded]
}

fn span() -> impl Strategy<Value = Span> {
    (any::<u16>(), any::<u16>()).prop_map(|(a, b)| Span { first: a.min(b), last: a.max(b) })
}

fn rule() -> impl Strategy<Value = RuleView> {
    let remote = prop_oneof![Just(Remote::Anywhere), net().prop_map(Remote::Net), number().prop_map(Remote::Group)];
    let direction = prop_oneof![Just(Direction::Ingress), Just(Direction::Egress)];
    let said = prop_oneof![Just(None), Just(Some(Family::V4)), Just(Some(Family::V6))];
    (direction, said, any::<Option<u8>>(), span(), span(), remote).prop_map(
        |(direction, said, protocol, first, second, remote)| {
            let family = if let Remote::Net(net) = remote { Some(family(net)) } else { said };
            RuleView { direction, family, protocol, first, second, remote }
        },
    )
}

proptest! {
    #[test]
    fn a_port_is_read_as_it_was_written(
        (policy, ends, mac, index) in (policy(), (number(), number()), mac(), any::<u32>()),
        handed in prop_oneof![Just(Handed::Peer), Just(Handed::Device)],
    ) {
        let wire = Wire { port: ends.0, network: ends.1, mac, handed: Some(handed) };
        prop_assert_eq!(port_of(&port(&policy, &wire, index)), (policy, wire, index));
    }

    #[test]
    fn a_group_is_read_as_it_was_written(rules in proptest::collection::btree_set(rule(), 0..40)) {
        let rules: Arc<[RuleView]> = rules.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        prop_assert_eq!(group_of(&group(&rules)), rules);
    }

    #[test]
    fn a_member_is_read_as_it_was_written(group in number(), domain in number(), ip in ip()) {
        let wanted = Member { group, domain, ip };
        prop_assert_eq!(member_of(&member(&wanted).unwrap()), wanted);
    }
}

#[test]
fn a_rule_whose_family_is_not_its_remotes_allows_nothing() {
    let rule = RuleView {
        direction: Direction::Egress,
        family: Some(Family::V4),
        protocol: None,
        first: Span::ALL,
        second: Span::ALL,
        remote: Remote::Net("2001:db8::/32".parse().unwrap()),
    };
    assert!(group_of(&group(&[rule])).is_empty());
    let silent = RuleView { family: None, ..rule };
    assert_eq!(group_of(&group(&[silent]))[0].family, Some(Family::V6));
}
