//! The figures of the product, each with its target, on the machine that this runs on (root needed).
//!
//! `make bench`, or `make bench ROWS="ping build"`; `-o json` prints a line of JSON for each row. Every group of rows has a
//! host of its own (network and mount namespaces), which ends with its thread.
#![allow(missing_docs, clippy::pedantic, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code, reason = "tests of the plugin use all of it")]
#[path = "../cni/runtime.rs"]
mod runtime;
#[path = "../support/mod.rs"]
mod support;

mod crowd;
mod dhcp;
mod floating;
mod groups;
mod guest;
mod lane;
mod meter;
mod paths;
mod plug;
mod pods;
mod ports;
mod row;
mod rows;
mod thousand;
mod yaml;

use rows::Group;

const GROUPS: [Group; 8] = [
    (&["ping", "dhcp"], ports::rows),
    (&["build", "idle", "restart", "delete"], thousand::rows),
    (&["add"], crowd::rows),
    (&["pass", "pod"], pods::rows),
    (&["kills"], paths::kills),
    (&["same-node", "routed", "snat", "floating"], paths::rows),
    (&["floating-many"], floating::rows),
    (&["filtered", "rule", "filtered-start", "tables"], groups::rows),
];

fn main() {
    rows::main(&GROUPS);
}
