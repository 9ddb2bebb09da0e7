//! A cluster's node: an [`Agent`](crate::agent::Agent) that takes its objects from an API server and reports there.
//!
//! ```text
//! API thread: watches ─┐                 ┌─► writes, leases
//!                 Told │                 │ Order
//! loop:                └─► Mirror ─link─► view ─► Agent ─report─┘      clients ─► plugs
//! ```
//! The loop is one thread that sleeps until the API thread, a client, the kernel, a signal or a deadline wakes it; it never
//! waits for the API server. What the kernel forwards goes on without both.

pub mod api;
mod claims;
mod doubts;
mod elsewhere;
mod fence;
pub mod figures;
pub mod handover;
mod heart;
mod heed;
mod lean;
mod migration;
pub mod myself;
mod pairs;
mod plugs;
mod probe;
mod rehearsal;
mod rules;
mod run;
mod speak;
pub mod watches;
mod words;
mod world;

pub use rehearsal::plans;
pub use run::{Options, run};
