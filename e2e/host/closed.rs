//! Never open for a moment: what is denied is delivered at no time, whatever happens to the agent, the filters or the ports; what
//! is allowed beside it goes on.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use tenet::api::Protocol::TCP;
use tenet::dataplane::filter::layout::LAYOUT;

use crate::support::traffic::{Flow, hastened};
use crate::support::{Guest, Host, ip, run, until};

/// `a` may speak to `b`. `c` may speak to nobody but the sink, which `d` is not.
const WORLD: &str = "
Network blue
Subnet blue {networkRef: {name: blue}, cidr: 10.0.0.0/16, gatewayIP: None}
SecurityGroup anybody {rules: [{direction: Ingress}, {direction: Egress}]}
SecurityGroup nobody {rules: [{direction: Egress}]}
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.1}], securityGroupRefs: [{name: anybody}]}
Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.0.2}], securityGroupRefs: [{name: anybody}]}
Port c {networkRef: {name: blue}, addresses: [{ip: 10.0.0.3}], securityGroupRefs: [{name: anybody}]}
Port d {networkRef: {name: blue}, addresses: [{ip: 10.0.0.4}], securityGroupRefs: [{name: nobody}]}
";

/// How often the agent is killed.
const KILLS: u32 = 200;

struct World {
    host: Host,
    guests: [Guest; 4],
}

impl World {
    fn new(arguments: &[&'static str]) -> Self {
        let mut host = Host::bare();
        host.arguments = arguments.to_vec();
        host.declare("world.yaml", WORLD);
        host.start_at("info");
        let guests = ["a", "b", "c", "d"].map(|name| host.plugged(name, name));
        guests[0].wait_pings("10.0.0.2");
        Self { host, guests }
    }

    /// A flow that is allowed, and one that is not.
    fn flows(&self) -> (Flow, Flow) {
        let [a, b, c, d] = &self.guests;
        (a.stream_to(b, "10.0.0.2"), c.stream_to(d, "10.0.0.4"))
    }

    /// The port's device in the vswitch.
    fn device(&self, port: &str) -> String {
        let links = self.host.ours("vswitch").run("ip -o link show").expect_ok();
        let mut lines = links.lines().filter(|line| line.contains(&format!("alias Port default/{port} ")));
        let line = lines.next().unwrap_or_else(|| panic!("{port} has no link:\n{links}"));
        line.split(": ").nth(1).unwrap().split('@').next().unwrap().to_owned()
    }
}

#[track_caller]
fn nothing_lost((sent, lost): (u64, u64)) {
    assert!(sent > 500, "{sent} sent");
    assert_eq!(lost, 0, "of {sent} allowed packets");
}

#[track_caller]
fn nothing_delivered((sent, lost): (u64, u64)) {
    assert!(sent > 500, "{sent} sent");
    assert_eq!(sent - lost, 0, "of {sent} denied packets were delivered");
}

fn killed(arguments: &[&'static str]) {
    let mut world = World::new(arguments);
    let (allowed, denied) = world.flows();
    for kill in 0..KILLS {
        world.host.stop(Signal::SIGKILL);
        if kill % 4 == 0 {
            // A restart that finds something to do.
            let port = "Port more {networkRef: {name: blue}, securityGroupRefs: [{name: nobody}]}";
            world.host.declare("more.yaml", if kill % 8 == 0 { port } else { "" });
        }
        world.host.spawn("info");
        thread::sleep(Duration::from_millis(u64::from(kill * 7 % 41)));
    }
    until("the last one answers", || std::os::unix::net::UnixStream::connect(world.host.socket()).is_ok());
    nothing_lost(allowed.end());
    nothing_delivered(denied.end());
}

#[test]
fn while_the_agent_is_killed_again_and_again() {
    killed(&[]);
}

#[test]
fn while_the_agent_is_killed_again_and_again_and_the_bridge_brings_all() {
    killed(&["--no-fast-path"]);
}

#[test]
fn while_filters_of_another_version_take_over_and_a_connection_goes_on() {
    let mut world = World::new(&[]);
    world.guests[1].answers(80);
    let mut call = world.guests[0].call(TCP, "10.0.0.2:80").unwrap();
    let (allowed, denied) = world.flows();
    for arguments in [["--flows", "65536"], ["--flows", "131072"], ["--flows", "4096"], ["--flows", "131072"]] {
        world.host.stop(Signal::SIGTERM);
        world.host.arguments = arguments.to_vec();
        world.host.start_at("info");
        let tables = format!("tables-{LAYOUT}-{}", arguments[1]);
        let filters = world.host.dir.join("filters");
        let kept = || fs::read_dir(&filters).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        until("the others are gone", || kept().filter(|name| name.starts_with("tables-")).eq([tables.clone()]));
        assert!(call.alive());
    }
    nothing_lost(allowed.end());
    nothing_delivered(denied.end());
}

#[test]
fn while_filters_and_ports_are_taken_away_by_hand() {
    let world = World::new(&[]);
    let (allowed, denied) = world.flows();
    for _ in 0..5 {
        let vswitch = world.host.ours("vswitch");
        let before = world.device("d");
        vswitch.run(&format!("ip link del {before}")).expect_ok();
        until("the port is there again", || {
            let links = vswitch.run("ip -o link show").out;
            links.lines().any(|line| line.contains(&before) && line.contains("state UP"))
        });
        until("its guest has a link again", || world.guests[3].run("ip link set eth0 up").ok());
        world.guests[3].run("ip addr add 10.0.0.4/16 dev eth0");
    }
    thread::sleep(Duration::from_millis(600));
    nothing_lost(allowed.end());
    nothing_delivered(denied.end());
    // The filters themselves: whoever may take them away opens the port, and the agent closes it.
    let vswitch = world.host.ours("vswitch");
    vswitch.run(&format!("tc qdisc del dev {} clsact", world.device("d"))).expect_ok();
    until("the filters are there again", || {
        let filters = |hook| vswitch.run(&format!("tc filter show dev {} {hook}", world.device("d"))).out;
        filters("ingress").contains("tenet-") && filters("egress").contains("tenet-")
    });
    let (_, denied) = world.flows();
    thread::sleep(Duration::from_millis(800));
    nothing_delivered(denied.end());
}

#[test]
fn while_the_short_way_to_the_filters_is_taken_away() {
    let mut world = World::new(&[]);
    let filters = world.host.dir.join("filters");
    let pins = || -> Vec<PathBuf> {
        let all = run(&format!("find {} -path */tcx/*", filters.display())).expect_ok();
        all.lines().map(PathBuf::from).collect()
    };
    // It needs Linux 6.6.
    hastened(run, &filters, 4);
    let (allowed, denied) = world.flows();
    for pin in pins() {
        fs::remove_file(pin).unwrap();
        thread::sleep(Duration::from_millis(80));
    }
    nothing_lost(allowed.end());
    nothing_delivered(denied.end());
    world.host.tenet("unplug d").expect_ok();
    let fresh = world.host.plugged("d", "another");
    until("a port that is plugged anew has it, at both hooks", || pins().len() == 2);
    world.host.tenet("unplug d").expect_ok();
    until("and leaves nothing", || pins().is_empty());
    drop(fresh);
    world.host.stop(Signal::SIGKILL);
    world.host.start();
    until("who starts gives it to ports that lack it", || pins().len() == 6);
}

/// What a machine is after a reboot, but for its guests: everything of ours in the kernel is gone.
fn reboot(world: &mut World) {
    world.host.stop(Signal::SIGKILL);
    for pin in ["vswitch", "filters"] {
        run(&format!("umount -l {}", world.host.dir.join(pin).display())).expect_ok();
    }
    until("the links are gone", || !world.guests[0].run("ip link show eth0").ok());
}

/// Guests come back as they were.
fn come_back(world: &World) {
    for (guest, ip) in world.guests.iter().zip(1..) {
        until("a link is there", || guest.run("ip link set eth0 up").ok());
        guest.run(&format!("ip addr add 10.0.0.{ip}/16 dev eth0"));
    }
}

#[test]
fn while_the_vswitch_is_rebuilt_as_after_a_reboot() {
    let mut world = World::new(&[]);
    let [_, _, c, d] = &world.guests;
    let outward = c.within(|| UdpSocket::bind("0.0.0.0:0").unwrap());
    let inward = d.within(|| UdpSocket::bind("0.0.0.0:9000").unwrap());
    inward.set_nonblocking(true).unwrap();
    let (over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                // There is no way while there is no link.
                sent.fetch_add(u64::from(outward.send_to(b"?", "10.0.0.4:9000").is_ok()), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(1));
            }
        });
        for _ in 0..3 {
            reboot(&mut world);
            world.host.start_at("info");
            come_back(&world);
            world.guests[0].wait_pings("10.0.0.2");
        }
        thread::sleep(Duration::from_millis(600));
        over.store(true, Ordering::Relaxed);
    });
    assert!(sent.load(Ordering::Relaxed) > 500, "{sent:?} sent");
    assert!(inward.recv(&mut [0; 8]).is_err(), "one was delivered");
}

