//! Routers in the view of a node: legs, neighbours, routes, and what goes on when one part cannot.

use std::collections::BTreeSet;

use crate::api::Reason;
use crate::model::fixtures::{add, delete, id, key, plug, settle, view, world};
use crate::model::{Snapshot, link};

const BASE: &str = "
    Network public {external: true}
    Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/24, allocationPools: [{start: 203.0.113.10, end: 203.0.113.20}]}
    Network blue
    Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
    Network red {mtu: 1400}
    Subnet db {networkRef: {name: red}, cidr: 10.1.0.0/24}
    Router r {interfaces: [{subnetRef: {name: web}}, {subnetRef: {name: db}}]}
    Port p {networkRef: {name: blue}}
    Port q {networkRef: {name: red}}";

fn with(lines: &str) -> Snapshot {
    world(&format!("{BASE}\n{lines}"))
}

fn keys<T>(map: &std::collections::BTreeMap<crate::model::Key, T>) -> Vec<String> {
    map.keys().map(ToString::to_string).collect()
}

#[test]
fn only_what_is_in_use_is_in_the_view() {
    let mut snapshot = with("Router lonely {interfaces: [{subnetRef: {name: web}, ip: 10.0.0.200}]}");
    assert!(view(&snapshot).networks.is_empty(), "nothing is plugged");
    snapshot.routers.remove(&key("lonely"));
    plug(&mut snapshot, "p");
    let here = view(&snapshot);
    assert_eq!(keys(&here.routers), ["default/r"]);
    assert_eq!(keys(&here.networks), ["default/blue", "default/red"], "red only for the router's leg");
    assert_eq!(keys(&here.networks[&key("blue")].ports), ["default/p"]);
    assert!(here.networks[&key("red")].ports.is_empty());
    assert_eq!(link(&snapshot).0.view("node-2").networks.len(), 0, "nothing on another node");
    add(&mut snapshot, 20, "Router out {externalGateway: {networkRef: {name: public}}}");
    assert_eq!(keys(&view(&snapshot).routers), ["default/out", "default/r"]);
}

#[test]
fn legs_know_every_neighbour_but_themselves() {
    let mut snapshot = with("Router second {interfaces: [{subnetRef: {name: web}, ip: 10.0.0.200}]}");
    plug(&mut snapshot, "p");
    settle(&mut snapshot);
    let here = view(&snapshot);
    let leg = &here.routers[&key("r")].interfaces[0];
    let other = &here.routers[&key("second")].interfaces[0];
    let ip = |text: &str| text.parse::<std::net::IpAddr>().unwrap();
    assert_eq!(leg.peers.keys().copied().collect::<Vec<_>>(), [ip("10.0.0.2"), ip("10.0.0.200")]);
    assert_eq!(leg.peers[&ip("10.0.0.200")], other.mac);
    assert_eq!(other.peers[&ip("10.0.0.1")], leg.mac);
    assert!(here.routers[&key("r")].interfaces[1].peers.is_empty(), "q is not plugged");
    let macs: BTreeSet<_> = here.routers.values().flat_map(|r| r.interfaces.iter().map(|i| i.mac)).collect();
    assert_eq!(macs.len(), 3);
    assert_eq!(here.routers[&key("r")].interfaces[1].mtu, 1400);
}

#[test]
fn the_way_outside_has_the_gateway_the_ranges_and_snat_by_default() {
    let gateway = "externalGateway: {networkRef: {name: public}";
    let snapshot = with(&format!(
        "Router a {{{gateway}}}}}
         Router b {{{gateway}, snat: false, addresses: [{{ip: 203.0.113.99}}, {{subnetRef: {{name: outside}}}}]}}}}"
    ));
    let (topology, problems) = link(&snapshot);
    assert!(problems.is_empty(), "{problems:?}");
    let here = topology.view(crate::model::fixtures::NODE);
    let external = |name: &str| here.routers[&key(name)].external.clone().unwrap();
    let text = |name: &str| external(name).addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(text("a"), ["203.0.113.10/24"]);
    assert_eq!(text("b"), ["203.0.113.99/24", "203.0.113.11/24"]);
    assert_eq!((external("a").snat, external("b").snat), (true, false));
    assert_eq!(external("a").gateway, Some("203.0.113.1".parse().unwrap()));
    assert_eq!(external("a").cidrs, ["203.0.113.0/24".parse().unwrap()]);
    assert_ne!(external("a").mac, external("b").mac);
}

