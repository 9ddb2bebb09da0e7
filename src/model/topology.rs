//! What all objects mean together: the result of [`link`](crate::model::link).
//!
//! Objects of a kind stand in a `Vec` in the order of their keys, the bad ones too, and refer to each other by position:
//! a world is linked anew on every change, so looking up names again and again would cost more than everything else.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ipnet::IpNet;

use crate::api::{FloatingIP, MacAddr, Network, PhysicalNetwork, Protocol, Router, SecurityGroup, Subnet};
use crate::model::entry::{Few, PortEntry};
use crate::model::group::GroupEntry;
use crate::model::id::{Id, Key, Uid};
use crate::model::ipam::{Ledger, Range};
use crate::model::link::Role;
use crate::model::report::Remark;
use crate::model::security::{Number, RuleView};

/// What is wrong, object by object: the first thing wrong of each aspect.
pub type Problems = BTreeMap<Id, Vec<Problem>>;

/// One thing that is wrong with one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The condition that it makes false: `Accepted` or `ResolvedRefs`.
    pub condition: crate::api::ConditionType,
    /// Why, and what to do.
    pub remark: Remark,
}

/// All accepted objects with their references resolved and their addresses chosen.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    /// Who linked.
    pub(super) role: Role,
    /// Objects with a `deletionTimestamp` that nothing depends on any more.
    pub released: BTreeSet<Id>,
    /// Objects with a `deletionTimestamp` that others depend on, and a sentence that names these.
    pub(super) in_use: BTreeMap<Id, String>,
    /// Objects that are in order and still cannot be realised now, and why.
    pub(super) waiting: BTreeMap<Id, Remark>,
    pub(super) physical_networks: Vec<PhysicalNode>,
    pub(super) networks: Vec<NetworkNode>,
    pub(super) subnets: Vec<SubnetNode>,
    /// Ports as they were read; `ports` is what came of each.
    pub(super) entries: Arc<Vec<PortEntry>>,
    pub(super) ports: Vec<PortNode>,
    /// Ports that are plugged, on whichever node: few of all there are.
    pub(super) bound: Vec<Index>,
    /// Of these, ports that have allowed address pairs, or had some that are active.
    pub(super) announcing: Vec<Index>,
    pub(super) routers: Vec<RouterNode>,
    pub(super) floating_ips: Vec<FloatingNode>,
    pub(super) security_groups: Vec<SecurityGroupNode>,
    /// Where the tunnels of each node begin; nothing in local mode.
    pub(super) tunnels: BTreeMap<Arc<str>, Tunnel>,
    /// Whether two wanted one address of a subnet, or one MAC address of a network: who is first has a say.
    pub(super) contested: bool,
}

/// Where a node's tunnels begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tunnel {
    pub address: Ipv4Addr,
    /// Of the way to other nodes, bytes.
    pub mtu: u32,
}

/// Position of an object among those of its kind.
pub(super) type Index = usize;

/// How far an object got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// It contradicts itself, so nothing else about it was looked at.
    #[default]
    Unjudged,
    /// It does not resolve, or clashes with another.
    Refused,
    /// It counts. Of a router or a floating IP single parts may still be refused.
    InForce,
    /// It is deleted and nothing depends on it.
    Released,
}

#[derive(Clone, Debug)]
pub(super) struct PhysicalNode {
    pub key: Key,
    pub object: Arc<PhysicalNetwork>,
    pub standing: Standing,
}

#[derive(Clone, Debug)]
pub(super) struct NetworkNode {
    pub key: Key,
    pub object: Arc<Network>,
    pub standing: Standing,
    pub physical: Option<Index>,
    /// Bytes.
    pub mtu: u32,
    /// Accepted subnets: the order in which addresses are looked for.
    pub subnets: Vec<Index>,
    /// The same as ranges of addresses, by first address: first, last, subnet.
    pub spans: Vec<(u128, u128, Index)>,
    /// MAC addresses taken on this network, as numbers.
    macs: HashSet<u64>,
    pub uid: Uid,
    /// Whether ports that do not say otherwise have port security.
    pub port_security: bool,
    /// Where an address means one station: this network and all that routers join with it.
    pub domain: Number,
    /// Segment of an overlay network; none in local mode, where no frame leaves the host.
    pub vni: Option<u32>,
}

