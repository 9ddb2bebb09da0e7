//! What there is of pods in the API and on nodes, so that what is left of those that went is seen.

use std::collections::BTreeSet;
use std::fs;

use aya::maps::{HashMap, Map, MapData};
use tenet::dataplane::kernel::filter::tables::Tables;
use tenet::dataplane::state::State;

use crate::bed::{Bed, Node};
use crate::support::Guest;

/// All of it, a line each. Pods that live must be the same at both looks.
pub fn traces(bed: &Bed) -> BTreeSet<String> {
    let objects = bed.kubectl("get ports.tenet.network,allocations.tenet.network -A -o name");
    let mut all: BTreeSet<String> = objects.lines().map(str::to_owned).collect();
    for node in &bed.nodes {
        all.extend(on(node).into_iter().map(|line| format!("{}: {line}", node.name)));
    }
    all
}

fn on(node: &Node) -> Vec<String> {
    let vswitch = Guest { name: "vswitch".into(), path: node.path("/run/tenet/vswitch") };
    let mut all = Vec::new();
    if !vswitch.path.exists() {
        return all;
    }
    // Whoever was asked for last is remembered for a while by any kernel.
    let shown = ["-o link", "-o addr", "route show table all", "neigh show nud permanent"];
    for (place, guest) in [("node", node.station()), ("vswitch", vswitch)] {
        for what in shown {
            let said = guest.run(&format!("ip {what}")).expect_ok();
            let name = |line: &str| line.split(": ").nth(1).unwrap_or_default().to_owned();
            let line_of = |line: &str| if what == "-o link" { name(line) } else { line.trim().to_owned() };
            let (first, others): (Vec<_>, Vec<_>) = said.lines().map(line_of).partition(|line| line.contains("veth"));
            all.extend(others.into_iter().map(|line| format!("{place}: ip {what}: {line}")));
            // Of the first network, whose names and addresses are new after a restart.
            all.push(format!("{place}: ip {what}: {} lines of the first network", first.len()));
        }
    }
    let record = fs::read_to_string(node.path("/var/lib/tenet/plugged.json")).unwrap();
    let record: Vec<serde_json::Value> = serde_json::from_str(&record).unwrap();
    all.extend(record.iter().map(|line| format!("plugged: {}", line["name"])));
    all.extend(node.run("find /run/tenet -printf %P\\n").expect_ok().lines().map(|path| format!("pin {path}")));
    all.extend(entries(node));
    all
}

/// What the packet filters go by: ports, groups, members, and the counts of flows.
fn entries(node: &Node) -> Vec<String> {
    let found = node.run("find /run/tenet -name shares").expect_ok();
    let tables = node.path(found.lines().next().expect("filters are there").trim_end_matches("shares"));
    let mut state = State::default();
    Tables::open(&tables).unwrap().observe(&mut state).unwrap();
    let mut all: Vec<String> = state.0.keys().map(|item| format!("filter: {item:?}")).collect();
    let shares = Map::HashMap(MapData::from_pin(tables.join("shares")).unwrap());
    let shares: HashMap<_, [u8; 8], [u8; 4]> = shares.try_into().unwrap();
    all.extend(shares.keys().map(|port| format!("share of port {:?}", port.unwrap())));
    all
}

/// Waits until there is what was, and nothing else.
#[track_caller]
pub fn wait_same(bed: &Bed, before: &BTreeSet<String>) -> std::time::Duration {
    let start = std::time::Instant::now();
    loop {
        let now = traces(bed);
        if now == *before {
            return start.elapsed();
        }
        let (left, missing): (Vec<_>, Vec<_>) = (now.difference(before).collect(), before.difference(&now).collect());
        assert!(start.elapsed() < crate::bed::PATIENCE, "left: {left:#?} missing: {missing:#?}");
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
}
