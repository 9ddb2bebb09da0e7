//! Security groups: which ports are in which, and what their rules say.

mod members;
mod references;

use std::collections::BTreeSet;

use crate::api::{ConditionType, Reason};
use crate::model::fixtures::{NODE, add, at, delete, done, id, key, plug, record, settle, view, world};
use crate::model::group::default_number;
use crate::model::security::{Direction, GroupView, Number, Remote, SecurityView};
use crate::model::status::{Statuses, statuses};
use crate::model::{Key, NodeView, Problem, Snapshot, Uid, link};

/// One network, with two ports plugged and one not.
const BASE: &str = "
    Network blue
    Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
    Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.10}]}
    Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
    Port idle {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}]}";

fn with(lines: &str) -> Snapshot {
    let mut snapshot = world(&format!("{BASE}\n{lines}"));
    plug_all(&mut snapshot);
    snapshot
}

/// All but `idle` are plugged.
fn plug_all(snapshot: &mut Snapshot) {
    let names: Vec<String> =
        snapshot.ports.keys().map(ToString::to_string).filter(|name| !name.ends_with("idle")).collect();
    for name in names {
        plug(snapshot, &name);
    }
}

fn security(view: &NodeView, name: &str) -> Option<SecurityView> {
    let port = view.networks.values().find_map(|network| network.ports.get(&key(name))).unwrap();
    port.security.as_deref().cloned()
}

fn guard(view: &NodeView, name: &str) -> SecurityView {
    security(view, name).unwrap()
}

/// The number of a group by its object.
fn number(snapshot: &Snapshot, name: &str) -> Number {
    Uid::parse(snapshot.security_groups[&key(name)].metadata.uid.as_deref().unwrap()).into()
}

fn problem(snapshot: &Snapshot, what: &str) -> Option<Problem> {
    let mut problems = link(snapshot).1.remove(&id(what))?;
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.pop()
}

/// Members at a glance, of one group: their addresses.
fn members(view: &NodeView, group: Number) -> String {
    let ips: Vec<String> = view.members.iter().filter(|m| m.group == group).map(|m| m.ip.to_string()).collect();
    ips.join(" ")
}

fn group<'v>(view: &'v NodeView, name: &str) -> &'v GroupView {
    view.security_groups.values().find(|group| group.key == key(name)).unwrap()
}

#[test]
fn a_port_without_groups_is_in_the_group_that_every_namespace_has() {
    let snapshot = with("");
    assert!(link(&snapshot).1.is_empty());
    let view = view(&snapshot);
    let default = default_number("default");
    let port = guard(&view, "a");
    assert_eq!((port.groups, port.stateful), (BTreeSet::from([default]), true));
    assert_eq!(port.pairs.iter().map(|pair| pair.net.to_string()).collect::<Vec<_>>(), ["10.0.0.10/32"]);
    assert!(port.pairs.iter().all(|pair| pair.mac == port.mac));
    let rules = &group(&view, "default").rules;
    let told: Vec<_> = rules.iter().map(|rule| (rule.direction, rule.family, rule.remote)).collect();
    assert_eq!(told, [(Direction::Ingress, None, Remote::Group(default)), (Direction::Egress, None, Remote::Anywhere)]);
    assert_eq!(members(&view, default), "10.0.0.10 10.0.0.11", "a port that nobody has plugged sends nothing");
    assert!(view.member_networks.is_empty());
    assert_ne!(default, default_number("other"));
}

#[test]
fn a_group_called_default_replaces_what_is_implied_and_its_members_stay() {
    let mut snapshot = with("SecurityGroup default {rules: [{direction: Ingress, protocol: TCP, port: 22}]}");
    settle(&mut snapshot);
    let default = default_number("default");
    let replaced = view(&snapshot);
    assert_eq!(guard(&replaced, "a").groups, BTreeSet::from([default]));
    assert_eq!(group(&replaced, "default").rules.len(), 1);
    assert!(replaced.members.is_empty(), "nobody is named any more");
    assert_eq!(snapshot.security_groups[&key("default")].status.as_ref().unwrap().ports, Some(3));
    // It does not wait for its ports: what is implied takes its place at once.
    delete(&mut snapshot, "SecurityGroup default");
    let (topology, problems) = settle(&mut snapshot);
    assert!(topology.released.contains(&id("SecurityGroup default")) && problems.is_empty());
    assert!(!topology.used().contains(&id("SecurityGroup default")));
    assert_eq!(group(&topology.view(NODE), "default").rules.len(), 2);
    assert_eq!(topology.view(NODE).security_groups.keys().collect::<Vec<_>>(), [&default]);
    snapshot.security_groups.clear();
    assert_eq!(view(&snapshot), topology.view(NODE));
}

#[test]
fn port_security_is_as_the_port_says_else_as_its_network_says() {
    let snapshot = with(
        "Network open {portSecurity: false}
         Subnet open {networkRef: {name: open}, cidr: 10.0.1.0/24}
         Port free {networkRef: {name: open}}
         Port strict {networkRef: {name: open}, portSecurity: true}
         Port named {networkRef: {name: open}, securityGroupRefs: [{name: default}]}
         Port paired {networkRef: {name: open}, allowedAddressPairs: [{ip: 10.0.1.100}]}
         Port trunk {networkRef: {name: blue}, portSecurity: false}",
    );
    assert!(link(&snapshot).1.is_empty());
    let view = view(&snapshot);
    for (port, guarded) in
        [("a", true), ("free", false), ("strict", true), ("named", true), ("paired", true), ("trunk", false)]
    {
        assert_eq!(security(&view, port).is_some(), guarded, "{port}");
    }
    assert!(!members(&view, default_number("default")).contains("10.0.0.2"), "who has no port security is in no group");
}

