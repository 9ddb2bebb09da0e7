use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::api::{Binding, Reference};
use crate::model::fixtures::{add, at, key, record, world};
use crate::model::link::{Linker, Role};
use crate::model::status::statuses;
use crate::model::view::{FarEnd, Node, Part};
use crate::model::{NodeView, Snapshot, Uid};

const WORLD: &str = "
    PhysicalNetwork wire {attachments: [{interface: br0}]}
    Network public {external: true, provider: {physicalNetwork: wire, type: Flat}}
    Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/24}
    Network blue
    Network red
    Network alone
    Subnet blue {networkRef: {name: blue}, cidr: 10.0.0.0/24}
    Subnet red {networkRef: {name: red}, cidr: 10.0.1.0/24}
    Subnet alone {networkRef: {name: alone}, cidr: 10.0.2.0/24}
    Router r {interfaces: [{subnetRef: {name: blue}}, {subnetRef: {name: red}}], externalGateway: {networkRef: {name: public}}}
    Port a {networkRef: {name: blue}}
    Port b {networkRef: {name: red}}
    Port c {networkRef: {name: blue}}
    Port lone {networkRef: {name: alone}}
    FloatingIP fb {networkRef: {name: public}, portRef: {name: b}}
    FloatingIP fc {networkRef: {name: public}, portRef: {name: c}}
    Agent n1
    Agent n2
    Agent n3
    Agent n4";

/// A cluster of four; n1 (the gateway node) and n2 touch the wire. Port a is on n1, b and lone on n2, c on n3.
fn cluster() -> Snapshot {
    let mut snapshot = world(WORLD);
    for (n, agent) in (1..).zip(snapshot.agents.values_mut()) {
        let status = Arc::make_mut(agent).status.get_or_insert_default();
        status.tunnel_address = Some(Ipv4Addr::new(172, 31, 0, n).into());
        status.tunnel_mtu = Some(1500);
        status.physical_networks = if n <= 2 { vec!["wire".into()] } else { Vec::new() };
    }
    for (port, node) in [("a", "n1"), ("b", "n2"), ("lone", "n2"), ("c", "n3")] {
        let status = Arc::make_mut(snapshot.ports.get_mut(&key(port)).unwrap()).status.get_or_insert_default();
        status.binding = Some(Binding { node_name: node.into(), device: "eth0".into(), pod: None });
    }
    let (topology, problems) = Linker::new(Role::Controller).link(&snapshot);
    assert!(problems.is_empty(), "{problems:?}");
    let all = statuses(&snapshot, &topology, &problems, None, at(1000));
    record(&mut snapshot, all);
    snapshot
}

fn view(snapshot: &Snapshot, node: &str) -> NodeView {
    Linker::new(Role::Node).link(snapshot).0.view(node)
}

#[test]
fn a_node_has_networks_and_routers_of_its_ports_and_what_it_translates_for() {
    let snapshot = cluster();
    let names = |node| {
        let view = view(&snapshot, node);
        let names = |keys: Vec<String>| keys.join(" ");
        (
            names(view.networks.keys().map(|k| k.name.to_string()).collect()),
            names(view.routers.keys().map(|k| k.name.to_string()).collect()),
        )
    };
    let text = |networks: &str, routers: &str| (networks.to_owned(), routers.to_owned());
    assert_eq!(names("n1"), text("blue public red", "r"));
    assert_eq!(names("n2"), text("alone blue public red", "r"));
    assert_eq!(names("n3"), text("blue red", "r"), "the outside is reached through the gateway node");
    assert_eq!(names("n4"), text("", ""));
}

#[test]
fn a_network_knows_its_stations_elsewhere_and_has_no_tunnels_without_any() {
    let snapshot = cluster();
    let view = view(&snapshot, "n2");
    let overlay = |name: &str| view.networks[&key(name)].overlay.as_ref();
    let blue = overlay("blue").unwrap();
    assert_eq!(Some(blue.vni), snapshot.networks[&key("blue")].status.as_ref().unwrap().vni);
    let nodes: Vec<_> = blue.stations.values().map(|ip| ip.octets()[3]).collect();
    assert_eq!((nodes.len(), nodes.contains(&1), nodes.contains(&3)), (2, true, true));
    assert_eq!(blue.neighbours.len(), 2);
    let red = overlay("red").unwrap();
    assert!(red.stations.is_empty(), "its only port is here, and routers elsewhere send to it");
    assert_eq!(overlay("alone"), None);
    assert_eq!(overlay("public"), None);
}

