//! A thousand ports, 50 networks, 20 routers: made from nothing, restarted, left alone, taken away.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use netlink_sys::protocols::{NETLINK_NETFILTER, NETLINK_ROUTE};
use nix::sys::signal::Signal;
use tenet::agent::protocol::{Answer, Plugged, Request};
use tenet::dataplane::kernel::netns;

use crate::guest::Guest;
use crate::meter;
use crate::plug::Client;
use crate::row::{Row, Unit};
use crate::support::traffic::hastened;
use crate::support::{Host, run, until};
use crate::yaml;

const PORTS: usize = 1000;
const NETWORKS: usize = 50;
const ROUTERS: usize = 20;
/// How long nobody does anything.
const IDLE: Duration = Duration::from_secs(10);

fn plugs(host: &Host, guests: &[Guest]) -> Vec<Client> {
    let plug = |(n, guest): (usize, &Guest)| Client::plug(&host.socket(), &format!("p{n}"), guest);
    guests.iter().enumerate().map(plug).collect()
}

fn gateway(plugged: &Plugged) -> Ipv4Addr {
    match plugged.addresses[0].gateway_ip {
        Some(IpAddr::V4(ip)) => ip,
        other => panic!("gateway {other:?} of {}", plugged.name),
    }
}

pub fn rows() -> Vec<Row> {
    let mut host = Host::bare();
    host.bridge("br-ext", "203.0.113.1/24");
    host.start_at("info");
    let guests: Vec<Guest> = (0..PORTS).map(|_| Guest::new()).collect();
    let (mut rows, plugged) = build(&host, &guests);
    rows.extend(idle(&host));
    rows.extend(restart(&mut host, &guests, &plugged));
    rows.push(delete(&host));
    rows
}

/// From nothing to forwarding.
fn build(host: &Host, guests: &[Guest]) -> (Vec<Row>, Vec<Plugged>) {
    let clients: Vec<_> = plugs(host, guests).into_iter().map(Client::waits).collect();
    let pid = host.pid().unwrap();
    let ports: String = (0..PORTS).map(|n| yaml::port(&format!("p{n}"), &format!("n{}", n % NETWORKS))).collect();
    let before = meter::process(pid);
    let start = Instant::now();
    host.write("world.yaml", &(yaml::world(NETWORKS, ROUTERS) + &ports));
    let plugged: Vec<_> = clients.into_iter().map(Client::plugged).collect();
    let told = start.elapsed();
    guests.iter().zip(&plugged).for_each(|(guest, plugged)| guest.take(plugged));
    for (guest, plugged) in guests.iter().zip(&plugged) {
        guest.ping(gateway(plugged));
        guest.forget(gateway(plugged));
    }
    let took = start.elapsed();
    let cpu = meter::process(pid) - before;
    let what = "1000 ports, 50 networks, 20 routers from nothing to forwarding";
    let note = format!("all plugged after {:.2} s", told.as_secs_f64());
    let rows = vec![
        Row::new("build", what, 4.0, took.as_secs_f64(), Unit::S).note(note),
        Row::new("build", "CPU of that", 3.0, cpu.as_secs_f64(), Unit::S),
    ];
    (rows, plugged)
}

fn idle(host: &Host) -> Vec<Row> {
    let pid = host.pid().unwrap();
    hastened(run, &host.dir.join("filters"), PORTS as u32);
    std::thread::sleep(Duration::from_secs(3));
    let (before, cpu) = (meter::sleeps(pid), meter::process(pid));
    std::thread::sleep(IDLE);
    let wakes = (meter::sleeps(pid) - before) as f64 / IDLE.as_secs_f64();
    let cpu = meter::process(pid) - cpu;
    vec![
        Row::new("idle", "wake-ups with 1000 ports", 0.0, wakes, Unit::PerSecond).note(format!("CPU {cpu:?} in 10 s")),
        Row::new("idle", "memory with 1000 ports", 30.0, meter::resident(pid), Unit::MiB),
    ]
}

