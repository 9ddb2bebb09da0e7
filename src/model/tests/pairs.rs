//! Allowed address pairs that move: who has an address, and what each node makes of it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::api::{ActivePair, Binding, MacAddr};
use crate::model::active::{ACTIVE_MAX, Announcement};
use crate::model::fixtures::{add, at, key, record, world};
use crate::model::link::{Linker, Role};
use crate::model::status::statuses;
use crate::model::view::{Active, Node};
use crate::model::{NodeView, Snapshot, Uid};

/// VRRP's MAC address of group 5 (RFC 9568, 7.3).
const VRRP: MacAddr = MacAddr([0, 0, 0x5e, 0, 1, 5]);

/// Ports a and b share an address that `vip` keeps for them; they have another one with VRRP's MAC address, and so has c.
const WORLD: &str = "
    Network blue
    Subnet blue {networkRef: {name: blue}, cidr: 10.0.0.0/24}
    Router r {interfaces: [{subnetRef: {name: blue}}]}
    Port a {networkRef: {name: blue}, allowedAddressPairs: [{ip: 10.0.0.100}, {ip: 10.0.0.192/26, macAddress: '00:00:5e:00:01:05'}]}
    Port b {networkRef: {name: blue}, allowedAddressPairs: [{ip: 10.0.0.100}, {ip: 10.0.0.192/26, macAddress: '00:00:5e:00:01:05'}]}
    Port c {networkRef: {name: blue}, allowedAddressPairs: [{ip: 10.0.0.0/24}, {ip: 10.0.0.192/26, macAddress: '00:00:5e:00:01:05'}]}
    Port d {networkRef: {name: blue}, addresses: [{ip: 10.0.0.50}]}
    Port vip {networkRef: {name: blue}, addresses: [{ip: 10.0.0.100}]}
    Port team/theirs {networkRef: {name: blue, namespace: default}, addresses: [{ip: 10.0.0.60}]}
    ReferenceGrant g {from: [{namespace: team}], to: [{kind: Network, name: blue}]}
    Agent n1
    Agent n2";

/// Ports a, c and d are on n1, b is on n2; nobody has plugged the others.
fn cluster() -> Snapshot {
    let mut snapshot = world(WORLD);
    for (n, agent) in (1..).zip(snapshot.agents.values_mut()) {
        let status = Arc::make_mut(agent).status.get_or_insert_default();
        status.tunnel_address = Some(Ipv4Addr::new(172, 31, 0, n).into());
        status.tunnel_mtu = Some(1500);
    }
    for (port, node) in [("a", "n1"), ("b", "n2"), ("c", "n1"), ("d", "n1")] {
        bind(&mut snapshot, port, Some(node));
    }
    let (topology, problems) = Linker::new(Role::Controller).link(&snapshot);
    assert!(problems.is_empty(), "{problems:?}");
    let all = statuses(&snapshot, &topology, &problems, None, at(1000));
    record(&mut snapshot, all);
    snapshot
}

fn bind(snapshot: &mut Snapshot, port: &str, node: Option<&str>) {
    let port = Arc::make_mut(snapshot.ports.get_mut(&key(port)).unwrap());
    let binding = node.map(|node| Binding { node_name: node.into(), device: "eth0".into(), pod: None });
    port.status.get_or_insert_default().binding = binding;
}

fn mac(snapshot: &Snapshot, port: &str) -> MacAddr {
    snapshot.ports[&key(port)].status.as_ref().unwrap().mac_address.unwrap()
}

fn ip(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, last).into()
}

fn says(snapshot: &Snapshot, port: &str, last: u8, mac: MacAddr) -> Announcement {
    let uid = snapshot.ports[&key(port)].metadata.uid.as_deref().unwrap();
    Announcement { port: Uid::parse(uid).into(), ip: ip(last), mac, late: false }
}

/// What a node makes of announcements.
fn follow(snapshot: &Snapshot, node: &str, heard: &[Announcement]) -> Active {
    Linker::new(Role::Node).link(snapshot).0.follow(node, &Active::new(), heard).0
}

/// A node hears its guest and writes down what it makes of it; whether that is anything.
fn announce(snapshot: &mut Snapshot, node: &str, heard: Announcement) -> bool {
    let active = follow(snapshot, node, &[heard]);
    let news = !active.is_empty();
    write(snapshot, active);
    news
}

fn write(snapshot: &mut Snapshot, active: Active) {
    for (port, pairs) in active {
        let port = Arc::make_mut(snapshot.ports.get_mut(&port).unwrap());
        port.status.get_or_insert_default().active_pairs = pairs;
    }
}

/// Active pairs as they are recorded: last octet and number.
fn active(snapshot: &Snapshot, port: &str) -> Vec<(IpAddr, u32)> {
    let pairs = &snapshot.ports[&key(port)].status.as_ref().unwrap().active_pairs;
    pairs.iter().map(|pair| (pair.ip, pair.transitions)).collect()
}

fn view(snapshot: &Snapshot, node: &str) -> NodeView {
    Linker::new(Role::Node).link(snapshot).0.view(node)
}

