//! What a node has: read before rendering, so that what it lacks is refused instead of half done.

use std::collections::{BTreeMap, BTreeSet};

/// What a node has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Whether the kernel has IEEE 802.1Q.
    pub vlan: bool,
    /// Whether the host's iptables see the frames of its bridges (`bridge-nf-call-iptables`).
    pub bridge_filtered: bool,
    /// The host's links.
    pub links: BTreeMap<String, HostLink>,
    /// Interfaces of the host that were moved in, by their name in the host, and their MTU.
    pub moved_in: BTreeMap<String, u32>,
    /// Sysctls that a namespace here has, of those that we set; paths below `/proc/sys/net`.
    pub sysctls: BTreeSet<String>,
}

/// A link of the host.
#[allow(clippy::struct_excessive_bools, reason = "five independent questions, each answered by itself")]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostLink {
    /// Whether it is a bridge.
    pub bridge: bool,
    /// MTU, bytes.
    pub mtu: u32,
    /// Whether it carries an address, other than an IPv6 link-local one.
    pub addressed: bool,
    /// Whether a default route leaves through it.
    pub default_route: bool,
    /// Whether it is a port of a bridge or a bond.
    pub enslaved: bool,
    /// Whether it is the loopback.
    pub loopback: bool,
}
