//! The plugin as container runtimes call it: the real binary, the real environment and input, an agent, and namespaces.
#![allow(missing_docs, clippy::pedantic, reason = "tests are read, not called")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "how a test fails")]

#[path = "../support/mod.rs"]
mod support;

mod chain;
mod hostile;
mod pods;
mod runtime;
mod silence;
