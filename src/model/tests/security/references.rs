//! References to groups: where they lead, and what is said of those that lead nowhere.

use super::*;

#[test]
fn one_that_contradicts_itself_allows_nothing_and_not_what_is_implied() {
    let snapshot = with("SecurityGroup default {rules: [{direction: Ingress, port: 22}]}");
    let view = view(&snapshot);
    assert!(guard(&view, "a").groups.is_empty() && view.security_groups.is_empty());
    let (group, port) = (problem(&snapshot, "SecurityGroup default").unwrap(), problem(&snapshot, "Port a").unwrap());
    assert_eq!((group.condition, group.remark.reason), (ConditionType::Accepted, Reason::Invalid));
    assert_eq!((port.condition, port.remark.reason), (ConditionType::ResolvedRefs, Reason::DependencyNotReady));
}

#[test]
fn a_port_works_with_the_groups_that_resolve_and_heals_when_the_missing_one_appears() {
    let mut snapshot = with(
        "SecurityGroup web {rules: [{direction: Ingress, protocol: TCP, port: 80}]}
         Port p {networkRef: {name: blue}, securityGroupRefs: [{name: web}, {name: ssh}]}",
    );
    plug_all(&mut snapshot);
    settle(&mut snapshot);
    let said = problem(&snapshot, "Port p").unwrap();
    assert_eq!((said.condition, said.remark.reason), (ConditionType::ResolvedRefs, Reason::NotFound));
    assert!(said.remark.message.contains("SecurityGroup default/ssh does not exist"), "{}", said.remark.message);
    assert_eq!(guard(&view(&snapshot), "p").groups, BTreeSet::from([number(&snapshot, "web")]));
    let status = snapshot.ports[&key("p")].status.clone().unwrap();
    assert_eq!(status.addresses.len(), 1);
    let holds = |type_: ConditionType| type_.holds(&status.conditions);
    assert!(holds(ConditionType::Programmed), "what resolves is done");
    assert!(!holds(ConditionType::Ready) && holds(ConditionType::Reconciling), "it waits for the group");
    // All is said, and nothing is said again, whoever asks.
    for report in [None, Some(&done())] {
        let (topology, problems) = link(&snapshot);
        assert_eq!(statuses(&snapshot, &topology, &problems, report, at(2000)), Statuses::default());
    }
    add(&mut snapshot, 50, "SecurityGroup ssh {rules: [{direction: Ingress, protocol: TCP, port: 22}]}");
    assert!(settle(&mut snapshot).1.is_empty());
    assert_eq!(guard(&view(&snapshot), "p").groups.len(), 2);
    assert!(ConditionType::Ready.holds(&snapshot.ports[&key("p")].status.as_ref().unwrap().conditions));
}

#[test]
fn a_rule_that_names_no_group_matches_nothing_and_the_others_stay_in_force() {
    let mut snapshot = with(
        "SecurityGroup db {rules: [{direction: Ingress, remote: {groupRef: {name: web}}}, {direction: Egress}]}
         Port p {networkRef: {name: blue}, securityGroupRefs: [{name: db}]}",
    );
    let said = problem(&snapshot, "SecurityGroup db").unwrap();
    assert_eq!((said.condition, said.remark.reason), (ConditionType::ResolvedRefs, Reason::NotFound));
    assert!(said.remark.message.starts_with("A rule that names SecurityGroup default/web is left out: "));
    let before = view(&snapshot);
    assert_eq!(group(&before, "db").rules.len(), 1);
    assert!(before.members.iter().all(|member| member.group == default_number("default")), "{:?}", before.members);
    assert!(problem(&snapshot, "Port p").is_none(), "its group is there");
    add(&mut snapshot, 50, "SecurityGroup web");
    add(
        &mut snapshot,
        51,
        "Port w {networkRef: {name: blue}, addresses: [{ip: 10.0.0.30}], securityGroupRefs: [{name: web}]}",
    );
    plug_all(&mut snapshot);
    assert!(settle(&mut snapshot).1.is_empty());
    let after = view(&snapshot);
    assert_eq!(members(&after, number(&snapshot, "web")), "10.0.0.30");
    assert_eq!(group(&after, "db").rules.len(), 2);
}

