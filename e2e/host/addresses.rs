//! Who gets which address, and who sees whom.

use std::collections::{BTreeMap, BTreeSet};
use std::net::UdpSocket;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use tenet::api::Protocol::{TCP, UDP};

use crate::support::{Host, until};

pub const BLUE: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Subnet db {networkRef: {name: blue}, cidr: 10.0.1.0/24}
";

fn port(n: usize) -> String {
    format!("Port p{n} {{networkRef: {{name: blue}}}}\n")
}

/// Address and MAC address of every port.
fn given(host: &Host) -> BTreeMap<String, (String, String)> {
    let said = host.tenet("get ports -o json");
    let list: Value = serde_json::from_str(&said.out).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let line = |port: &Value| {
        let status = &port["status"];
        (text(&port["metadata"]["name"]), (text(&status["addresses"][0]["ip"]), text(&status["macAddress"])))
    };
    let ports = list["items"].as_array().cloned().unwrap_or_default();
    ports.iter().map(line).filter(|(_, (ip, _))| !ip.is_empty()).collect()
}

fn wait_given(host: &Host, count: usize) -> BTreeMap<String, (String, String)> {
    until(&format!("{count} ports have addresses"), || given(host).len() == count);
    let given = given(host);
    assert_eq!(given.values().map(|(ip, _)| ip).collect::<BTreeSet<_>>().len(), count, "never two alike: {given:?}");
    assert_eq!(given.values().map(|(_, mac)| mac).collect::<BTreeSet<_>>().len(), count, "never two alike: {given:?}");
    given
}

