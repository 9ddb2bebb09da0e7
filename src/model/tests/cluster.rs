//! What a controller chooses, and that a node chooses nothing.

use std::sync::Arc;

use crate::api::{AgentStatus, Allocation, AllocationParty, AllocationSpec, Condition};
use crate::model::allocation::Slot;
use crate::model::fixtures::{add, addresses, at, id, key, settle, world};
use crate::model::ipam::number;
use crate::model::{Id, Key, Linker, Role, Snapshot, Topology, Uid};

const BASE: &str = "
    PhysicalNetwork wire {attachments: [{interface: br0}]}
    Network public {external: true, provider: {physicalNetwork: wire, type: Flat}}
    Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/24}
    Network blue
    Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
    Router r {interfaces: [{subnetRef: {name: web}}], externalGateway: {networkRef: {name: public}}}
    Port p {networkRef: {name: blue}}";

fn agent(snapshot: &mut Snapshot, name: &str, spec: &str, silent: bool) {
    add(snapshot, 0, &format!("Agent {name} {spec}"));
    let agent = Arc::make_mut(snapshot.agents.get_mut(&Key::new("", name)).unwrap());
    let ready = Condition {
        type_: "Ready".into(),
        status: if silent { "Unknown" } else { "True" }.into(),
        reason: "Ready".into(),
        message: String::new(),
        observed_generation: None,
        last_transition_time: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(0)),
    };
    agent.status = Some(AgentStatus {
        tunnel_address: Some("192.0.2.1".parse().unwrap()),
        tunnel_mtu: Some(9000),
        physical_networks: vec!["wire".into()],
        conditions: vec![ready],
        ..AgentStatus::default()
    });
}

fn controller(snapshot: &Snapshot) -> Topology {
    Linker::new(Role::Controller).link(snapshot).0
}

fn uid(what: &str) -> Uid {
    Uid(0).part(&id(what).to_string())
}

fn lock(snapshot: &mut Snapshot, slot: Slot, owner: &str) {
    let party = |what: &str| {
        let Id { kind, key } = id(what);
        AllocationParty {
            kind: kind.to_string(),
            namespace: Some(key.namespace.to_string()),
            name: key.name.to_string(),
            uid: Some(format!("{:?}", uid(what))),
        }
    };
    let spec = AllocationSpec { pool: party("Subnet web"), value: String::new(), owner: party(owner) };
    snapshot.allocations.insert(Arc::new(Allocation::new(&slot.name(), spec)));
}

fn address(ip: &str) -> Slot {
    Slot::Address(uid("Subnet web"), number(ip.parse().unwrap()))
}

fn given(topology: &Topology, port: &str) -> Vec<String> {
    let index = topology.entries.iter().position(|entry| entry.key == key(port)).unwrap();
    topology.ports[index].addresses.iter().map(|(_, ip)| ip.to_string()).collect()
}

#[test]
fn a_node_gives_nothing_and_knows_what_is_recorded() {
    let mut snapshot = world(BASE);
    let node = |snapshot: &Snapshot| Linker::new(Role::Node).link(snapshot).0;
    assert!(given(&node(&snapshot), "p").is_empty());
    let port = Arc::make_mut(snapshot.ports.get_mut(&key("p")).unwrap());
    port.status = serde_json::from_str(
        r#"{"addresses": [{"subnetRef": {"name": "web"}, "ip": "10.0.0.9"}], "macAddress": "02:00:00:00:00:09"}"#,
    )
    .unwrap();
    assert_eq!(given(&node(&snapshot), "p"), ["10.0.0.9"]);
}