#[test]
fn a_group_of_another_namespace_needs_a_grant_and_nothing_leaks_without() {
    let lines = "
        SecurityGroup infra/shared {rules: [{direction: Ingress}]}
        Port p {networkRef: {name: blue}, securityGroupRefs: [{name: shared, namespace: infra}]}
        SecurityGroup g {rules: [{direction: Ingress, remote: {groupRef: {name: shared, namespace: infra}}}]}
        Port q {networkRef: {name: blue}, securityGroupRefs: [{name: g}]}";
    let mut snapshot = with(lines);
    for what in ["Port p", "SecurityGroup g"] {
        let said = |name: &str| {
            let problem = problem(&with(&lines.replace("{name: shared,", &format!("{{name: {name},"))), what).unwrap();
            assert_eq!(problem.condition, ConditionType::ResolvedRefs);
            assert_eq!(problem.remark.reason, Reason::RefNotPermitted);
            problem
                .remark
                .message
                .replace(&format!("infra/{name}"), "infra/X")
                .replace(&format!("SecurityGroup {name}"), "X")
        };
        assert_eq!(said("shared"), said("nothing"), "{what}");
        assert_eq!(said("shared"), said("default"), "{what}");
    }
    assert!(guard(&view(&snapshot), "p").groups.is_empty());
    add(
        &mut snapshot,
        50,
        "ReferenceGrant infra/g {from: [{namespace: default}], to: [{kind: SecurityGroup, name: shared}]}",
    );
    assert!(settle(&mut snapshot).1.is_empty());
    let shared = number(&snapshot, "infra/shared");
    let granted = view(&snapshot);
    assert_eq!(guard(&granted, "p").groups, BTreeSet::from([shared]));
    assert_eq!(members(&granted, shared).split(' ').count(), 1);
    assert_eq!(snapshot.security_groups[&key("infra/shared")].status.as_ref().unwrap().ports, Some(1));
    delete(&mut snapshot, "ReferenceGrant infra/g");
    settle(&mut snapshot);
    let withdrawn = view(&snapshot);
    assert!(guard(&withdrawn, "p").groups.is_empty() && members(&withdrawn, shared).is_empty());
    assert_eq!(guard(&withdrawn, "q").groups.len(), 1, "what is its own stays");
}

#[test]
fn a_group_that_ports_are_in_waits_for_them_and_one_that_rules_name_does_not() {
    let mut snapshot = with(
        "SecurityGroup web {rules: [{direction: Egress}]}
         SecurityGroup db {rules: [{direction: Ingress, remote: {groupRef: {name: web}}}]}
         Port p {networkRef: {name: blue}, securityGroupRefs: [{name: web}]}",
    );
    let (topology, _) = settle(&mut snapshot);
    assert!(topology.used().contains(&id("SecurityGroup web")) && !topology.used().contains(&id("SecurityGroup db")));
    let before = view(&snapshot);
    delete(&mut snapshot, "SecurityGroup web");
    let (topology, problems) = settle(&mut snapshot);
    assert!(topology.released.is_empty() && problems.is_empty());
    assert_eq!(topology.view(NODE), before, "meanwhile it goes on");
    let conditions = &snapshot.security_groups[&key("web")].status.as_ref().unwrap().conditions;
    let ready = ConditionType::Ready.find(conditions).unwrap();
    assert_eq!((&*ready.status, &*ready.reason), ("False", "InUse"));
    assert!(ready.message.contains("Port default/p"), "{}", ready.message);
    delete(&mut snapshot, "Port p");
    let (topology, problems) = settle(&mut snapshot);
    assert!(topology.released.contains(&id("SecurityGroup web")));
    let said = &problems[&id("SecurityGroup db")][0];
    assert_eq!((said.condition, said.remark.reason), (ConditionType::ResolvedRefs, Reason::NotFound));
}
