//! From station to station.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use super::packet::Packet;
use super::{End, Hop};
use crate::dataplane::filter::{State, Tables};
use crate::model::chart::{Chart, NetworkChart, PortChart};
use crate::model::view::{NodeView, RouterView};
use crate::model::{Key, Topology};

/// Most stations and routers on a way.
const HOPS: usize = 16;

/// One node, and what its filters go by.
pub struct Place {
    pub name: String,
    pub view: NodeView,
    pub tables: Tables,
}

/// A port, as it was found.
#[derive(Clone)]
pub struct Found {
    pub network: Key,
    pub chart: PortChart,
}

/// A packet's way so far.
pub struct Walk<'t> {
    pub topology: &'t Topology,
    pub chart: Rc<Chart>,
    pub hops: Vec<Hop>,
    /// What ports remember.
    pub state: State,
    places: BTreeMap<String, Rc<Place>>,
    steps: usize,
    /// Whether the packet is an answer: its way ends it, no answer follows.
    pub answers: bool,
    /// The packet as it left its guest.
    pub sent: Option<(Found, Packet)>,
    /// Whether an address was translated.
    pub translated: bool,
}

impl<'t> Walk<'t> {
    pub fn new(topology: &'t Topology) -> Self {
        Self {
            topology,
            chart: Rc::new(topology.chart()),
            hops: Vec::new(),
            state: State::default(),
            places: BTreeMap::new(),
            steps: 0,
            answers: false,
            sent: None,
            translated: false,
        }
    }

    /// A port by name.
    pub fn find(&self, port: &Key) -> Option<Found> {
        let of = |network: &NetworkChart| {
            let chart = network.ports.iter().find(|chart| chart.name == *port)?.clone();
            Some(Found { network: network.name.clone(), chart })
        };
        self.chart.networks.iter().find_map(of)
    }

    /// What a node realises.
    pub fn place(&mut self, node: &str) -> Rc<Place> {
        let topology = self.topology;
        let make = || {
            let view = topology.view(node);
            Rc::new(Place { name: node.to_owned(), tables: Tables::of(&view), view })
        };
        self.places.entry(node.to_owned()).or_insert_with(make).clone()
    }

    /// All nodes that have a part in anything.
    pub fn nodes(&self) -> BTreeSet<String> {
        let chart = &self.chart;
        let ports = chart.networks.iter().flat_map(|network| &network.ports).filter_map(|port| port.node.clone());
        let routers = chart.routers.iter().filter_map(|router| router.gateway_node.clone());
        ports.chain(routers).chain(chart.floating_ips.iter().filter_map(|ip| ip.node.clone())).collect()
    }

    /// Writes a step down.
    pub fn hop(&mut self, at: impl Into<String>, node: Option<&str>, says: impl Into<String>) {
        self.hops.push(Hop { at: at.into(), node: node.map(str::to_owned), says: says.into() });
    }

    /// The end of a packet that goes nowhere.
    pub fn dropped(&mut self, at: impl Into<String>, node: Option<&str>, because: impl Into<String>) -> End {
        let (at, because) = (at.into(), because.into());
        self.hop(at.clone(), node, format!("dropped: {because}"));
        End::Dropped { at, because }
    }

    /// Brings a packet to who has the address `next` on a network, seen from a node: the packet's target, or a router on the
    /// way there.
    pub fn deliver(&mut self, network: &Key, node: &Rc<Place>, next: Ipv4Addr, packet: Packet) -> End {
        self.steps += 1;
        let at = format!("Network {network}");
        if self.steps > HOPS {
            return self.dropped(at, Some(&node.name), format!("it goes in circles: more than {HOPS} hops"));
        }
        if let Some(place) = self.station(network, node, next) {
            return self.receive(network, node, &place, next, packet);
        }
        if let Some(router) = leg(network, node, next) {
            return self.route(&router, node, packet, false);
        }
        if let Some((router, place)) = self.outside(network, node, next) {
            self.cross(&at, node, &place, "by the wire");
            return self.route(&router, &place, packet, true);
        }
        let chart = self.chart.clone();
        let known = chart.networks.iter().find(|other| other.name == *network);
        let has = |port: &&PortChart| port.addresses.contains(&IpAddr::V4(next));
        if let Some(port) = known.and_then(|known| known.ports.iter().find(has)) {
            let why = match &port.fault {
                Some(fault) => format!("it is not Ready: {}: {}", fault.reason, fault.message),
                None if port.node.is_some() => "it is not in force on its node".into(),
                None => "nobody has plugged it".into(),
            };
            return self.dropped(format!("Port {}", port.name), None, why);
        }
        if node.view.networks.get(network).is_some_and(|n| n.provider.is_some()) {
            self.hop(at, Some(&node.name), format!("{next} is none of ours: it goes to the wire"));
            return End::Leaves { at: format!("the wire of Network {network}, as {}", packet.source) };
        }
        self.dropped(at, Some(&node.name), format!("nobody has the address {next}"))
    }

    /// The node on which a port has an address of a network.
    fn station(&mut self, network: &Key, node: &Rc<Place>, ip: Ipv4Addr) -> Option<Rc<Place>> {
        let ip = IpAddr::V4(ip);
        let has = |place: &Place| {
            let ports = place.view.networks.get(network).map(|n| &n.ports);
            ports.is_some_and(|ports| {
                ports.values().any(|p| p.active.contains_key(&ip) || p.addresses.iter().any(|a| a.0 == ip))
            })
        };
        if has(node) {
            return Some(node.clone());
        }
        let chart = self.chart.clone();
        let of = chart.networks.iter().find(|other| other.name == *network)?;
        let nodes: BTreeSet<&str> = of.ports.iter().filter_map(|port| port.node.as_deref()).collect();
        nodes.into_iter().map(|name| self.place(name)).find(|place| has(place))
    }

    /// The router that has an address of an external network, and the node on which it answers for it.
    fn outside(&mut self, network: &Key, node: &Rc<Place>, ip: Ipv4Addr) -> Option<(Key, Rc<Place>)> {
        let ip = IpAddr::V4(ip);
        let is = |place: &Place| {
            let mut routers = place.view.routers.iter();
            let answers = routers.find(|(_, router)| {
                let external = router.external.as_ref().filter(|e| e.network == *network);
                external.is_some_and(|e| {
                    let own = e.addresses.iter().any(|net| net.addr() == ip) && e.part.has_addresses();
                    let along = e.forwarding.contains_key(&ip) && e.part.has_addresses();
                    let floats = e.floating.get(&ip).is_some_and(|to| to.home || e.part.has_addresses());
                    own || along || floats
                })
            });
            answers.map(|(key, _)| key.clone())
        };
        if let Some(router) = is(node) {
            return Some((router, node.clone()));
        }
        let nodes = self.nodes();
        nodes.iter().map(|name| self.place(name)).find_map(|place| Some((is(&place)?, place)))
    }

    /// Says that a packet goes from node to node.
    pub fn cross(&mut self, at: &str, from: &Rc<Place>, to: &Rc<Place>, way: &str) {
        if from.name != to.name {
            self.hop(at, Some(&from.name), format!("to node {} {way}", to.name));
        }
    }
}

/// The router that has an address of a tenant's network, as a node has it.
fn leg(network: &Key, node: &Place, ip: Ipv4Addr) -> Option<Key> {
    let is = |router: &RouterView| router.interfaces.iter().any(|i| i.network == *network && i.ip == IpAddr::V4(ip));
    node.view.routers.iter().find(|(_, router)| is(router)).map(|(key, _)| key.clone())
}
