//! Deletion: what others depend on waits, says for whom, and everything at once goes at once.

use crate::api::Condition;
use crate::model::fixtures::{EVERY_KIND as ALL, NODE, add, delete, id, key, plug, settle, world};
use crate::model::{Id, Snapshot};

fn conditions(snapshot: &Snapshot, what: &Id) -> Vec<Condition> {
    let status = serde_json::to_value(
        match what.kind {
            crate::model::Kind::Network => serde_json::to_value(&snapshot.networks[&what.key].status),
            crate::model::Kind::Subnet => serde_json::to_value(&snapshot.subnets[&what.key].status),
            crate::model::Kind::Router => serde_json::to_value(&snapshot.routers[&what.key].status),
            _ => serde_json::to_value(&snapshot.physical_networks[&what.key].status),
        }
        .unwrap(),
    );
    serde_json::from_value(status.unwrap()["conditions"].clone()).unwrap()
}

#[test]
fn what_others_depend_on_waits_and_names_them() {
    for (object, users) in [
        ("PhysicalNetwork wire", "Network default/public"),
        ("Network public", "Subnet default/outside, Router default/r, FloatingIP default/f"),
        ("Subnet outside", "default/r"),
        ("Network blue", "Subnet default/web, Port default/p"),
        ("Subnet web", "Router default/r, Port default/p"),
        ("Router r", "FloatingIP default/f"),
    ] {
        let mut snapshot = world(ALL);
        plug(&mut snapshot, "p");
        settle(&mut snapshot);
        let before = crate::model::fixtures::view(&snapshot);
        delete(&mut snapshot, object);
        let (topology, problems) = settle(&mut snapshot);
        assert!(topology.released.is_empty(), "{object}: {:?}", topology.released);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(topology.view(NODE), before, "{object} is still realised");
        let conditions = conditions(&snapshot, &id(object));
        let ready = conditions.iter().find(|c| c.type_ == "Ready").unwrap();
        assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("False", "InUse"), "{object}");
        assert!(ready.message.contains(users), "{object}: {}", ready.message);
        assert!(conditions.iter().any(|c| c.type_ == "Reconciling"), "{object}");
    }
}

#[test]
fn everything_deleted_at_once_is_released_at_once() {
    let mut snapshot = world(ALL);
    plug(&mut snapshot, "p");
    settle(&mut snapshot);
    let all: Vec<&str> =
        ALL.lines().filter_map(|line| line.split('{').next()).map(str::trim).filter(|l| !l.is_empty()).collect();
    for what in &all {
        delete(&mut snapshot, what);
    }
    let (topology, _) = settle(&mut snapshot);
    assert_eq!(topology.released.len(), all.len(), "{:?}", topology.released);
    let view = topology.view(NODE);
    assert!(view.networks.is_empty() && view.routers.is_empty() && view.physical_networks.is_empty());
}

#[test]
fn ports_and_floating_ips_never_wait_and_give_their_addresses_back() {
    let mut snapshot = world(ALL);
    plug(&mut snapshot, "p");
    settle(&mut snapshot);
    delete(&mut snapshot, "Port p");
    let (topology, problems) = settle(&mut snapshot);
    assert!(topology.released.contains(&id("Port p")));
    assert_eq!(problems.keys().collect::<Vec<_>>(), [&id("FloatingIP f")], "it points to nothing now");
    assert!(!topology.view(NODE).networks[&key("blue")].ports.contains_key(&key("p")));
    delete(&mut snapshot, "FloatingIP f");
    let (topology, _) = settle(&mut snapshot);
    assert_eq!(topology.released.len(), 2);
    assert!(topology.view(NODE).routers[&key("r")].external.as_ref().unwrap().floating.is_empty());
}

#[test]
fn a_condition_names_the_first_and_counts_the_rest() {
    let mut snapshot = world("Network blue");
    for age in 0..9 {
        add(&mut snapshot, age, &format!("Port p{age} {{networkRef: {{name: blue}}}}"));
    }
    settle(&mut snapshot);
    delete(&mut snapshot, "Network blue");
    settle(&mut snapshot);
    let conditions = conditions(&snapshot, &id("Network blue"));
    let message = &conditions.iter().find(|c| c.type_ == "Ready").unwrap().message;
    assert!(message.contains("Port default/p0, Port default/p1, Port default/p2 and 6 more"), "{message}");
}
