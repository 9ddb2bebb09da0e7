//! Floating IPs and port forwardings, from outside and from inside.

use tenet::api::Protocol::{TCP, UDP};

use crate::addresses::BLUE;
use crate::support::{Call, Guest, Host, until};

pub const OUTSIDE: &str = "
PhysicalNetwork public {attachments: [{interface: br-ext}]}
Network public {external: true, provider: {physicalNetwork: public, type: Flat}}
Subnet public {networkRef: {name: public}, cidr: 203.0.113.0/24, dhcp: false,
    allocationPools: [{start: 203.0.113.10, end: 203.0.113.20}]}
";

const GUESTS: &str = "
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}]}
Port c {networkRef: {name: blue}, addresses: [{ip: 10.0.1.11}]}
Router r {interfaces: [{subnetRef: {name: web}}, {subnetRef: {name: db}}], externalGateway: {networkRef: {name: public}}}
";

/// A host with three guests and an outside that all answer on port 80, and a first floating IP.
fn world(floating: &str) -> (Host, [Guest; 3], Guest) {
    let mut host = Host::new();
    host.bridge("br-ext", "203.0.113.1/24");
    host.declare("all.yaml", &[OUTSIDE, BLUE, GUESTS].concat());
    declare(&host, floating);
    host.start();
    let guests = ["a", "b", "c"].map(|name| host.plugged(name, name));
    let outside = host.outside();
    guests.iter().chain([&outside]).for_each(|guest| guest.answers(80));
    (host, guests, outside)
}

fn declare(host: &Host, floating: &str) {
    host.declare("floating.yaml", floating);
}

const TO: &str = "FloatingIP f {networkRef: {name: public}, ip: 203.0.113.100, portRef: {name: PORT}}\n";

fn to(port: &str) -> String {
    TO.replace("PORT", port)
}

#[test]
fn a_floating_ip_leads_in_and_is_the_guests_address_outside() {
    let (host, [a, b, _], outside) = world(&to("a"));
    for protocol in [TCP, UDP] {
        outside.wait_seen(protocol, "203.0.113.100:80", "a 203.0.113.1");
        a.wait_seen(protocol, "203.0.113.1:80", "outside 203.0.113.100");
        b.wait_seen(protocol, "203.0.113.1:80", "outside 203.0.113.10");
    }
    assert!(outside.pings("203.0.113.100"));
    host.wait_ready("floatingip", "f");
    let status = host.object("floatingip", "f")["status"].clone();
    assert_eq!((&status["ip"], &status["routerRef"]["name"]), (&"203.0.113.100".into(), &"r".into()));
}

#[test]
fn a_floating_ip_moves_by_one_edit_and_takes_no_connection_along() {
    let (host, [a, b, _], outside) = world(&to("a"));
    outside.wait_seen(TCP, "203.0.113.100:80", "a 203.0.113.1");
    let mut calls = [TCP, UDP].map(|protocol| outside.call(protocol, "203.0.113.100:80").unwrap());
    let mut out = a.call(TCP, "203.0.113.1:80").unwrap();
    assert!(calls.iter_mut().chain([&mut out]).all(Call::alive));
    declare(&host, &to("b"));
    outside.wait_seen(TCP, "203.0.113.100:80", "b 203.0.113.1");
    let [mut tcp, mut udp] = calls;
    tcp.wait_dead();
    out.wait_dead();
    let answer = udp.ask(std::time::Duration::from_secs(1));
    assert_eq!(answer.as_deref(), Some("b 203.0.113.1"), "the same flow leads to the new guest");
    assert_eq!(a.seen(TCP, "203.0.113.1:80").as_deref(), Some("outside 203.0.113.10"));
    assert_eq!(b.seen(TCP, "203.0.113.1:80").as_deref(), Some("outside 203.0.113.100"));
}

#[test]
fn a_floating_ip_that_is_taken_away_cuts_what_runs() {
    let (host, [a, ..], outside) = world(&to("a"));
    outside.wait_seen(TCP, "203.0.113.100:80", "a 203.0.113.1");
    let mut calls = [TCP, UDP].map(|protocol| outside.call(protocol, "203.0.113.100:80").unwrap());
    let mut inside = a.call(TCP, "10.0.1.11:80").unwrap();
    assert!(calls.iter_mut().chain([&mut inside]).all(Call::alive));
    declare(&host, "FloatingIP f {networkRef: {name: public}, ip: 203.0.113.100}");
    until("it leads nowhere", || outside.silent("203.0.113.100:80"));
    calls.iter_mut().for_each(Call::wait_dead);
    assert!(inside.alive(), "what was not translated goes on");
    declare(&host, &to("c"));
    outside.wait_seen(TCP, "203.0.113.100:80", "c 203.0.113.1");
    declare(&host, "");
    until("it is gone", || outside.silent("203.0.113.100:80") && !outside.pings("203.0.113.100"));
}

