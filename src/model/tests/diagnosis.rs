//! What is not well, by root cause.

use crate::api::{AgentFailure, AgentStatus, Reason};
use crate::model::diagnosis::{Around, Diagnosis, diagnose};
use crate::model::fixtures::{add, key, settle, world};
use crate::model::{Key, Snapshot};

fn of(snapshot: &Snapshot) -> Diagnosis {
    let found = diagnose(snapshot, &Around::default(), None);
    println!("{found:#?}");
    found
}

#[test]
fn a_world_in_order_is_well() {
    let mut snapshot = world(crate::model::fixtures::EVERY_KIND);
    settle(&mut snapshot);
    assert_eq!(of(&snapshot), Diagnosis::default());
}

#[test]
fn what_hangs_on_a_refused_network_is_named_under_it() {
    let mut snapshot = world(
        "
        Network blue {provider: {physicalNetwork: nowhere, type: Flat}}
        Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
        Port a {networkRef: {name: blue}}
        Port b {networkRef: {name: blue}}
        Port lost {networkRef: {name: gone}}",
    );
    settle(&mut snapshot);
    let found = of(&snapshot).findings;
    let whats: Vec<_> = found.iter().map(|finding| (finding.what.as_str(), finding.reason.as_str())).collect();
    assert_eq!(whats, [("Network default/blue", "NotFound"), ("Port default/lost", "NotFound")]);
    assert_eq!(found[0].because, ["Subnet default/web", "Port default/a", "Port default/b"]);
    let elsewhere = diagnose(&snapshot, &Around::default(), Some("other"));
    assert!(elsewhere.is_well(), "{elsewhere:?}");
}

#[test]
fn what_nobody_judged_is_pending_and_a_missing_leader_comes_first() {
    let snapshot = world("Network blue");
    let around = Around { headless: Some("No controller leads.".into()), controllers: Vec::new() };
    let found = diagnose(&snapshot, &around, None).findings;
    assert_eq!((found[0].what.as_str(), found[1].reason.as_str()), ("Controller", "Pending"));
}

#[test]
fn what_nodes_cannot_do_and_versions_that_differ_are_told() {
    let mut snapshot = world("Network blue");
    settle(&mut snapshot);
    for (node, version) in [("node-1", "0.1.0"), ("node-2", "0.2.0")] {
        add(&mut snapshot, 9, &format!("Agent {node}"));
        let agent = std::sync::Arc::make_mut(snapshot.agents.get_mut(&Key::new("", node)).unwrap());
        let failure = AgentFailure {
            kind: "Network".into(),
            namespace: Some("default".into()),
            name: "blue".into(),
            reason: Reason::KernelError,
            message: "no room".into(),
        };
        let version = Some(version.to_owned());
        let ready = snapshot.networks[&key("blue")].status.clone().unwrap().conditions;
        agent.status = Some(AgentStatus { version, failures: vec![failure], conditions: ready, ..Default::default() });
    }
    let found = of(&snapshot).findings;
    assert_eq!(found[0].message, "no room (on node node-1, node-2)");
    assert_eq!((found[1].reason.as_str(), found.len()), ("VersionSkew", 2));
}
