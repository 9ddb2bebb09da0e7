//! Faults of a node: its agent dies between two messages to the kernel, its wire is cut.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{World, sized};
use crate::flow::Flow;
use crate::nodes::{Cluster, Node};
use crate::support::{Guest, ip, until};

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}]}
Port d {networkRef: {name: blue}, addresses: [{ip: 10.0.0.13}]}
Network green
Subnet db {networkRef: {name: green}, cidr: 10.0.1.0/24}
Router r {interfaces: [{subnetRef: {name: web}}, {subnetRef: {name: db}}]}
Port k {networkRef: {name: green}, addresses: [{ip: 10.0.1.11}]}";

/// How often the thread of a traced agent that made a call most has made it.
fn most(trace: &str, call: &str) -> usize {
    let mut threads: BTreeMap<&str, usize> = BTreeMap::new();
    for line in trace.lines().filter(|line| line.contains(&format!("{call}("))) {
        *threads.entry(line.split(' ').next().unwrap()).or_default() += 1;
    }
    threads.into_values().max().unwrap_or_default()
}

/// Starts the agent anew under `strace`, has `k` plugged, then deleted.
fn round(cluster: &mut Cluster, strace: &[&str]) -> bool {
    let node = &mut cluster.nodes[0];
    node.kill_agent();
    node.start_agent_under(strace);
    until("the agent listens, or is dead", || node.has_no_agent() || node.listens());
    ip("netns add k");
    // It fails when the agent dies of it.
    let _ = node.tenet("plug k --netns k --timeout 15");
    let _ = node.tenet("unplug k");
    let died = node.has_no_agent();
    node.kill_agent();
    node.start_agent();
    until("the next agent listens", || node.listens());
    died
}

#[test]
fn an_agent_that_is_killed_between_any_two_messages_to_the_kernel_leaves_nothing_half_made() {
    let mut cluster = Cluster::start(1);
    cluster.apply(WORLD);
    let (a, b) = (cluster.guest(1, "a"), cluster.guest(1, "b"));
    a.wait_pings("10.0.0.12");
    // Its network stays on the node only while it is plugged.
    let before = cluster.nodes[0].kernel();
    let flow = Flow::start(&a, &b, "10.0.0.12");
    let trace = cluster.nodes[0].run_dir().with_file_name("trace");
    let (mut rounds, mut deaths) = (0, 0);
    // Links, addresses and rules; the filters' tables.
    for call in ["sendto", "bpf"] {
        let only = format!("trace={call}");
        round(&mut cluster, &["strace", "-D", "-f", "-o", trace.to_str().unwrap(), "-e", &only]);
        ip("netns del k");
        let all = most(&std::fs::read_to_string(&trace).unwrap(), call);
        println!("{all} of {call}");
        assert!(all > 20, "{all} of {call}");
        let tries = sized(6, all);
        for nth in (1..=tries).map(|n| (all * n / tries).max(1)) {
            let kill = format!("inject={call}:signal=KILL:when={nth}");
            deaths +=
                usize::from(round(&mut cluster, &["strace", "-D", "-f", "-o", "/dev/null", "-e", &only, "-e", &kill]));
            rounds += 1;
            let plugged = cluster.nodes[0].tenet("plug k --netns k");
            assert!(plugged.ok(), "{call} {nth}: {plugged:?}");
            let eth0 = crate::support::run("ip -n k -br link show eth0").out;
            assert!(eth0.contains(",UP"), "{call} {nth}: {plugged:?} {eth0}");
            ip("-n k addr add 10.0.1.11/24 dev eth0\n-n k route add default via 10.0.1.1");
            a.wait_pings("10.0.1.11");
            cluster.nodes[0].tenet("unplug k").expect_ok();
            ip("netns del k");
            cluster.nodes[0].wait_kernel(&before);
        }
    }
    println!("{deaths} deaths");
    assert!(deaths * 2 > rounds, "{deaths} of {rounds} rounds killed it");
    flow.whole();
}

/// Calls, what the kernel answers instead of doing them, and at which of a thread's calls.
const REFUSALS: [(&str, &str, usize); 10] = [
    ("sendto", "ENOBUFS", 30),
    ("sendto", "ENOMEM", 45),
    ("sendto", "EAGAIN", 60),
    ("recvfrom", "EINTR", 40),
    ("recvfrom", "ENOBUFS", 70),
    ("recvfrom", "ENOMEM", 100),
    ("socket", "EMFILE", 12),
    ("setsockopt", "ENOMEM", 20),
    ("bpf", "ENOMEM", 25),
    ("bpf", "EPERM", 45),
];

