//! The way to the outside: one gateway node for all, floating IPs where their ports are.

use std::collections::BTreeMap;
use std::time::Duration;

use tenet::api::Protocol;

use crate::flow::Flow;
use crate::support::{Call, Guest, ip};
use crate::world::World;

/// The first two nodes touch the wire. Guests a and b are on the first, c on the second, d on the third.
const OUTSIDE: &str = "
    PhysicalNetwork wire {attachments: [{interface: br-ext}]}
    Network public {external: true, provider: {physicalNetwork: wire, type: Flat}}
    Subnet public {networkRef: {name: public}, cidr: 203.0.113.0/24, gatewayIP: 203.0.113.1, dhcp: false}
    Network blue
    Network red
    Subnet blue {networkRef: {name: blue}, cidr: 10.0.0.0/24}
    Subnet red {networkRef: {name: red}, cidr: 10.0.1.0/24}
    Router r {interfaces: [{subnetRef: {name: blue}}, {subnetRef: {name: red}}], \
     externalGateway: {networkRef: {name: public}, addresses: [{ip: 203.0.113.9}]}}
    Port a {networkRef: {name: blue}}
    Port b {networkRef: {name: red}}
    Port c {networkRef: {name: blue}}
    Port d {networkRef: {name: red}}
    Port e {networkRef: {name: blue}}
    Port f {networkRef: {name: red}}
    Port g {networkRef: {name: blue}}
    Port h {networkRef: {name: blue}}";

const PLUGS: [(&str, usize); 8] = [("a", 0), ("b", 0), ("c", 1), ("d", 2), ("e", 1), ("f", 2), ("g", 0), ("h", 1)];

#[test]
fn guests_of_every_node_go_out_by_the_gateway_node() {
    let mut world = World::new(3, 2);
    world.declare(OUTSIDE);
    let guests = world.guests(&PLUGS);
    world.outside.answers_with(7000, |peer| format!("{}", peer.ip()));
    for (name, guest) in &guests {
        assert_eq!(guest.seen(Protocol::TCP, "203.0.113.1:7000").as_deref(), Some("203.0.113.9"), "{name}");
        assert_eq!(guest.seen(Protocol::UDP, "203.0.113.1:7000").as_deref(), Some("203.0.113.9"), "{name}");
    }
}