#[test]
fn addresses_are_kept_over_restarts_and_over_any_order_of_files() {
    let mut host = Host::new();
    let all: String = (10..30).map(port).collect();
    host.declare("all.yaml", &(BLUE.to_owned() + &all));
    host.start();
    let first = wait_given(&host, 20);
    for round in 0..4 {
        host.stop(if round % 2 == 0 { Signal::SIGKILL } else { Signal::SIGTERM });
        // A file for each port, in another order every time, and newcomers whose names come first.
        host.declare("all.yaml", BLUE);
        for n in 10..30 {
            host.declare(&format!("{}.yaml", (n * 7 + round * 13) % 41), &port(n));
        }
        let newcomers = format!("Port a{round} {{networkRef: {{name: blue}}}}\n");
        host.declare(&format!("0{round}.yaml"), &newcomers);
        host.start();
        let now = wait_given(&host, 21 + round);
        assert!(first.iter().all(|(name, was)| now[name] == *was), "{first:?} became {now:?}");
        for n in 10..30 {
            host.remove(&format!("{}.yaml", (n * 7 + round * 13) % 41));
        }
        host.declare("all.yaml", &(BLUE.to_owned() + &all));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_address_that_was_seen_is_on_disk() {
    let mut host = Host::new();
    host.declare("blue.yaml", BLUE);
    host.start();
    let mut before = BTreeMap::new();
    for round in 1..=6 {
        let more: String = (0..round * 20).map(port).collect();
        host.declare("ports.yaml", &more);
        until("an address is seen", || given(&host).len() > before.len());
        let seen = given(&host);
        host.stop(Signal::SIGKILL);
        host.start();
        let after = wait_given(&host, round * 20);
        assert!(before.iter().chain(&seen).all(|(name, was)| after[name] == *was), "round {round}");
        before = after;
    }
}

#[test]
fn tenants_with_the_same_addresses_do_not_see_each_other() {
    let mut host = Host::new();
    let lines = "
Network TEAM/net
Subnet TEAM/web {networkRef: {name: net}, cidr: 10.0.0.0/24}
Router TEAM/r {interfaces: [{subnetRef: {name: web}}]}
Port TEAM/one {networkRef: {name: net}, addresses: [{ip: 10.0.0.10}]}
Port TEAM/two {networkRef: {name: net}, addresses: [{ip: 10.0.0.20}]}
";
    for team in ["team-a", "team-b"] {
        host.open(team);
        host.declare(&format!("{team}.yaml"), &lines.replace("TEAM", team));
    }
    host.declare("more.yaml", "Port team-b/more {networkRef: {name: net}, addresses: [{ip: 10.0.0.30}]}");
    host.start();
    let (a1, a2) = (host.plugged("team-a/one", "a1"), host.plugged("team-a/two", "a2"));
    let (b1, b2) = (host.plugged("team-b/one", "b1"), host.plugged("team-b/two", "b2"));
    let more = host.plugged("team-b/more", "more");
    for guest in [&a2, &b2, &more] {
        guest.answers(80);
    }
    for protocol in [TCP, UDP] {
        a1.wait_seen(protocol, "10.0.0.20:80", "a2 10.0.0.10");
        b1.wait_seen(protocol, "10.0.0.20:80", "b2 10.0.0.10");
    }
    assert_eq!(b1.seen(UDP, "10.0.0.30:80").as_deref(), Some("more 10.0.0.10"));
    assert!(a1.silent("10.0.0.30:80") && !a1.pings("10.0.0.30"));
    assert!(!a1.run("arping -c 2 -w 1 -I eth0 10.0.0.30").ok(), "nor by ARP");
    // What goes to everybody reaches everybody of one's own, and nobody else.
    let (ears, others) = (a2.within(listen), more.within(listen));
    a1.within(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.set_broadcast(true).unwrap();
        socket.send_to(b"hello", "10.0.0.255:4000").unwrap();
    });
    assert!(ears.recv(&mut [0; 8]).is_ok());
    assert!(others.recv(&mut [0; 8]).is_err());
}

fn listen() -> UdpSocket {
    let socket = UdpSocket::bind("0.0.0.0:4000").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    socket
}

#[test]
fn ports_of_one_network_talk_in_each_of_its_subnets() {
    let mut host = Host::new();
    host.declare("blue.yaml", BLUE);
    let both = "addresses: [{subnetRef: {name: web}, ip: 10.0.0.IP}, {subnetRef: {name: db}}]";
    let both =
        |name: &str, ip: &str| format!("Port {name} {{networkRef: {{name: blue}}, {}}}\n", both.replace("IP", ip));
    host.declare("ports.yaml", &(both("x", "10") + &both("y", "20")));
    host.start();
    let (x, y) = (host.plugged("x", "x"), host.plugged("y", "y"));
    y.answers(80);
    let address = host.object("port", "y")["status"]["addresses"][1]["ip"].as_str().unwrap().to_owned();
    assert!(address.starts_with("10.0.1."), "{address}");
    assert!(x.seen(TCP, "10.0.0.20:80").unwrap().starts_with("y 10.0.0.10"));
    assert!(x.seen(TCP, &format!("{address}:80")).unwrap().starts_with("y 10.0.1."));
}

#[test]
fn ports_without_addresses_carry_whatever_guests_agree_on() {
    let mut host = Host::new();
    host.declare("blue.yaml", BLUE);
    let bare =
        |name: &str| format!("Port {name} {{networkRef: {{name: blue}}, ipAllocation: None, portSecurity: false}}\n");
    host.declare("ports.yaml", &(bare("x") + &bare("y")));
    host.start();
    let (x, y) = (host.plugged("x", "x"), host.plugged("y", "y"));
    assert_eq!(host.object("port", "x")["status"]["addresses"].as_array().map_or(0, Vec::len), 0);
    x.ip("addr add 192.0.2.1/24 dev eth0");
    y.ip("addr add 192.0.2.2/24 dev eth0");
    x.wait_pings("192.0.2.2");
    assert_eq!(host.object("subnet", "web")["status"]["allocated"], 0);
}

#[test]
fn the_guest_gets_the_mac_the_mtu_and_by_dhcp_all_the_rest() {
    let mut host = Host::new();
    let spec = "{networkRef: {name: blue}, macAddress: '02:00:00:00:00:05', hostname: web-0}";
    host.declare(
        "blue.yaml",
        &format!(
            "Network blue {{mtu: 1400}}
Subnet web {{networkRef: {{name: blue}}, cidr: 10.0.0.0/24, dnsDomain: blue.example, dnsNameservers: [192.0.2.53]}}
Port web-0 {spec}
Port web-1 {{networkRef: {{name: blue}}, macAddress: '02:00:00:00:00:05'}}"
        ),
    );
    std::fs::write(host.dir.join("lease"), "#!/bin/sh\n[ $1 = bound ] && env > /run/test/bound\nexit 0\n").unwrap();
    std::fs::set_permissions(host.dir.join("lease"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    host.start();
    let guest = host.guest("guest");
    host.tenet("plug web-0 --netns guest --ifname net1").expect_ok();
    let link: Value = serde_json::from_str(&guest.run("ip -j link show net1").expect_ok()).unwrap();
    assert_eq!((&link[0]["address"], &link[0]["mtu"]), (&"02:00:00:00:00:05".into(), &1400.into()));
    assert!(guest.run("ip -4 addr show net1").out.is_empty(), "addresses are the guest's own business");
    guest.run("busybox udhcpc -i net1 -n -q -f -s /run/test/lease -O mtu").expect_ok();
    let lease = std::fs::read_to_string(host.dir.join("bound")).unwrap();
    let ip = host.object("port", "web-0")["status"]["addresses"][0]["ip"].as_str().unwrap().to_owned();
    for line in [&format!("ip={ip}"), "hostname=web-0", "mtu=1400", "domain=blue.example", "dns=192.0.2.53"] {
        assert!(lease.lines().any(|l| l == line), "{line} in {lease}");
    }
    host.wait_refused("port", "web-1", "Accepted", "MacAddressInUse");
}
