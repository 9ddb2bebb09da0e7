//! Who gets which address, and who keeps it.

use std::sync::Arc;

use crate::api::ConditionType;
use crate::model::fixtures::{add, addresses, id, key, plug, settle, view, world};
use crate::model::view::GatewayHolder;
use crate::model::{Snapshot, link};

const BASE: &str = "
    Network blue
    Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}";

fn with(lines: &str) -> Snapshot {
    world(&format!("{BASE}\n{lines}"))
}

#[test]
fn ports_get_what_they_ask_for() {
    let second = "Subnet db {networkRef: {name: blue}, cidr: 10.0.1.0/24}";
    for (spec, expected) in [
        ("", vec!["10.0.0.2"]),
        (", ipAllocation: None", vec![]),
        (", addresses: [{ip: 10.0.0.77}]", vec!["10.0.0.77"]),
        (", addresses: [{ip: 10.0.0.1}]", vec!["10.0.0.1"]),
        (", addresses: [{subnetRef: {name: db}}]", vec!["10.0.1.2"]),
        (
            ", addresses: [{subnetRef: {name: db}}, {subnetRef: {name: web}}, {ip: 10.0.0.9}]",
            vec!["10.0.1.2", "10.0.0.2", "10.0.0.9"],
        ),
        (", addresses: [{subnetRef: {name: db}, ip: 10.0.1.200}, {ip: 10.0.1.201}]", vec!["10.0.1.200", "10.0.1.201"]),
    ] {
        let snapshot = with(&format!("{second}\nPort p {{networkRef: {{name: blue}}{spec}}}"));
        assert_eq!(addresses(&snapshot, "p"), expected, "{spec}");
    }
}

#[test]
fn a_port_without_a_subnet_waits_for_one_unless_it_wants_no_address() {
    let mut snapshot = world(
        "Network blue
         Port p {networkRef: {name: blue}}
         Port bare {networkRef: {name: blue}, ipAllocation: None}",
    );
    settle(&mut snapshot);
    let ready = |snapshot: &Snapshot, port: &str| {
        let conditions = snapshot.ports[&key(port)].status.clone().unwrap().conditions;
        let ready = ConditionType::Ready.find(&conditions).unwrap();
        (ready.status.clone(), ready.reason.clone(), ConditionType::Stalled.holds(&conditions))
    };
    assert_eq!(ready(&snapshot, "p"), ("False".into(), "NotFound".into(), false));
    assert_eq!(ready(&snapshot, "bare").0, "True");
    add(&mut snapshot, 3, "Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}");
    settle(&mut snapshot);
    assert_eq!((ready(&snapshot, "p").0, addresses(&snapshot, "p")), ("True".into(), vec!["10.0.0.2".to_owned()]));
}

#[test]
fn an_address_may_lie_outside_the_pools_and_pools_are_used_in_order() {
    let mut snapshot = world(
        "Network blue
         Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24, allocationPools: [{start: 10.0.0.50, end: 10.0.0.51}]}
         Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.9}]}
         Port b {networkRef: {name: blue}}
         Port c {networkRef: {name: blue}}",
    );
    settle(&mut snapshot);
    assert_eq!(["a", "b", "c"].map(|p| addresses(&snapshot, p)[0].clone()), ["10.0.0.9", "10.0.0.50", "10.0.0.51"]);
    let status = snapshot.subnets[&key("web")].status.clone().unwrap();
    assert_eq!((status.total, status.allocated, status.free), (Some(2), Some(2), Some(0)));
}

#[test]
fn a_full_subnet_gives_way_to_the_next() {
    let snapshot = world(
        "Network blue
         Subnet one {networkRef: {name: blue}, cidr: 10.0.0.0/30}
         Subnet two {networkRef: {name: blue}, cidr: 10.0.1.0/24}
         Port a {networkRef: {name: blue}}
         Port b {networkRef: {name: blue}}",
    );
    assert_eq!(["a", "b"].map(|p| addresses(&snapshot, p)[0].clone()), ["10.0.0.2", "10.0.1.2"]);
}

#[test]
fn a_wish_comes_before_what_is_left_to_us_and_what_is_recorded_before_both() {
    let lines = "Port auto {networkRef: {name: blue}}
                 Port wish {networkRef: {name: blue}, addresses: [{ip: 10.0.0.2}]}";
    let at_once = with(lines);
    assert_eq!(["auto", "wish"].map(|p| addresses(&at_once, p)[0].clone()), ["10.0.0.3", "10.0.0.2"]);
    let mut one_by_one = with("Port auto {networkRef: {name: blue}}");
    settle(&mut one_by_one);
    add(&mut one_by_one, 9, "Port wish {networkRef: {name: blue}, addresses: [{ip: 10.0.0.2}]}");
    assert_eq!(addresses(&one_by_one, "auto"), ["10.0.0.2"]);
    let (_, problems) = link(&one_by_one);
    assert!(problems.contains_key(&id("Port wish")) && problems.len() == 1, "{problems:?}");
}

