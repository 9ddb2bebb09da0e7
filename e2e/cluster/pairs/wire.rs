//! An address that VRRP moves on a wire: its switch learns where it is, and so does whoever else is on it.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use tenet::api::Protocol::TCP;

use super::{active, keepalived};
use crate::nodes::Cluster;
use crate::support::moving::{Senders, announced, took};
use crate::support::{Guest, until};

const WORLD: &str = "
PhysicalNetwork wire {attachments: [{interface: br-ext}]}
Network office {provider: {physicalNetwork: wire, type: Flat}}
Subnet office {networkRef: {name: office}, cidr: 203.0.113.0/24, gatewayIP: 203.0.113.1, allocationPools: [{start: 203.0.113.10, end: 203.0.113.99}]}
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Router r {interfaces: [{subnetRef: {name: web}}, {subnetRef: {name: office}, ip: 203.0.113.2}]}
Port a {networkRef: {name: office}, addresses: [{ip: 203.0.113.11}], allowedAddressPairs: [PAIRS]}
Port b {networkRef: {name: office}, addresses: [{ip: 203.0.113.12}], allowedAddressPairs: [PAIRS]}
Port c {networkRef: {name: office}, addresses: [{ip: 203.0.113.13}]}
Port d {networkRef: {name: office}, addresses: [{ip: 203.0.113.14}]}
Port e {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Port vip {networkRef: {name: office}, addresses: [{ip: 203.0.113.100}]}";

const SHARED: &str = "203.0.113.100";

/// Moves the address to and fro, and asks all who speak to it how long they need to follow.
fn moves(pairs: &str, vmac: bool) {
    let cluster = Cluster::start(3);
    let outside = cluster.wire(&[1, 2, 3]);
    cluster.apply(&WORLD.replace("PAIRS", pairs));
    cluster.wait("tport/a tport/b tport/vip tnet/office", "Ready");
    let shared = [cluster.guest(1, "a"), cluster.guest(2, "b")];
    let [beside, far, routed] = [(1, "c"), (3, "d"), (3, "e")].map(|(node, port)| cluster.guest(node, port));
    for guest in &shared {
        guest.answers(80);
        guest.run("sysctl -qw net.ipv4.conf.eth0.arp_ignore=1").expect_ok();
        guest.ip("route add 10.0.0.0/24 via 203.0.113.2");
    }
    shared[0].wait_pings("203.0.113.12");
    routed.wait_pings("203.0.113.11");
    assert!(outside.silent("203.0.113.100:80"), "nobody has it yet");
    let callers =
        [(&beside, "203.0.113.13"), (&far, "203.0.113.14"), (&routed, "10.0.0.11"), (&outside, "203.0.113.1")];
    let senders = Senders::start(&callers.map(|(caller, _)| (caller, SHARED)));
    let run = |at: usize| match at {
        0 => keepalived(&shared[0], "203.0.113.11", "203.0.113.12", SHARED, vmac),
        _ => keepalived(&shared[1], "203.0.113.12", "203.0.113.11", SHARED, vmac),
    };
    let is_at = |name: &str| {
        for (caller, address) in callers {
            caller.wait_seen(TCP, "203.0.113.100:80", &format!("{name} {address}"));
        }
        let other = if name == "a" { "b" } else { "a" };
        until("one has it", || (active(&cluster, name), active(&cluster, other)) == (1, 0));
    };
    let mut there = run(0);
    is_at("a");
    for round in 0..4 {
        let (to, name) = ((round + 1) % 2, ["b", "a"][round % 2]);
        let mut next = run(to);
        until("the other stands by", || next.said().contains("Entering BACKUP STATE"));
        let (announced, heard) = (announced(&shared[to], SHARED), senders.heard(&shared[to]));
        there.stop();
        let took = took(announced.join().unwrap(), heard);
        println!("to {name}: guests on the first node, on the third, behind a router, on the wire: {took:?}");
        assert!(took.iter().all(|took| *took < Duration::from_secs(1)), "{took:?}");
        is_at(name);
        std::mem::swap(&mut there, &mut next);
    }
    drop(senders);
    refused(&cluster, &beside, &outside);
    is_at("a");
}

/// A port without the pair neither announces the address nor sends from it.
fn refused(cluster: &Cluster, thief: &Guest, outside: &Guest) {
    let ear = outside.within(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 9113)).unwrap());
    ear.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
    thief.ip("addr add 203.0.113.100/32 dev eth0");
    let says = |from: &str| {
        thief.announces(from, "eth0");
        let socket = thief.within(|| UdpSocket::bind((from, 0)).unwrap());
        socket.send_to(b"!", "203.0.113.1:9113").unwrap();
        ear.recv_from(&mut [0; 8]).ok().map(|(_, from)| from.ip().to_string())
    };
    // Its own first: who is asked for by ARP is known then.
    assert_eq!(says("203.0.113.13").as_deref(), Some("203.0.113.13"));
    assert_eq!(says(SHARED), None);
    assert_eq!(active(cluster, "c"), 0);
    let mac = cluster.get("tport", "c")["status"]["macAddress"].as_str().unwrap().to_owned();
    let known = outside.run("ip neigh show 203.0.113.100").expect_ok();
    assert!(!known.contains(&mac), "{known}");
    thief.ip("addr del 203.0.113.100/32 dev eth0");
}

#[test]
fn an_address_that_keepalived_moves_on_a_wire_is_followed_by_all_who_are_on_it() {
    moves("{ip: 203.0.113.100}", false);
}

#[test]
fn an_address_with_vrrps_mac_address_moves_on_a_wire() {
    moves("{ip: 203.0.113.100}, {ip: 203.0.113.100, macAddress: '00:00:5e:00:01:05'}", true);
}
