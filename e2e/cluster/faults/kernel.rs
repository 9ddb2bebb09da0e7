//! Faults of a node: its agent dies between two messages to the kernel, its wire is cut.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{World, sized};
use crate::flow::Flow;
use crate::nodes::Cluster;
use crate::support::{ip, until};

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}]}
Network green
Subnet db {networkRef: {name: green}, cidr: 10.0.1.0/24}
Router r {interfaces: [{subnetRef: {name: web}}, {subnetRef: {name: db}}]}
Port k {networkRef: {name: green}, addresses: [{ip: 10.0.1.11}]}";

/// How often the thread of a traced agent that sent most has sent.
fn sends(trace: &str) -> usize {
    let mut threads: BTreeMap<&str, usize> = BTreeMap::new();
    for line in trace.lines().filter(|line| line.contains("sendto(")) {
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
    round(&mut cluster, &["strace", "-D", "-f", "-o", trace.to_str().unwrap(), "-e", "trace=sendto"]);
    ip("netns del k");
    let all = sends(&std::fs::read_to_string(trace).unwrap());
    println!("{all} messages");
    assert!(all > 20, "{all}");
    let rounds = sized(6, all);
    let mut deaths = 0;
    for nth in (1..=rounds).map(|n| (all * n / rounds).max(1)) {
        let kill = format!("inject=sendto:signal=KILL:when={nth}");
        deaths += usize::from(round(
            &mut cluster,
            &["strace", "-D", "-f", "-o", "/dev/null", "-e", "trace=sendto", "-e", &kill],
        ));
        let plugged = cluster.nodes[0].tenet("plug k --netns k");
        assert!(plugged.ok(), "{nth}: {plugged:?}");
        ip("-n k addr add 10.0.1.11/24 dev eth0\n-n k route add default via 10.0.1.1");
        a.wait_pings("10.0.1.11");
        cluster.nodes[0].tenet("unplug k").expect_ok();
        ip("netns del k");
        until("nothing of it is left", || cluster.nodes[0].kernel() == before);
    }
    println!("{deaths} deaths");
    assert!(deaths * 2 > rounds, "{deaths} of {rounds} rounds killed it");
    let counted = flow.end();
    assert_eq!((counted.lost, counted.doubled), (0, 0), "{counted:?}");
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
