//! Guests on different nodes: one network over tunnels, routed, to the outside and back.

use std::time::Duration;

use crate::nodes::{Cluster, SERVER};
use crate::page::writes;
use crate::support::{ip, until};

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Network green
Subnet db {networkRef: {name: green}, cidr: 10.0.1.0/24}
Port a {networkRef: {name: blue}}
Port b {networkRef: {name: blue}}
Port c {networkRef: {name: green}}";

const OUTSIDE: &str = "
PhysicalNetwork wire {attachments: [{interface: br-ext}]}
Network public {external: true, provider: {physicalNetwork: wire, type: Flat}}
Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/24, gatewayIP: 203.0.113.1, allocationPools: [{start: 203.0.113.10, end: 203.0.113.99}]}
Router r {interfaces: [{subnetRef: {name: web}}, {subnetRef: {name: db}}], externalGateway: {networkRef: {name: public}}}";

#[test]
fn guests_of_one_network_reach_each_other_over_tunnels_and_others_through_the_router() {
    let cluster = Cluster::start(2);
    cluster.apply(WORLD);
    let (a, b, c) = (cluster.guest(1, "a"), cluster.guest(2, "b"), cluster.guest(2, "c"));
    a.wait_pings("10.0.0.3");
    b.wait_pings("10.0.0.2");
    assert!(!c.pings("10.0.0.2"), "no router");
    cluster.apply("Router r {interfaces: [{subnetRef: {name: web}}, {subnetRef: {name: db}}]}");
    c.wait_pings("10.0.0.2");
    a.wait_pings("10.0.1.2");
    cluster.wait("trtr/r", "Ready");
    cluster.wait("tport/a tport/b tport/c", "Programmed");
    // The guests' network is none of the nodes'.
    assert!(!a.pings(SERVER) && !a.pings("192.0.2.11") && !a.pings("192.0.2.12"));
    // A port moves to another node.
    assert!(cluster.nodes[1].tenet("unplug b").ok());
    ip("netns del b");
    let b = cluster.guest(1, "b");
    b.wait_pings("10.0.1.2");
    c.wait_pings("10.0.0.3");
}

#[test]
fn routers_leave_by_a_gateway_node_that_another_takes_over_when_it_falls() {
    let mut cluster = Cluster::start(3);
    let outside = cluster.wire(&[1, 2]);
    cluster.apply(&format!("{WORLD}\n{OUTSIDE}"));
    cluster.wait("tphys/wire", "Ready");
    cluster.wait("trtr/r", "Ready");
    let (a, c) = (cluster.guest(3, "a"), cluster.guest(3, "c"));
    a.wait_pings("203.0.113.1");
    c.wait_pings("203.0.113.1");
    cluster.apply("FloatingIP f {networkRef: {name: public}, ip: 203.0.113.50, portRef: {name: a}}");
    cluster.wait("tfip/f", "Ready");
    outside.wait_pings("203.0.113.50");
    c.wait_pings("203.0.113.50");
    println!("{}", cluster.kubectl("get tenet -A -o wide"));
    rests(&cluster);
    let gateway = cluster.get("trtr", "r")["status"]["gatewayNode"].as_str().unwrap().to_owned();
    let number: usize = gateway.rsplit('-').next().unwrap().parse().unwrap();
    // The agent dies: nothing changes. The node dies: another takes over.
    cluster.nodes[number - 1].kill_agent();
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(cluster.get("trtr", "r")["status"]["gatewayNode"], gateway, "its kernel still forwards");
    assert!(a.pings("203.0.113.1") && outside.pings("203.0.113.50"));
    cluster.nodes[number - 1].start_agent();
    until("it is heard again", || cluster.kubectl(&format!("get tagent {gateway} --no-headers")).contains("True"));
    cluster.nodes[number - 1].fall();
    let took = until("another node translates", || a.run("ping -c 1 -W 0.1 203.0.113.1").ok());
    println!("outside again {took:?} after the node fell");
    outside.wait_pings("203.0.113.50");
    assert_ne!(cluster.get("trtr", "r")["status"]["gatewayNode"], gateway);
}

/// What is ready is not under way, and nobody writes what changes nothing.
fn rests(cluster: &Cluster) {
    until("nothing is under way", || !cluster.kubectl("get trtr,tfip -o json").contains("Reconciling"));
    std::thread::sleep(Duration::from_secs(2));
    let before = writes(cluster);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(writes(cluster), before, "writes of the controller and of each agent");
}
