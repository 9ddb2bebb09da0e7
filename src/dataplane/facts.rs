//! What a node has: read before rendering, so that what it lacks is refused instead of half done.

use std::collections::BTreeMap;

use crate::dataplane::filter::Filtering;
use crate::dataplane::sysctls::Sysctls;

/// What a node has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Whether the kernel has IEEE 802.1Q.
    pub vlan: bool,
    /// Whether the host's iptables see the frames of its bridges (`bridge-nf-call-iptables`).
    pub bridge_filtered: bool,
    /// How ports are filtered.
    pub filtering: Filtering,
    /// Links of the host that are wires.
    pub links: BTreeMap<String, HostLink>,
    /// Interfaces of the host that were moved in, by their name in the host, and their MTU.
    pub moved_in: BTreeMap<String, u32>,
    /// What our namespaces are to be set to, of what this kernel has.
    pub sysctls: Sysctls,
}

/// A link of the host.
#[allow(clippy::struct_excessive_bools, reason = "four independent questions, each answered by itself")]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostLink {
    /// Whether it is a bridge.
    pub bridge: bool,
    /// MTU, bytes.
    pub mtu: u32,
    /// Whether it carries an address, other than an IPv6 link-local one, or a default route leaves through it. Also true
    /// where nobody asked: that matters only for what would be moved in whole.
    pub carries: bool,
    /// Whether it is a port of a bridge or a bond.
    pub enslaved: bool,
    /// Whether it is the loopback.
    pub loopback: bool,
}
