//! The difference between two states, in the order in which it is to be made.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use crate::dataplane::names;
use crate::dataplane::state::{Entry, Item, LinkKind, Make, Spec, State, Table};
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

/// The steps from `observed` to `desired`: first addresses and routes that must go, so that no address ever answers twice, and
/// what filters no longer go by;
/// then what must be, parents first; then stations and neighbours that must go, which may be in use until then; last links
/// and namespaces, children first.
#[must_use]
pub fn diff(desired: &State, observed: &State) -> Plan {
    between(desired.0.iter(), observed.0.iter())
}

/// The same, of these items alone.
#[must_use]
pub fn diff_items(desired: &State, observed: &State, items: &BTreeSet<Item>) -> Plan {
    between(desired.0.iter(), items.iter().filter_map(|item| observed.0.get_key_value(item)))
}

/// The same, of security groups and their members alone.
#[must_use]
pub fn diff_groups(desired: &State, observed: &State) -> Plan {
    between(desired.groups(), observed.groups())
}

fn between<'a>(
    desired: impl Iterator<Item = (&'a Item, &'a Entry)>,
    observed: impl Iterator<Item = (&'a Item, &'a Entry)>,
) -> Plan {
    // Both are in order, so they are walked side by side: nothing is looked up.
    let mut there = observed.peekable();
    let (mut gone, mut wanted) = (Vec::new(), Vec::new());
    for (item, entry) in desired {
        gone.extend(std::iter::from_fn(|| there.next_if(|(other, _)| *other < item)));
        let found = there.next_if(|(other, _)| *other == item).map(|(_, found)| &found.spec);
        if found != Some(&entry.spec) {
            wanted.push(Change {
                item: item.clone(),
                from: found.cloned(),
                to: Some(entry.spec.clone()),
                make: entry.make.as_deref().cloned(),
                owner: entry.owner.clone(),
            });
        }
    }
    gone.extend(there);
    let gone = gone.into_iter().rev().map(|(item, entry)| removal(item, entry));
    let (urgent, rest): (Vec<_>, Vec<_>) = gone.partition(|c| is_urgent(&c.item));
    let (slow, quick): (Vec<_>, Vec<_>) = rest.into_iter().partition(|c| is_slow(&c.item));
    Plan(urgent.into_iter().chain(wanted).chain(quick).chain(slow).collect())
}

fn removal(item: &Item, entry: &Entry) -> Change {
    Change { item: item.clone(), from: Some(entry.spec.clone()), to: None, make: None, owner: entry.owner.clone() }
}

