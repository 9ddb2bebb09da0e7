//! What holds of any world.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use proptest::prelude::*;

use crate::api::Reason;
use crate::model::fixtures::{NODE, add, at, delete, done, id, key, plug, record, world};
use crate::model::security::{GroupView, Number, Remote};
use crate::model::status::{Statuses, statuses, told};
use crate::model::{Linker, NodeView, Problem, Remark, Snapshot, link};

const BASE: &str = "
    Network public {external: true}
    Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/28}
    Network n0
    Subnet s0 {networkRef: {name: n0}, cidr: 10.0.0.0/28}
    Network n1
    Subnet s1 {networkRef: {name: n1}, cidr: 10.0.0.0/29}
    Subnet s2 {networkRef: {name: n1}, cidr: 10.0.1.0/24}";

/// One more object, by kind and name; names are few, so that objects meet.
fn line() -> impl Strategy<Value = String> {
    let port = (0..12u8, 0..3u8, 0..10u8, 0..18u8).prop_map(|(name, network, wish, ip)| {
        let rest = match wish {
            0 | 1 => format!(", addresses: [{{ip: 10.0.0.{ip}}}]"),
            2 => format!(", addresses: [{{subnetRef: {{name: s2}}}}, {{ip: 10.0.1.{ip}}}]"),
            3 => format!(", macAddress: '02:00:00:00:00:{:02}'", ip % 3),
            4 | 5 => format!(", securityGroupRefs: [{{name: g{}}}, {{name: default}}]", ip % 4),
            6 => ", portSecurity: false".into(),
            _ => String::new(),
        };
        format!("Port p{name} {{networkRef: {{name: n{network}}}{rest}}}")
    });
    let router = (0..3u8, 0..4u8, 0..4u8, any::<bool>(), 0..12u8).prop_map(|(name, a, b, outside, ip)| {
        let external = if outside { ", externalGateway: {networkRef: {name: public}}" } else { "" };
        let interfaces =
            format!("{{subnetRef: {{name: s{a}}}}}, {{subnetRef: {{name: s{b}}}, ip: 10.0.{}.{ip}}}", b / 2);
        format!("Router r{name} {{interfaces: [{interfaces}]{external}}}")
    });
    let floating = (0..6u8, 0..12u8, 0..3u8).prop_map(|(name, port, kind)| {
        let to = match kind {
            0 => format!("portRef: {{name: p{port}}}"),
            1 => format!("ip: 203.0.113.{port}"),
            _ => format!("portForwardings: [{{protocol: TCP, port: 80, targetPort: 80, portRef: {{name: p{port}}}}}]"),
        };
        format!("FloatingIP f{name} {{networkRef: {{name: public}}, {to}}}")
    });
    prop_oneof![5 => port, 2 => router, 2 => floating, 2 => group()]
}

fn group() -> impl Strategy<Value = String> {
    (0..4u8, 0..5u8, any::<bool>()).prop_map(|(name, remote, stateful)| {
        let (name, remote) = [name, remote].map(|n| if n == 3 { "default".to_owned() } else { format!("g{n}") }).into();
        let rules =
            format!("[{{direction: Ingress, remote: {{groupRef: {{name: {remote}}}}}}}, {{direction: Egress}}]");
        format!("SecurityGroup {name} {{stateful: {stateful}, rules: {rules}}}")
    })
}

/// Ports that count are plugged here, so that the view shows them.
fn plugged(mut snapshot: Snapshot) -> Snapshot {
    for name in snapshot.ports.keys().map(|k| k.name.to_string()).collect::<Vec<_>>() {
        plug(&mut snapshot, &name);
    }
    snapshot
}

fn with(lines: &[String]) -> Snapshot {
    let mut snapshot = world(BASE);
    for (age, line) in lines.iter().enumerate() {
        add(&mut snapshot, 100 + age, line);
    }
    plugged(snapshot)
}

fn judge(snapshot: &Snapshot) -> Statuses {
    let (topology, problems) = link(snapshot);
    statuses(snapshot, &topology, &problems, Some(&done()), at(500))
}