#[test]
fn a_recorded_address_stays_while_it_fits_the_spec() {
    let mut snapshot = with(
        "Port a {networkRef: {name: blue}}
         Port b {networkRef: {name: blue}}",
    );
    settle(&mut snapshot);
    snapshot.ports.remove(&key("a"));
    add(&mut snapshot, 0, "Port older {networkRef: {name: blue}}");
    assert_eq!(addresses(&snapshot, "b"), ["10.0.0.3"], "although a lower one is free");
    assert_eq!(addresses(&snapshot, "older"), ["10.0.0.2"]);
    let port = Arc::make_mut(snapshot.ports.get_mut(&key("b")).unwrap());
    port.spec.addresses = serde_json::from_str(r#"[{"ip": "10.0.0.40"}]"#).unwrap();
    assert_eq!(addresses(&snapshot, "b"), ["10.0.0.40"], "the spec wants another");
}

#[test]
fn of_two_with_the_same_wish_the_accepted_stays_else_the_older_else_the_smaller_name() {
    let wish = "{networkRef: {name: blue}, addresses: [{ip: 10.0.0.9}]}";
    let refused = |snapshot: &Snapshot| link(snapshot).1.keys().map(|id| id.key.name.to_string()).collect::<Vec<_>>();
    let mut accepted = with(&format!("Port young {wish}"));
    settle(&mut accepted);
    add(&mut accepted, 0, &format!("Port old {wish}"));
    assert_eq!(refused(&accepted), ["old"]);
    let mut age = with("");
    add(&mut age, 5, &format!("Port a {wish}"));
    add(&mut age, 4, &format!("Port b {wish}"));
    assert_eq!(refused(&age), ["a"]);
    let mut names = with("");
    add(&mut names, 5, &format!("Port a {wish}"));
    add(&mut names, 5, &format!("Port b {wish}"));
    assert_eq!(refused(&names), ["b"]);
}

#[test]
fn a_port_keeps_its_addresses_while_its_network_is_away() {
    let mut snapshot = with(
        "Port a {networkRef: {name: blue}}
         Port b {networkRef: {name: blue}}",
    );
    settle(&mut snapshot);
    let network = snapshot.networks.remove(&key("blue")).unwrap();
    let (_, problems) = settle(&mut snapshot);
    assert!(problems.contains_key(&id("Port b")));
    snapshot.ports.remove(&key("a"));
    snapshot.networks.insert(key("blue"), network);
    assert!(settle(&mut snapshot).1.is_empty());
    assert_eq!(addresses(&snapshot, "b"), ["10.0.0.3"]);
}

#[test]
fn a_guest_may_be_the_gateway_if_no_router_is() {
    let mut snapshot = with(
        "Port p {networkRef: {name: blue}}
         Port gw {networkRef: {name: blue}, addresses: [{ip: 10.0.0.1}]}",
    );
    plug(&mut snapshot, "p");
    let holder = |s: &Snapshot| view(s).networks[&key("blue")].subnets[&key("web")].gateway_holder;
    assert_eq!(holder(&snapshot), GatewayHolder::Port);
    snapshot.ports.remove(&key("gw"));
    assert_eq!(holder(&snapshot), GatewayHolder::Nobody);
    add(&mut snapshot, 9, "Router r {interfaces: [{subnetRef: {name: web}}]}");
    assert_eq!(holder(&snapshot), GatewayHolder::Router);
}

#[test]
fn mac_addresses_are_local_unicast_lasting_and_different() {
    let mut snapshot = with(
        "Port a {networkRef: {name: blue}}
         Port b {networkRef: {name: blue}}
         Port c {networkRef: {name: blue}, macAddress: '02:00:00:00:00:05'}",
    );
    // Two UIDs that begin alike give one MAC address at first.
    for (name, end) in [("a", "1"), ("b", "2")] {
        let port = Arc::make_mut(snapshot.ports.get_mut(&key(name)).unwrap());
        port.metadata.uid = Some(format!("3f2c6d0a-8b1e-4d5f-9c7a-01234567890{end}"));
    }
    settle(&mut snapshot);
    let mac = |s: &Snapshot, name: &str| s.ports[&key(name)].status.as_ref().unwrap().mac_address.unwrap();
    let found = ["a", "b", "c"].map(|name| mac(&snapshot, name));
    assert_eq!(found[0].to_string(), "02:3f:2c:6d:0a:8b");
    assert_ne!(found[1], found[0]);
    assert_eq!(found[2].to_string(), "02:00:00:00:00:05");
    assert!(found.iter().all(|mac| mac.is_unicast() && mac.0[0] & 2 == 2));
    snapshot.ports.remove(&key("a"));
    settle(&mut snapshot);
    assert_eq!(mac(&snapshot, "b"), found[1], "kept, although its first choice is free now");
}