/// Where a node's router finds an address.
fn found(view: &NodeView, last: u8) -> Option<MacAddr> {
    view.routers[&key("r")].interfaces[0].peers.get(&ip(last)).copied()
}

#[test]
fn an_address_is_at_the_port_that_announced_it_last_seen_from_every_node() {
    let mut snapshot = cluster();
    let (a, b) = (mac(&snapshot, "a"), mac(&snapshot, "b"));
    assert_eq!(found(&view(&snapshot, "n1"), 100), None, "the port that keeps it is plugged nowhere");
    let heard = says(&snapshot, "a", 100, a);
    assert!(announce(&mut snapshot, "n1", heard));
    assert!(!announce(&mut snapshot, "n1", heard), "that is no news");
    let (one, two) = (view(&snapshot, "n1"), view(&snapshot, "n2"));
    assert_eq!((found(&one, 100), found(&two, 100)), (Some(a), Some(a)));
    assert_eq!(one.networks[&key("blue")].ports[&key("a")].active, [(ip(100), a)].into());
    assert!(one.networks[&key("blue")].overlay.as_ref().unwrap().moving.is_empty());
    assert_eq!(two.networks[&key("blue")].overlay.as_ref().unwrap().moving, [(ip(100), a)].into());

    let heard = says(&snapshot, "b", 100, b);
    assert!(announce(&mut snapshot, "n2", heard));
    assert_eq!((active(&snapshot, "a"), active(&snapshot, "b")), (vec![(ip(100), 0)], vec![(ip(100), 1)]));
    for node in ["n1", "n2"] {
        assert_eq!(found(&view(&snapshot, node), 100), Some(b), "before the first has let go of it");
    }
    assert!(follow(&snapshot, "n2", &[]).is_empty());
    let less = follow(&snapshot, "n1", &[]);
    write(&mut snapshot, less);
    assert!(active(&snapshot, "a").is_empty(), "the first lets go of it");
    // Back again.
    let heard = says(&snapshot, "a", 100, a);
    announce(&mut snapshot, "n1", heard);
    assert_eq!(active(&snapshot, "a"), [(ip(100), 2)]);
}

#[test]
fn two_that_announce_at_once_agree_on_one_and_who_says_it_again_has_it() {
    let mut snapshot = cluster();
    let (a, b) = (says(&snapshot, "a", 100, mac(&snapshot, "a")), says(&snapshot, "b", 100, mac(&snapshot, "b")));
    let (one, two) = (follow(&snapshot, "n1", &[a]), follow(&snapshot, "n2", &[b]));
    write(&mut snapshot, one);
    write(&mut snapshot, two);
    for node in ["n1", "n2"] {
        assert_eq!(found(&view(&snapshot, node), 100), Some(a.mac));
    }
    let less = follow(&snapshot, "n2", &[]);
    write(&mut snapshot, less);
    assert!(active(&snapshot, "b").is_empty());
    announce(&mut snapshot, "n2", b);
    assert_eq!(found(&view(&snapshot, "n1"), 100), Some(b.mac));
    // What nobody listened to when it was said takes nothing from others.
    let less = follow(&snapshot, "n1", &[]);
    write(&mut snapshot, less);
    assert!(!announce(&mut snapshot, "n1", Announcement { late: true, ..a }));
    bind(&mut snapshot, "b", None);
    assert_eq!(found(&view(&snapshot, "n1"), 100), None, "what is unplugged has nothing");
    assert!(announce(&mut snapshot, "n1", Announcement { late: true, ..a }));
}

#[test]
fn a_mac_address_of_its_own_is_where_its_last_announcement_came_from() {
    let mut snapshot = cluster();
    let blue = key("blue");
    for last in [200, 201] {
        let heard = says(&snapshot, "a", last, VRRP);
        assert!(announce(&mut snapshot, "n1", heard));
    }
    let (one, two) = (view(&snapshot, "n1"), view(&snapshot, "n2"));
    assert_eq!(one.networks[&blue].ports[&key("a")].stations, [VRRP].into());
    let stations = |view: &NodeView| view.networks[&blue].overlay.as_ref().unwrap().stations.get(&VRRP).copied();
    assert_eq!(stations(&two), Some(Ipv4Addr::new(172, 31, 0, 1)));
    assert_eq!((found(&one, 200), found(&two, 201)), (Some(VRRP), Some(VRRP)));

    // The first of the two addresses comes to the other node, and with it the MAC address.
    let heard = says(&snapshot, "b", 200, VRRP);
    announce(&mut snapshot, "n2", heard);
    let (one, two) = (view(&snapshot, "n1"), view(&snapshot, "n2"));
    assert!(one.networks[&blue].ports[&key("a")].stations.is_empty());
    assert_eq!(two.networks[&blue].ports[&key("b")].stations, [VRRP].into());
    assert_eq!((stations(&one), stations(&two)), (Some(Ipv4Addr::new(172, 31, 0, 2)), None));
    assert_eq!(found(&one, 201), Some(VRRP), "the second follows by its MAC address");
    // The second is announced by the first port once more: there it is, and so is the MAC address.
    let heard = says(&snapshot, "a", 201, VRRP);
    assert!(announce(&mut snapshot, "n1", heard));
    assert_eq!(view(&snapshot, "n1").networks[&blue].ports[&key("a")].stations, [VRRP].into());
}

