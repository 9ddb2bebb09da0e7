//! Port security and security groups, on real guests, by packets: what must pass does, and what is forged does not.
#![allow(missing_docs, clippy::pedantic, reason = "tests are read, not called")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "how a test fails")]

#[allow(dead_code, reason = "the comparison with the words uses them, too")]
#[path = "../filter/frames.rs"]
mod frames;
#[path = "../support/mod.rs"]
mod support;

mod groups;
mod hostile;
mod kinds;
mod rows;
mod wire;