#[test]
fn equal_destinations_share_the_load_and_a_bad_route_harms_no_other() {
    let mut snapshot = with(
        "Router s {interfaces: [{subnetRef: {name: web}, ip: 10.0.0.200}], routes: [
            {destination: 172.16.0.0/12, nextHop: 10.0.0.2}, {destination: 172.16.0.0/12, nextHop: 10.0.0.3},
            {destination: 10.1.0.0/24, nextHop: 10.0.0.1}, {destination: 192.168.0.0/16, nextHop: 10.9.0.1}]}"
            .replace('\n', " ")
            .as_str(),
    );
    plug(&mut snapshot, "p");
    let (topology, problems) = link(&snapshot);
    assert_eq!(problems[&id("Router s")][0].remark.reason, Reason::InvalidNextHop);
    let routes = topology.view(crate::model::fixtures::NODE).routers[&key("s")].routes.clone();
    assert_eq!(routes.len(), 2);
    assert_eq!(routes[&"172.16.0.0/12".parse().unwrap()].len(), 2);
}

#[test]
fn a_router_that_only_hands_packets_on_is_in_use_too() {
    let mut snapshot = world(
        "Network a
         Subnet a {networkRef: {name: a}, cidr: 10.0.0.0/24}
         Network transit
         Subnet t {networkRef: {name: transit}, cidr: 10.1.0.0/24}
         Router near {interfaces: [{subnetRef: {name: a}}, {subnetRef: {name: t}}], routes: [{destination: 10.2.0.0/24, nextHop: 10.1.0.9}]}
         Router far {interfaces: [{subnetRef: {name: t}, ip: 10.1.0.9}]}
         Router aside {interfaces: [{subnetRef: {name: t}, ip: 10.1.0.10}]}
         Port p {networkRef: {name: a}}",
    );
    plug(&mut snapshot, "p");
    assert_eq!(keys(&view(&snapshot).routers), ["default/far", "default/near"]);
}

#[test]
fn an_interface_in_force_stays_when_a_newcomer_overlaps() {
    let mut snapshot = with(
        "Network old
         Subnet big {networkRef: {name: old}, cidr: 10.1.0.0/16}",
    );
    plug(&mut snapshot, "p");
    settle(&mut snapshot);
    let router = std::sync::Arc::make_mut(snapshot.routers.get_mut(&key("r")).unwrap());
    router.spec.interfaces.insert(0, serde_json::from_str(r#"{"subnetRef": {"name": "big"}}"#).unwrap());
    let (topology, problems) = link(&snapshot);
    assert!(problems[&id("Router r")][0].remark.message.contains("Subnet default/big is left out"), "{problems:?}");
    let legs: Vec<_> = topology.view(crate::model::fixtures::NODE).routers[&key("r")]
        .interfaces
        .iter()
        .map(|i| i.ip.to_string())
        .collect();
    assert_eq!(legs, ["10.0.0.1", "10.1.0.1"]);
}

#[test]
fn a_leg_that_is_being_deleted_leaves_with_its_router() {
    let mut snapshot = with("");
    plug(&mut snapshot, "p");
    settle(&mut snapshot);
    delete(&mut snapshot, "Router r");
    delete(&mut snapshot, "Subnet db");
    let (topology, _) = link(&snapshot);
    assert!(topology.released.contains(&id("Router r")));
    assert!(!topology.released.contains(&id("Subnet db")), "port q still has an address there");
    assert!(topology.view(crate::model::fixtures::NODE).routers.is_empty());
}
