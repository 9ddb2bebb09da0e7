//! What a node holds: the narrow waist between what is wanted and the kernel.
//!
//! The order of [`Item`] is the order of creation: a [`State`] walked forwards makes parents before children,
//! walked backwards it removes children first. What is not ours never stands in a `State`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ipnet::IpNet;

use crate::api::MacAddr;
use crate::dataplane::filter::{Filter, Policy};
use crate::dataplane::nft::Ruleset;
use crate::dataplane::sysctls::Values;
use crate::model::Id;
use crate::model::security::{Member, Number, RuleView};

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
    /// A security group. Groups, members and policies stand before the links that are judged by them.
    Group(Number),
    /// A member of a group that others name as remote.
    Member(Member),
    /// What a port's packets are judged by.
    Policy(Number),
    /// A link that is made by itself: bridge, macvlan, VLAN, an interface moved in, the first end of a veth pair.
    Link(Netns, IfName),
    /// The second end of a veth pair, made with the first.
    Peer(Netns, IfName),
    /// A station behind a bridge port; static and sticky.
    Fdb(Netns, IfName, MacAddr),
    /// A station behind a tunnel.
    Remote(Netns, IfName, MacAddr),
    /// A permanent neighbour.
    Neighbour(Netns, IfName, IpAddr),
    /// An address of a link.
    Address(Netns, IfName, IpNet),
    /// A route.
    Route(Netns, Table, IpNet),
    /// Which packets look into which table, by priority.
    Rule(Netns, u32),
}

/// A routing table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// The main one.
    Main,
    /// The way of a router's floating IPs to the outside, on whatever node.
    Outside,
}

impl Item {
    /// The namespace that the item is in; none: it is the node's.
    #[must_use]
    pub fn netns(&self) -> Option<&Netns> {
        match self {
            Self::Group(_) | Self::Member(_) | Self::Policy(_) => None,
            Self::Namespace(n)
            | Self::Sysctls(n)
            | Self::Ruleset(n)
            | Self::Link(n, _)
            | Self::Peer(n, _)
            | Self::Fdb(n, ..)
            | Self::Remote(n, ..)
            | Self::Neighbour(n, ..)
            | Self::Address(n, ..)
            | Self::Route(n, ..)
            | Self::Rule(n, _) => Some(n),
        }
    }
}

/// How one thing is to be, or is.
#[derive(Clone, Debug, PartialEq)]
pub enum Spec {
    /// The namespace exists.
    Namespace,
    /// Sysctls below `/proc/sys/net`, by path.
    Sysctls(Values),
    /// nft tables.
    Ruleset(Arc<Ruleset>),
    /// The rules of a security group.
    Group(Arc<[RuleView]>),
    /// A member; nothing to choose.
    Member,
    /// What a port's packets are judged by.
    Policy(Policy),
    /// A link, or the second end of a veth pair: much longer than all others.
    Link(Box<Link>),
    /// An FDB entry.
    Fdb,
    /// Where the tunnels of a station's node begin.
    Remote(Ipv4Addr),
    /// The station's MAC address.
    Neighbour(MacAddr),
    /// An address; nothing to choose.
    Address,
    /// A route.
    Route(Route),
    /// A rule.
    Rule(Rule),
}

impl Spec {
    /// The link, if it is one.
    #[must_use]
    pub fn link(&self) -> Option<&Link> {
        if let Self::Link(link) = self { Some(link) } else { None }
    }
}

/// A route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// Its ways; several share the load.
    pub hops: BTreeSet<Hop>,
    /// Largest packet, bytes, where that is less than the link's MTU.
    pub mtu: Option<u32>,
}

/// A rule of policy routing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which packets.
    pub packets: Packets,
    /// The table that they look into.
    pub table: Table,
    /// Whether a default route found there does not count.
    pub specific: bool,
}

/// Packets that a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packets {
    /// Those with this mark.
    Marked(u32),
    /// The namespace's own.
    Own,
    /// Some that no rule of ours is for.
    Unknown,
}

/// One way of a route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hop {
    /// Next hop; none: the destination is on the link.
    pub via: Option<IpAddr>,
    /// The link.
    pub device: IfName,
    /// Whether the next hop is on the link though no route says so.
    pub on_link: bool,
}