#[test]
fn while_tables_are_flooded() {
    let mut world = World::new(&["--flows", "1024"]);
    world.guests[1].answers(80);
    let mut call = world.guests[0].call(TCP, "10.0.0.2:80").unwrap();
    let (allowed, denied) = world.flows();
    let socket = world.guests[2].within(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap());
    // Neighbours that nobody has to ask for, so that every packet leaves.
    let entries: String =
        (0..64).map(|n| format!("neigh replace 10.0.9.{n} lladdr 02:00:00:00:09:00 dev eth0\n")).collect();
    ip(&entries.lines().map(|line| format!("-n c {line}\n")).collect::<String>());
    for n in 0..200_000_u32 {
        let to = (Ipv4Addr::new(10, 0, 9, (n % 64) as u8), 1000 + (n / 64 % 50_000) as u16);
        let _ = socket.send_to(b"flood", to);
    }
    assert!(call.alive(), "an established connection is none of those that are pushed out");
    nothing_lost(allowed.end());
    nothing_delivered(denied.end());
    world.host.stop(Signal::SIGTERM);
}

#[test]
fn where_the_filters_cannot_be_loaded_ports_stay_closed_and_say_why() {
    let mut world = World::new(&[]);
    reboot(&mut world);
    // No file system can be mounted on a file.
    let filters = world.host.dir.join("filters");
    fs::remove_dir(&filters).unwrap();
    fs::write(&filters, "in the way").unwrap();
    world.host.start_at("info");
    let why = world.host.wait_refused("port", "a", "Programmed", "KernelError");
    assert!(why.contains("packet filters cannot be loaded"), "{why}");
    come_back(&world);
    assert!(!world.guests[0].pings("10.0.0.2"));
    fs::remove_file(&filters).unwrap();
    world.host.wait_ready("port", "a");
    world.host.wait_ready("port", "b");
    come_back(&world);
    world.guests[0].wait_pings("10.0.0.2");
}
