//! An address that VRRP (keepalived) moves from node to node.

mod wire;

use std::path::PathBuf;
use std::time::Duration;

use tenet::api::Protocol::TCP;

use crate::nodes::Cluster;
use crate::support::keepalived::Keepalived;
use crate::support::moving::{Senders, announced, took};
use crate::support::{Guest, until};

const WORLD: &str = "
PhysicalNetwork wire {attachments: [{interface: br-ext}]}
Network public {external: true, provider: {physicalNetwork: wire, type: Flat}}
Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/24, gatewayIP: 203.0.113.1, allocationPools: [{start: 203.0.113.10, end: 203.0.113.99}]}
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Subnet db {networkRef: {name: blue}, cidr: 10.0.1.0/24}
Router r {interfaces: [{subnetRef: {name: web}}, {subnetRef: {name: db}}], externalGateway: {networkRef: {name: public}}}
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}], allowedAddressPairs: [PAIRS]}
Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}], allowedAddressPairs: [PAIRS]}
Port c {networkRef: {name: blue}, addresses: [{ip: 10.0.0.13}]}
Port d {networkRef: {name: blue}, addresses: [{ip: 10.0.0.14}]}
Port e {networkRef: {name: blue}, addresses: [{ip: 10.0.1.11}]}
Port vip {networkRef: {name: blue}, addresses: [{ip: 10.0.0.100}]}
FloatingIP f {networkRef: {name: public}, ip: 203.0.113.50, portRef: {name: vip}}";

/// Starts VRRP between the addresses `own` and `peer`, for the address `shared`. `vmac`: whether that has VRRP's MAC address.
fn keepalived(guest: &Guest, own: &str, peer: &str, shared: &str, vmac: bool) -> Keepalived {
    let vmac = if vmac { "use_vmac vrrp\n vmac_xmit_base" } else { "" };
    // Nothing that is sent to all crosses from node to node, so they are each other's peers.
    let text = format!(
        "vrrp_instance v {{\n state BACKUP\n nopreempt\n interface eth0\n {vmac}\n virtual_router_id 5\n version 3\n advert_int 0.1
 priority 100\n unicast_src_ip {own}\n unicast_peer {{\n {peer}\n }}\n virtual_ipaddress {{\n {shared}/32\n }}\n}}\n"
    );
    let path = PathBuf::from(format!("/run/test/keepalived-{}.conf", guest.name));
    std::fs::write(&path, text).unwrap();
    Keepalived::start(guest, &path)
}

fn active(cluster: &Cluster, port: &str) -> usize {
    cluster.get("tport", port)["status"]["activePairs"].as_array().map_or(0, Vec::len)
}

/// Moves the address to and fro, and asks all who speak to it how long they need to follow.
fn moves(pairs: &str, vmac: bool) {
    let cluster = Cluster::start(2);
    let outside = cluster.wire(&[1, 2]);
    cluster.apply(&WORLD.replace("PAIRS", pairs));
    cluster.wait("tport/a tport/b tport/vip tfip/f", "Ready");
    let shared = [cluster.guest(1, "a"), cluster.guest(2, "b")];
    let [beside, across, routed] = [(1, "c"), (2, "d"), (2, "e")].map(|(node, port)| cluster.guest(node, port));
    for guest in &shared {
        guest.answers(80);
        // As keepalived's manual has it for such addresses.
        guest.run("sysctl -qw net.ipv4.conf.eth0.arp_ignore=1").expect_ok();
    }
    shared[0].wait_pings("10.0.0.12");
    let senders = Senders::start(&[
        (&beside, "10.0.0.100"),
        (&across, "10.0.0.100"),
        (&routed, "10.0.0.100"),
        (&outside, "203.0.113.50"),
    ]);
    let run = |at: usize| match at {
        0 => keepalived(&shared[0], "10.0.0.11", "10.0.0.12", "10.0.0.100", vmac),
        _ => keepalived(&shared[1], "10.0.0.12", "10.0.0.11", "10.0.0.100", vmac),
    };
    let mut there = run(0);
    until("the first has it", || active(&cluster, "a") == 1);
    outside.wait_seen(TCP, "203.0.113.50:80", "a 203.0.113.1");
    for round in 0..4 {
        let (to, name) = ((round + 1) % 2, ["b", "a"][round % 2]);
        let guest = &shared[to];
        let mut next = run(to);
        until("the other stands by", || next.said().contains("Entering BACKUP STATE"));
        let (announced, heard) = (announced(guest, "10.0.0.100"), senders.heard(guest));
        there.stop();
        let took = took(announced.join().unwrap(), heard);
        println!("to {name}: guests on the first node, on the second, behind the router, outside: {took:?}");
        assert!(took.iter().all(|took| *took < Duration::from_secs(1)), "{took:?}");
        let sees = |seen: &str| format!("{name} {seen}");
        outside.wait_seen(TCP, "203.0.113.50:80", &sees("203.0.113.1"));
        beside.wait_seen(TCP, "10.0.0.100:80", &sees("10.0.0.13"));
        routed.wait_seen(TCP, "10.0.0.100:80", &sees("10.0.1.11"));
        until("one has it", || active(&cluster, "a") + active(&cluster, "b") == 1);
        assert_eq!(active(&cluster, name), 1);
        std::mem::swap(&mut there, &mut next);
    }
    drop(senders);
    // An agent that starts anew knows where it is; who is unplugged has it no more.
    let mut cluster = cluster;
    cluster.nodes[0].kill_agent();
    cluster.nodes[0].start_agent();
    until("it listens", || cluster.nodes[0].listens());
    outside.wait_seen(TCP, "203.0.113.50:80", "a 203.0.113.1");
    assert_eq!(active(&cluster, "a"), 1);
    cluster.nodes[0].tenet("unplug a").expect_ok();
    until("it is gone with the guest", || active(&cluster, "a") == 0);
    assert!(beside.silent("10.0.0.100:80"));
}

#[test]
fn an_address_that_keepalived_moves_from_node_to_node_is_followed_by_all() {
    moves("{ip: 10.0.0.100}", false);
}

#[test]
fn an_address_with_vrrps_mac_address_is_followed_by_all() {
    moves("{ip: 10.0.0.100}, {ip: 10.0.0.100, macAddress: '00:00:5e:00:01:05'}", true);
}
