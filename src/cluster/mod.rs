//! What the controller and the agents of a cluster share: the way to the API server.
//!
//! ```text
//! API server ─watch─► News ─► Mirror (a Snapshot) ─► whoever decides ─► Write ─► API server
//!                               ▲                                          │
//!                               └───────────── what the server answers ◄───┘
//! ```
//! Deciding is a synchronous function of the mirror; waiting happens only in [`watch`] and [`write`].

pub mod client;
pub mod event;
pub mod evidence;
pub mod figures;
mod guard;
pub mod lease;
pub mod mirror;
mod multus;
pub mod pods;
pub mod probes;
pub mod read;
pub mod share;
pub mod sieve;
mod token;
pub mod watch;
pub mod write;

/// Name of the controller's field manager.
pub const CONTROLLER: &str = "tenet-controller";
/// What the names of agents' field managers begin with; the node's name follows.
pub const AGENT: &str = "tenet-agent";
/// The finalizer of objects that others may depend on.
pub const FINALIZER: &str = "tenet.network/in-use";
/// The namespace of the controller and its Lease.
pub const NAMESPACE: &str = "tenet-system";
/// The namespace of the agents' Leases.
pub const AGENTS: &str = "tenet-agents";
