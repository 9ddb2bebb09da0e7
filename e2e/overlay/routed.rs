//! A router on every node with a port behind it.

use std::time::Duration;

use crate::flow::Flow;
use crate::world::World;

const ROUTED: &str = "
    Network blue
    Network red
    Subnet blue {networkRef: {name: blue}, cidr: 10.0.0.0/24}
    Subnet red {networkRef: {name: red}, cidr: 10.0.1.0/24}
    Router r {interfaces: [{subnetRef: {name: blue}}, {subnetRef: {name: red}}]}
    Port a {networkRef: {name: blue}}
    Port b {networkRef: {name: red}}
    Port c {networkRef: {name: blue}}
    Port d {networkRef: {name: red}}";

#[test]
fn packets_are_routed_where_they_start_and_arrive_once() {
    let mut world = World::new(3, 0);
    world.declare(ROUTED);
    let guests = world.guests(&[("a", 0), ("b", 1), ("c", 2), ("d", 0)]);
    let flows: Vec<Flow> = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "b"), ("a", "d"), ("c", "d")]
        .iter()
        .map(|(from, to)| Flow::start(&guests[*from], &guests[*to], &world.address(to)))
        .collect();
    std::thread::sleep(Duration::from_secs(3));
    flows.into_iter().for_each(Flow::whole);
    // One hop, whichever way.
    let said = guests["a"].run(&format!("ping -c 1 -W 1 {}", world.address("b"))).expect_ok();
    assert!(said.contains("ttl=63"), "{said}");
    // The gateway answers on every node, and is the same one.
    let at = |guest: &str| {
        guests[guest].run("ping -c 1 -W 1 10.0.0.1").expect_ok();
        guests[guest].run("ip neigh show 10.0.0.1").expect_ok().split(' ').nth(4).unwrap().to_owned()
    };
    assert_eq!(at("a"), at("c"));
}
