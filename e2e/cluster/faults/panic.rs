//! A thread that panics ends the whole program, as if it were killed; nothing that forwards notices.

use std::process::{Command, Stdio};

use super::World;
use crate::page::converged;
use crate::support::until;

#[test]
fn an_agent_one_thread_of_which_panics_ends_as_a_whole_and_costs_no_packet() {
    let mut world = World::start(&[]);
    let (before, gateway, flows) = (world.kernel(), world.gateway(), world.flows());
    let (silent, victim) = if gateway == "node-1" { (0, 1) } else { (1, 0) };
    // No memory for another thread: tokio panics where it needs one, as it does to ask a silent node whether it lives.
    let pid = world.cluster.nodes[victim].pid().to_string();
    let inject =
        ["-f", "-o", "/dev/null", "-e", "trace=clone,clone3", "-e", "inject=clone,clone3:error=ENOMEM", "-p", &pid];
    let mut strace = Command::new("strace").args(inject).stderr(Stdio::null()).spawn().unwrap();
    world.cluster.nodes[silent].kill_agent();
    until("the other agent ends", || world.cluster.nodes[victim].has_no_agent());
    strace.wait().unwrap();
    let log = world.cluster.nodes[victim].log();
    assert!(log.contains("thread 'api'") && log.contains("panicked"), "{log}");
    assert_eq!(before, world.kernel());
    for node in &mut world.cluster.nodes {
        node.start_agent();
        converged(node);
    }
    assert_eq!(before, world.kernel());
    assert_eq!(world.gateway(), gateway);
    world.serves("late");
    flows.hold();
}
