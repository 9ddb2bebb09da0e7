#![allow(clippy::unwrap_used)]
use super::*;
use crate::dataplane::state::{Item, LinkKind, Netns};
use crate::model::{Id, Key, Kind};

fn link(mtu: u32) -> Spec {
    let kind = LinkKind::Bridge;
    Spec::Link(Link { kind, mac: None, mtu, up: true, bridge: None, filter: None, alias: String::new() }.into())
}

fn change(name: &str, from: Option<Spec>, to: Option<Spec>, owner: Option<&str>) -> Change {
    let owner = owner.map(|name| Id::new(Kind::Network, Key::new("default", name)));
    Change { item: Item::Link(Netns::Vswitch, name.into()), from, to, make: None, owner }
}

fn plan() -> Plan {
    Plan(vec![
        change("tbr1", None, Some(link(1450)), Some("blue")),
        change("tbr2", Some(link(1500)), Some(link(1450)), Some("red")),
        change("tbr3", Some(link(1500)), None, None),
    ])
}

#[test]
fn a_plan_reads_object_by_object() {
    assert_eq!(
        text(&plan(), false),
        "Network default/blue\n  + link vswitch/tbr1  bridge, mtu 1450\n\n\
         Network default/red\n  ~ link vswitch/tbr2  mtu 1450 (was 1500)\n\n\
         No longer declared\n  - link vswitch/tbr3  bridge, mtu 1500\n\n\
         1 to create (+), 1 to update (~), 1 to delete (-).\n"
    );
    assert_eq!(text(&Plan::default(), true), "Nothing to change: this host is as declared.\n");
    assert!(text(&plan(), true).contains("\x1b[32m+ link vswitch/tbr1\x1b[0m"));
}

#[test]
fn the_json_of_a_plan_is_the_contracts() {
    let value: serde_json::Value = serde_json::from_str(&json(&plan()).unwrap()).unwrap();
    assert_eq!(
        value,
        serde_json::json!({"changes": [
            {"action": "create", "kind": "link", "name": "vswitch/tbr1", "owner": "Network default/blue"},
            {"action": "update", "kind": "link", "name": "vswitch/tbr2", "owner": "Network default/red"},
            {"action": "delete", "kind": "link", "name": "vswitch/tbr3", "owner": null},
        ]})
    );
}
