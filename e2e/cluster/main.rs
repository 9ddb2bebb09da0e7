//! A cluster on one machine: real control plane, controller and agents as processes, real packets.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../control_plane.rs"]
mod control_plane;
#[path = "../overlay/flow.rs"]
mod flow;
mod nodes;
#[path = "../support/mod.rs"]
mod support;

mod apart;
mod drain;
mod fallen;
mod faults;
mod first;
mod groups;
mod health;
mod life;
mod look;
mod migrate;
mod moves;
mod page;
mod pairs;
mod pods;
mod probes;
mod rights;
mod separate;
mod spy;
