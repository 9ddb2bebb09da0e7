//! Members of groups: whose addresses count, and where.

use super::*;

#[test]
fn allowed_pairs_are_sources_and_single_ones_are_members() {
    let snapshot = with(
        "Port v {networkRef: {name: blue}, addresses: [{ip: 10.0.0.20}], allowedAddressPairs:
           [{ip: 10.0.0.100}, {ip: 10.0.0.101, macAddress: '00:00:5e:00:01:01'}, {ip: 10.0.7.0/24}, {ip: 10.0.0.20}]}"
            .replace('\n', "")
            .as_str(),
    );
    let view = view(&snapshot);
    let port = guard(&view, "v");
    let pairs: BTreeSet<(String, bool)> = port.pairs.iter().map(|p| (p.net.to_string(), p.mac == port.mac)).collect();
    let expected = [("10.0.0.100/32", true), ("10.0.0.101/32", false), ("10.0.0.20/32", true), ("10.0.7.0/24", true)];
    assert_eq!(pairs, expected.map(|(net, own)| (net.to_owned(), own)).into());
    assert_eq!(port.pairs.len(), 4, "what is its own already is no further pair");
    assert_eq!(members(&view, default_number("default")), "10.0.0.10 10.0.0.11 10.0.0.20 10.0.0.100 10.0.0.101");
}

#[test]
fn the_default_of_another_namespace_is_there_by_implication() {
    let mut snapshot = with(
        "SecurityGroup g {rules: [{direction: Ingress, remote: {groupRef: {name: default, namespace: team}}}]}
         Port p {networkRef: {name: blue}, securityGroupRefs: [{name: g}]}
         Port team/t {networkRef: {name: blue, namespace: default}, addresses: [{ip: 10.0.0.40}]}
         ReferenceGrant g {from: [{namespace: team}], to: [{kind: Network}]}
         ReferenceGrant team/g {from: [{namespace: default}], to: [{kind: SecurityGroup, name: default}]}",
    );
    assert!(settle(&mut snapshot).1.is_empty());
    assert_eq!(members(&view(&snapshot), default_number("team")), "10.0.0.40");
}

#[test]
fn an_address_means_a_member_only_where_routers_join_its_network() {
    let lines = "
        Network red
        Subnet red {networkRef: {name: red}, cidr: 10.0.1.0/24}
        Network far
        Subnet far {networkRef: {name: far}, cidr: 10.0.2.0/24}
        Network twin
        Subnet twin {networkRef: {name: twin}, cidr: 10.0.0.0/24}
        Network public {external: true}
        Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/24}
        Router one {interfaces: [{subnetRef: {name: web}}, {subnetRef: {name: red}}], externalGateway: {networkRef: {name: public}}}
        Router other {interfaces: [{subnetRef: {name: twin}}], externalGateway: {networkRef: {name: public}}}
        Port r {networkRef: {name: red}, addresses: [{ip: 10.0.1.10}]}
        Port f {networkRef: {name: far}, addresses: [{ip: 10.0.2.10}]}
        Port t {networkRef: {name: twin}, addresses: [{ip: 10.0.0.10}]}";
    let mut snapshot = with(lines);
    settle(&mut snapshot);
    let domain = |snapshot: &Snapshot, port: &str| guard(&view(snapshot), port).domain;
    assert_eq!(domain(&snapshot, "a"), domain(&snapshot, "r"));
    let apart: BTreeSet<Number> = ["a", "f", "t"].map(|port| domain(&snapshot, port)).into();
    assert_eq!(apart.len(), 3, "neither the same addresses nor the same outside join networks");
    let here = |snapshot: &Snapshot, port: &str| {
        let (view, domain) = (view(snapshot), domain(snapshot, port));
        view.members.iter().filter(|m| m.domain == domain).map(|m| m.ip.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(here(&snapshot, "a"), "10.0.0.10 10.0.0.11 10.0.1.10");
    assert_eq!(here(&snapshot, "t"), "10.0.0.10");
    add(
        &mut snapshot,
        50,
        "Router two {interfaces: [{subnetRef: {name: red}, ip: 10.0.1.2}, {subnetRef: {name: far}}]}",
    );
    assert!(settle(&mut snapshot).1.is_empty());
    assert_eq!(here(&snapshot, "a"), "10.0.0.10 10.0.0.11 10.0.1.10 10.0.2.10", "over two routers");
    delete(&mut snapshot, "Router one");
    settle(&mut snapshot);
    assert_eq!(here(&snapshot, "a"), "10.0.0.10 10.0.0.11");
    assert_eq!(domain(&snapshot, "r"), domain(&snapshot, "f"));
}

/// What the order of writing has no say in.
#[test]
fn whatever_comes_last_the_end_is_the_same() {
    let lines: Vec<&str> = "SecurityGroup web {rules: [{direction: Ingress, remote: {groupRef: {name: db}}}]}
        SecurityGroup db {rules: [{direction: Ingress, remote: {groupRef: {name: web}}}]}
        SecurityGroup default {rules: [{direction: Egress}]}
        Port p {networkRef: {name: blue}, addresses: [{ip: 10.0.0.20}], securityGroupRefs: [{name: web}]}
        Port q {networkRef: {name: blue}, addresses: [{ip: 10.0.0.21}], securityGroupRefs: [{name: db}]}"
        .lines()
        .map(str::trim)
        .collect();
    let whole = view(&with(&lines.join("\n")));
    for last in 0..lines.len() {
        let mut linker = crate::model::Linker::default();
        let rest: Vec<&str> = lines.iter().enumerate().filter(|(n, _)| *n != last).map(|(_, line)| *line).collect();
        let mut snapshot = with(&rest.join("\n"));
        let (topology, problems) = linker.link(&snapshot);
        let said = statuses(&snapshot, &topology, &problems, Some(&done()), at(100));
        record(&mut snapshot, said);
        drop(topology);
        add(&mut snapshot, 60, lines[last]);
        plug_all(&mut snapshot);
        let (topology, problems) = linker.link(&snapshot);
        assert!(problems.is_empty(), "{}: {problems:?}", lines[last]);
        let view = topology.view(NODE);
        let names = |view: &NodeView| view.security_groups.values().map(|g| g.key.clone()).collect::<BTreeSet<Key>>();
        assert_eq!((names(&view), view.members.len()), (names(&whole), whole.members.len()), "{}", lines[last]);
        assert_eq!(view.networks.values().next().unwrap().ports, whole.networks.values().next().unwrap().ports);
    }
}
