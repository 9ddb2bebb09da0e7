//! What an agent watches: small kinds whole, and of the ports only those of the networks that its node uses.

use std::collections::{BTreeMap, BTreeSet};

use super::api::Order;
use crate::cluster::mirror::{Mirror, Source};
use crate::model::{Id, Key, Kind, NodeView, Uid};

/// A field selector costs the API server at every write of a port: beyond so many, all ports are watched and what is
/// foreign is let go on arrival.
const NETWORKS: usize = 32;

/// Kinds that are watched whole: there are few of them.
const WHOLE: [Kind; 7] = [
    Kind::Network,
    Kind::Subnet,
    Kind::Router,
    Kind::FloatingIP,
    Kind::PhysicalNetwork,
    Kind::ReferenceGrant,
    Kind::Agent,
];

/// What a watch is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    /// All objects of a kind.
    Whole(Kind),
    /// Ports bound to this node.
    Own,
    /// Ports of a network.
    Network(Uid),
    /// All ports.
    Ports,
    /// A port that somebody waits for.
    Awaited(Key),
}

/// The watches that run.
#[derive(Debug)]
pub struct Watches {
    node: String,
    running: BTreeMap<Reason, Source>,
    next: Source,
}

impl Watches {
    /// Begins with what every agent needs.
    pub fn begin(node: &str, mirror: &mut Mirror, orders: &mut Vec<Order>) -> Self {
        let mut watches = Self { node: node.into(), running: BTreeMap::new(), next: 0 };
        for reason in WHOLE.into_iter().map(Reason::Whole).chain([Reason::Own]) {
            watches.start(reason, mirror, orders);
        }
        watches
    }

    /// Follows what the node uses now. `awaited`: ports that somebody waits to plug.
    pub fn follow(&mut self, view: &NodeView, awaited: &BTreeSet<Key>, mirror: &mut Mirror, orders: &mut Vec<Order>) {
        let networks: Vec<Uid> = view.networks.values().map(|network| network.uid).collect();
        let mut wanted: Vec<Reason> = if networks.len() > NETWORKS {
            vec![Reason::Ports]
        } else {
            networks.into_iter().map(Reason::Network).collect()
        };
        wanted.extend(awaited.iter().cloned().map(Reason::Awaited));
        let ended: Vec<Reason> = self
            .running
            .keys()
            .filter(|reason| !matches!(reason, Reason::Whole(_) | Reason::Own) && !wanted.contains(reason))
            .cloned()
            .collect();
        for reason in wanted {
            if !self.running.contains_key(&reason) {
                self.start(reason, mirror, orders);
            }
        }
        // What takes the place of an ended watch is not whole yet; until it is, nothing is decided.
        for reason in ended {
            if let Some(source) = self.running.remove(&reason) {
                mirror.forget(source);
                orders.push(Order::Unwatch(source));
            }
        }
    }

    /// Whether the watch of own ports has told of a port.
    #[must_use]
    pub fn owns(&self, port: &Key, mirror: &Mirror) -> bool {
        let id = Id::new(Kind::Port, port.clone());
        self.running.get(&Reason::Own).is_some_and(|source| mirror.has(*source, &id))
    }

    /// Begins a watch anew, because its list is not believed before it is read again.
    pub fn again(&self, source: Source, orders: &mut Vec<Order>) {
        if let Some((reason, _)) = self.running.iter().find(|(_, running)| **running == source) {
            let (kind, fields) = self.question(reason);
            orders.extend([Order::Unwatch(source), Order::Watch(source, kind, fields)]);
        }
    }

    /// What a watch asks for.
    fn question(&self, reason: &Reason) -> (Kind, Option<String>) {
        match reason {
            Reason::Whole(kind) => (*kind, None),
            Reason::Own => (Kind::Port, Some(format!("status.binding.nodeName={}", self.node))),
            Reason::Network(uid) => (Kind::Port, Some(format!("status.networkUID={uid:?}"))),
            Reason::Ports => (Kind::Port, None),
            Reason::Awaited(key) => {
                (Kind::Port, Some(format!("metadata.namespace={},metadata.name={}", key.namespace, key.name)))
            }
        }
    }

    fn start(&mut self, reason: Reason, mirror: &mut Mirror, orders: &mut Vec<Order>) {
        let (kind, fields) = self.question(&reason);
        let source = self.next;
        self.next += 1;
        mirror.expect(source);
        orders.push(Order::Watch(source, kind, fields));
        self.running.insert(reason, source);
    }
}
