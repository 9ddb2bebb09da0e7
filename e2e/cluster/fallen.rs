//! Nodes that are cut off, and those that are declared dead: what they did goes on elsewhere, and they do not meddle.

use crate::nodes::Cluster;
use crate::spy::Spy;
use crate::support::{Guest, ip, until};

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Port db-0 {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}]}";

const OUTSIDE: &str = "
PhysicalNetwork wire {attachments: [{interface: br-ext}]}
Network public {external: true, provider: {physicalNetwork: wire, type: Flat}}
Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/24, gatewayIP: 203.0.113.1, allocationPools: [{start: 203.0.113.10, end: 203.0.113.99}]}
Router r {interfaces: [{subnetRef: {name: web}}], externalGateway: {networkRef: {name: public}, addresses: [{ip: 203.0.113.9}]}}
FloatingIP f {networkRef: {name: public}, ip: 203.0.113.50, portRef: {name: a}}";

#[test]
fn a_node_that_is_cut_off_is_followed_and_does_not_answer_again_when_it_is_back() {
    let cluster = Cluster::start(3);
    let outside = cluster.wire(&[1, 2]);
    cluster.apply(&[WORLD, OUTSIDE].concat());
    cluster.wait("trtr/r tfip/f", "Ready");
    let a = cluster.guest(3, "a");
    a.wait_pings("203.0.113.1");
    outside.wait_pings("203.0.113.50");
    let gateway = cluster.get("trtr", "r")["status"]["gatewayNode"].as_str().unwrap().to_owned();
    let node = cluster.nodes.iter().find(|node| node.name == gateway).unwrap();
    let spy = Spy::start(&["203.0.113.9", "203.0.113.50"]);
    node.cut();
    let took = until("another node translates", || a.run("ping -c 1 -W 0.1 203.0.113.1").ok());
    println!("outside again {took:?} after its gateway node was cut off");
    outside.wait_pings("203.0.113.50");
    until("it knows that it is cut off", || cluster.said().contains("cut off from all others"));
    // Its kernel did not sleep meanwhile.
    node.heal();
    until("it is heard again", || cluster.kubectl(&format!("get tagent {gateway} --no-headers")).contains("True"));
    a.wait_pings("203.0.113.1");
    outside.wait_pings("203.0.113.50");
    assert_ne!(cluster.get("trtr", "r")["status"]["gatewayNode"], gateway.as_str());
    spy.end(1);
}

#[test]
fn the_port_of_a_node_that_is_out_of_service_is_plugged_elsewhere() {
    let mut cluster = Cluster::start(2);
    cluster.apply(WORLD);
    let (old, a) = (cluster.guest(1, "db-0"), cluster.guest(2, "a"));
    a.wait_pings("10.0.0.12");
    cluster.nodes[0].fall();
    ip("netns add db-0-again\n-n db-0-again link set lo up");
    let plug = |timeout: &str| cluster.nodes[1].tenet(&format!("plug db-0 --netns db-0-again --timeout {timeout}"));
    let said = plug("1s");
    assert!(!said.ok() && said.err.contains("node-1"), "a node that only fell silent keeps its ports: {said:?}");
    cluster.kubectl("taint node node-1 node.kubernetes.io/out-of-service=nodeshutdown:NoExecute");
    until("its ports are free", || cluster.get("tport", "db-0")["status"]["binding"].is_null());
    plug("10s").expect_ok();
    let new = Guest::named("db-0-again");
    new.ip("addr add 10.0.0.12/24 dev eth0");
    a.wait_pings("10.0.0.12");
    // It was not dead after all.
    cluster.nodes[0].heal();
    cluster.nodes[0].start_agent();
    until("the guest that was left behind has lost its interface", || !old.run("ip link show eth0").ok());
    assert_eq!(cluster.get("tport", "db-0")["status"]["binding"]["nodeName"], "node-2");
    assert!(a.pings("10.0.0.12"));
}