#[test]
fn the_outside_is_where_it_is_translated() {
    let snapshot = cluster();
    let of = |node| view(&snapshot, node).routers[&key("r")].clone();
    let (gateway, own, far) = (of("n1"), of("n2"), of("n3"));
    let external = gateway.external.as_ref().unwrap();
    assert!(external.part == Part::Gateway && external.addresses.len() == 1);
    assert_eq!(external.floating.len(), 1, "of c, whose node does not touch the wire");
    assert_eq!(gateway.transit.as_ref().unwrap().gateway, None);
    let external = own.external.as_ref().unwrap();
    assert!(external.part == Part::Floating && external.addresses.is_empty());
    assert_eq!(external.floating.len(), 1, "of b");
    assert_ne!(external.mac, gateway.external.as_ref().unwrap().mac);
    assert_eq!(far.external, None);
    let (here, there) = (gateway.transit.as_ref().unwrap(), far.transit.as_ref().unwrap());
    assert_eq!(there.gateway, Some(FarEnd { mac: here.mac, node: Ipv4Addr::new(172, 31, 0, 1) }));
    assert_eq!((there.vni, there.routes.len()), (here.vni, 1));
    // Legs into overlay networks are the same everywhere, and know every port.
    assert_eq!(gateway.interfaces, far.interfaces);
    assert_eq!(far.interfaces[0].peers.len(), 2);
}

#[test]
fn an_attachment_is_chosen_by_the_labels_of_the_node() {
    let mut snapshot = cluster();
    let text = "PhysicalNetwork wire {attachments: [{interface: br7, nodeSelector: {matchLabels: {rack: seven}}}, \
                {interface: br8, nodeSelector: {matchLabels: {rack: eight}}}]}";
    snapshot.physical_networks = world(text).physical_networks;
    let topology = Linker::new(Role::Node).link(&snapshot).0;
    let attached = |rack: &str| {
        let labels = [("rack".to_owned(), rack.to_owned())].into();
        let view = topology.view(Node { labels: Some(&labels), ..Node::from("n1") });
        view.physical_networks.values().map(|p| p.interface.clone()).next()
    };
    assert_eq!(attached("seven").as_deref(), Some("br7"));
    assert_eq!(attached("eight").as_deref(), Some("br8"));
    assert_eq!(attached("nine"), None);
}

/// Routed members are other networks' ports: a node knows them wherever they are, and only those that rules there name.
#[test]
fn a_node_has_the_groups_of_its_ports_and_the_members_that_their_rules_name() {
    let mut snapshot = cluster();
    let groups = world(
        "SecurityGroup app {rules: [{direction: Ingress, remote: {groupRef: {name: web}}}]}
         SecurityGroup web {rules: [{direction: Egress}]}",
    );
    snapshot.security_groups = groups.security_groups;
    for (port, group) in [("a", "app"), ("b", "web"), ("c", "web"), ("lone", "web")] {
        let port = Arc::make_mut(snapshot.ports.get_mut(&key(port)).unwrap());
        port.spec.security_group_refs = Some(vec![Reference { name: group.into(), namespace: None }]);
    }
    let ip = |port: &str| snapshot.ports[&key(port)].status.as_ref().unwrap().addresses[0].ip;
    let at = |node: &str| {
        let view = view(&snapshot, node);
        let names: Vec<_> = view.security_groups.values().map(|group| group.key.name.to_string()).collect();
        (names.join(" "), view.members.iter().map(|member| member.ip).collect::<Vec<_>>(), view.member_networks)
    };
    let (names, members, networks) = at("n1");
    let mut wanted = [ip("b"), ip("c")];
    wanted.sort();
    assert_eq!((&*names, &*members), ("app", &wanted[..]), "not the one that no router joins");
    assert!(networks.is_empty(), "all that are joined are used here");
    assert_eq!(at("n2"), ("web".into(), Vec::new(), [].into()), "its rules name nobody");
    assert_eq!(at("n4"), (String::new(), Vec::new(), [].into()));
}

/// A node with a port on a wire has no leg of its router: it is to know members behind it all the same.
#[test]
fn a_node_is_told_of_networks_that_it_does_not_use_and_whose_ports_may_be_members() {
    let mut snapshot = cluster();
    for line in [
        "Network flat {provider: {physicalNetwork: wire, type: VLAN, vlan: 7}}",
        "Subnet flat {networkRef: {name: flat}, cidr: 10.0.9.0/24}",
        "Router edge {interfaces: [{subnetRef: {name: flat}}, {subnetRef: {name: alone}}]}",
        "Port wired {networkRef: {name: flat}}",
    ] {
        add(&mut snapshot, 50, line);
    }
    let port = Arc::make_mut(snapshot.ports.get_mut(&key("wired")).unwrap());
    let binding = Binding { node_name: "n4".into(), device: "eth0".into(), pod: None };
    port.status.get_or_insert_default().binding = Some(binding);
    let (topology, problems) = Linker::new(Role::Controller).link(&snapshot);
    assert!(problems.is_empty(), "{problems:?}");
    let all = statuses(&snapshot, &topology, &problems, None, at(1000));
    record(&mut snapshot, all);
    let view = view(&snapshot, "n4");
    assert_eq!(view.networks.keys().collect::<Vec<_>>(), [&key("flat")]);
    let uid = |name: &str| Uid::parse(snapshot.networks[&key(name)].metadata.uid.as_deref().unwrap());
    assert_eq!(view.member_networks, [uid("alone")].into());
    let lone = snapshot.ports[&key("lone")].status.as_ref().unwrap().addresses[0].ip;
    assert!(view.members.iter().any(|member| member.ip == lone), "{:?}", view.members);
}