#[test]
fn what_somebody_else_has_and_what_is_not_allowed_is_not_taken_in() {
    let mut snapshot = cluster();
    let own = mac(&snapshot, "c");
    let router = snapshot.routers[&key("r")].clone();
    assert!(router.status.is_some());
    let mut refused = |port: &str, last: u8, mac: MacAddr, why: &str| {
        let heard = says(&snapshot, port, last, mac);
        assert!(!announce(&mut snapshot, "n1", heard), "{why}");
    };
    refused("c", 50, own, "a plugged port has it");
    refused("c", 1, own, "a router has it");
    refused("c", 60, own, "another tenant's port keeps it");
    refused("c", 255, own, "it is everybody's");
    refused("a", 101, own, "it is not allowed");
    refused("c", 120, VRRP, "not from there");
    refused("b", 100, VRRP, "another node's port");
    refused("d", 50, own, "it has no pairs");
    let (c, far) = (says(&snapshot, "c", 100, own), IpAddr::from([192, 0, 2, 1]));
    assert!(!announce(&mut snapshot, "n1", Announcement { ip: far, ..c }), "it is in no subnet");
    assert!(announce(&mut snapshot, "n1", c));

    // It is not allowed any more, or its owner comes.
    let mut less = snapshot.clone();
    Arc::make_mut(less.ports.get_mut(&key("c")).unwrap()).spec.allowed_address_pairs.clear();
    assert_eq!(found(&view(&less, "n2"), 100), None);
    assert_eq!(follow(&less, "n1", &[]), Active::from([(key("c"), Vec::new())]));
    Arc::make_mut(less.ports.get_mut(&key("c")).unwrap()).spec.allowed_address_pairs =
        snapshot.ports[&key("a")].spec.allowed_address_pairs[1..].to_vec();
    assert_eq!(follow(&less, "n1", &[]), Active::from([(key("c"), Vec::new())]));
    bind(&mut snapshot, "vip", Some("n2"));
    assert_eq!(found(&view(&snapshot, "n1"), 100), Some(mac(&snapshot, "vip")));
    assert_eq!(follow(&snapshot, "n1", &[]), Active::from([(key("c"), Vec::new())]));
}

#[test]
fn a_port_has_so_many_addresses_and_no_more() {
    let mut snapshot = cluster();
    let own = mac(&snapshot, "c");
    for last in 0..60 {
        let heard = says(&snapshot, "c", 101 + last, own);
        announce(&mut snapshot, "n1", heard);
    }
    assert_eq!(active(&snapshot, "c").len(), ACTIVE_MAX);
}

#[test]
fn what_is_not_recorded_yet_counts_here_already() {
    let snapshot = cluster();
    let topology = Linker::new(Role::Node).link(&snapshot).0;
    let heard = says(&snapshot, "a", 100, mac(&snapshot, "a"));
    let (active, moved) = topology.follow("n1", &Active::new(), &[heard]);
    assert_eq!(moved, [heard.port].into());
    let pair = ActivePair { ip: ip(100), mac_address: heard.mac, transitions: 0 };
    assert_eq!(active, [(key("a"), vec![pair])].into());
    assert_eq!(topology.follow("n1", &active, &[heard]), (active.clone(), [].into()));
    let view = topology.view(Node { fresh: &active, ..Node::from("n1") });
    assert_eq!(found(&view, 100), Some(heard.mac));
}

#[test]
fn a_floating_ip_of_the_port_that_keeps_the_address_leads_to_who_has_it() {
    let mut snapshot = cluster();
    for line in [
        "PhysicalNetwork wire {attachments: [{interface: br0}]}",
        "Network public {external: true, provider: {physicalNetwork: wire, type: Flat}}",
        "Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/24}",
        "FloatingIP f {networkRef: {name: public}, portRef: {name: vip}}",
        "Router r {interfaces: [{subnetRef: {name: blue}}], externalGateway: {networkRef: {name: public}}}",
    ] {
        add(&mut snapshot, 50, line);
    }
    let (topology, problems) = Linker::new(Role::Host).link(&snapshot);
    assert!(problems.is_empty(), "{problems:?}");
    let heard = says(&snapshot, "a", 100, mac(&snapshot, "a"));
    let (active, _) = topology.follow("n1", &Active::new(), &[heard]);
    let view = topology.view(Node { fresh: &active, ..Node::from("n1") });
    let floating = &view.routers[&key("r")].external.as_ref().unwrap().floating;
    assert_eq!(floating.values().map(|to| to.fixed).collect::<Vec<_>>(), [ip(100)]);
    assert_eq!(found(&view, 100), Some(heard.mac));
}