/// Nobody shares an address of a subnet or a MAC address of a network with anybody.
fn sound(view: &NodeView) -> Result<(), TestCaseError> {
    let mut addresses: BTreeSet<(String, IpAddr)> = BTreeSet::new();
    let mut macs = BTreeSet::new();
    let mut take = |network: String, ip: IpAddr| addresses.insert((network, ip));
    for (network, view) in &view.networks {
        for port in view.ports.values() {
            prop_assert!(macs.insert((network.to_string(), port.mac)), "{} twice", port.mac);
            for (ip, subnet) in &port.addresses {
                prop_assert!(subnet.cidr.contains(ip));
                prop_assert!(take(network.to_string(), *ip), "{ip} twice");
            }
        }
    }
    let mut fixed = BTreeSet::new();
    for (name, router) in &view.routers {
        for leg in &router.interfaces {
            prop_assert!(take(leg.network.to_string(), leg.ip), "{} twice", leg.ip);
            prop_assert!(macs.insert((leg.network.to_string(), leg.mac)));
            prop_assert!(!leg.peers.contains_key(&leg.ip));
        }
        if let Some(external) = &router.external {
            let own = external.addresses.iter().map(ipnet::IpNet::addr);
            for ip in own.chain(external.floating.keys().copied()).chain(external.forwarding.keys().copied()) {
                prop_assert!(take(external.network.to_string(), ip), "{ip} twice");
                prop_assert!(Some(ip) != external.gateway);
            }
            for floating in external.floating.values() {
                prop_assert!(fixed.insert((name.clone(), floating.fixed)), "{} has two", floating.fixed);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_address_has_two_owners_and_what_is_recorded_never_moves(lines in prop::collection::vec(line(), 0..30)) {
        let mut snapshot = with(&lines);
        let before = link(&snapshot).0.view(NODE);
        sound(&before)?;
        let statuses = judge(&snapshot);
        record(&mut snapshot, statuses);
        prop_assert_eq!(link(&snapshot).0.view(NODE), before);
        prop_assert_eq!(judge(&snapshot), Statuses::default());
    }

    #[test]
    fn where_only_rules_are_others_a_view_is_mended_as_it_would_be_cut(
        lines in prop::collection::vec(line(), 5..30),
        edits in prop::collection::vec(group(), 1..8),
    ) {
        let mut snapshot = with(&lines);
        for (age, edit) in edits.iter().enumerate() {
            let mut before = link(&snapshot).0;
            let mut view = before.view(NODE);
            add(&mut snapshot, 200 + age, edit);
            let after = link(&snapshot).0;
            if after.differs_by_rules(&before.take_groups()) {
                after.regroup(NODE, &mut view);
                prop_assert_eq!(view, after.view(NODE));
            }
        }
    }

    #[test]
    fn one_by_one_nothing_given_is_ever_taken_away(lines in prop::collection::vec(line(), 1..20)) {
        let mut snapshot = world(BASE);
        let mut given: BTreeMap<String, (String, Vec<IpAddr>)> = BTreeMap::new();
        for (age, line) in lines.iter().enumerate() {
            let name = line.split(' ').take(2).collect::<Vec<_>>().join(" ");
            given.remove(&name);
            add(&mut snapshot, 100 + age, line);
            snapshot = plugged(snapshot);
            let statuses = judge(&snapshot);
        record(&mut snapshot, statuses);
            sound(&link(&snapshot).0.view(NODE))?;
            for (key, port) in &snapshot.ports {
                let status = port.status.clone().unwrap_or_default();
                let ips: Vec<IpAddr> = status.addresses.iter().map(|a| a.ip).collect();
                let spec = format!("{:?}", port.spec);
                let name = format!("Port {}", key.name);
                if let Some((same, before)) = given.get(&name).filter(|(_, before)| !before.is_empty()) {
                    prop_assert!(*same != spec || *before == ips, "{} moved from {:?} to {:?}", name, before, ips);
                }
                given.insert(name, (spec, ips));
            }
        }
    }

    #[test]
    fn names_and_order_of_files_have_no_say_where_ages_differ(lines in prop::collection::vec(line(), 0..20), salt in 0..50usize) {
        let lines: BTreeMap<String, String> =
            lines.into_iter().map(|line| (line.split(' ').take(2).collect::<Vec<_>>().join(" "), line)).collect();
        let lines: Vec<String> = lines.into_values().collect();
        // Ports under other names, in another order, with the same UID and age.
        let renamed = |name: &str| format!("x{}{name}", (name.len() * 31 + name.bytes().map(usize::from).sum::<usize>() * salt) % 97);
        let (mut snapshot, mut other) = (with(&lines), Snapshot::default());
        other.clone_from(&snapshot);
        other.ports.clear();
        for (old, port) in std::mem::take(&mut snapshot.ports) {
            let mut port = port.as_ref().clone();
            port.metadata.name = Some(renamed(&old.name));
            other.ports.insert(key(&renamed(&old.name)), port.into());
        }
        let first = with(&lines);
        for floating in other.floating_ips.values_mut() {
            let spec = &mut std::sync::Arc::make_mut(floating).spec;
            let forwardings = spec.port_forwardings.iter_mut().map(|f| &mut f.port_ref);
            for reference in spec.port_ref.iter_mut().chain(forwardings) {
                reference.name = renamed(&reference.name);
            }
        }
        let macs = |view: &NodeView| -> BTreeMap<_, Vec<_>> {
            let ports = view.networks.values().flat_map(|n| n.ports.values());
            ports.map(|p| (p.uid, p.addresses.iter().map(|(ip, _)| *ip).collect())).collect()
        };
        let (a, b) = (link(&first).0.view(NODE), link(&other).0.view(NODE));
        prop_assert_eq!(macs(&a), macs(&b));
        prop_assert_eq!(a.routers, b.routers);
    }

    #[test]
    fn a_linker_that_remembers_says_what_one_without_memory_says(
        steps in prop::collection::vec((line(), 0..12u8, 0..4u8), 1..25)
    ) {
        let mut linker = Linker::default();
        let mut snapshot = world(BASE);
        for (age, (line, name, step)) in steps.iter().enumerate() {
            let victim = format!("p{name}");
            match step {
                0 => drop(snapshot.ports.remove(&key(&victim))),
                1 if snapshot.ports.contains_key(&key(&victim)) => delete(&mut snapshot, &format!("Port {victim}")),
                2 if name % 2 == 0 => drop(snapshot.networks.remove(&key("n1"))),
                2 => drop(snapshot.security_groups.remove(&key("g1"))),
                _ => add(&mut snapshot, 100 + age, line),
            }
            let (topology, problems) = linker.link(&snapshot);
            let (fresh, fresh_problems) = link(&snapshot);
            prop_assert_eq!(&problems, &fresh_problems);
            prop_assert_eq!(topology.view(NODE), fresh.view(NODE));
            prop_assert_eq!(&topology.released, &fresh.released);
            let says = |t, p| statuses(&snapshot, t, p, Some(&done()), at(500));
            let statuses = says(&topology, &problems);
            prop_assert_eq!(&statuses, &says(&fresh, &fresh_problems));
            record(&mut snapshot, statuses);
        }
    }

    #[test]
    fn once_all_else_is_recorded_what_a_report_tells_is_all_there_is_to_say(
        lines in prop::collection::vec(line(), 0..20), plugs in 0..8u8, faulty in prop::collection::vec(0..12u8, 1..4)
    ) {
        let mut snapshot = world(BASE);
        lines.iter().enumerate().for_each(|(age, line)| add(&mut snapshot, 100 + age, line));
        for name in (0..plugs).map(|n| format!("p{n}")).filter(|name| snapshot.ports.contains_key(&key(name))).collect::<Vec<_>>() {
            plug(&mut snapshot, &name);
        }
        for relink in [true, false, false] {
            let (topology, problems) = link(&snapshot);
            let decided = statuses(&snapshot, &topology, &problems, None, at(500));
            record(&mut snapshot, decided);
            for name in faulty.iter().map(Some).chain([None]) {
                let mut report = done();
                let remark = Remark { reason: Reason::KernelError, message: "Do this.".into() };
                report.faults.extend(name.map(|name| (id(&format!("Port p{name}")), remark)));
                let said = told(&snapshot, &topology, &problems, &report, at(600));
                prop_assert_eq!(&said, &statuses(&snapshot, &topology, &problems, Some(&report), at(600)));
                let (fresh, fresh_problems) = link(&snapshot);
                prop_assert_eq!(&said, &statuses(&snapshot, &fresh, &fresh_problems, Some(&report), at(600)));
                record(&mut snapshot, said);
                if relink {
                    break;
                }
            }
        }
    }

    #[test]
    fn what_does_not_resolve_has_no_part_in_the_view(lines in prop::collection::vec(line(), 0..20)) {
        let snapshot = with(&lines);
        let (topology, problems) = link(&snapshot);
        let view = topology.view(NODE);
        for (network, view) in &view.networks {
            for port in view.ports.keys() {
                // Of its groups those that resolve hold, and the others are no part of it.
                let others = |p: &&Problem| !p.remark.message.starts_with("SecurityGroup ");
                let problem = problems.get(&id(&format!("Port {}", port.name))).into_iter().flatten().find(others);
                prop_assert!(problem.is_none(), "{} in {}", port, network);
            }
        }
        let named = |group: &GroupView| group.rules.iter().map(|rule| rule.remote).collect::<Vec<_>>();
        let named: BTreeSet<Remote> = view.security_groups.values().flat_map(named).collect();
        prop_assert!(view.members.iter().all(|member| named.contains(&Remote::Group(member.group))), "{:?}", view.members);
        let ports = view.networks.values().flat_map(|n| n.ports.iter());
        for (port, security) in ports.filter_map(|(key, port)| Some((key, port.security.as_ref()?))) {
            let there = |group: &Number| view.security_groups.contains_key(group);
            prop_assert!(security.groups.iter().all(there), "{}", port);
            let wanted = &snapshot.ports[port].spec.security_group_refs;
            prop_assert!(security.groups.len() <= wanted.as_ref().map_or(1, Vec::len), "{}", port);
        }
        let floating = view.routers.values().filter_map(|r| r.external.as_ref()).flat_map(|e| e.floating.values());
        for floating in floating {
            let id = id(&format!("FloatingIP {}", floating.key.name));
            prop_assert!(!problems.contains_key(&id), "{} is not sound", id);
        }
    }
}

/// Two routers lead to the guest, so which one translates must be decided once.
#[test]
fn a_floating_ip_that_two_routers_could_serve_stays_with_one() {
    let lines = [
        "FloatingIP f0 {networkRef: {name: public}, portForwardings: [{protocol: TCP, port: 80, targetPort: 80, portRef: {name: p3}}]}",
        "Router r2 {interfaces: [{subnetRef: {name: s2}}, {subnetRef: {name: s0}, ip: 10.0.0.3}]}",
        "Router r0 {interfaces: [{subnetRef: {name: s1}}, {subnetRef: {name: s0}, ip: 10.0.0.2}], externalGateway: {networkRef: {name: public}}}",
        "Port p3 {networkRef: {name: n0}, macAddress: '02:00:00:00:00:00'}",
        "Router r1 {interfaces: [{subnetRef: {name: s3}}, {subnetRef: {name: s0}, ip: 10.0.0.4}], externalGateway: {networkRef: {name: public}}}",
    ];
    let mut snapshot = with(&lines.map(str::to_owned));
    let before = link(&snapshot).0.view(NODE);
    sound(&before).unwrap();
    let statuses = judge(&snapshot);
    record(&mut snapshot, statuses);
    assert_eq!(link(&snapshot).0.view(NODE), before);
}