#[test]
fn rules_that_mean_the_same_are_one_and_say_what_a_node_compares() {
    let snapshot = with(
        "SecurityGroup g {rules: [
           {direction: Ingress, protocol: ICMP, icmpType: 8}, {direction: Ingress, protocol: ICMP, family: IPv4, icmpType: 8},
           {direction: Egress, remote: {cidr: 0.0.0.0/0}}, {direction: Egress, family: IPv4},
           {direction: Egress, protocol: TCP, port: 80, endPort: 90}, {direction: Egress, protocol: '6', description: why}]}
         Port p {networkRef: {name: blue}, securityGroupRefs: [{name: g}]}"
            .replace("\n           ", " ")
            .as_str(),
    );
    let view = view(&snapshot);
    let rules = &group(&view, "g").rules;
    let told: Vec<String> = rules
        .iter()
        .map(|r| {
            format!("{:?} {:?} {:?} {}-{}", r.direction, r.family, r.protocol, r.first.first, r.first.last)
                .replace("Some", "")
        })
        .collect();
    assert_eq!(
        told,
        ["Ingress (V4) (1) 8-8", "Egress None (6) 0-65535", "Egress None (6) 80-90", "Egress (V4) None 0-65535"]
    );
}

#[test]
fn groups_of_both_kinds_on_one_port_leave_it_closed() {
    let snapshot = with(
        "SecurityGroup loud {rules: [{direction: Ingress}]}
         SecurityGroup quick {stateful: false, rules: [{direction: Ingress}]}
         Port p {networkRef: {name: blue}, securityGroupRefs: [{name: loud}, {name: quick}]}
         Port q {networkRef: {name: blue}, securityGroupRefs: [{name: quick}]}",
    );
    let said = problem(&snapshot, "Port p").unwrap();
    assert_eq!((said.condition, said.remark.reason), (ConditionType::Accepted, Reason::Invalid));
    assert!(said.remark.message.contains("SecurityGroup default/loud is stateful and default/quick is not"));
    let view = view(&snapshot);
    assert!(guard(&view, "p").groups.is_empty(), "it is on its network, and nothing passes");
    assert_eq!((guard(&view, "q").groups.len(), guard(&view, "q").stateful), (1, false));
    assert!(problem(&snapshot, "Port q").is_none());
}

#[test]
fn a_rule_that_comes_or_goes_is_all_that_is_different() {
    let group = |more: &str| format!("SecurityGroup web {{rules: [{{direction: Egress}}{more}]}}");
    let mut snapshot = with(&format!(
        "{}
         SecurityGroup db
         Port p {{networkRef: {{name: blue}}, securityGroupRefs: [{{name: web}}]}}
         Port q {{networkRef: {{name: blue}}, securityGroupRefs: [{{name: db}}]}}",
        group("")
    ));
    let mut becomes = |line: &str| {
        let mut before = link(&snapshot).0;
        let mut mended = before.view(NODE);
        add(&mut snapshot, 50, line);
        let after = link(&snapshot).0;
        let rules = after.differs_by_rules(&before.take_groups());
        after.regroup(NODE, &mut mended);
        (rules, mended == after.view(NODE))
    };
    assert_eq!(becomes(&group(", {direction: Ingress, protocol: TCP, port: 80}")), (true, true));
    assert_eq!(becomes(&group(", {direction: Ingress, remote: {groupRef: {name: db}}}")), (true, true), "with members");
    assert_eq!(becomes(&group("")), (true, true));
    assert!(!becomes("SecurityGroup web {stateful: false}").0, "its ports are judged otherwise");
    assert!(!becomes("SecurityGroup web {rules: [{direction: Egress, port: 1, icmpType: 8}]}").0, "it is none");
    assert!(!becomes("SecurityGroup default").0, "ports are in another group");
}

#[test]
fn a_group_says_how_many_ports_are_in_it_and_how_many_of_its_rules_are_in_force() {
    let mut snapshot = with(
        "SecurityGroup web {rules: [{direction: Egress}, {direction: Ingress, remote: {groupRef: {name: web}}}]}
         SecurityGroup half {rules: [{direction: Egress}, {direction: Ingress, remote: {groupRef: {name: missing}}}]}
         SecurityGroup nobody
         Port p {networkRef: {name: blue}, securityGroupRefs: [{name: web}, {name: default}]}
         Port lost {networkRef: {name: nowhere}, securityGroupRefs: [{name: web}]}
         Port bad {networkRef: {name: blue}, hostname: '-', securityGroupRefs: [{name: web}]}",
    );
    settle(&mut snapshot);
    let status = |name: &str| snapshot.security_groups[&key(name)].status.as_ref().unwrap();
    let (ports, rules) = (|name: &str| status(name).ports, |name: &str| status(name).rules);
    assert_eq!((ports("web"), ports("nobody")), (Some(2), Some(0)), "also one that has no network yet");
    assert_eq!((rules("web"), rules("half"), rules("nobody")), (Some(2), Some(1), Some(0)));
    assert!(ConditionType::Ready.holds(&snapshot.security_groups[&key("web")].status.as_ref().unwrap().conditions));
}
