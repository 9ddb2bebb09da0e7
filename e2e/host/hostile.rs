//! A guest that attacks what all share: another tenant's new connections go on.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tenet::api::Protocol::TCP;

use crate::floating::OUTSIDE;
use crate::support::{Guest, Host};

/// The attacker's networks, one of them as large as a scan is long, and the other tenant's.
const TENANTS: &str = "
Network red
Subnet red {networkRef: {name: red}, cidr: 10.0.0.0/24}
Network vast
Subnet vast {networkRef: {name: vast}, cidr: 10.1.0.0/16}
Port attacker {networkRef: {name: red}, addresses: [{ip: 10.0.0.66}]}
Port forger {networkRef: {name: red}, addresses: [{ip: 10.0.0.67}], portSecurity: false}
Router red {interfaces: [{subnetRef: {name: red}}, {subnetRef: {name: vast}}], externalGateway: {networkRef: {name: public}}}
Network blue
Subnet blue {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port victim {networkRef: {name: blue}}
Router blue {interfaces: [{subnetRef: {name: blue}}], externalGateway: {networkRef: {name: public}}}
";

/// Connections of the other tenant during each attack.
const CONNECTIONS: usize = 50;

/// Runs an attack again and again while the victim makes new connections; how many rounds it went.
fn during(victim: &Guest, mut attack: impl FnMut() + Send) -> usize {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let attack = scope.spawn(|| {
            let mut rounds = 0;
            while !over.load(Ordering::Relaxed) || rounds == 0 {
                attack();
                rounds += 1;
            }
            rounds
        });
        let answered = (0..CONNECTIONS).filter(|_| victim.seen(TCP, "203.0.113.1:80").is_some()).count();
        over.store(true, Ordering::Relaxed);
        let rounds = attack.join().unwrap();
        assert_eq!(answered, CONNECTIONS, "every new connection of the other tenant is answered");
        rounds
    })
}

#[test]
fn a_scan_forged_arp_and_a_flood_of_connections_stop_nobody_else() {
    let mut host = Host::new();
    host.bridge("br-ext", "203.0.113.1/24");
    host.declare("all.yaml", &[OUTSIDE, TENANTS].concat());
    host.start();
    let [attacker, forger, victim] = ["attacker", "forger", "victim"].map(|name| host.plugged(name, name));
    host.outside().answers(80);
    assert!(attacker.seen(TCP, "203.0.113.1:80").is_some() && victim.seen(TCP, "203.0.113.1:80").is_some());
    let mut call = victim.call(TCP, "203.0.113.1:80").unwrap();

    let socket = attacker.within(|| UdpSocket::bind("0.0.0.0:0").unwrap());
    let mut scanned = 0;
    during(&victim, || {
        for address in 2..=65_001_u16 {
            let [high, low] = address.to_be_bytes();
            // A refusal that came back is reported by the next send, which sends nothing then.
            let to = (Ipv4Addr::new(10, 1, high, low), 9);
            scanned += u32::from(socket.send_to(b"?", to).or_else(|_| socket.send_to(b"?", to)).is_ok());
        }
    });
    assert!(scanned >= 60_000, "{scanned} were asked for");

    // Routers guard themselves, for ports without port security send what they like; those with it cannot.
    during(&victim, || {
        for sender in ["10.0.0.1", "10.0.0.77"] {
            forger.run(&format!("ip addr replace {sender}/32 dev eth0"));
            forger.run(&format!("arping -c 3 -w 1 -U -I eth0 {sender}"));
        }
    });
    attacker.ip("addr add 10.0.0.78/32 dev eth0");
    assert!(forger.run("arping -c 1 -w 1 -I eth0 -s 10.0.0.77 10.0.0.66").ok(), "forged ARP is answered");
    assert!(!attacker.run("arping -c 1 -w 1 -I eth0 -s 10.0.0.78 10.0.0.67").ok(), "and does not leave a guarded port");

    during(&victim, || {
        let socket = attacker.within(|| UdpSocket::bind("0.0.0.0:0").unwrap());
        for port in 10_000..30_000 {
            let _ = socket.send_to(b"?", ("203.0.113.1", port));
        }
    });
    assert!(call.alive(), "and what was connected before stays so");
    assert!(attacker.pings("10.0.0.1"), "and the attacker's own network stands");
}