#[test]
fn a_floating_ip_works_from_the_same_subnet_from_another_and_from_its_own_guest() {
    let (_host, [a, b, c], _) = world(&to("a"));
    for guest in [&b, &c, &a] {
        for protocol in [TCP, UDP] {
            let mut seen = None;
            until(&format!("{} reaches it by {protocol:?}: {seen:?}", guest.name), || {
                seen = guest.seen(protocol, "203.0.113.100:80");
                seen.as_deref().is_some_and(|seen| seen.starts_with("a "))
            });
        }
        assert!(guest.pings("203.0.113.100"), "{}", guest.name);
    }
}

const FORWARDINGS: &str = "FloatingIP f {networkRef: {name: public}, ip: 203.0.113.100, portForwardings: [
    {protocol: TCP, port: 8080, targetPort: 80, portRef: {name: a}},
    {protocol: UDP, port: 8080, targetPort: 80, portRef: {name: b}},
    {protocol: TCP, port: 8081, targetPort: 80, portRef: {name: c}}]}
";

#[test]
fn port_forwardings_lead_single_ports_in_from_outside_and_inside() {
    let (host, [a, b, c], outside) = world(FORWARDINGS);
    for (protocol, port, guest) in [(TCP, 8080, "a"), (UDP, 8080, "b"), (TCP, 8081, "c")] {
        outside.wait_seen(protocol, &format!("203.0.113.100:{port}"), &format!("{guest} 203.0.113.1"));
        for from in [&a, &b, &c] {
            let seen = from.seen(protocol, &format!("203.0.113.100:{port}")).unwrap_or_default();
            assert!(seen.starts_with(guest), "{} to {protocol:?} {port}: {seen}", from.name);
        }
    }
    assert!(outside.silent("203.0.113.100:80") && outside.silent("203.0.113.100:8082"));
    assert_eq!(
        a.seen(TCP, "203.0.113.1:80").as_deref(),
        Some("outside 203.0.113.10"),
        "a's own calls are the router's"
    );
    let mut call = outside.call(TCP, "203.0.113.100:8080").unwrap();
    assert!(call.alive());
    declare(&host, &FORWARDINGS.replace("TCP, port: 8080", "TCP, port: 8090"));
    outside.wait_seen(TCP, "203.0.113.100:8090", "a 203.0.113.1");
    call.wait_dead();
    assert!(outside.call(TCP, "203.0.113.100:8080").is_none_or(|mut call| call.dead()));
}

#[test]
fn forwardings_that_clash_are_refused() {
    let clash = FORWARDINGS.replace("8081", "8080");
    let (host, _, outside) = world(&clash);
    let why = host.wait_refused("floatingip", "f", "Accepted", "ForwardingConflict");
    assert!(why.contains("8080"), "{why}");
    declare(&host, FORWARDINGS);
    outside.wait_seen(TCP, "203.0.113.100:8081", "c 203.0.113.1");
    host.wait_ready("floatingip", "f");
}

#[test]
fn a_fixed_address_has_one_floating_ip_and_the_first_one_stays() {
    let (host, _, outside) = world(&to("a"));
    outside.wait_seen(TCP, "203.0.113.100:80", "a 203.0.113.1");
    let second = "FloatingIP e {networkRef: {name: public}, ip: 203.0.113.101, portRef: {name: a}}\n";
    declare(&host, &(second.to_owned() + &to("a")));
    let why = host.wait_refused("floatingip", "e", "Accepted", "FixedAddressInUse");
    assert!(why.contains("FloatingIP default/f"), "{why}");
    assert!(outside.silent("203.0.113.101:80"));
    assert_eq!(outside.seen(TCP, "203.0.113.100:80").as_deref(), Some("a 203.0.113.1"));
    declare(&host, second);
    outside.wait_seen(TCP, "203.0.113.101:80", "a 203.0.113.1");
    assert!(outside.silent("203.0.113.100:80"));
}
