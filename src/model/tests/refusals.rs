//! Every refusal that needs more than one object: its condition, its reason, its sentence; and nothing else suffers.

use crate::api::{ConditionType, Reason};
use crate::model::fixtures::{id, world};
use crate::model::link;

/// What the rest of the tables builds on.
const BASE: &str = "
    Network blue
    Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
    Network red
    Subnet db {networkRef: {name: red}, cidr: 10.1.0.0/24}
    Network public {external: true}
    Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/24, allocationPools: [{start: 203.0.113.10, end: 203.0.113.12}]}
    Router r {interfaces: [{subnetRef: {name: web}}], externalGateway: {networkRef: {name: public}, addresses: [{ip: 203.0.113.10}]}}
    Port p {networkRef: {name: blue}, addresses: [{ip: 10.0.0.10}], macAddress: '02:00:00:00:00:05'}
    FloatingIP f {networkRef: {name: public}, portRef: {name: p}}";

/// Objects added to the base, the one that is refused, why, and a part of the sentence.
type Case = (&'static str, &'static str, ConditionType, Reason, &'static str);

fn check(cases: &[Case]) {
    assert!(link(&world(BASE)).1.is_empty(), "the base is sound: {:?}", link(&world(BASE)).1);
    for (lines, object, condition, reason, words) in cases {
        let (_, problems) = link(&world(&format!("{BASE}\n{lines}")));
        let found: Vec<_> = problems.get(&id(object)).into_iter().flatten().collect();
        let fits = found
            .iter()
            .any(|p| p.condition == *condition && p.remark.reason == *reason && p.remark.message.contains(words));
        assert!(fits, "{object} of {lines}: {found:?}");
        let others: Vec<_> = problems.keys().filter(|other| **other != id(object)).collect();
        assert!(others.is_empty(), "{lines}: others suffer: {problems:?}");
    }
}

use ConditionType::{Accepted, ResolvedRefs};

#[test]
fn networks_and_subnets_are_refused_with_a_reason() {
    check(&[
        ("Network big {mtu: 1451}", "Network big", Accepted, Reason::InvalidMTU, "carries 1450 bytes"),
        (
            "Network x {provider: {physicalNetwork: wire, type: Flat}}",
            "Network x",
            ResolvedRefs,
            Reason::NotFound,
            "PhysicalNetwork wire does not exist",
        ),
        (
            "PhysicalNetwork wire {mtu: 1400, attachments: [{interface: br0}]}
             Network x {mtu: 1401, provider: {physicalNetwork: wire, type: Flat}}",
            "Network x",
            Accepted,
            Reason::InvalidMTU,
            "carries 1400 bytes",
        ),
        (
            "PhysicalNetwork wire {attachments: [{interface: br0}]}
             Network x {provider: {physicalNetwork: wire, type: Flat}}
             Network w {provider: {physicalNetwork: wire, type: Flat}}",
            "Network w",
            Accepted,
            Reason::SegmentInUse,
            "Network default/x is on the untagged segment",
        ),
        (
            "PhysicalNetwork wire {attachments: [{interface: br0}]}
             Network x {provider: {physicalNetwork: wire, type: VLAN, vlan: 7}}
             Network y {provider: {physicalNetwork: wire, type: VLAN, vlan: 8}}
             Network w {provider: {physicalNetwork: wire, type: VLAN, vlan: 7}}",
            "Network w",
            Accepted,
            Reason::SegmentInUse,
            "VLAN 7",
        ),
        (
            "Subnet s {networkRef: {name: blue}, cidr: 10.0.0.128/25}",
            "Subnet s",
            Accepted,
            Reason::SubnetOverlap,
            "overlaps Subnet default/web (10.0.0.0/24)",
        ),
        (
            "Subnet s {networkRef: {name: blue}, cidr: 10.0.0.0/16}",
            "Subnet s",
            Accepted,
            Reason::SubnetOverlap,
            "10.0.0.0/16 overlaps",
        ),
        (
            "Subnet s {networkRef: {name: nowhere}, cidr: 10.9.0.0/16}",
            "Subnet s",
            ResolvedRefs,
            Reason::NotFound,
            "Network default/nowhere does not exist",
        ),
    ]);
}

#[test]
fn ports_are_refused_with_a_reason() {
    let port = |rest: &str| -> &'static str { format!("Port q {{networkRef: {{name: blue}}, {rest}}}").leak() };
    check(&[
        (port("addresses: [{ip: 10.0.0.10}]"), "Port q", Accepted, Reason::AddressInUse, "held by Port default/p"),
        (port("addresses: [{ip: 10.0.0.1}]"), "Port q", Accepted, Reason::AddressInUse, "held by Router default/r"),
        (port("addresses: [{ip: 10.1.0.9}]"), "Port q", Accepted, Reason::AddressOutOfRange, "in no accepted subnet"),
        (port("addresses: [{ip: 10.0.0.0}]"), "Port q", Accepted, Reason::AddressOutOfRange, "network or broadcast"),
        (port("addresses: [{ip: 10.0.0.255}]"), "Port q", Accepted, Reason::AddressOutOfRange, "network or broadcast"),
        (
            port("addresses: [{subnetRef: {name: web}, ip: 10.1.0.9}]"),
            "Port q",
            Accepted,
            Reason::AddressOutOfRange,
            "outside Subnet default/web (10.0.0.0/24)",
        ),
        (
            port("addresses: [{subnetRef: {name: db}}]"),
            "Port q",
            Accepted,
            Reason::Invalid,
            "not on Network default/blue",
        ),
        (port("addresses: [{subnetRef: {name: no}}]"), "Port q", ResolvedRefs, Reason::NotFound, "Subnet default/no"),
        (port("macAddress: '02:00:00:00:00:05'"), "Port q", Accepted, Reason::MacAddressInUse, "02:00:00:00:00:05"),
        ("Port q {networkRef: {name: no}}", "Port q", ResolvedRefs, Reason::NotFound, "Network default/no"),
        (
            "Network tiny
             Subnet one {networkRef: {name: tiny}, cidr: 10.0.0.0/30}
             Port a {networkRef: {name: tiny}}
             Port b {networkRef: {name: tiny}}",
            "Port b",
            Accepted,
            Reason::AddressesExhausted,
            "Network default/tiny",
        ),
        (
            "Network tiny
             Subnet one {networkRef: {name: tiny}, cidr: 10.0.0.0/31, dhcp: false}
             Port a {networkRef: {name: tiny}}
             Port b {networkRef: {name: tiny}, addresses: [{subnetRef: {name: one}}]}",
            "Port b",
            Accepted,
            Reason::AddressesExhausted,
            "Subnet default/one has no free address",
        ),
    ]);
}

#[test]
fn routers_are_refused_with_a_reason() {
    check(&[
        (
            "Router x {interfaces: [{subnetRef: {name: no}}]}",
            "Router x",
            ResolvedRefs,
            Reason::NotFound,
            "The interface to Subnet default/no is left out",
        ),
        (
            "Router x {interfaces: [{subnetRef: {name: web}}]}",
            "Router x",
            Accepted,
            Reason::AddressInUse,
            "10.0.0.1 is held by Router default/r",
        ),
        (
            "Router x {interfaces: [{subnetRef: {name: web}, ip: 10.0.1.1}]}",
            "Router x",
            Accepted,
            Reason::AddressOutOfRange,
            "outside Subnet default/web",
        ),
        (
            "Network n
             Subnet s {networkRef: {name: n}, cidr: 10.2.0.0/24, gatewayIP: None}
             Router x {interfaces: [{subnetRef: {name: s}}]}",
            "Router x",
            Accepted,
            Reason::Invalid,
            "no gateway address: give the interface an ip",
        ),
        (
            "Network n
             Subnet s {networkRef: {name: n}, cidr: 10.1.0.0/16}
             Router x {interfaces: [{subnetRef: {name: s}}, {subnetRef: {name: db}}]}",
            "Router x",
            Accepted,
            Reason::RouterSubnetOverlap,
            "The interface to Subnet default/s is left out: 10.1.0.0/16 overlaps Subnet default/db",
        ),
        (
            "Network n
             Subnet s {networkRef: {name: n}, cidr: 203.0.113.0/25}
             Router x {interfaces: [{subnetRef: {name: s}}], externalGateway: {networkRef: {name: public}}}",
            "Router x",
            Accepted,
            Reason::RouterSubnetOverlap,
            "overlaps Subnet default/outside",
        ),
        (
            "Router x {externalGateway: {networkRef: {name: red}}}",
            "Router x",
            Accepted,
            Reason::NotExternal,
            "Network default/red is not external",
        ),
        (
            "Router x {externalGateway: {networkRef: {name: public}, addresses: [{ip: 203.0.113.1}]}}",
            "Router x",
            Accepted,
            Reason::AddressOutOfRange,
            "is the gateway of 203.0.113.0/24",
        ),
        (
            "Router x {interfaces: [{subnetRef: {name: db}}], routes: [{destination: 172.16.0.0/12, nextHop: 10.2.0.9}]}",
            "Router x",
            Accepted,
            Reason::InvalidNextHop,
            "The route to 172.16.0.0/12 is left out: 10.2.0.9 is in no subnet",
        ),
        (
            "Router x {interfaces: [{subnetRef: {name: db}}], routes: [{destination: 172.16.0.0/12, nextHop: 10.1.0.1}]}",
            "Router x",
            Accepted,
            Reason::InvalidNextHop,
            "is the router itself",
        ),
    ]);
}

#[test]
fn floating_ips_are_refused_with_a_reason() {
    let floating =
        |rest: &str| -> &'static str { format!("FloatingIP g {{networkRef: {{name: public}}, {rest}}}").leak() };
    let two = "Port q {networkRef: {name: blue}, addresses: [{ip: 10.0.0.20}, {ip: 10.0.0.21}]}";
    let with_two = |rest: &str| -> &'static str { format!("{two}\n{}", floating(rest)).leak() };
    let to_p = "{protocol: TCP, port: 80, targetPort: 80, portRef: {name: p}}";
    let to_q = "{protocol: TCP, port: 80, targetPort: 80, portRef: {name: q}, fixedIP: 10.0.0.20}";
    check(&[
        ("FloatingIP g {networkRef: {name: red}}", "FloatingIP g", Accepted, Reason::NotExternal, "red"),
        (floating("ip: 10.0.0.9"), "FloatingIP g", Accepted, Reason::AddressOutOfRange, "in no accepted subnet"),
        (floating("ip: 203.0.113.1"), "FloatingIP g", Accepted, Reason::AddressOutOfRange, "is the gateway"),
        (floating("ip: 203.0.113.10"), "FloatingIP g", Accepted, Reason::AddressInUse, "held by Router default/r"),
        (floating("portRef: {name: no}"), "FloatingIP g", ResolvedRefs, Reason::NotFound, "Port default/no"),
        (
            floating("portRef: {name: p}"),
            "FloatingIP g",
            Accepted,
            Reason::FixedAddressInUse,
            "through FloatingIP default/f",
        ),
        (
            floating(&format!("portForwardings: [{to_p}]")).to_owned().leak(),
            "FloatingIP g",
            Accepted,
            Reason::FixedAddressInUse,
            "10.0.0.10",
        ),
        (with_two("portRef: {name: q}"), "FloatingIP g", Accepted, Reason::AmbiguousFixedIP, "several addresses"),
        (
            with_two("portRef: {name: q}, fixedIP: 10.0.0.9"),
            "FloatingIP g",
            Accepted,
            Reason::AmbiguousFixedIP,
            "no address 10.0.0.9",
        ),
        (
            with_two(&format!("portForwardings: [{to_q}, {to_q}]")),
            "FloatingIP g",
            Accepted,
            Reason::ForwardingConflict,
            "twice, TCP 80",
        ),
        (
            with_two(&format!("portForwardings: [{to_q}, {}]", to_q.replace("port: 80, t", "port: 81, t"))),
            "FloatingIP g",
            Accepted,
            Reason::ForwardingConflict,
            "TCP 10.0.0.20:80 has a forwarding already",
        ),
        (
            "Port z {networkRef: {name: red}}
             FloatingIP g {networkRef: {name: public}, portRef: {name: z}}",
            "FloatingIP g",
            Accepted,
            Reason::NoRoute,
            "No router with its gateway on Network default/public reaches Subnet default/db",
        ),
        (
            "FloatingIP h {networkRef: {name: public}}
             FloatingIP i {networkRef: {name: public}}",
            "FloatingIP i",
            Accepted,
            Reason::AddressesExhausted,
            "Network default/public",
        ),
    ]);
}

#[test]
fn what_leans_on_something_refused_waits_for_it() {
    let text = "
        Network blue {mtu: 9000}
        Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
        Router r {interfaces: [{subnetRef: {name: web}}]}
        Port p {networkRef: {name: blue}}";
    let (_, problems) = link(&world(text));
    for object in ["Subnet web", "Router r", "Port p"] {
        let found = &problems[&id(object)];
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            (found[0].condition, found[0].remark.reason),
            (ResolvedRefs, Reason::DependencyNotReady),
            "{object}"
        );
    }
}
