//! Routers between subnets, and to the outside.

use std::collections::BTreeSet;
use std::time::Duration;

use tenet::api::Protocol::{TCP, UDP};

use crate::addresses::BLUE;
use crate::floating::OUTSIDE;
use crate::support::{Host, until};

/// Two subnets, a guest in each: `a` 10.0.0.11, `b` 10.0.1.11; they are served on port 80.
const GUESTS: &str = "
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.1.11}]}
";

#[test]
fn a_router_leads_from_subnet_to_subnet_by_its_default_and_its_given_addresses() {
    let mut host = Host::new();
    let subnet = "Subnet far {networkRef: {name: blue}, cidr: 10.0.2.0/24, gatewayIP: None}
Port c {networkRef: {name: blue}, addresses: [{ip: 10.0.2.11}]}
Router r {interfaces: [{subnetRef: {name: web}}, {subnetRef: {name: db}}, {subnetRef: {name: far}, ip: 10.0.2.99}]}";
    host.declare("blue.yaml", &[BLUE, GUESTS, subnet].concat());
    host.start();
    let [a, b, c] = ["a", "b", "c"].map(|name| host.plugged(name, name));
    for guest in [&b, &c] {
        guest.answers(80);
    }
    assert!(c.run("ip route").out.lines().all(|l| !l.starts_with("default")), "no gateway is told");
    c.ip("route add default via 10.0.2.99");
    for protocol in [TCP, UDP] {
        a.wait_seen(protocol, "10.0.1.11:80", "b 10.0.0.11");
        a.wait_seen(protocol, "10.0.2.11:80", "c 10.0.0.11");
    }
    assert!(a.run("ping -c 1 -W 1 10.0.2.11").out.contains("ttl=63"));
    assert!(a.pings("10.0.0.1") && a.pings("10.0.2.99"));
    host.declare("blue.yaml", &[BLUE, GUESTS].concat());
    until("the router is gone", || !a.pings("10.0.0.1"));
    assert!(a.silent("10.0.1.11:80"));
}

/// A guest that forwards: it answers for all of 172.16.0.0/24.
fn answers_behind(host: &Host, name: &str) -> crate::support::Guest {
    let guest = host.plugged(name, name);
    guest.ip("route add local 172.16.0.0/24 dev lo");
    guest.answers(80);
    guest
}

#[test]
fn a_static_route_leads_through_a_guest_and_equal_ones_share_the_load() {
    let mut host = Host::new();
    let guests = "
Port g1 {networkRef: {name: blue}, addresses: [{ip: 10.0.0.21}], allowedAddressPairs: [{ip: 172.16.0.0/24}]}
Port g2 {networkRef: {name: blue}, addresses: [{ip: 10.0.0.22}], allowedAddressPairs: [{ip: 172.16.0.0/24}]}
";
    let router = |routes: &str| {
        let router = format!(
            "Router r {{interfaces: [{{subnetRef: {{name: web}}}}, {{subnetRef: {{name: db}}}}], routes: [{routes}]}}"
        );
        [BLUE, GUESTS, guests, &router].concat()
    };
    let (one, two) =
        ("{destination: 172.16.0.0/24, nextHop: 10.0.0.21}", "{destination: 172.16.0.0/24, nextHop: 10.0.0.22}");
    host.declare("blue.yaml", &router(one));
    host.start();
    let b = host.plugged("b", "b");
    let _guests = ["g1", "g2"].map(|name| answers_behind(&host, name));
    b.wait_seen(TCP, "172.16.0.9:80", "g1 10.0.1.11");
    let answering = || {
        // A connection that the edit of the route cuts in two is not answered.
        let answer = |n| b.seen(TCP, &format!("172.16.0.{n}:80"));
        (1..=40).map(answer).collect::<Option<BTreeSet<_>>>().unwrap_or_default()
    };
    assert_eq!(answering().len(), 1);
    host.declare("blue.yaml", &router(&[one, two].join(", ")));
    until("both share the load", || answering().len() == 2);
    host.declare("blue.yaml", &router(two));
    b.wait_seen(TCP, "172.16.0.9:80", "g2 10.0.1.11");
    until("only the other is left", || answering().len() == 1);
    host.declare("blue.yaml", &router("{destination: 172.16.0.0/24, nextHop: 192.0.2.1}"));
    let why = host.wait_refused("router", "r", "Accepted", "InvalidNextHop");
    assert!(why.contains("192.0.2.1"), "{why}");
    until("a route that is refused leads nowhere", || b.silent("172.16.0.9:80"));
    assert!(b.pings("10.0.1.1"), "the rest of the router goes on");
}

#[test]
fn two_routers_share_a_network() {
    let mut host = Host::new();
    host.bridge("br-ext", "203.0.113.1/24");
    let routers = "
Router inside {interfaces: [{subnetRef: {name: web}}, {subnetRef: {name: db}}]}
Router outside {interfaces: [{subnetRef: {name: web}, ip: 10.0.0.254}], externalGateway: {networkRef: {name: public}}}
";
    host.declare("all.yaml", &[OUTSIDE, BLUE, GUESTS, routers].concat());
    host.start();
    let [a, b] = ["a", "b"].map(|name| host.plugged(name, name));
    b.answers(80);
    host.outside().answers(80);
    a.wait_seen(TCP, "10.0.1.11:80", "b 10.0.0.11");
    assert!(a.silent("203.0.113.1:80"), "the first router knows no outside");
    a.ip("route add 203.0.113.0/24 via 10.0.0.254");
    a.wait_seen(TCP, "203.0.113.1:80", "outside 203.0.113.10");
}

