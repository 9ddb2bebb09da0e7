//! Port security and security groups as a node enforces them: what a port may send, and who may talk to it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::api::MacAddr;
use crate::model::id::{Key, Uid};

/// Most pairs that a port has: 16 fixed IPs and 10 allowed address pairs fit.
pub const PAIRS_MAX: usize = 32;
/// Most groups that a port is in.
pub const GROUPS_MAX: usize = 16;
/// Most rules that a group has, both directions together.
pub const RULES_MAX: usize = 200;

/// What a port, a group or a routing domain goes by in a node's tables: 64 bits of its UID, so that nobody has to hand out
/// numbers and a restarted agent finds the same. Two of a million meet once in 37 million such worlds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number(pub u64);

impl From<Uid> for Number {
    fn from(uid: Uid) -> Self {
        // Both halves of a random UID have bits that are always the same.
        #[allow(clippy::cast_possible_truncation, reason = "the two halves of the 128 bits")]
        Self((uid.0 >> 64) as u64 ^ uid.0 as u64)
    }
}

/// What a guarded port may send and receive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityView {
    /// The port's MAC address.
    pub mac: MacAddr,
    /// Sources that it may send from: its fixed IPs with its MAC address, and its allowed address pairs; at most [`PAIRS_MAX`].
    pub pairs: Vec<Pair>,
    /// Its groups, at most [`GROUPS_MAX`]: what any rule of any of them allows is allowed. Groups that do not resolve are not here.
    pub groups: BTreeSet<Number>,
    /// Whether answers to what is allowed are allowed too.
    pub stateful: bool,
    /// Where an address means one station: the networks that routers join with the port's own. Members of remote groups count
    /// only there, because another tenant, or another network of this one, may use the same addresses.
    pub domain: Number,
    /// Whether it has allowed address pairs: the node is told which of them its guest announces.
    pub announces: bool,
}

/// A source that a port may send from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pair {
    /// MAC address.
    pub mac: MacAddr,
    /// Addresses.
    pub net: IpNet,
}

/// A security group in use on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupView {
    /// Namespace and name; of an implied `default` too, although no object has it.
    pub key: Key,
    /// Its rules in force, at most [`RULES_MAX`], in the order of [`RuleView`] and none twice: order has no meaning.
    pub rules: Arc<[RuleView]>,
}

/// An allow rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleView {
    /// Which way.
    pub direction: Direction,
    /// Address family; none: both.
    pub family: Option<Family>,
    /// IP protocol number; none: any.
    pub protocol: Option<u8>,
    /// Destination ports of TCP, UDP and SCTP, or types of ICMP. All of them for other protocols.
    pub first: Span,
    /// Codes of ICMP. All of them for other protocols.
    pub second: Span,
    /// Whom the guest talks to.
    pub remote: Remote,
}

/// Which way a packet goes, seen by the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// To the guest.
    Ingress,
    /// From the guest.
    Egress,
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Numbers from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The first.
    pub first: u16,
    /// The last; not less.
    pub last: u16,
}

impl Span {
    /// Every number.
    pub const ALL: Self = Self { first: 0, last: u16::MAX };

    /// Whether a number is among them.
    #[must_use]
    pub fn contains(self, number: u16) -> bool {
        (self.first..=self.last).contains(&number)
    }
}

/// The other end of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Remote {
    /// Any.
    Anywhere,
    /// Addresses.
    Net(IpNet),
    /// Members of a group, in the port's own domain.
    Group(Number),
}

/// A member of a group that some rule on a node names as remote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Member {
    /// The group.
    pub group: Number,
    /// Where the address means this member.
    pub domain: Number,
    /// A fixed IP of a port in the group. (Neutron: allowed address pairs of it count too; so they do here, single addresses.)
    pub ip: IpAddr,
}
