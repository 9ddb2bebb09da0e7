//! The figures of a cluster: three nodes, controller, etcd and API server on the same machine (root needed).
//!
//! `make bench-cluster`, or `make bench-cluster ROWS="one burst"`; `-o json` prints a line of JSON for each row.
#![allow(missing_docs, clippy::pedantic, clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

#[path = "../bed/mod.rs"]
mod bed;
#[path = "../control_plane.rs"]
mod control_plane;
#[path = "../bench/dhcp.rs"]
mod dhcp;
#[path = "../bench/guest.rs"]
mod guest;
#[path = "../bench/lane.rs"]
mod lane;
#[path = "../bench/meter.rs"]
mod meter;
#[path = "../cluster/nodes.rs"]
mod nodes;
#[path = "../cluster/page.rs"]
mod page;
#[path = "../bench/plug.rs"]
mod plug;
#[path = "../bench/row.rs"]
mod row;
#[path = "../bench/rows.rs"]
mod rows;
#[path = "../support/mod.rs"]
mod support;
#[path = "../bench/yaml.rs"]
mod yaml;

mod api;
mod crowd;
mod groups;
mod kubelets;
mod moves;
mod outside;
mod overlay;
mod ports;
mod roll;
mod world;

use rows::Group;

const GROUPS: [Group; 9] = [
    (&["one", "burst", "offer", "restart", "memory", "rates"], ports::rows),
    (&["gateway", "floating-ip", "routers", "resync"], outside::rows),
    (&["overlay"], overlay::rows),
    (&["rule", "member"], groups::rows),
    (&["move", "migrate", "migrate-lost", "takeover"], moves::rows),
    (&["kubelets"], kubelets::rows),
    (&["crowd"], crowd::rows),
    (&["roll"], roll::rows),
    (&["never-seen", "in-place", "foreign"], world::rows),
];

fn main() {
    rows::main(&GROUPS);
}
