//! A router's rules, by packets. Needs root, `ip`, `ping`, `nft` and `arping`.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod guards;
mod nat;
mod restored;
mod world;
