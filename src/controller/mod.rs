//! A cluster's controller: it gives addresses, segments and gateway nodes, and says what becomes of every object. It never
//! touches a node.
//!
//! ```text
//! watches ─► Mirror ─► decide ─► Queue ─► API server
//!              ▲                            │ what it answers
//!              └────────────────────────────┘
//! ```

mod assumed;
pub mod decide;
mod election;
pub mod figures;
mod pods;
pub mod pulse;
pub mod queue;
mod run;
mod width;

pub use run::{Options, run};
