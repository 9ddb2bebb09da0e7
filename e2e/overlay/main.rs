//! Several nodes and what crosses between them, without an API server: views of one snapshot, a real agent on each node.
#![allow(missing_docs, clippy::pedantic, reason = "tests are read, not called")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "how a test fails")]

#[path = "../support/mod.rs"]
mod support;

mod flow;
mod guard;
mod node;
mod outside;
mod routed;
mod scale;
mod segment;
mod world;
