//! Our own namespaces are deleted, with accounts, Leases and all, while everything runs.

use std::time::Duration;

use super::{World, audit};
use crate::nodes::INSTALL;
use crate::page::converged;
use crate::support::until;

#[test]
fn our_namespaces_that_are_deleted_cost_no_packet_and_all_goes_on_once_they_are_installed_again() {
    let mut world = World::start(&[]);
    // Rights go before those who have them.
    world.cluster.forbids = true;
    let (before, gateway, flows) = (world.kernel(), world.gateway(), world.flows());
    world.cluster.kubectl("delete namespace tenet-system tenet-agents --timeout=60s");
    // Nobody is known to the server any more, and nobody's heartbeat is heard.
    until("they are strangers", || world.cluster.said().contains("Unauthorized"));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(before, world.kernel());
    // Their pods are ended then.
    world.cluster.kill_controller(0);
    world.cluster.nodes.iter_mut().for_each(crate::nodes::Node::kill_agent);
    world.cluster.kubectl(&format!("apply --server-side --force-conflicts -f {INSTALL}"));
    world.cluster.renew_tokens();
    world.cluster.start_controller();
    for node in &mut world.cluster.nodes {
        node.start_agent();
        converged(node);
    }
    assert_eq!(before, world.kernel());
    world.serves("late");
    assert_eq!(world.gateway(), gateway);
    flows.hold();
    world.passes();
    audit::balances(&world.cluster);
}
