//! What a node holds: the narrow waist between what is wanted and the kernel.
//!
//! The order of [`Item`] is the order of creation: a [`State`] walked forwards makes parents before children,
//! walked backwards it removes children first. What is not ours never stands in a `State`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::api::MacAddr;
use crate::dataplane::nft::Ruleset;
use crate::model::Id;

/// Name of a network interface, 1 to 15 bytes.
pub type IfName = Arc<str>;

/// A network namespace that we touch.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Netns {
    /// Where Tenet was started: the host's own interfaces.
    Host,
    /// All bridges.
    Vswitch,
    /// One router; the name is made by `names`.
    Router(Arc<str>),
}

/// One thing in a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Item {
    /// A network namespace of ours.
    Namespace(Netns),
    /// Its sysctls.
    Sysctls(Netns),
    /// Its nft tables: they stand before any link, so that nothing passes unfiltered.
    Ruleset(Netns),
    /// A link that is made by itself: bridge, macvlan, VLAN, an interface moved in, the first end of a veth pair.
    Link(Netns, IfName),
    /// The second end of a veth pair, made with the first.
    Peer(Netns, IfName),
    /// A station behind a bridge port; static and sticky.
    Fdb(Netns, IfName, MacAddr),
    /// A permanent neighbour.
    Neighbour(Netns, IfName, IpAddr),
    /// An address of a link.
    Address(Netns, IfName, IpNet),
    /// A route of the main table.
    Route(Netns, IpNet),
}

impl Item {
    /// The namespace that the item is in.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        match self {
            Self::Namespace(n)
            | Self::Sysctls(n)
            | Self::Ruleset(n)
            | Self::Link(n, _)
            | Self::Peer(n, _)
            | Self::Fdb(n, ..)
            | Self::Neighbour(n, ..)
            | Self::Address(n, ..)
            | Self::Route(n, _) => n,
        }
    }
}

/// How one thing is to be, or is.
#[derive(Clone, Debug, PartialEq)]
pub enum Spec {
    /// The namespace exists.
    Namespace,
    /// Sysctls below `/proc/sys/net`, by path.
    Sysctls(BTreeMap<String, String>),
    /// nft tables.
    Ruleset(Arc<Ruleset>),
    /// A link, or the second end of a veth pair.
    Link(Link),
    /// An FDB entry.
    Fdb,
    /// The station's MAC address.
    Neighbour(MacAddr),
    /// An address; nothing to choose.
    Address,
    /// Ways of a route; several share the load.
    Route(BTreeSet<Hop>),
}

/// One way of a route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hop {
    /// Next hop; none: the destination is on the link.
    pub via: Option<IpAddr>,
    /// The link.
    pub device: IfName,
}

/// A link.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// What it is.
    pub kind: LinkKind,
    /// MAC address; none: the kernel's choice, or not ours to say.
    pub mac: Option<MacAddr>,
    /// MTU, bytes.
    pub mtu: u32,
    /// The bridge it is a port of, in the same namespace, and how.
    pub bridge: Option<BridgePort>,
    /// Who it is for: written into the link's alias, for people and for recognition.
    pub alias: String,
}

/// What a link is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// A bridge: no STP, no multicast snooping, no ageing surprises.
    Bridge,
    /// First end of a veth pair; says where the second goes.
    Veth(VethPeer),
    /// Second end of a veth pair.
    VethPeer,
    /// macvlan in bridge mode on a link of the host.
    Macvlan {
        /// The host's link.
        parent: IfName,
    },
    /// IEEE 802.1Q on another link of the same namespace.
    Vlan {
        /// The link below.
        parent: IfName,
        /// 1 to 4094.
        id: u16,
    },
    /// An interface of the host, moved in whole.
    Physical {
        /// Its name in the host.
        host_name: IfName,
    },
    /// A tap that a hypervisor holds open.
    Tap,
}

/// The second end of a veth pair, as it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VethPeer {
    /// In a namespace of ours or the host; its own entry says the rest.
    Ours(Netns, IfName),
    /// In a guest's namespace, which is not ours: made, set up, and never looked at again.
    Guest {
        /// Path of the namespace.
        path: String,
        /// Inode that the path must lead to.
        inode: u64,
        /// Name of the interface there.
        device: String,
        /// MAC address.
        mac: MacAddr,
    },
}

/// A bridge port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgePort {
    /// The bridge.
    pub bridge: IfName,
    /// Whether stations behind it are learned: only where the wire is.
    pub learning: bool,
    /// Whether frames to unknown stations go there: only where the wire is.
    pub flood: bool,
    /// Whether the port is ours to set flags on; a port of a bridge of the host keeps the kernel's defaults.
    pub host: bool,
}

/// A spec with the object it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// How it is to be.
    pub spec: Spec,
    /// For whom; none where the kernel does not tell.
    pub owner: Option<Id>,
}

/// All that a node holds of ours.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State(pub BTreeMap<Item, Entry>);

impl fmt::Display for Netns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Vswitch => f.write_str("vswitch"),
            Self::Router(name) => f.write_str(name),
        }
    }
}