#[test]
fn what_is_locked_for_an_object_is_what_it_gets_and_nobody_else_gets_it() {
    let mut snapshot = world(BASE);
    lock(&mut snapshot, address("10.0.0.2"), "Port gone");
    lock(&mut snapshot, address("10.0.0.40"), "Port p");
    add(&mut snapshot, 9, "Port q {networkRef: {name: blue}}");
    let topology = controller(&snapshot);
    assert_eq!(given(&topology, "p"), ["10.0.0.40"]);
    assert_eq!(given(&topology, "q"), ["10.0.0.3"]);
    let locks = topology.locks(&snapshot.allocations);
    assert_eq!(locks.orphans, [address("10.0.0.2")]);
    assert!(locks.missing.iter().any(|lock| lock.slot == address("10.0.0.3") && lock.owner == id("Port q")));
    assert!(locks.missing.iter().all(|lock| lock.slot != address("10.0.0.40")));
    assert!(locks.contested.is_empty());
}

#[test]
fn a_lock_of_one_who_has_another_address_is_opened_for_the_one_who_has_this() {
    let mut snapshot = world(&format!("{BASE}\nPort q {{networkRef: {{name: blue}}}}"));
    let slot = |ip: &str| Slot::Address(uid("Subnet web"), number(ip.parse().unwrap()));
    settle(&mut snapshot);
    // Two controllers gave it at once; what one said of it stayed, what the other locked.
    let (first, second) = (addresses(&snapshot, "p")[0].clone(), addresses(&snapshot, "q")[0].clone());
    lock(&mut snapshot, slot(&first), "Port q");
    lock(&mut snapshot, slot(&second), "Port q");
    let locks = controller(&snapshot).locks(&snapshot.allocations);
    assert_eq!((locks.contested, locks.orphans), (vec![(id("Port p"), slot(&first))], vec![slot(&first)]));
}

#[test]
fn overlay_networks_and_routers_to_the_outside_get_segments_of_their_own_and_keep_them() {
    let mut snapshot = world(BASE);
    add(&mut snapshot, 1, "Network red");
    let topology = controller(&snapshot);
    let vni = |t: &Topology, name: &str| t.networks.iter().find(|n| n.key == key(name)).unwrap().vni;
    let (blue, red, router) =
        (vni(&topology, "blue").unwrap(), vni(&topology, "red").unwrap(), topology.routers[0].vni);
    assert!(blue != red && router.is_some() && router != Some(blue) && router != Some(red));
    assert_eq!(vni(&topology, "public"), None);
    lock(&mut snapshot, Slot::Segment(blue), "Network gone");
    assert_ne!(vni(&controller(&snapshot), "blue"), Some(blue), "somebody else's lock");
}

