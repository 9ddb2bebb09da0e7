//! One host, from YAML to packets: the real binary, real guests.

#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod faults;
mod first;
mod floating;
mod references;
mod routing;