/// A link, as the kernel shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// What it is.
    pub kind: LinkKind,
    /// MAC address; none: not ours to say.
    pub mac: Option<MacAddr>,
    /// MTU, bytes.
    pub mtu: u32,
    /// Whether it is set up.
    pub up: bool,
    /// The bridge that it is a port of, in the same namespace, and how.
    pub bridge: Option<BridgePort>,
    /// What judges the packets of the guest behind it.
    pub filter: Option<Filter>,
    /// Who it is for: the link's alias. A port's names the guest's end too, so another guest makes another alias.
    pub alias: String,
}

/// What a link is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// A bridge without spanning tree and multicast snooping.
    Bridge,
    /// One end of a veth pair.
    Veth,
    /// macvlan in bridge mode; its parent is in the host.
    Macvlan,
    /// IEEE 802.1Q on another link of the same namespace.
    Vlan {
        /// 1 to 4094.
        id: u16,
    },
    /// VXLAN (RFC 7348): a segment's tunnels to other nodes. Nothing is learned; packets travel in the host's namespace.
    Vxlan {
        /// Network identifier.
        vni: u32,
        /// Where this node's tunnels begin.
        local: Ipv4Addr,
    },
    /// An interface of the host, or a tap, moved in whole; given back when released.
    MovedIn {
        /// Its name in the host.
        host_name: IfName,
    },
}

/// A bridge port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgePort {
    /// The bridge.
    pub bridge: IfName,
    /// What is behind the port.
    pub role: Role,
}

/// What is behind a bridge port decides which frames go there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A guest: its one station is known, so nothing is learned and no unknown unicast goes there.
    Guest,
    /// A router's leg: like a guest, and without multicast.
    Router,
    /// The tunnels to other nodes: every station there is known, so nothing is learned or flooded, and ARP is answered here.
    Tunnel,
    /// The same, and what comes by one tunnel may go on by another: to a station that has just moved to another node.
    Relay,
    /// The wire: stations are learned, everything unknown goes there.
    Wire,
    /// A bridge of the host: its flags are not ours.
    Host,
    /// Flags that none of our roles has.
    Unknown,
}

/// What must be known to make an item and cannot be seen afterwards.
#[derive(Clone, Debug, PartialEq)]
pub enum Make {
    /// The second end of a veth pair, with an entry of its own.
    Peer(Netns, IfName),
    /// The second end of a veth pair in a guest's namespace: made, set up, and never looked at again.
    Guest {
        /// Path of the namespace.
        path: String,
        /// Inode that the path must lead to.
        inode: u64,
        /// Name of the interface there.
        device: IfName,
        /// MAC address.
        mac: MacAddr,
        /// MTU of the guest's end, bytes.
        mtu: u32,
        /// Whether the guest is told nothing by routers: its addresses and routes are set from outside.
        deaf: bool,
    },
    /// The link below: of the host for macvlan, of the same namespace for VLAN.
    Parent(IfName),
    /// The address is announced by gratuitous ARP from this MAC address.
    Announce(MacAddr),
}

/// A spec with the object it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// How it is to be.
    pub spec: Spec,
    /// For whom; none where the kernel does not tell.
    pub owner: Option<Id>,
    /// How it is made; none in an observed state.
    pub make: Option<Box<Make>>,
}

/// All that a node holds of ours.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State(pub BTreeMap<Item, Entry>);

impl State {
    /// Adds what is wanted, and for whom.
    pub fn want(&mut self, item: Item, spec: Spec, owner: &Id, make: Option<Make>) {
        self.0.insert(item, Entry { spec, owner: Some(owner.clone()), make: make.map(Box::new) });
    }

    /// Security groups and their members.
    pub fn groups(&self) -> impl Iterator<Item = (&Item, &Entry)> {
        self.0.range(Item::Group(Number(0))..Item::Policy(Number(0)))
    }

    /// Whether any port is judged by groups.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        let mut policies = self.0.range(Item::Policy(Number(0))..).map_while(|(_, entry)| match &entry.spec {
            Spec::Policy(policy) => Some(policy),
            _ => None,
        });
        policies.any(|policy| matches!(policy, Policy::Guarded(_)))
    }

    /// Adds what is there.
    pub fn found(&mut self, item: Item, spec: Spec, owner: Option<Id>) {
        self.0.insert(item, Entry { spec, owner, make: None });
    }
}

impl fmt::Display for Netns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Vswitch => f.write_str("vswitch"),
            Self::Router(name) => f.write_str(name),
        }
    }
}