#[test]
fn a_router_leaves_by_a_live_node_with_the_wire_and_stays_there() {
    let mut snapshot = world(BASE);
    let gateway = |s: &Snapshot| controller(s).routers[0].gateway_node.clone().map(|n| n.to_string());
    assert_eq!(gateway(&snapshot), None);
    let waits = controller(&snapshot).waiting;
    assert!(waits[&id("Router r")].message.contains("live node"), "{waits:?}");
    agent(&mut snapshot, "a", "{gateway: false}", false);
    agent(&mut snapshot, "b", "", false);
    assert_eq!(gateway(&snapshot).as_deref(), Some("b"));
    agent(&mut snapshot, "c", "{gateway: true}", false);
    assert_eq!(gateway(&snapshot).as_deref(), Some("c"), "named nodes come before all others");
    let router = Arc::make_mut(snapshot.routers.get_mut(&key("r")).unwrap());
    router.status = serde_json::from_str(r#"{"gatewayNode": "c"}"#).unwrap();
    agent(&mut snapshot, "d", "{gateway: true}", false);
    assert_eq!(gateway(&snapshot).as_deref(), Some("c"));
    agent(&mut snapshot, "c", "{gateway: true, drain: true}", false);
    assert_eq!(gateway(&snapshot).as_deref(), Some("d"), "one that drains hands over");
    agent(&mut snapshot, "c", "{gateway: true}", true);
    assert_eq!(gateway(&snapshot).as_deref(), Some("c"), "silence alone moves nothing");
    let successor = Arc::make_mut(snapshot.agents.get_mut(&Key::new("", "d")).unwrap());
    successor.status.as_mut().unwrap().failures =
        serde_json::from_str(r#"[{"kind": "Agent", "name": "c", "reason": "Unreachable", "message": ""}]"#).unwrap();
    assert_eq!(gateway(&snapshot).as_deref(), Some("d"), "the successor has seen that it is dead");
}

#[test]
fn a_router_on_a_provider_network_has_a_gateway_node_though_it_leaves_nowhere() {
    let mut snapshot = world(BASE);
    let more = [
        "Network wired {provider: {physicalNetwork: other, type: Flat}}",
        "PhysicalNetwork other {attachments: [{interface: br1}]}",
        "Subnet wired {networkRef: {name: wired}, cidr: 10.5.0.0/24}",
        "Router inside {interfaces: [{subnetRef: {name: wired}}]}",
    ];
    for line in more {
        add(&mut snapshot, 5, line);
    }
    agent(&mut snapshot, "a", "", false);
    let of = |s: &Snapshot| controller(s).routers.iter().find(|r| r.key == key("inside")).cloned().unwrap();
    assert_eq!(of(&snapshot).gateway_node, None, "the node has another wire");
    let there = Arc::make_mut(snapshot.agents.get_mut(&Key::new("", "a")).unwrap());
    there.status.as_mut().unwrap().physical_networks.push("other".into());
    assert_eq!(of(&snapshot).gateway_node.as_deref(), Some("a"));
    assert!(of(&snapshot).vni.is_some());
}

#[test]
fn a_floating_ip_is_translated_at_its_port_and_stays_with_a_silent_node_until_it_is_seen_dead() {
    let mut snapshot = world(BASE);
    add(&mut snapshot, 9, "FloatingIP f {networkRef: {name: public}, portRef: {name: p}}");
    agent(&mut snapshot, "a", "", false);
    agent(&mut snapshot, "b", "", false);
    let at = |s: &Snapshot| controller(s).floating_ips[0].node.clone().map(|n| n.to_string());
    let router = Arc::make_mut(snapshot.routers.get_mut(&key("r")).unwrap());
    router.status = serde_json::from_str(r#"{"gatewayNode": "a"}"#).unwrap();
    assert_eq!(at(&snapshot).as_deref(), Some("a"), "nobody has plugged its port");
    let port = Arc::make_mut(snapshot.ports.get_mut(&key("p")).unwrap());
    port.status = serde_json::from_str(r#"{"binding": {"nodeName": "b", "device": "eth0"}}"#).unwrap();
    assert_eq!(at(&snapshot).as_deref(), Some("b"));
    let floating = Arc::make_mut(snapshot.floating_ips.get_mut(&key("f")).unwrap());
    floating.status = serde_json::from_str(r#"{"nodeName": "b"}"#).unwrap();
    agent(&mut snapshot, "b", "", true);
    assert_eq!(at(&snapshot).as_deref(), Some("b"), "two nodes must not answer for it");
    let successor = Arc::make_mut(snapshot.agents.get_mut(&Key::new("", "a")).unwrap());
    successor.status.as_mut().unwrap().failures =
        serde_json::from_str(r#"[{"kind": "Agent", "name": "b", "reason": "Unreachable", "message": ""}]"#).unwrap();
    assert_eq!(at(&snapshot).as_deref(), Some("a"));
}

#[test]
fn guests_are_told_what_the_narrowest_tunnel_carries() {
    let mut snapshot = world(BASE);
    let mtu = |s: &Snapshot| controller(s).networks.iter().find(|n| n.key == key("blue")).unwrap().mtu;
    assert_eq!(mtu(&snapshot), 1450);
    agent(&mut snapshot, "a", "", false);
    assert_eq!(mtu(&snapshot), 8950);
}
