//! Many pods that come and go, and controllers that die meanwhile.

use std::time::Instant;

use super::{WORLD, pod};
use crate::faults::audit::{balances, items};
use crate::faults::sized;
use crate::nodes::Cluster;
use crate::page::writes;
use crate::support::until;

#[test]
fn of_pods_that_come_and_go_in_a_storm_nothing_is_left() {
    let mut cluster = Cluster::start(0);
    cluster.apply(WORLD);
    cluster.wait("tport/kept", "Ready");
    let count = sized(200, 1000);
    let storm: Vec<_> = (0..count).map(|n| pod(&format!("p{n}"), &[("networks", "blue")])).collect();
    let (start, before) = (Instant::now(), writes(&cluster)[0]);
    cluster.pods(&storm);
    let created = start.elapsed();
    let ready = || {
        let all = cluster.kubectl("get tport -o jsonpath={.items[*].status.conditions[?(@.type==\"Ready\")].status}");
        all.matches("True").count() == count + 1
    };
    until("each has its Port", ready);
    println!("{count} pods: created in {created:?}, all Ports Ready after {:?}", start.elapsed());
    // A Port, an Allocation and a status each; the subnet's counts come to a few more.
    let written = writes(&cluster)[0] - before;
    println!("writes: {written}");
    assert!(written < u64::try_from(count).unwrap() * 33 / 10, "{written}");
    balances(&cluster);

    // All go, half come back under the same names, and the controller dies in the middle of it.
    let start = Instant::now();
    cluster.kubectl("delete pods --all --force --grace-period=0 --wait=false");
    cluster.pods(&storm[..count / 2]);
    cluster.kill_controller(0);
    cluster.revive_controller();
    until("half of them have Ports of their own", || {
        let pods: Vec<String> =
            items(&cluster, "pods").iter().map(|pod| pod["metadata"]["uid"].as_str().unwrap().into()).collect();
        let owned = cluster.owned();
        owned.len() == count / 2 && owned.iter().all(|(_, owner)| pods.contains(owner))
    });
    println!("all gone and half back after {:?}", start.elapsed());
    cluster.kubectl("delete pods --all --force --grace-period=0 --wait=false");
    until("nothing is left", || cluster.owned().is_empty());
    balances(&cluster);
    // One address, and a segment for each network.
    assert_eq!(items(&cluster, "allocations").len(), 3);
    println!("nothing left after {:?}", start.elapsed());
}
