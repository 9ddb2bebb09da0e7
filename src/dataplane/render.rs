//! From a node's view to what its kernel must hold.

use std::collections::{BTreeMap, BTreeSet};

use crate::dataplane::attachment::Attachments;
use crate::dataplane::dhcp;
use crate::dataplane::facts::Facts;
use crate::dataplane::filter::render as filter;
use crate::dataplane::router_rules::Memory;
use crate::dataplane::state::{Item, Netns, Spec, State};
use crate::dataplane::{bridge, guard, router, wire};
use crate::model::{Id, Key, Kind, NodeView, Remark};

/// What a node must hold, what it must answer, and what cannot be.
#[derive(Debug, Default)]
pub struct Rendered {
    /// The kernel's part.
    pub state: State,
    /// The DHCP responder's part.
    pub dhcp: dhcp::Table,
    /// Objects that cannot be realised here.
    pub faults: BTreeMap<Id, Remark>,
    /// Objects that are, with something to know.
    pub remarks: BTreeMap<Id, Remark>,
}

impl Rendered {
    /// Says that an object cannot be realised; the first reason stays.
    pub fn fault(&mut self, id: Id, remark: Remark) {
        self.faults.entry(id).or_insert(remark);
    }
}

/// Renders a view. Whatever cannot be becomes a fault of its object; the rest goes on. `rules` saves time and has no say.
#[must_use]
pub fn render(view: &NodeView, attachments: &Attachments, facts: &Facts, rules: &mut Memory) -> Rendered {
    let mut out = Rendered::default();
    for (key, physical) in &view.physical_networks {
        let id = Id::new(Kind::PhysicalNetwork, key.clone());
        match wire::choose(physical, facts) {
            Ok(wire) => out.remarks.extend(wire::remark(&wire, facts).map(|r| (id, r))),
            Err(remark) => out.fault(id, remark),
        }
    }
    let legs = networks_with_legs(view);
    // Flat networks first: a VLAN network on the same wire finds the uplink as they left it.
    let tagged = |key: &Key| view.networks.get(key).and_then(|n| n.provider.as_ref()).is_some_and(|p| p.vlan.is_some());
    let (vlan, flat): (Vec<_>, Vec<_>) = view.networks.keys().partition(|key| tagged(key));
    for key in flat.into_iter().chain(vlan) {
        bridge::render(key, view, attachments, facts, legs.contains(key), &mut out);
    }
    for (key, view_of) in &view.routers {
        router::render(key, view_of, view, facts, rules, &mut out);
    }
    view.tunnel.iter().for_each(|tunnel| guard::render(tunnel, &mut out.state));
    rules.forget_others(view.routers.values());
    if out.state.is_guarded() {
        filter::groups(view, &mut out.state);
    }
    vswitch(facts, &mut out);
    out.dhcp = dhcp_table(view, &out.state);
    out
}

fn networks_with_legs(view: &NodeView) -> BTreeSet<&Key> {
    let all = view.routers.values().flat_map(|r| &r.interfaces);
    let tenant = all.filter(|i| !i.distant).map(|i| &i.network);
    tenant.chain(view.routers.values().filter_map(|r| r.external.as_ref().map(|e| &e.network))).collect()
}

/// The namespace of all bridges, if anything is to be in it.
fn vswitch(facts: &Facts, out: &mut Rendered) {
    let used = out.state.0.iter().find(|(item, _)| item.netns() == Some(&Netns::Vswitch));
    let Some(owner) = used.and_then(|(_, entry)| entry.owner.clone()) else { return };
    out.state.want(Item::Namespace(Netns::Vswitch), Spec::Namespace, &owner, None);
    out.state.want(Item::Sysctls(Netns::Vswitch), Spec::Sysctls(facts.sysctls.vswitch.clone()), &owner, None);
}

/// Leases of the networks that have a bridge here.
fn dhcp_table(view: &NodeView, state: &State) -> dhcp::Table {
    dhcp::table(view, |bridge| state.0.contains_key(&Item::Link(Netns::Vswitch, bridge.clone())))
}
