//! Tenet: tenant networks for Kubernetes, declared.
//!
//! ```text
//!      what users write            what it means                what one node must hold
//!     ┌──────────┐   link   ┌───────────────────┐   view   ┌──────────┐  render  ┌─────────────────┐
//!     │ Snapshot ├─────────►│ Topology+Problems ├─────────►│ NodeView ├─────────►│ State (desired) ├─┐
//!     │ (the CRs)│          └─────────┬─────────┘          └──────────┘          └─────────────────┘ │ diff  ┌──────┐ apply
//!     └────▲─────┘                    │ problems                                 ┌─────────────────┐ ├──────►│ Plan ├──────► kernel
//!          │ watch                    ▼                                observe   │ State (observed)├─┘       └──────┘   │
//!        files ◄───────────────── conditions ◄───────────── report ◄─────────────┴───────▲─────────┘◄───────────────────┘
//! ```
//!
//! Six nouns, six verbs, the same in every file. Everything between *watch* and *apply* is a synchronous function of its
//! arguments: no client, no clock, no environment, no kernel.
//!
//! # Layers
//! Arrows point down only; `e2e/layers` reads the `use` lines.
//! - [`cli`]: arguments and printing; [`config`]: the only reader of the environment.
//! - [`node`]: an agent that takes its objects from an API server and reports there.
//! - [`controller`]: a cluster's: it allocates and judges; it never touches a node.
//! - [`cluster`]: what these two share: the way to the API server.
//! - [`local`]: files instead of an API server.
//! - [`cni`]: what a container runtime asks for a pod, as a question to the agent; and the link in a node's chain.
//! - [`agent`]: converges one node and reports.
//! - [`dataplane`]: what one node holds, pure but for `kernel`, the only code that touches a node.
//! - [`model`]: what the objects mean. Pure.
//! - [`api`]: what users write: types, schema, columns. No behaviour.
//!
//! # Invariants
//! 1. `link` never fails: one bad object becomes one problem, which becomes one condition; the rest of the world goes on.
//! 2. What is not ours is never in a `State`, so `diff` cannot delete it. `dataplane::names` alone makes and recognises our
//!    names, and says for each kind how a restarted agent, with no memory, knows its own.
//! 3. The agent never allocates; the controller never touches a node; nobody writes a user's `spec`.
//! 4. No kernel change before all files were read; no removal because a folder is suddenly empty or halved, until confirmed.
//! 5. The end state depends on what is wanted last and on what is recorded, never on the order of events. Of two objects
//!    that clash, the one already accepted stays, else the older, else the smaller namespace and name. Apply continues past
//!    failures; it is believed only after observing again; at most three passes.
//! 6. Closed before open: rules stand before links. Forwarding goes on when the agent dies.
//! 7. An unresolved reference means "nothing", never "any".
//! 8. No shell and no text templating of user data.

pub mod agent;
pub mod api;
pub mod cli;
pub mod cluster;
pub mod cni;
pub mod config;
pub mod controller;
pub mod dataplane;
pub mod local;
pub mod model;
pub mod node;
