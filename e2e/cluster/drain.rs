//! A gateway node hands over: nothing is lost, connections keep their ports, and no two nodes answer for one address.

pub mod talks;

use std::time::{Duration, Instant};

use tenet::api::Protocol;

use crate::faults::sized;
use crate::nodes::Cluster;
use crate::spy::Spy;
use crate::support::{Guest, until};
use talks::Talk;

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port a {networkRef: {name: blue}}
Port b {networkRef: {name: blue}}
Port c {networkRef: {name: blue}}
Port d {networkRef: {name: blue}}
Port e {networkRef: {name: blue}}
PhysicalNetwork wire {attachments: [{interface: br-ext}]}
Network public {external: true, provider: {physicalNetwork: wire, type: Flat}}
Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/24, gatewayIP: 203.0.113.1, allocationPools: [{start: 203.0.113.10, end: 203.0.113.99}]}
Router r {interfaces: [{subnetRef: {name: web}}], externalGateway: {networkRef: {name: public}, addresses: [{ip: 203.0.113.9}]}}
FloatingIP fd {networkRef: {name: public}, ip: 203.0.113.50, portRef: {name: d}}
FloatingIP fe {networkRef: {name: public}, ip: 203.0.113.60, portForwardings: [{protocol: UDP, port: 7000, targetPort: 7001, portRef: {name: e}}]}";

/// The router's addresses on the wire: its own, a floating IP, one with a port forwarding.
const ADDRESSES: [&str; 3] = ["203.0.113.9", "203.0.113.50", "203.0.113.60"];

/// Three nodes, the first two on the wire. Guests a and b are on these, c, d and e on the third.
struct World {
    cluster: Cluster,
    outside: Guest,
    guests: [Guest; 5],
}

impl World {
    fn start() -> Self {
        let cluster = Cluster::start(3);
        let outside = cluster.wire(&[1, 2]);
        cluster.apply(WORLD);
        cluster.wait("trtr/r", "Ready");
        let guests = [(1, "a"), (2, "b"), (3, "c"), (3, "d"), (3, "e")].map(|(node, port)| cluster.guest(node, port));
        cluster.wait("tfip/fd tfip/fe", "Ready");
        for guest in &guests {
            guest.wait_pings("203.0.113.1");
        }
        outside.wait_pings("203.0.113.50");
        Self { cluster, outside, guests }
    }

    /// Everybody talks over the gateway node, a packet a millisecond and answered.
    fn talks(&self) -> Vec<(&'static str, Talk)> {
        let [first, second, third, floating, forwarded] = &self.guests;
        let out = |name, guest: &Guest| (name, Talk::start(guest, &self.outside, "203.0.113.1", None));
        vec![
            out("from a guest on the first node", first),
            out("from a guest on the second node", second),
            out("from a guest on the third node", third),
            out("from a floating IP", floating),
            ("to a floating IP", Talk::start(&self.outside, floating, "203.0.113.50", None)),
            ("to a port forwarding", Talk::start(&self.outside, forwarded, "203.0.113.60", Some((7000, 7001)))),
        ]
    }

    /// Who is recorded: the gateway node, the next, the former, the prepared.
    fn recorded(&self) -> [String; 4] {
        let status = self.cluster.get("trtr", "r")["status"].take();
        ["gatewayNode", "nextGatewayNode", "formerGatewayNode", "preparedNode"]
            .map(|field| status[field].as_str().unwrap_or("-").to_owned())
    }

    fn drain(&self, node: &str, drain: bool) {
        self.cluster.kubectl(&format!("patch tagent {node} --type=merge -p {{\"spec\":{{\"drain\":{drain}}}}}"));
    }

    /// Number of a node, from 0.
    fn number(node: &str) -> usize {
        node.rsplit('-').next().unwrap().parse::<usize>().unwrap() - 1
    }

    /// Waits until a router has moved, and all that goes with it.
    #[track_caller]
    fn moved(&self, to: &str) -> Duration {
        until(&format!("{to} is the gateway node: {:?}", self.recorded()), || {
            self.recorded() == [to, "-", "-", "-"]
                && ["fd", "fe"].iter().all(|f| self.cluster.get("tfip", f)["status"]["nodeName"] == to)
        })
    }
}

fn other(node: &str) -> &'static str {
    if node == "node-1" { "node-2" } else { "node-1" }
}

#[test]
fn a_gateway_node_that_drains_loses_no_packet_and_no_port() {
    let world = World::start();
    let spy = Spy::start(&ADDRESSES);
    world.outside.answers_with(9000, |peer| peer.to_string());
    let mut calls = [0, 1, 2, 3].map(|guest| {
        let guest: &Guest = &world.guests[guest];
        guest.call(Protocol::TCP, "203.0.113.1:9000").expect(&guest.name)
    });
    let seen = calls.each_mut().map(|call| call.ask(Duration::from_secs(2)).unwrap());
    println!("seen as {seen:?}");
    let talks = world.talks();
    std::thread::sleep(Duration::from_millis(500));
    let mut gateway = world.recorded()[0].clone();
    let moves = sized(4, 40);
    for _ in 0..moves {
        let to = other(&gateway);
        world.drain(&gateway, true);
        let took = world.moved(to);
        println!("{gateway} to {to} in {took:?}");
        for (call, seen) in calls.iter_mut().zip(&seen) {
            assert_eq!(call.ask(Duration::from_secs(2)).as_ref(), Some(seen), "a connection is cut, or another");
        }
        world.drain(&gateway, false);
        gateway = to.to_owned();
        std::thread::sleep(Duration::from_millis(700));
    }
    let mut lost = Vec::new();
    for (name, talk) in talks {
        let counted = talk.end();
        println!("{name}: {counted:?}");
        if counted.lost > 0 || counted.doubled > 0 || counted.ports != 1 {
            lost.push((name, counted));
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
    spy.end(moves);
    let events = world.cluster.kubectl("get events -o jsonpath={.items[*].message}");
    assert!(events.contains("Moved to node node-1: node-2 drains."), "{events}");
}

#[test]
fn agents_that_are_killed_while_a_router_moves_never_answer_beside_another_and_the_move_ends() {
    let mut world = World::start();
    let spy = Spy::start(&ADDRESSES);
    let mut gateway = world.recorded()[0].clone();
    let mut moves = 0;
    // Whom, and how long after the move begins.
    for (former, after) in [(true, 0), (true, 60), (true, 100), (false, 40), (false, 100), (true, 140)] {
        let to = other(&gateway);
        let killed = World::number(if former { &gateway } else { to });
        let start = Instant::now();
        world.drain(&gateway, true);
        std::thread::sleep(Duration::from_millis(after).saturating_sub(start.elapsed()));
        world.cluster.nodes[killed].kill_agent();
        println!(
            "{} killed {:?} after the drain: {:?}",
            world.cluster.nodes[killed].name,
            start.elapsed(),
            world.recorded()
        );
        std::thread::sleep(Duration::from_millis(700));
        world.cluster.nodes[killed].start_agent();
        world.moved(to);
        for guest in &world.guests {
            guest.wait_pings("203.0.113.1");
        }
        world.outside.wait_pings("203.0.113.50");
        world.drain(&gateway, false);
        gateway = to.to_owned();
        moves += 1;
    }
    spy.end(moves);
}
