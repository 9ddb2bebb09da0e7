//! One host, from YAML to packets: the real binary, real guests.

#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod first;
mod floating;
mod routing;
