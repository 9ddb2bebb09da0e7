//! Tenet: tenant networks for Kubernetes, declared.
//!
//! ```text
//!     what users write            it means                  what one node must hold
//!    ┌──────────┐   link   ┌───────────────────┐   view   ┌──────────┐  render  ┌─────────────────┐
//!    │ Snapshot ├─────────►│ Topology+Problems ├─────────►│ NodeView ├─────────►│ State (desired) ├─┐
//!    │ (YAML)   │          └─────────┬─────────┘          └──────────┘          └─────────────────┘ │ diff  ┌──────┐ apply
//!    └────▲─────┘                    │ problems                                 ┌─────────────────┐ ├──────►│ Plan ├──────► kernel
//!         │ watch                    ▼                                observe   │ State (observed)├─┘       └──────┘   │
//!       files  ◄──────────────── conditions ◄───────────── report ◄─────────────┴───────▲─────────┘◄───────────────────┘
//! ```
//! Six nouns, six verbs, the same in every file. Everything between *watch* and *apply* is a synchronous function of its
//! arguments: no client, no clock, no environment, no kernel. [`local`] reads the Snapshot from files and walks the whole
//! line in one process. `tenet plan` walks it as far as the Plan and prints that: the dry run.
//!
//! # Layers
//! Each names itself and those before it, and none after; a test reads the source for it.
//!
//! - [`api`]: what users write: types, schema, columns.
//! - [`model`]: what it means: references, clashes, addresses ([`model::link`]), and what of it one node must realise.
//! - [`dataplane`]: what one node holds, a file for each network function. Pure, but for [`dataplane::kernel`], the hands,
//!   which [`agent`] alone moves.
//! - [`agent`]: observes, applies, observes again, reports.
//! - [`local`]: files in the place of an API server.
//! - [`cli`]: arguments in, text and an exit code out. [`config`] alone reads the environment.
//!
//! # Invariants
//! 1. `link` never fails: one bad object becomes one problem, which becomes one condition; the rest of the world goes on.
//! 2. What is not ours is never in a `State`, so `diff` cannot delete it. [`dataplane::names`] alone makes and recognises
//!    our names, and says for each kind how a restarted agent, with no memory, knows its own.
//! 3. The agent never allocates, who allocates never touches a node, and nobody writes a user's `spec`.
//! 4. No kernel change before everything was read; no removal for a list that is suddenly empty or halved until it was
//!    read again and confirmed.
//! 5. The end state depends on the last desired state and on what is recorded, never on the order of events. Of two objects
//!    that clash, the one already Accepted stays, else the older, else the smaller namespace and name. Apply goes on past
//!    failures, and is believed only after observing again; at most three passes.
//! 6. Closed before open: a port forwards nothing before its guards are in place. Forwarding goes on when the agent dies.
//! 7. An unresolved reference means "nothing", never "any".
//! 8. No shell, and no text templating of what users wrote.
pub mod agent;
pub mod api;
pub mod cli;
pub mod config;
pub mod dataplane;
pub mod local;
pub mod model;
