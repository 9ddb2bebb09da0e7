//! One network on several nodes.

use std::time::Duration;

use crate::flow::Flow;
use crate::support::{Guest, OPEN, run, until};
use crate::world::{World, mac};

const BLUE: &str = "
    Network blue
    Subnet blue {networkRef: {name: blue}, cidr: 10.0.0.0/24}
    Port a {networkRef: {name: blue}}
    Port b {networkRef: {name: blue}}";

/// Frames that cross the underlay while `f` runs, and that match.
fn crossing(filter: &str, f: impl FnOnce()) -> usize {
    let dump = std::process::Command::new("tcpdump")
        .args(["-i", "underlay", "-nn", "-l", "--immediate-mode", "-c", "1000"])
        .args(filter.split(' '))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn();
    let mut dump = dump.unwrap();
    std::thread::sleep(Duration::from_millis(300));
    f();
    std::thread::sleep(Duration::from_millis(300));
    dump.kill().unwrap();
    let output = dump.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().count()
}

fn pings(guest: &Guest, ip: &str) {
    guest.run(&format!("ping -c 3 -i 0.2 -W 1 {ip}")).expect_ok();
}

#[test]
fn a_network_is_one_network_on_two_nodes() {
    let mut world = World::new(2, 0);
    world.declare(BLUE);
    let guests = world.guests(&[("a", 0), ("b", 1)]);
    let b = world.address("b");
    pings(&guests["a"], &b);
    guests["b"].answers(7000);
    assert_eq!(guests["a"].asks(&b, 7000).as_deref(), Some(&*format!("b {}", world.address("a"))));
    // Nothing of it shows in the host.
    assert!(!run("ip -n node-1 -d link").expect_ok().contains("vxlan"));
    assert!(run("which tcpdump").ok());
    guests["a"].ip("neigh flush dev eth0");
    // Inside VXLAN an Ethernet header starts 8 octets behind the UDP header: its type is at 8 + 8 + 12.
    let arp = crossing("udp port 14789 and udp[28:2] = 0x0806", || pings(&guests["a"], &b));
    assert_eq!(arp, 0, "ARP is answered where it is asked");
    assert_eq!(crossing("udp port 14789", || pings(&guests["a"], &b)), 6);
}

#[test]
fn tenants_with_the_same_addresses_do_not_meet() {
    let mut world = World::new(2, 0);
    world.declare(BLUE);
    world.declare(&format!("SecurityGroup other/default {OPEN}"));
    world.declare(
        "Network other/blue
         Subnet other/blue {networkRef: {name: blue}, cidr: 10.0.0.0/24}
         Port other/a {networkRef: {name: blue}}
         Port other/b {networkRef: {name: blue}}
         Port other/x {networkRef: {name: blue}, addresses: [{ip: 10.0.0.99}]}",
    );
    let guests = world.guests(&[("a", 0), ("b", 1), ("other/a", 0), ("other/b", 1), ("other/x", 1)]);
    assert_eq!((world.address("a"), world.address("b")), (world.address("other/a"), world.address("other/b")));
    for (name, guest) in &guests {
        guest.answers_with(7000, {
            let name = name.clone();
            move |_| name.clone()
        });
    }
    for (from, to) in [("a", "b"), ("b", "a"), ("other/a", "other/b"), ("other/b", "other/a")] {
        assert_eq!(guests[from].asks(&world.address(to), 7000).as_deref(), Some(to), "{from}");
    }
    assert!(guests["a"].silent("10.0.0.99:7000"));
    assert_eq!(guests["other/a"].asks("10.0.0.99", 7000).as_deref(), Some("other/x"));
}

#[test]
fn a_port_moves_from_node_to_node_and_its_peers_follow() {
    let mut world = World::new(3, 0);
    world.declare(BLUE);
    world.declare("Port c {networkRef: {name: blue}}");
    let guests = world.guests(&[("a", 0), ("b", 1), ("c", 2)]);
    let b = world.address("b");
    pings(&guests["a"], &b);
    for (from, to) in [(1, 2), (2, 0), (0, 1)] {
        world.unplug("b", from);
        world.converge();
        assert!(!guests["a"].pings(&b) && !guests["c"].pings(&b), "it is nowhere");
        world.plug("b", to);
        world.converge();
        world.addressed("b");
        for peer in ["a", "c"] {
            assert!(guests[peer].pings(&b), "{peer} reaches b on {to}");
            assert!(guests["b"].pings(&world.address(peer)), "b on {to} reaches {peer}");
        }
    }
    // On one node alone a network needs no tunnels.
    world.unplug("b", 1);
    world.unplug("c", 2);
    world.converge();
    assert!(!world.nodes[0].ours("vswitch").run("ip -o link").expect_ok().contains("tvx"));
}