#[test]
fn floating_ips_work_from_everywhere() {
    let mut world = World::new(3, 2);
    world.declare(OUTSIDE);
    // On the gateway node, on another with the wire, and on one without.
    world.declare(
        "FloatingIP fa {networkRef: {name: public}, portRef: {name: a}, ip: 203.0.113.101}
         FloatingIP fb {networkRef: {name: public}, portRef: {name: b}, ip: 203.0.113.102}
         FloatingIP fc {networkRef: {name: public}, portRef: {name: c}, ip: 203.0.113.103}
         FloatingIP fd {networkRef: {name: public}, portRef: {name: d}, ip: 203.0.113.104}",
    );
    let floating = |name: &str| match name {
        "a" => Some("203.0.113.101"),
        "b" => Some("203.0.113.102"),
        "c" => Some("203.0.113.103"),
        "d" => Some("203.0.113.104"),
        _ => None,
    };
    let guests = world.guests(&PLUGS);
    assert_eq!(["fa", "fb", "fc", "fd"].map(|ip| world.translated_on(ip)), ["node-1", "node-1", "node-2", "node-1"]);
    world.outside.answers_with(7000, |peer| format!("{}", peer.ip()));
    for (name, guest) in &guests {
        let own = floating(name).unwrap_or("203.0.113.9");
        assert_eq!(guest.seen(Protocol::TCP, "203.0.113.1:7000").as_deref(), Some(own), "{name}");
        guest.answers(7001);
    }
    let mut wrong = Vec::new();
    for target in ["a", "b", "c", "d"] {
        let ip = floating(target).unwrap();
        for protocol in [Protocol::TCP, Protocol::UDP] {
            let mut check = |from: &str, own: &str, said: Option<String>| {
                if said.as_deref() != Some(&*format!("{target} {own}")) {
                    wrong.push(format!("{from} to {target} by {protocol:?}: {said:?}"));
                }
            };
            check("outside", "203.0.113.1", world.outside.seen(protocol, &format!("{ip}:7001")));
            for (name, guest) in &guests {
                let own = floating(name).unwrap_or("203.0.113.9");
                check(name, own, guest.seen(protocol, &format!("{ip}:7001")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // An agent that starts anew finds everything as it is to be.
    for node in 0..3 {
        world.nodes[node].restart();
        let plan = world.nodes[node].plan(world.view(node));
        assert!(plan.0.is_empty(), "{plan:#?}");
    }
    // By their own addresses guests reach each other as ever.
    for (from, to) in [("a", "d"), ("d", "a"), ("c", "b"), ("b", "c"), ("g", "c"), ("f", "c")] {
        let said = guests[from].seen(Protocol::TCP, &format!("{}:7001", world.address(to)));
        assert_eq!(said.as_deref(), Some(&*format!("{to} {}", world.address(from))), "{from} to {to}");
    }
}

#[test]
fn the_gateway_moves_and_flows_go_on() {
    let mut world = World::new(3, 2);
    world.declare(OUTSIDE);
    world.declare(
        "FloatingIP fa {networkRef: {name: public}, portRef: {name: a}, ip: 203.0.113.101}
         FloatingIP fd {networkRef: {name: public}, portRef: {name: d}, ip: 203.0.113.104}",
    );
    let guests = world.guests(&PLUGS);
    for (flows, (from, to)) in [(0, 1), (1, 0)].into_iter().enumerate() {
        assert_eq!(world.gateway("r"), world.nodes[from].name);
        // On the old gateway, on the new one, on neither; two with floating IPs of their own; one from outside.
        let out = ["g", "c", "f", "a", "d"].map(|name| Flow::start(&guests[name], &world.outside, "203.0.113.1"));
        let inward = ["203.0.113.101", "203.0.113.104"].iter().zip(["a", "d"]);
        let inward = inward.map(|(ip, name)| Flow::start(&world.outside, &guests[name], ip)).collect::<Vec<_>>();
        world.outside.answers(7100 + flows as u16);
        let mut calls = ["g", "c", "f", "a", "d"]
            .map(|name| guests[name].call(Protocol::TCP, &format!("203.0.113.1:{}", 7100 + flows)).expect(name));
        assert!(calls.iter_mut().all(Call::alive));
        std::thread::sleep(Duration::from_millis(500));
        world.drain(from, true);
        world.drain(to, false);
        world.hand_over(from, to, &[2]);
        assert_eq!(world.gateway("r"), world.nodes[to].name);
        std::thread::sleep(Duration::from_millis(500));
        for (name, call) in ["g", "c", "f", "a", "d"].iter().zip(&mut calls) {
            assert!(call.alive(), "{name}'s connection is dead after move {flows}");
        }
        for flow in out.into_iter().chain(inward) {
            let counted = flow.end();
            assert!(counted.lost <= 50 && counted.doubled == 0, "{counted:?}");
        }
    }
}

/// A router that leads to the office, too, a network on a wire that has a printer; `but`: what of its words is left out. Everybody is
/// reached from everywhere.
fn office(but: &str) -> (World, BTreeMap<String, Guest>) {
    let mut world = World::new(3, 2);
    let router = "{subnetRef: {name: red}}, {subnetRef: {name: office}}]";
    world.declare(&OUTSIDE.replace("{subnetRef: {name: red}}]", router).replace(but, ""));
    world.declare(
        "PhysicalNetwork lan {attachments: [{interface: br-lan}]}
         Network office {provider: {physicalNetwork: lan, type: Flat}}
         Subnet office {networkRef: {name: office}, cidr: 10.9.0.0/24}
         Port o {networkRef: {name: office}}",
    );
    let plugs: Vec<_> = PLUGS.into_iter().chain([("o", 1)]).collect();
    let guests = world.guests(&plugs);
    ip("netns add printer
        link add p0 type veth peer name eth0 netns printer
        link set p0 master lan up
        -n printer link set eth0 up
        -n printer addr add 10.9.0.50/24 dev eth0
        -n printer route add default via 10.9.0.1");
    let printer = Guest::named("printer");
    printer.answers(7000);
    guests["o"].answers(7000);
    for name in ["a", "c", "d", "f", "o"] {
        let own = world.address(name);
        let seen = guests[name].seen(Protocol::TCP, "10.9.0.50:7000");
        assert_eq!(seen.as_deref(), Some(&*format!("printer {own}")), "{name} to the printer");
        let seen = guests[name].seen(Protocol::TCP, &format!("{}:7000", world.address("o")));
        assert_eq!(seen.as_deref(), Some(&*format!("o {own}")), "{name} to o");
        guests[name].answers(7001);
        let seen = printer.seen(Protocol::TCP, &format!("{own}:7001"));
        assert_eq!(seen.as_deref(), Some(&*format!("{name} 10.9.0.50")), "the printer to {name}");
    }
    (world, guests)
}

#[test]
fn a_network_on_a_wire_has_its_router_on_the_gateway_node_alone() {
    let (world, guests) = office("nothing");
    world.outside.answers_with(7000, |peer| format!("{}", peer.ip()));
    assert_eq!(guests["o"].seen(Protocol::TCP, "203.0.113.1:7000").as_deref(), Some("203.0.113.9"));
}

#[test]
fn a_router_that_leads_to_a_wire_and_to_no_outside_has_a_gateway_node_too() {
    let (world, guests) = office(", externalGateway: {networkRef: {name: public}, addresses: [{ip: 203.0.113.9}]}");
    world.outside.answers_with(7000, |peer| format!("{}", peer.ip()));
    assert_eq!(guests["a"].seen(Protocol::TCP, "203.0.113.1:7000"), None);
}

#[test]
fn a_port_takes_its_floating_ip_along() {
    let mut world = World::new(3, 2);
    world.declare(OUTSIDE);
    world.declare("FloatingIP fa {networkRef: {name: public}, portRef: {name: a}, ip: 203.0.113.101}");
    let guests = world.guests(&PLUGS);
    world.outside.answers_with(7000, |peer| format!("{}", peer.ip()));
    let check = |world: &World| {
        guests["a"].wait_seen(Protocol::TCP, "203.0.113.1:7000", "203.0.113.101");
        for from in ["g", "h", "f"] {
            guests[from].wait_seen(Protocol::UDP, "203.0.113.101:7001", "a 203.0.113.9");
        }
        world.outside.wait_seen(Protocol::UDP, "203.0.113.101:7001", "a 203.0.113.1");
    };
    guests["a"].answers(7001);
    check(&world);
    // To the other node with the wire; to the one without, so to the gateway node; and back.
    for (from, to, on) in [(0, 1, "node-2"), (1, 2, "node-1"), (2, 1, "node-2"), (1, 0, "node-1")] {
        world.unplug("a", from);
        world.converge();
        world.plug("a", to);
        world.converge();
        world.addressed("a");
        assert_eq!(world.translated_on("fa"), on);
        let start = std::time::Instant::now();
        check(&world);
        assert!(start.elapsed() < Duration::from_secs(1), "it took {:?}", start.elapsed());
    }
}
