//! What the filters of this node go by.

use crate::dataplane::filter::{Handed, Policy, Wire};
use crate::dataplane::state::{Entry, Item, Spec, State};
use crate::model::security::{Member, Number};
use crate::model::view::{NetworkView, NodeView, PortView};
use crate::model::{Id, Kind};

/// Wants the policy of a port that is plugged here.
pub fn port(port: &PortView, id: &Id, state: &mut State) {
    let policy = port.security.clone().map_or(Policy::Open, Policy::Guarded);
    state.want(Item::Policy(Number::from(port.uid)), Spec::Policy(policy), id, None);
}

/// What a port's link is known by. `handed`: how it may be handed packets.
#[must_use]
pub fn wire(port: &PortView, network: &NetworkView, handed: Option<Handed>) -> Wire {
    Wire { port: Number::from(port.uid), network: network.uid.into(), mac: port.mac, handed }
}

/// Wants the groups of the ports of this node, and the members of those that these name.
pub fn groups(view: &NodeView, state: &mut State) {
    for (number, group) in &view.security_groups {
        let owner = Id::new(Kind::SecurityGroup, group.key.clone());
        state.want(Item::Group(*number), Spec::Group(group.rules.clone()), &owner, None);
    }
    for member in &view.members {
        self::member(view, member, state);
    }
}

/// Wants one of these members.
pub fn member(view: &NodeView, member: &Member, state: &mut State) {
    let owner = view.security_groups.get(&member.group).map(|group| Id::new(Kind::SecurityGroup, group.key.clone()));
    state.0.insert(Item::Member(*member), Entry { spec: Spec::Member, owner, make: None });
}