#[test]
fn whoever_meddles_with_tunnels_is_undone() {
    let mut world = World::new(2, 0);
    world.declare(BLUE);
    let guests = world.guests(&[("a", 0), ("b", 1)]);
    let (b, vswitch) = (world.address("b"), world.nodes[0].ours("vswitch"));
    let names = vswitch.run("ip -br link").expect_ok();
    let named = |prefix: &str| {
        names.split_whitespace().find(|word| word.starts_with(prefix)).unwrap().split('@').next().unwrap().to_owned()
    };
    let (tunnel, bridge) = (named("tvx"), named("tbr"));
    let mac = mac(&guests["b"]);
    let meddle = [
        format!("bridge fdb del {mac} dev {tunnel} self"),
        format!("bridge fdb del {mac} dev {tunnel} master"),
        format!("bridge fdb replace {mac} dev {tunnel} self permanent dst 172.31.0.99"),
        format!("ip neigh del {b} dev {bridge}"),
        format!("bridge link set dev {tunnel} flood on"),
        format!("bridge link set dev {tunnel} neigh_suppress off"),
        format!("ip link set {tunnel} down"),
        format!("ip link set {bridge} down"),
        format!("ip link set {tunnel} nomaster"),
        format!("ip link del {tunnel}"),
    ];
    // What the kernel tells of our own links late is heard first.
    until("all is heard", || !world.nodes[0].disturbed());
    for command in meddle {
        let said = vswitch.run(&command);
        assert!(said.ok(), "{command}: {said:?}");
        assert!(world.nodes[0].disturbed(), "{command} is noticed");
        assert!(world.converge_one(0).changes > 0, "{command} is undone");
        assert!(guests["a"].pings(&b), "after {command}");
    }
    // The host's own guard, too.
    world.nodes[0].host.run("nft delete table ip tenet-tunnels").expect_ok();
    assert!(world.nodes[0].disturbed(), "the guard's end is noticed");
    assert_eq!(world.converge_one(0).changes, 1);
}

#[test]
fn an_agent_that_starts_anew_changes_nothing() {
    let mut world = World::new(2, 0);
    world.declare(BLUE);
    let guests = world.guests(&[("a", 0), ("b", 1)]);
    let flows = [("a", "b"), ("b", "a")].map(|(x, y)| Flow::start(&guests[x], &guests[y], &world.address(y)));
    for node in [0, 1] {
        world.nodes[node].restart();
        let plan = world.nodes[node].plan(world.view(node));
        assert!(plan.0.is_empty(), "{plan:#?}");
        assert_eq!(world.converge_one(node).changes, 0);
    }
    flows.into_iter().for_each(Flow::whole);
}

#[test]
fn other_tunnels_of_the_host_are_left_alone() {
    let mut world = World::new(2, 0);
    let host = Guest::named("node-1");
    host.ip("link add flannel.1 type vxlan id 1 dstport 8472 local 172.31.0.1 nolearning\nlink set flannel.1 up");
    host.ip("link add vx type vxlan id 2 dstport 4789 local 172.31.0.1\nlink set vx up");
    host.run("nft add table inet foreign").expect_ok();
    let seen = || {
        let links = host.run("ip -br link").expect_ok();
        let links: Vec<_> = links.lines().filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect();
        let tunnels = host.run("ip -d -o link show type vxlan").expect_ok();
        (links, tunnels, host.run("nft list ruleset").expect_ok().contains("inet foreign"))
    };
    let before = seen();
    world.declare(BLUE);
    let guests = world.guests(&[("a", 0), ("b", 1)]);
    assert!(guests["a"].pings(&world.address("b")));
    world.unplug("a", 0);
    world.converge();
    assert_eq!(seen(), before);
    // What is taken away whole leaves nothing of ours.
    world.nodes[0].ask(|agent| drop(agent.clean().unwrap()));
    assert_eq!(seen(), before);
    assert!(!host.run("nft list tables").expect_ok().contains("tenet"));
}
