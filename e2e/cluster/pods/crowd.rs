//! Pods that ask for nothing cost next to nothing.

use std::fs;

use serde_json::Value;

use super::{WORLD, pod};
use crate::faults::sized;
use crate::nodes::{CONTROLLER_METRICS, Cluster, SERVER};
use crate::page::{figure, get, writes};
use crate::support::until;

/// A field of a process's status, KiB.
fn memory(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches("kB").trim().parse().unwrap()
}

/// Time that a process has spent, in hundredths of a second.
fn spent(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn decisions() -> u64 {
    let page = get(&format!("{SERVER}:{CONTROLLER_METRICS}"), "/metrics").1;
    figure(&page, "tenet_reconcile_duration_seconds_count")
}

#[test]
fn pods_that_ask_for_nothing_cost_next_to_nothing() {
    let mut cluster = Cluster::start(0);
    cluster.apply(WORLD);
    cluster.wait("tport/kept", "Ready");
    // What was read at the start is not what is compared.
    cluster.kill_controller(0);
    cluster.revive_controller();
    let settled = |cluster: &Cluster, name: &str| {
        cluster.pods(&[pod(name, &[("networks", "blue")])]);
        until("a pod that asks is served", || cluster.owned().iter().any(|(port, _)| *port == format!("{name}-net1")));
        cluster.wait(&format!("tport/{name}-net1"), "Ready");
    };
    settled(&cluster, "one");
    let count = sized(400, 10_000);
    let (before, decided, written, time) = (
        memory(cluster.controller_pid(0), "VmRSS"),
        decisions(),
        writes(&cluster)[0],
        spent(cluster.controller_pid(0)),
    );
    let plain: Vec<Value> = (0..count).map(|n| pod(&format!("p{n}"), &[])).collect();
    std::thread::scope(|scope| {
        for part in plain.chunks(count / 4) {
            scope.spawn(|| cluster.pods(part));
        }
    });
    let pid = cluster.controller_pid(0);
    let (after, more, spent_on) = (memory(pid, "VmRSS"), decisions() - decided, spent(pid) - time);
    println!("{count} pods came: {before} KiB, then {after} KiB; {more} decisions; {spent_on}0 ms");
    assert_eq!(writes(&cluster)[0], written);
    // The time of its life passes meanwhile: the lease, and a look now and then.
    assert!(more < 20 + u64::try_from(count).unwrap() / 100, "{more}");
    assert!(after < before + 6 * 1024, "{before} KiB, then {after} KiB");

    cluster.kill_controller(0);
    cluster.revive_controller();
    settled(&cluster, "two");
    let again = memory(cluster.controller_pid(0), "VmRSS");
    println!("started again: {again} KiB, {} KiB at most", memory(cluster.controller_pid(0), "VmHWM"));
    assert!(again < before + 6 * 1024, "{before} KiB, then {again} KiB");
}
