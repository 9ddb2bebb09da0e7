//! What a node is to hold where ports of other nodes have come, gone or changed, and nothing else has.

use std::collections::{BTreeMap, BTreeSet};

use crate::dataplane::filter::render as filter;
use crate::dataplane::names::{self, Prefix};
use crate::dataplane::plan::{self, Plan};
use crate::dataplane::router_rules::Memory;
use crate::dataplane::state::{Item, Netns, Spec, State};
use crate::dataplane::{overlay, router};
use crate::model::moved::Moved;
use crate::model::view::{NodeView, OverlayView};
use crate::model::{Id, Key, Kind};

/// All that may be different, and how it is to be.
#[derive(Debug, Default)]
pub struct Touched {
    items: BTreeSet<Item>,
    wanted: State,
}

impl Touched {
    /// What a node is to hold where a view has `moved`. `observed`: a state that is like the view before. What stands there tells
    /// which networks and routers of the view the node has.
    #[must_use]
    pub fn render(view: &NodeView, moved: &Moved, observed: &State, rules: &mut Memory) -> Self {
        let mut touched = Self::default();
        touched.stations(view, moved, observed);
        touched.peers(view, moved, observed, rules);
        if observed.is_guarded() {
            for member in &moved.members {
                touched.items.insert(Item::Member(*member));
                if view.members.contains(member) {
                    filter::member(view, member, &mut touched.wanted);
                }
            }
        }
        touched
    }

    /// The steps from `observed` there.
    #[must_use]
    pub fn plan(&self, observed: &State) -> Plan {
        plan::diff_items(&self.wanted, observed, &self.items)
    }

    fn stations(&mut self, view: &NodeView, moved: &Moved, observed: &State) {
        let overlay = |key: &Key| -> Option<(&OverlayView, [_; 2], Id)> {
            let network = view.networks.get(key)?;
            let [tunnel, bridge] = [Prefix::Tunnel, Prefix::Bridge].map(|prefix| prefix.name(network.uid));
            let there = observed.0.contains_key(&Item::Link(Netns::Vswitch, tunnel.clone()));
            let overlay = network.overlay.as_ref().filter(|_| there)?;
            Some((overlay, [tunnel, bridge], Id::new(Kind::Network, key.clone())))
        };
        for (key, mac) in &moved.stations {
            let Some((overlay, [tunnel, _], id)) = overlay(key) else { continue };
            self.items.insert(Item::Remote(Netns::Vswitch, tunnel.clone(), *mac));
            self.items.insert(Item::Fdb(Netns::Vswitch, tunnel.clone(), *mac));
            if let Some(node) = overlay.stations.get(mac) {
                overlay::behind(&tunnel, *mac, *node, &id, &mut self.wanted);
            }
        }
        for (key, ip) in &moved.neighbours {
            let Some((overlay, [_, bridge], id)) = overlay(key) else { continue };
            self.items.insert(Item::Neighbour(Netns::Vswitch, bridge.clone(), *ip));
            if let Some(mac) = overlay.neighbours.get(ip) {
                overlay::neighbour(&bridge, *ip, *mac, &id, None, &mut self.wanted);
            }
        }
    }

    fn peers(&mut self, view: &NodeView, moved: &Moved, observed: &State, rules: &mut Memory) {
        let mut routers: BTreeMap<&Key, Vec<_>> = BTreeMap::new();
        for (key, leg, ip) in &moved.peers {
            routers.entry(key).or_default().push((leg, ip));
        }
        for (key, peers) in routers {
            let Some(router) = view.routers.get(key) else { continue };
            let (id, netns) = (Id::new(Kind::Router, key.clone()), names::router(router.uid));
            if !observed.0.contains_key(&Item::Namespace(netns.clone())) {
                continue;
            }
            let item = Item::Ruleset(netns.clone());
            self.wanted.want(item.clone(), Spec::Ruleset(rules.ruleset(router)), &id, None);
            self.items.insert(item);
            for (uid, ip) in peers {
                let name = Prefix::Leg.name(*uid);
                if !observed.0.contains_key(&Item::Link(netns.clone(), name.clone())) {
                    continue;
                }
                self.items.insert(Item::Neighbour(netns.clone(), name.clone(), *ip));
                let interface = router.interfaces.iter().find(|interface| interface.uid == *uid);
                if let Some(mac) = interface.and_then(|interface| interface.peers.get(ip)) {
                    router::peer(&netns, &name, *ip, *mac, &id, &mut self.wanted);
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
