//! Octets in the store that the API server itself cannot read: it gives no list of such a kind any more, and ends all watches.

use std::time::Duration;

use super::lists::stored;
use super::{World, audit, etcd};
use crate::page::converged;
use crate::support::until;

/// What no server decodes.
const OCTETS: &[u8] = b"\x00\xffno object";

/// What lies where beside what is good.
const JUNK: [(&str, &str); 3] = [("ports", "default/junk"), ("networks", "default/junk"), ("allocations", "junk")];

#[test]
fn octets_that_no_server_can_read_blind_everybody_and_take_nothing_away() {
    let mut world = World::start(&[]);
    let (before, gateway, flows) = (world.kernel(), world.gateway(), world.flows());
    let lists = |world: &World| world.cluster.plane.kubectl(&["get", "tport"], "").status.success();
    let complaints = |world: &World| world.cluster.said().matches("does not answer a watch").count();

    // Beside what is good, and in the place of a port that is plugged.
    let good = stored(&world.cluster, "b").to_string();
    for (resource, name) in JUNK {
        etcd::put(resource, name, OCTETS);
    }
    etcd::put("ports", "default/b", OCTETS);
    until("no ports are listed", || !lists(&world));
    // The server holds watches open for half a minute, on which it says nothing; one that starts has none to give.
    let said = complaints(&world);
    world.cluster.plane.kill("kube-apiserver");
    world.cluster.plane.revive("kube-apiserver");
    world.cluster.plane.wait_until_ready();
    until("controller and agents say so, of each kind", || complaints(&world) >= said + 7);
    // Who starts now learns nothing, and does nothing.
    world.cluster.start_controller();
    world.cluster.kill_controller(0);
    world.cluster.nodes[0].kill_agent();
    world.cluster.nodes[0].start_agent();
    // A port goes meanwhile, past everybody.
    etcd::delete("ports", "default/x");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(before, world.kernel(), "who cannot know what there is takes nothing away");
    assert!(!lists(&world));

    for (resource, name) in JUNK {
        etcd::delete(resource, name);
    }
    etcd::put("ports", "default/b", good.as_bytes());
    until("ports are listed", || lists(&world));
    converged(&world.cluster.nodes[0]);
    until("the guest of the port that has gone is unplugged", || !world.x.run("ip link show eth0").ok());
    world.serves("late");
    assert_eq!(world.gateway(), gateway);
    flows.hold();
    world.passes();
    audit::balances(&world.cluster);
}