/// The agent's connections to the API server that are there now fall silent: nothing passes, nobody says a word.
fn deafen(cluster: &Cluster, node: usize) {
    let table = cluster.nodes[node].run("cat /proc/net/tcp").expect_ok();
    let established = table.lines().filter(|line| line.contains(":192B 01 "));
    let port = |line: &str| u16::from_str_radix(line.split_whitespace().nth(1)?.split_once(':')?.1, 16).ok();
    let ports: Vec<String> = established.filter_map(port).map(|port| port.to_string()).collect();
    assert!(ports.len() > 8, "every watch has one: {table}");
    let ports = ports.join(",");
    for line in [
        "nft add table ip silence".to_owned(),
        "nft add chain ip silence out {type filter hook output priority 0;}".to_owned(),
        "nft add chain ip silence in {type filter hook input priority 0;}".to_owned(),
        format!("nft add rule ip silence out tcp dport 6443 tcp sport {{{ports}}} drop"),
        format!("nft add rule ip silence in tcp sport 6443 tcp dport {{{ports}}} drop"),
    ] {
        cluster.nodes[node].run(&line).expect_ok();
    }
}

#[test]
fn what_the_kernel_refuses_once_is_done_by_the_same_agent_and_one_whose_watches_fell_silent_hears_again() {
    let mut cluster = Cluster::start(2);
    cluster.apply(WORLD);
    let (a, b, d) = (cluster.guest(1, "a"), cluster.guest(1, "b"), cluster.guest(2, "d"));
    a.wait_pings("10.0.0.12");
    d.wait_pings("10.0.0.12");
    cluster.wait("tport/a tport/b tport/d", "Programmed");
    let flow = Flow::start(&a, &b, "10.0.0.12");
    deafen(&cluster, 1);
    cluster.kubectl("delete tport/d");
    let start = Instant::now();
    until("the other node knows", || !cluster.nodes[0].kernel().contains("10.0.0.13"));
    std::thread::sleep(Duration::from_secs(1));
    let plugged = |d: &Guest| d.run("ip link show eth0").ok();
    assert!(plugged(&d), "it hears no word");
    let before = cluster.nodes[0].kernel();
    let (trace, mut refused, mut rounds) = (cluster.nodes[0].run_dir().with_file_name("trace"), 0, 0);
    for (call, error, first) in REFUSALS {
        for nth in sized(vec![first], (1..150).step_by(3).collect()) {
            let inject = format!("inject={call}:error={error}:when={nth}");
            let node = &mut cluster.nodes[0];
            node.kill_agent();
            let (to, only) = (trace.to_str().unwrap(), format!("trace={call}"));
            node.start_agent_under(&["strace", "-D", "-f", "-o", to, "-e", &only, "-e", &inject]);
            // It may be refused what it cannot start without, and says so.
            until("the agent listens, or has ended", || node.has_no_agent() || node.listens());
            if node.has_no_agent() {
                println!("{inject}: it did not start");
                node.start_agent();
                until("the next agent listens", || node.listens());
            }
            ip("netns add k");
            // It may be refused its word with who asks, who asks again then.
            let ask = |node: &Node, line: &str| {
                let said = node.tenet(line);
                let unheard = ["the instance has stopped", "Connection reset"].iter().any(|why| said.err.contains(why));
                if unheard { node.tenet(line) } else { said }
            };
            let plugged = ask(node, "plug k --netns k --timeout 20");
            assert!(plugged.ok(), "{inject}: {plugged:?}");
            assert!(!cluster.nodes[0].has_no_agent(), "{inject}: the agent died of it");
            ip("-n k addr add 10.0.1.11/24 dev eth0\n-n k route add default via 10.0.1.1");
            a.wait_pings("10.0.1.11");
            ask(&cluster.nodes[0], "unplug k").expect_ok();
            ip("netns del k");
            cluster.nodes[0].wait_kernel(&before);
            let hit = std::fs::read_to_string(&trace).unwrap().contains("(INJECTED)");
            println!("{inject}: {hit}");
            (refused, rounds) = (refused + usize::from(hit), rounds + 1);
        }
    }
    assert!(refused * 2 > rounds, "{refused} of {rounds} calls were refused");
    cluster.nodes[0].kill_agent();
    cluster.nodes[0].start_agent();
    flow.whole();
    // Three probes 5 s apart, after 15 s without a word; then the watch is asked for again.
    let deadline = Duration::from_secs(45);
    while plugged(&d) {
        assert!(start.elapsed() < deadline, "it still believes that d is there");
        std::thread::sleep(Duration::from_millis(200));
    }
    println!("heard again within {:?}", start.elapsed());
}

#[test]
fn a_wire_between_nodes_that_is_cut_and_healed_takes_nothing_with_it() {
    let world = World::start(&[]);
    let (gateway, before, flows) = (world.gateway(), world.kernel(), world.flows());
    // Not the node that translates: that one would rightly be taken for dead.
    let cut = if gateway == "node-1" { 2 } else { 1 };
    ip(&format!("link set u{cut} down"));
    std::thread::sleep(Duration::from_secs(sized(4, 60)));
    assert_eq!(before, world.kernel());
    assert!(world.a.pings("10.0.0.13"), "on a node nobody notices");
    ip(&format!("link set u{cut} up"));
    world.passes();
    assert_eq!(before, world.kernel());
    assert_eq!(world.gateway(), gateway);
    let stopped = if cut == 2 { vec!["between nodes", "to the outside"] } else { vec!["between nodes"] };
    flows.hold_but(&stopped);
    world.serves("late");
    let whole = world.flows();
    std::thread::sleep(Duration::from_secs(1));
    whole.hold();
}
