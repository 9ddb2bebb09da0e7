//! References into other namespaces, and references that lead nowhere.

use crate::api::{ConditionType, Reason};
use crate::model::fixtures::{NODE, add, delete, id, key, plug, settle, view, world};
use crate::model::{Snapshot, link};

const BASE: &str = "
    Network infra/public {external: true}
    Subnet infra/outside {networkRef: {name: public}, cidr: 203.0.113.0/24}
    Network infra/secret
    Port team/p {networkRef: {name: public, namespace: infra}}";

fn granted(grant: &str) -> bool {
    link(&world(&format!("{BASE}\nReferenceGrant {grant}"))).1.is_empty()
}

#[test]
fn a_grant_opens_what_it_names_and_nothing_else() {
    assert!(!link(&world(BASE)).1.is_empty(), "without a grant nothing resolves");
    for (grant, opens) in [
        ("infra/g {from: [{namespace: team}], to: [{kind: Network}]}", true),
        ("infra/g {from: [{namespace: '*'}], to: [{kind: Network, name: public}]}", true),
        ("infra/g {from: [{namespace: other}], to: [{kind: Network}]}", false),
        ("infra/g {from: [{namespace: team}], to: [{kind: Network, name: secret}]}", false),
        ("infra/g {from: [{namespace: team}], to: [{kind: Subnet}, {kind: Port}]}", false),
        ("team/g {from: [{namespace: team}], to: [{kind: Network}]}", false),
    ] {
        assert_eq!(granted(grant), opens, "{grant}");
    }
}

#[test]
fn a_refused_reference_does_not_tell_whether_the_target_exists() {
    let messages = ["secret", "nothing"].map(|name| {
        let text = format!("Network infra/secret\nPort team/p {{networkRef: {{name: {name}, namespace: infra}}}}");
        let problem = link(&world(&text)).1.remove(&id("Port team/p")).unwrap().remove(0);
        assert_eq!((problem.condition, problem.remark.reason), (ConditionType::ResolvedRefs, Reason::RefNotPermitted));
        problem.remark.message.replace(name, "X")
    });
    assert_eq!(messages[0], messages[1]);
}

/// Everything of `team` leans on the grant.
fn leaning() -> Snapshot {
    let mut snapshot = world(
        "Network infra/public {external: true}
         Subnet infra/outside {networkRef: {name: public}, cidr: 203.0.113.0/24}
         ReferenceGrant infra/g {from: [{namespace: team}], to: [{kind: Network, name: public}]}
         Network team/blue
         Subnet team/web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
         Router team/r {interfaces: [{subnetRef: {name: web}}], externalGateway: {networkRef: {name: public, namespace: infra}}}
         Port team/p {networkRef: {name: blue}}
         Port team/direct {networkRef: {name: public, namespace: infra}}
         FloatingIP team/f {networkRef: {name: public, namespace: infra}, portRef: {name: p}}",
    );
    plug(&mut snapshot, "team/p");
    plug(&mut snapshot, "team/direct");
    snapshot
}

#[test]
fn withdrawing_a_grant_cuts_the_traffic_and_giving_it_again_restores_it() {
    let mut snapshot = leaning();
    assert!(settle(&mut snapshot).1.is_empty());
    let before = view(&snapshot);
    let external = before.routers[&key("team/r")].external.as_ref().unwrap();
    assert_eq!(external.floating.len(), 1);
    assert_eq!(before.networks[&key("infra/public")].ports.len(), 1);
    delete(&mut snapshot, "ReferenceGrant infra/g");
    let (topology, problems) = settle(&mut snapshot);
    assert!(topology.released.contains(&id("ReferenceGrant infra/g")));
    assert_eq!(problems.len(), 3, "{problems:?}");
    let cut = topology.view(NODE);
    assert!(cut.routers[&key("team/r")].external.is_none(), "the rest of the router goes on");
    assert!(!cut.networks.contains_key(&key("infra/public")));
    assert!(cut.networks[&key("team/blue")].ports.contains_key(&key("team/p")));
    snapshot.reference_grants.clear();
    settle(&mut snapshot);
    add(&mut snapshot, 20, "ReferenceGrant infra/again {from: [{namespace: '*'}], to: [{kind: Network}]}");
    assert!(settle(&mut snapshot).1.is_empty());
    let ports = |v: &crate::model::NodeView| v.networks[&key("infra/public")].ports.clone();
    assert_eq!(ports(&view(&snapshot)), ports(&before), "the port has its address again");
}

#[test]
fn what_is_missing_is_waited_for_and_heals_by_itself() {
    let lines: Vec<String> = [
        "Network infra/public {external: true}",
        "Subnet infra/outside {networkRef: {name: public}, cidr: 203.0.113.0/24}",
        "ReferenceGrant infra/g {from: [{namespace: team}], to: [{kind: Network}]}",
        "Network team/blue",
        "Subnet team/web {networkRef: {name: blue}, cidr: 10.0.0.0/24}",
        "Router team/r {interfaces: [{subnetRef: {name: web}}], externalGateway: {networkRef: {name: public, namespace: infra}}}",
        "Port team/p {networkRef: {name: blue}}",
        "FloatingIP team/f {networkRef: {name: public, namespace: infra}, portRef: {name: p}}",
    ]
    .map(str::to_owned)
    .to_vec();
    let whole = link(&world(&lines.join("\n"))).0.view(NODE);
    // Each object comes last once.
    for last in 0..lines.len() {
        let mut snapshot = Snapshot::default();
        for (age, line) in lines.iter().enumerate().filter(|(age, _)| *age != last) {
            add(&mut snapshot, age, line);
        }
        settle(&mut snapshot);
        add(&mut snapshot, last, &lines[last]);
        assert!(settle(&mut snapshot).1.is_empty(), "{}", lines[last]);
        let view = view(&snapshot);
        assert_eq!(view.networks, whole.networks, "{}", lines[last]);
        assert_eq!(view.routers.keys().collect::<Vec<_>>(), whole.routers.keys().collect::<Vec<_>>());
    }
}