#[test]
fn subnets_that_overlap_are_not_on_one_router_even_when_they_come_at_once() {
    let mut host = Host::new();
    host.bridge("br-ext", "203.0.113.1/24");
    let red = "
Network red
Subnet red {networkRef: {name: red}, cidr: 10.0.0.128/25}
Subnet outer {networkRef: {name: red}, cidr: 203.0.113.0/28}
Router r {interfaces: [{subnetRef: {name: web}}, {subnetRef: {name: red}}, {subnetRef: {name: db}}, {subnetRef: {name: outer}}],
    externalGateway: {networkRef: {name: public}}}
";
    host.declare("all.yaml", &[OUTSIDE, BLUE, GUESTS, red].concat());
    host.start();
    let why = host.wait_refused("router", "r", "Accepted", "RouterSubnetOverlap");
    assert!(why.contains("Subnet default/"), "{why}");
    let interfaces = host.object("router", "r")["status"]["interfaces"].to_string();
    assert!(interfaces.contains("10.0.1.1"), "what does not overlap is there: {interfaces}");
    assert!(!(interfaces.contains("\"10.0.0.1\"") && interfaces.contains("10.0.0.129")), "never both: {interfaces}");
    assert!(!interfaces.contains("203.0.113"), "{interfaces}");
    let b = host.plugged("b", "b");
    b.wait_pings("203.0.113.1");
}

#[test]
fn sources_are_translated_unless_the_router_says_otherwise() {
    let mut host = Host::new();
    host.bridge("br-ext", "203.0.113.1/24");
    let router = |gateway: &str| {
        let gateway = format!("externalGateway: {{networkRef: {{name: public}}{gateway}}}");
        let router =
            format!("Router r {{interfaces: [{{subnetRef: {{name: web}}}}, {{subnetRef: {{name: db}}}}], {gateway}}}");
        [OUTSIDE, BLUE, GUESTS, &router].concat()
    };
    host.declare("all.yaml", &router(""));
    host.start();
    let [a, b] = ["a", "b"].map(|name| host.plugged(name, name));
    let outside = host.outside();
    outside.answers(80);
    for guest in [&a, &b] {
        guest.answers(80);
    }
    for protocol in [TCP, UDP] {
        a.wait_seen(protocol, "203.0.113.1:80", "outside 203.0.113.10");
        b.wait_seen(protocol, "10.0.0.11:80", "a 10.0.1.11");
    }
    outside.ip("route add 10.0.0.0/16 via 203.0.113.10");
    assert!(outside.silent("10.0.0.11:80"), "nobody comes in uncalled");
    let mut call = a.call(TCP, "203.0.113.1:80").unwrap();
    host.declare("all.yaml", &router(", snat: false"));
    a.wait_seen(TCP, "203.0.113.1:80", "outside 10.0.0.11");
    outside.wait_seen(UDP, "10.0.1.11:80", "b 203.0.113.1");
    call.wait_dead();
    host.declare("all.yaml", &router(", addresses: [{ip: 203.0.113.77}]"));
    a.wait_seen(TCP, "203.0.113.1:80", "outside 203.0.113.77");
    assert_eq!(host.object("router", "r")["status"]["externalAddresses"], serde_json::json!(["203.0.113.77"]));
    host.declare("all.yaml", &router("").replace(", externalGateway: {networkRef: {name: public}}", ""));
    until("the outside is gone", || a.silent("203.0.113.1:80"));
    assert_eq!(a.seen(UDP, "10.0.1.11:80").as_deref(), Some("b 10.0.0.11"));
}

#[test]
fn a_packet_too_big_for_the_way_is_answered_and_tcp_fits() {
    let mut host = Host::new();
    let lines = "
Network wide {mtu: 9000}
Network blue {mtu: 1300}
Subnet wide {networkRef: {name: wide}, cidr: 10.0.1.0/24}
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Port b {networkRef: {name: wide}, addresses: [{ip: 10.0.1.11}]}
Router r {interfaces: [{subnetRef: {name: web}}, {subnetRef: {name: wide}}]}
";
    host.declare("all.yaml", lines);
    host.start();
    host.wait_refused("network", "wide", "Accepted", "InvalidMTU");
    host.declare("all.yaml", &lines.replace("9000", "1450"));
    let [a, b] = ["a", "b"].map(|name| host.plugged(name, name));
    b.wait_pings("10.0.0.11");
    let said = b.run("ping -M do -c 1 -W 1 -s 1400 10.0.0.11");
    assert!(said.out.contains("mtu") && said.out.contains("1300"), "{said:?}");
    a.answers(80);
    std::thread::sleep(Duration::from_millis(10));
    assert_eq!(b.seen(TCP, "10.0.0.11:80").as_deref(), Some("a 10.0.1.11"));
}