#[derive(Clone, Debug)]
pub(super) struct SubnetNode {
    pub key: Key,
    pub object: Arc<Subnet>,
    pub standing: Standing,
    /// The network, as soon as the reference resolves.
    pub network: Option<Index>,
    pub range: Range,
    /// Who has which address.
    pub ledger: Ledger,
    /// Routers with an interface here, the first choice first.
    pub routers: Vec<Index>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct PortNode {
    pub standing: Standing,
    /// The network, as soon as the reference resolves.
    pub network: Option<Index>,
    pub addresses: Few<(Index, IpAddr)>,
    pub mac: Option<MacAddr>,
}

#[derive(Clone, Debug)]
pub(super) struct RouterNode {
    pub key: Key,
    pub object: Arc<Router>,
    pub standing: Standing,
    pub uid: Uid,
    pub legs: Vec<Leg>,
    pub external: Option<ExternalLeg>,
    pub routes: BTreeMap<IpNet, Vec<IpAddr>>,
    /// Segment between its nodes, if it reaches a wire; none in local mode.
    pub vni: Option<u32>,
    /// The node that translates; none in local mode, where there is but one.
    pub gateway_node: Option<Arc<str>>,
    /// The node that prepares to follow it.
    pub next_node: Option<Arc<str>>,
    /// The node that it takes over from.
    pub former_node: Option<Arc<str>>,
}

#[derive(Clone, Debug)]
pub(super) struct Leg {
    /// Position in `spec.interfaces`.
    pub part: usize,
    pub subnet: Index,
    pub ip: IpAddr,
    pub uid: Uid,
    pub mac: MacAddr,
}

#[derive(Clone, Debug)]
pub(super) struct ExternalLeg {
    pub network: Index,
    pub addresses: Vec<(Index, IpAddr)>,
    pub uid: Uid,
    pub mac: MacAddr,
}

#[derive(Clone, Debug)]
pub(super) struct FloatingNode {
    pub key: Key,
    pub object: Arc<FloatingIP>,
    pub standing: Standing,
    /// The external network, as soon as the reference resolves.
    pub network: Option<Index>,
    pub ip: Option<IpAddr>,
    /// The router that translates.
    pub router: Option<Index>,
    pub fixed: Option<IpAddr>,
    pub forwardings: BTreeMap<(Protocol, u16), (IpAddr, u16)>,
    /// The node that translates; none in local mode.
    pub node: Option<Arc<str>>,
    /// Before a node: whether it is with its router's gateway, and not with its port, nor with a node that nobody hears of and
    /// that may answer for it still.
    pub along: bool,
    /// Before a node: the one that its port is plugged on, where that is about to translate for it; and the one where the port
    /// is prepared, if that can.
    pub next: [Option<Arc<str>>; 2],
}

#[derive(Clone, Debug)]
pub(super) struct SecurityGroupNode {
    pub key: Key,
    pub object: Arc<SecurityGroup>,
    pub standing: Standing,
    pub entry: Arc<GroupEntry>,
    /// How many ports are in it.
    pub ports: usize,
    /// Its rules that name a group, as far as that counts.
    pub named: Vec<RuleView>,
}

impl SecurityGroupNode {
    pub fn new(entry: Arc<GroupEntry>, standing: Standing) -> Self {
        let (key, object) = (entry.key.clone(), entry.object.clone());
        Self { key, object, standing, entry, ports: 0, named: Vec::new() }
    }
}

impl NetworkNode {
    pub fn new(key: Key, object: Arc<Network>, standing: Standing, physical: Option<Index>, mtu: u32) -> Self {
        let uid = Uid::parse(object.metadata.uid.as_deref().unwrap_or_default());
        let port_security = object.spec.port_security.unwrap_or(true);
        let (subnets, spans, macs) = Default::default();
        let domain = uid.into();
        Self { key, object, standing, physical, mtu, subnets, spans, macs, uid, port_security, domain, vni: None }
    }

    /// Takes a MAC address; false: somebody has it.
    pub fn take_mac(&mut self, mac: MacAddr) -> bool {
        self.macs.insert(as_number(mac))
    }

    /// Whether the same MAC addresses are taken on another.
    pub fn has_same_macs(&self, other: &Self) -> bool {
        self.macs == other.macs
    }

    /// Takes a MAC address back from whoever has it.
    pub fn give_back_mac(&mut self, mac: MacAddr) {
        self.macs.remove(&as_number(mac));
    }

    /// Whether somebody has a MAC address.
    pub fn has_mac(&self, mac: MacAddr) -> bool {
        self.macs.contains(&as_number(mac))
    }

    /// The accepted subnet that holds an address.
    pub fn subnet_of(&self, number: u128) -> Option<Index> {
        let after = self.spans.partition_point(|(first, ..)| *first <= number);
        let (_, last, subnet) = self.spans.get(after.checked_sub(1)?)?;
        (number <= *last).then_some(*subnet)
    }

    /// An accepted subnet that shares addresses with a range.
    pub fn overlapping(&self, first: u128, last: u128) -> Option<Index> {
        let before = self.spans.partition_point(|(start, ..)| *start <= last);
        let (_, end, subnet) = self.spans.get(before.checked_sub(1)?)?;
        (*end >= first).then_some(*subnet)
    }
}

fn as_number(mac: MacAddr) -> u64 {
    mac.0.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
