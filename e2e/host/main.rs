//! One host, from YAML to packets: the real binary, real guests.
#![allow(missing_docs, clippy::pedantic, reason = "tests are read, not called")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "how a test fails")]

#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod capabilities;
mod closed;
mod commands;
mod faults;
mod files;
mod first;
mod floating;
mod foreign;
mod hostile;
mod pairs;
mod references;
mod routing;
mod taps;
mod vm;
mod wires;
