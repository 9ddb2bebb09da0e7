//! nft rule sets as values: written by `router_rules`, printed in nft's own words, made and read back by `kernel::nft`.
//!
//! A value read back from the kernel equals the value that made it, and differs from every other: a rule is compared by
//! its text (which the kernel keeps beside it), a chain by hook, priority and policy, a set by its type and elements.

mod difference;
mod rule;
mod set;
mod text;
mod value;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use rule::{Field, Rule, Term};
pub use set::{Set, Shape, range};
pub use value::{Octets, Type, Value};

/// Name of a chain or set, 1 to 255 bytes (`NFT_NAME_MAXLEN`).
pub type Name = Arc<str>;

/// The tables of one namespace, those named [`TABLE`](crate::dataplane::names::TABLE): one for each family.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ruleset {
    /// The tables.
    pub tables: BTreeMap<Family, Table>,
}

/// What packets a table sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    Ip,
    /// ARP.
    Arp,
    /// Another one, by the kernel's number (`NFPROTO_*`): a table of our name that is not our work.
    Unknown(u8),
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Sets and maps.
    pub sets: BTreeMap<Name, Set>,
    /// Chains.
    pub chains: BTreeMap<Name, Chain>,
}

/// A chain that the kernel enters by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// What its rules may do.
    pub kind: ChainKind,
    /// Where on a packet's way it stands.
    pub hook: Hook,
    /// Among the chains of one hook the lower goes first; conntrack looks at a packet at -200.
    pub priority: i32,
    /// What happens to packets that no rule decides on.
    pub policy: Policy,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
}

/// What a chain's rules may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainKind {
    /// Judge packets.
    Filter,
    /// Translate connections: consulted by the first packet of each.
    Nat,
    /// Something that we never use.
    Unknown,
}

/// Where on a packet's way a chain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Before routing.
    Prerouting,
    /// For the router itself.
    Input,
    /// Routed onwards.
    Forward,
    /// From the router itself.
    Output,
    /// After routing.
    Postrouting,
    /// Nowhere that we know.
    Unknown,
}

/// What happens to packets that no rule decides on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// They go on.
    Accept,
    /// They go no further.
    Drop,
}

impl Table {
    /// Whether `other` differs in nothing but elements of sets.
    #[must_use]
    pub fn same_but_elements(&self, other: &Self) -> bool {
        let alike = |((a_name, a), (b_name, b)): ((&Name, &Set), (&Name, &Set))| a_name == b_name && a.same_type(b);
        self.chains == other.chains
            && self.sets.len() == other.sets.len()
            && self.sets.iter().zip(&other.sets).all(alike)
    }
}