/// Sockets that are told when links, addresses, routes or rules change in a namespace of ours.
fn monitors(host: &Host) -> BTreeMap<String, Vec<netlink_sys::Socket>> {
    // RTNLGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE; NFNLGRP_NFTABLES.
    let groups: [(isize, &[u32]); 2] = [(NETLINK_ROUTE, &[1, 5, 7]), (NETLINK_NETFILTER, &[7])];
    let ours = |name: &str| name == "vswitch" || name.starts_with("rtr-");
    let pins = std::fs::read_dir(&host.dir).unwrap().map(|e| e.unwrap());
    let mut all = BTreeMap::new();
    for pin in pins.filter(|e| ours(&e.file_name().to_string_lossy())) {
        let fd = netns::open(&pin.path()).unwrap();
        let sockets = groups.iter().map(|(protocol, groups)| {
            let mut socket = netns::within(fd.as_fd(), || netlink_sys::Socket::new(*protocol).unwrap()).unwrap();
            socket.bind_auto().unwrap();
            groups.iter().for_each(|group| socket.add_membership(*group).unwrap());
            socket.set_non_blocking(true).unwrap();
            socket
        });
        all.insert(pin.file_name().to_string_lossy().into_owned(), sockets.collect());
    }
    all
}

fn restart(host: &mut Host, guests: &[Guest], plugged: &[Plugged]) -> Vec<Row> {
    host.stop(Signal::SIGKILL);
    let plan = host.tenet(&format!("plan {}", host.yaml()));
    let monitors = monitors(host);
    let start = Instant::now();
    host.spawn("info");
    while UnixStream::connect(host.socket()).is_err() {
        std::thread::sleep(Duration::from_millis(1));
    }
    // A guest that is plugged already is told so after the first convergence.
    Client::plug(&host.socket(), "p7", &guests[7]).plugged();
    let converged = start.elapsed();
    guests[7].offer(plugged[7].mac_address.0);
    let answered = start.elapsed();
    let cpu = meter::process(host.pid().unwrap());
    let mut told = Vec::new();
    for (name, sockets) in &monitors {
        let mut buffer = Vec::with_capacity(1 << 16);
        let changes = sockets.iter().filter(|s| {
            buffer.clear();
            s.recv(&mut buffer, 0).is_ok()
        });
        told.extend(changes.map(|_| name.clone()));
    }
    let note = format!("converged {:.3} s, CPU {:.3} s", converged.as_secs_f64(), cpu.as_secs_f64());
    let changes = if plan.code == Some(0) { 0.0 } else { plan.out.lines().count() as f64 };
    vec![
        Row::new("restart", "restart to converged and DHCP answering", 0.5, answered.as_secs_f64(), Unit::S).note(note),
        Row::new("restart", "namespaces that the kernel reports a change in", 0.0, told.len() as f64, Unit::Count)
            .note(told.join(" ")),
        Row::new("restart", "steps of the plan before it", 0.0, changes, Unit::Count),
    ]
}

/// All ports at once; that is held back, so the clock starts when it is confirmed.
fn delete(host: &Host) -> Row {
    let pid = host.pid().unwrap();
    let before = meter::process(pid);
    host.write("world.yaml", &yaml::world(NETWORKS, ROUTERS));
    let held = host.dir.join("state/held.json");
    until("the removal is held back", || held.exists());
    let start = Instant::now();
    let answer = Client::ask(&host.socket(), &Request::Confirm).answer();
    let took = start.elapsed();
    assert!(matches!(&answer, Answer::Done(gone) if gone.len() == PORTS), "{answer:?}");
    let vswitch = netns::open(&host.dir.join("vswitch")).unwrap();
    let links = netns::within(vswitch.as_fd(), || nix::net::if_::if_nameindex().unwrap()).unwrap();
    let left = links.into_iter().filter(|l| l.name().to_bytes().starts_with(b"tpt")).count();
    assert_eq!(left, 0, "ports are left");
    let cpu = meter::process(pid) - before;
    Row::new("delete", "1000 ports deleted, from `tenet confirm` on", 3.0, took.as_secs_f64(), Unit::S)
        .note(format!("CPU {:.2} s", cpu.as_secs_f64()))
}