/// What would answer or send in the wrong place. The table of what leaves is used by what the rules mark, so it outlives them.
fn is_urgent(item: &Item) -> bool {
    match item {
        Item::Group(_) | Item::Member(_) | Item::Policy(_) => true,
        Item::Address(_, _, net) => net.addr() != IpAddr::from(names::KEEPER),
        Item::Route(_, table, _) => *table == Table::Main,
        _ => false,
    }
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
            Self::Group(_) => "group",
            Self::Member(_) => "member",
            Self::Policy(_) => "policy",
            Self::Link(..) | Self::Peer(..) => "link",
            Self::Fdb(..) => "fdb",
            Self::Remote(..) => "remote",
            Self::Rule(..) => "rule",
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
            Self::Group(group) => write!(f, "{:016x}", group.0),
            Self::Member(m) => write!(f, "{:016x} {}", m.group.0, m.ip),
            Self::Policy(port) => write!(f, "{:016x}", port.0),
            Self::Link(n, name) | Self::Peer(n, name) => write!(f, "{n}/{name}"),
            Self::Fdb(n, name, mac) | Self::Remote(n, name, mac) => write!(f, "{n}/{name} {mac}"),
            Self::Neighbour(n, name, ip) => write!(f, "{n}/{name} {ip}"),
            Self::Address(n, name, ip) => write!(f, "{n}/{name} {ip}"),
            Self::Route(n, Table::Main, to) => write!(f, "{n} {to}"),
            Self::Route(n, Table::Outside, to) => write!(f, "{n} {to} (outside)"),
            Self::Rule(n, priority) => write!(f, "{n} {priority}"),
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
            Self::Vxlan { .. } => "vxlan",
            Self::MovedIn { .. } => "interface",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::api::MacAddr;
    use crate::dataplane::state::{BridgePort, Link, Netns, Role, Route};

    fn link(mtu: u32, bridge: Option<&str>) -> Spec {
        let bridge = bridge.map(|name| BridgePort { bridge: name.into(), role: Role::Guest });
        let (kind, alias) = (LinkKind::Veth, String::new());
        Spec::Link(Link { kind, mac: None, mtu, up: true, bridge, filter: None, alias }.into())
    }

    /// What a plan leaves of a state, if each step does what it says.
    fn applied(plan: &Plan, mut state: State) -> State {
        for change in &plan.0 {
            match &change.to {
                Some(spec) => state.found(change.item.clone(), spec.clone(), None),
                None => drop(state.0.remove(&change.item)),
            }
        }
        state
    }

    fn specs(state: &State) -> Vec<(&Item, &Spec)> {
        state.0.iter().map(|(item, entry)| (item, &entry.spec)).collect()
    }

    fn netns() -> impl Strategy<Value = Netns> {
        prop_oneof![
            Just(Netns::Host),
            Just(Netns::Vswitch),
            (0..3u8).prop_map(|n| Netns::Router(format!("rtr-{n}").into()))
        ]
    }

    fn entry() -> impl Strategy<Value = (Item, Spec)> {
        let name = (0..4u8).prop_map(|n| format!("l{n}").into());
        (netns(), name, 0..9u8, 0..3u32).prop_map(|(netns, name, what, n)| match what {
            0 => (Item::Namespace(netns), Spec::Namespace),
            1 => (Item::Sysctls(netns), Spec::Sysctls(Arc::new([("x".to_owned(), n.to_string())].into()))),
            2 => (Item::Peer(netns, name), link(n, None)),
            3 => (Item::Fdb(netns, name, MacAddr([2, 0, 0, 0, 0, 1])), Spec::Fdb),
            4 => (Item::Neighbour(netns, name, [10, 0, 0, 1].into()), Spec::Neighbour(MacAddr([2, 0, 0, 0, 0, 1]))),
            5 => (Item::Address(netns, name, "10.0.0.1/24".parse().unwrap_or_default()), Spec::Address),
            6 => (Item::Route(netns, Table::Main, ipnet::IpNet::default()), Spec::Route(Route::default())),
            _ => (Item::Link(netns, name), link(n, Some("b"))),
        })
    }

    fn state() -> impl Strategy<Value = State> {
        proptest::collection::vec(entry(), 0..24).prop_map(|entries| {
            let mut state = State::default();
            for (item, spec) in entries {
                state.found(item, spec, None);
            }
            state
        })
    }

    proptest! {
        #[test]
        fn any_state_becomes_any_other_and_then_nothing_is_left_to_do(from in state(), to in state()) {
            let end = applied(&diff(&to, &from), from);
            prop_assert_eq!(specs(&end), specs(&to));
            prop_assert!(diff(&to, &end).0.is_empty());
        }

        #[test]
        fn what_must_be_is_made_parents_first_and_what_must_go_goes_children_first(from in state(), to in state()) {
            let plan = diff(&to, &from);
            let made: Vec<_> = plan.0.iter().filter(|c| c.to.is_some()).map(|c| &c.item).collect();
            prop_assert!(made.is_sorted());
            let slow: Vec<_> = plan.0.iter().filter(|c| c.to.is_none() && is_slow(&c.item)).map(|c| &c.item).collect();
            prop_assert!(slow.iter().rev().is_sorted());
        }

        #[test]
        fn an_address_that_moves_is_taken_away_before_it_is_given(from in state(), to in state()) {
            let plan = diff(&to, &from);
            let address = |c: &&Change| matches!(c.item, Item::Address(..));
            let last_gone = plan.0.iter().rposition(|c| address(&c) && c.to.is_none());
            let first_made = plan.0.iter().position(|c| address(&c) && c.to.is_some());
            if let (Some(gone), Some(made)) = (last_gone, first_made) {
                prop_assert!(gone < made);
            }
        }
    }
}
