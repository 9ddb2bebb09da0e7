//! What the objects mean: references resolved, clashes judged, addresses chosen. Pure.
//!
//! [`link`] turns a [`Snapshot`] into a [`Topology`](topology::Topology) and problems; `Topology::view`
//! cuts out the [`NodeView`] that one node realises. No client, no clock, no kernel.

pub mod active;
pub mod agent;
pub mod allocation;
pub mod chart;
pub mod cold;
mod cut;
pub mod dhcp_option;
pub mod diagnosis;
mod entry;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot begin ends there")]
#[allow(clippy::must_use_candidate, clippy::missing_panics_doc, reason = "tests are its only callers")]
pub mod fixtures;
pub mod group;
pub mod id;
pub mod ipam;
mod link;
pub mod locks;
pub mod moved;
pub mod object;
pub mod pod;
pub mod report;
pub mod security;
pub mod snapshot;
pub mod status;
#[cfg(test)]
mod tests;
pub mod topology;
mod uses;
pub mod valid;
pub mod view;
mod written;

pub use id::{Id, Key, Kind, Uid};
pub use link::{Linker, Role, link};
pub use report::{Remark, Report};
pub use snapshot::Snapshot;
pub use topology::{Problem, Problems, Topology};
pub use view::NodeView;
