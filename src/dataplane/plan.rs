//! The difference between two states, in the order in which it is to be made.

use std::fmt;

use crate::dataplane::state::{Entry, Item, LinkKind, Make, Spec, State};
use crate::model::Id;

/// What is done to one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It is missing.
    Create,
    /// It is there, but different.
    Update,
    /// It is not wanted.
    Delete,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What is changed.
    pub item: Item,
    /// How it is; none: it is missing.
    pub from: Option<Spec>,
    /// How it is to be; none: it is to go.
    pub to: Option<Spec>,
    /// How it is made.
    pub make: Option<Make>,
    /// The object it is for, where that is known.
    pub owner: Option<Id>,
}

/// What has to change, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan(pub Vec<Change>);

impl Change {
    /// What is done.
    #[must_use]
    pub fn action(&self) -> Action {
        match (&self.from, &self.to) {
            (None, _) => Action::Create,
            (_, None) => Action::Delete,
            _ => Action::Update,
        }
    }
}

/// The steps from `observed` to `desired`: first what must go and is cheap to take away, so that no address ever
/// answers twice; then what must be, parents first; last the links and namespaces that must go, children first.
#[must_use]
pub fn diff(desired: &State, observed: &State) -> Plan {
    let gone = observed.0.iter().rev().filter(|(item, _)| !desired.0.contains_key(item));
    let (slow, quick): (Vec<_>, Vec<_>) =
        gone.map(|(item, entry)| removal(item, entry)).partition(|c| is_slow(&c.item));
    let wanted = desired.0.iter().filter_map(|(item, entry)| match observed.0.get(item) {
        Some(there) if there.spec == entry.spec => None,
        there => Some(Change {
            item: item.clone(),
            from: there.map(|e| e.spec.clone()),
            to: Some(entry.spec.clone()),
            make: entry.make.clone(),
            owner: entry.owner.clone(),
        }),
    });
    Plan(quick.into_iter().chain(wanted).chain(slow).collect())
}

fn removal(item: &Item, entry: &Entry) -> Change {
    Change { item: item.clone(), from: Some(entry.spec.clone()), to: None, make: None, owner: entry.owner.clone() }
}

/// A link takes 20 ms to go (the kernel waits for its readers), so links go last and together.
fn is_slow(item: &Item) -> bool {
    matches!(item, Item::Namespace(_) | Item::Sysctls(_) | Item::Ruleset(_) | Item::Link(..) | Item::Peer(..))
}

impl Item {
    /// What it is, in one word.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Namespace(_) => "namespace",
            Self::Sysctls(_) => "sysctls",
            Self::Ruleset(_) => "ruleset",
            Self::Link(..) | Self::Peer(..) => "link",
            Self::Fdb(..) => "fdb",
            Self::Neighbour(..) => "neighbour",
            Self::Address(..) => "address",
            Self::Route(..) => "route",
        }
    }
}

/// The name of an item, without its kind: namespace first.
impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespace(n) | Self::Sysctls(n) | Self::Ruleset(n) => write!(f, "{n}"),
            Self::Link(n, name) | Self::Peer(n, name) => write!(f, "{n}/{name}"),
            Self::Fdb(n, name, mac) => write!(f, "{n}/{name} {mac}"),
            Self::Neighbour(n, name, ip) => write!(f, "{n}/{name} {ip}"),
            Self::Address(n, name, ip) => write!(f, "{n}/{name} {ip}"),
            Self::Route(n, to) => write!(f, "{n} {to}"),
        }
    }
}

impl LinkKind {
    /// The kernel's word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Veth => "veth",
            Self::Macvlan => "macvlan",
            Self::Vlan { .. } => "vlan",
            Self::MovedIn { .. } => "interface",
        }
    }
}
