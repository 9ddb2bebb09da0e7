//! What the objects mean: references resolved, clashes judged, addresses chosen. Pure.
//!
//! [`link`](topology::link) turns a [`Snapshot`] into a [`Topology`](topology::Topology) and problems; `Topology::view`
//! cuts out the [`NodeView`] that one node realises. No client, no clock, no kernel.

pub mod dhcp_option;
pub mod id;
pub mod report;
pub mod snapshot;
pub mod status;
pub mod topology;
pub mod valid;
pub mod view;

pub use id::{Id, Key, Kind, Uid};
pub use report::{Remark, Report};
pub use snapshot::Snapshot;
pub use topology::{Problem, Problems, Topology, link};
pub use view::NodeView;
