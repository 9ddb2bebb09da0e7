//! Tests of what objects mean together, from objects to topology, view and statuses.
#![allow(clippy::unwrap_used, clippy::panic)]

mod addresses;
mod cluster;
mod cold;
mod diagnosis;
mod floating;
mod pairs;
mod physical;
mod properties;
mod references;
mod refusals;
mod release;
mod routers;
mod security;
mod statuses;