/// Port b, with a floating IP, moves from n2 to n1, which touches the wire too and is the gateway node, or to n3, which does not.
#[test]
fn a_port_that_moves_is_prepared_on_one_node_and_forwarded_for_on_the_other() {
    let mut snapshot = cluster();
    let said = |snapshot: &mut Snapshot, binding: &str, migration: Option<&str>| {
        let at = |node: &str| Binding { node_name: node.into(), device: "tap0".into(), pod: None };
        let status = Arc::make_mut(snapshot.ports.get_mut(&key("b")).unwrap()).status.as_mut().unwrap();
        (status.binding, status.migration) = (Some(at(binding)), migration.map(at));
    };
    said(&mut snapshot, "n2", Some("n4"));
    let (before, prepared) = (view(&snapshot, "n2"), view(&snapshot, "n4"));
    let red = &prepared.networks[&key("red")];
    assert!(red.ports.is_empty() && red.prepared.contains_key(&key("b")), "it is wired, and plugged elsewhere");
    let overlay = red.overlay.as_ref().unwrap();
    assert_eq!(overlay.stations.values().collect::<Vec<_>>(), [&Ipv4Addr::new(172, 31, 0, 2)]);
    assert!(prepared.routers.contains_key(&key("r")), "its router is there before it");
    assert!(before.networks[&key("red")].ports.contains_key(&key("b")));

    // Switched: whoever had it forwards for a while, though it has no other port of the network.
    said(&mut snapshot, "n3", None);
    snapshot.ports.remove(&key("lone"));
    let topology = Linker::new(Role::Node).link(&snapshot).0;
    let departed = [key("b")].into();
    let left = topology.view(Node { departed: &departed, ..Node::from("n2") });
    let overlay = left.networks[&key("red")].overlay.as_ref().unwrap();
    assert!(overlay.forwards && left.networks[&key("red")].ports.is_empty());
    let none = topology.view("n2");
    assert!(!none.networks.contains_key(&key("red")), "in the end it has nothing to do with it");
    let there = topology.view("n3");
    assert!(there.networks[&key("red")].ports.contains_key(&key("b")));
    assert!(there.networks[&key("red")].overlay.as_ref().is_none_or(|overlay| !overlay.forwards));
}

/// Who answers for the floating IP of port b on a node, and whether what leaves there is translated to it.
#[test]
fn a_floating_ip_goes_on_where_it_was_until_it_is_said_to_be_elsewhere_and_both_nodes_translate() {
    let mut snapshot = cluster();
    // n3 touches the wire too, and has no other part in the router.
    let agent = Arc::make_mut(snapshot.agents.get_mut(&crate::model::Key::new("", "n3")).unwrap());
    agent.status.as_mut().unwrap().physical_networks = vec!["wire".into()];
    let at = |snapshot: &Snapshot, node: &str| {
        let topology = Linker::new(Role::Node).link(snapshot).0;
        let departed = [key("b")].into_iter().filter(|_| node == "n2").collect();
        let view = topology.view(Node { departed: &departed, ..Node::from(node) });
        let external = view.routers.get(&key("r"))?.external.clone()?;
        Some(external.floating.values().find(|f| f.key == key("fb")).map(|f| (f.home, f.answers)))
    };
    let port = |snapshot: &mut Snapshot, binding: &str, migration: Option<&str>| {
        let at = |node: &str| Binding { node_name: node.into(), device: "tap0".into(), pod: None };
        let status = Arc::make_mut(snapshot.ports.get_mut(&key("b")).unwrap()).status.as_mut().unwrap();
        (status.binding, status.migration) = (Some(at(binding)), migration.map(at));
    };
    port(&mut snapshot, "n2", Some("n3"));
    assert_eq!((at(&snapshot, "n2"), at(&snapshot, "n3")), (Some(Some((true, true))), Some(None)), "the leg is made");
    port(&mut snapshot, "n3", None);
    assert_eq!(at(&snapshot, "n2"), Some(Some((true, true))), "it answers until it is said that another does");
    assert_eq!(at(&snapshot, "n3"), Some(Some((true, false))), "what leaves is translated at once");
    assert_eq!(at(&snapshot, "n1"), Some(None), "it is not the gateway node's for a moment");
    let floating = Arc::make_mut(snapshot.floating_ips.get_mut(&key("fb")).unwrap());
    floating.status.as_mut().unwrap().node_name = Some("n3".into());
    assert_eq!(at(&snapshot, "n3"), Some(Some((true, true))));
    assert_eq!(at(&snapshot, "n2"), Some(Some((true, false))), "what still arrives is translated");
}
