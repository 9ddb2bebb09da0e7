//! What concerns one node: the ports bound here and elsewhere, the routers that it needs, and its tunnels.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::{bound_to, prepared_on, uid};
use crate::api::{Attachment, AttachmentMode, MacAddr};
use crate::model::active::Pairs;
use crate::model::entry::PortEntry;
use crate::model::id::Key;
use crate::model::ipam::{Holder, number};
use crate::model::link::{Rank, Role, wires};
use crate::model::topology::{Index, PhysicalNode, PortNode, RouterNode, Standing, Topology, Tunnel};
use crate::model::view::{Node, NodeView, OverlayView, Part, PhysicalView, RouterView, Takeover, TunnelView};

/// A port with what became of it.
type Bound<'t> = (&'t PortEntry, &'t PortNode);

/// How a floating IP is translated at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// With its router's gateway node.
    Along,
    /// With its port.
    Home,
    /// Its port has just come, or has just left, and another node has the address: what leaves the port is translated, and so
    /// is what still arrives.
    Beside,
}

/// A topology as one node looks at it.
pub struct Cut<'t> {
    pub topology: &'t Topology,
    pub node: Node<'t>,
    /// Ports bound to the node, or prepared there.
    pub here: Vec<Bound<'t>>,
    /// Ports bound to others, each with where that node's tunnels begin.
    elsewhere: Vec<(Bound<'t>, Option<Ipv4Addr>)>,
    /// Allowed address pairs that are active, on whatever node.
    pub pairs: Pairs,
    /// Addresses of plugged ports and the MAC address behind each, by subnet.
    pub stations: BTreeMap<Index, Vec<(IpAddr, MacAddr)>>,
    /// Floating IPs of each router that are translated here, and how; a list without any: some are about to be.
    pub floating: BTreeMap<Index, Vec<(Index, Seat)>>,
}

impl<'t> Cut<'t> {
    /// Sorts ports and floating IPs by where they are.
    pub fn new(topology: &'t Topology, node: Node<'t>) -> Self {
        let alone = topology.role == Role::Host;
        let (mut here, mut elsewhere) = (Vec::new(), Vec::new());
        // Ports of one node often stand side by side.
        let mut last: (&str, Option<Ipv4Addr>) = ("", None);
        let mut stations: BTreeMap<Index, Vec<(IpAddr, MacAddr)>> = BTreeMap::new();
        for (entry, port) in topology.plugged() {
            for (subnet, ip) in port.addresses.iter() {
                stations.entry(*subnet).or_default().extend(port.mac.map(|mac| (*ip, mac)));
            }
            let at = bound_to(entry);
            let is_here = at == Some(node.name);
            if is_here || !alone && prepared_on(entry) == Some(node.name) {
                here.push((entry, port));
            }
            let Some(name) = at.filter(|_| !is_here && !alone) else { continue };
            if last.0 != name {
                last = (name, topology.tunnels.get(name).map(|t| t.address));
            }
            elsewhere.push(((entry, port), last.1));
        }
        let pairs = topology.pairs(node.fresh);
        for pair in &pairs.addresses {
            stations.entry(pair.subnet).or_default().push((pair.ip, pair.mac));
        }
        let mut cut = Self { topology, node, here, elsewhere, pairs, stations, floating: BTreeMap::new() };
        for (index, ip) in topology.floating_ips.iter().enumerate() {
            let Some(router) = ip.router else { continue };
            let is_me = |at: &Option<Arc<str>>| at.as_deref() == Some(node.name);
            let port = || ip.object.spec.port_ref.as_ref().map(|port| ip.key.referred(port));
            let seat = if alone || !ip.along && is_me(&ip.node) {
                Some(Seat::Home)
            } else if ip.along && cut.part(&topology.routers[router]).is_some() {
                Some(Seat::Along)
            } else if is_me(&ip.next[0]) || ip.node.is_some() && port().is_some_and(|p| node.departed.contains(&p)) {
                Some(Seat::Beside)
            } else {
                None
            };
            if seat.is_some() || is_me(&ip.next[1]) {
                cut.floating.entry(router).or_default().extend(seat.map(|seat| (index, seat)));
            }
        }
        cut
    }

    /// Ports that were here until a moment ago, and are on another node.
    fn departed(&self) -> impl Iterator<Item = &Bound<'t>> {
        let left = |(entry, _): &&Bound<'t>| self.node.departed.contains(&entry.key);
        self.elsewhere.iter().map(|(port, _)| port).filter(left)
    }

    /// Whether the node is alone in its world.
    pub fn alone(&self) -> bool {
        self.topology.role == Role::Host
    }

    /// The node's part in what a router translates; none: floating IPs of ports here at most.
    pub fn part(&self, router: &RouterNode) -> Option<Part> {
        let is_me = |node: &Option<Arc<str>>| node.as_deref() == Some(self.node.name);
        let takeover = self.node.takeovers.get(&router.key);
        if self.alone() {
            Some(Part::Gateway)
        } else if is_me(&router.gateway_node) {
            // There is somebody to take over from.
            Some(match takeover.filter(|_| router.former_node.is_some()) {
                Some(Takeover::Waits) => Part::Next,
                Some(Takeover::Takes) => Part::Takes,
                _ => Part::Gateway,
            })
        } else if is_me(&router.former_node) {
            Some(Part::Former)
        } else {
            let leaves = takeover == Some(&Takeover::Leaves) && router.gateway_node.is_some();
            (is_me(&router.next_node) || leaves).then_some(Part::Next)
        }
    }

    /// Whether a router's packets to the outside leave from this node, as far as it is up to this node.
    pub fn is_gateway(&self, router: &RouterNode) -> bool {
        self.part(router) == Some(Part::Gateway)
    }

    /// Where the tunnels of this node begin.
    pub fn own(&self) -> Option<&'t Tunnel> {
        self.topology.tunnels.get(self.node.name).filter(|_| !self.alone())
    }

    /// How the node reaches the others.
    pub fn tunnel(&self) -> Option<TunnelView> {
        let own = self.own()?;
        let others = self.topology.tunnels.iter().filter(|(name, _)| ***name != *self.node.name);
        let agent = Key::new("", self.node.name);
        Some(TunnelView { agent, address: own.address, mtu: own.mtu, others: others.map(|(_, t)| t.address).collect() })
    }

    /// Routers with a port here behind them, that leave to a wire from here, or that such a one hands packets on to.
    pub fn routers(&self) -> BTreeSet<Index> {
        let here = |r: Index| self.leaves(r) && self.part(&self.topology.routers[r]).is_some();
        self.reached(&self.here, |r| here(r) || self.floating.contains_key(&r))
    }

    /// Whether a router leads to a wire, be it as the outside or as one network of several: that is its gateway node's.
    fn leaves(&self, router: Index) -> bool {
        wires(self.topology, router).next().is_some()
    }

    /// Routers that ports lead to, those that `also`, and those that they hand packets on to.
    fn reached(&self, ports: &[Bound<'t>], also: impl Fn(Index) -> bool) -> BTreeSet<Index> {
        let Topology { routers, subnets, networks, .. } = self.topology;
        // On a wire the gateway node is reached by the wire.
        let by_wire =
            |subnet: Index| !self.alone() && subnets[subnet].network.is_some_and(|n| networks[n].physical.is_some());
        let near = ports.iter().flat_map(|(_, p)| p.addresses.iter().map(|(subnet, _)| *subnet));
        let near: BTreeSet<Index> = near.filter(|subnet| !by_wire(*subnet)).collect();
        let used = |r: &Index| also(*r) || routers[*r].legs.iter().any(|l| near.contains(&l.subnet));
        let mut queue: Vec<Index> = (0..routers.len()).filter(used).collect();
        let mut found = BTreeSet::new();
        while let Some(index) = queue.pop() {
            if !found.insert(index) {
                continue;
            }
            let router = &routers[index];
            let holders = router.routes.values().flatten().filter_map(|ip| {
                let leg = router.legs.iter().find(|l| subnets[l.subnet].range.cidr.contains(ip))?;
                subnets[leg.subnet].ledger.holder(number(*ip))
            });
            queue.extend(holders.filter_map(|h| match h {
                Holder::Interface(next) if !routers[next].legs.is_empty() => Some(next),
                _ => None,
            }));
        }
        found
    }

    /// Networks with a port here, or with a leg of a router here.
    pub fn networks(&self, routers: &[(Index, RouterView)]) -> BTreeSet<Index> {
        let here = self.here.iter().chain(self.departed());
        let mut found: BTreeSet<Index> = here.filter_map(|(_, port)| port.network).collect();
        for (index, view) in routers {
            let node = &self.topology.routers[*index];
            let leg =
                |uid| node.legs.iter().find(|l| l.uid == uid).and_then(|l| self.topology.subnets[l.subnet].network);
            found.extend(view.interfaces.iter().filter(|i| !i.distant).filter_map(|i| leg(i.uid)));
            found.extend(node.external.as_ref().filter(|_| view.external.is_some()).map(|e| e.network));
        }
        found
    }

    /// Of several attachments the first that fits the node holds. Of two physical networks that lead to one interface the
    /// clash rule chooses.
    pub fn physical(&self) -> BTreeMap<Key, PhysicalView> {
        let all = &self.topology.physical_networks;
        let in_force = all.iter().enumerate().filter(|(_, p)| p.standing == Standing::InForce);
        let rank = |(index, node): (Index, &PhysicalNode)| {
            Rank::of(&node.object.metadata, node.object.status.as_ref().map(|s| &s.conditions), index)
        };
        let mut ranks: Vec<Rank> = in_force.map(rank).collect();
        ranks.sort_unstable();
        let fits = |attachment: &&Attachment| {
            let (Some(labels), Some(selector)) = (self.node.labels, &attachment.node_selector) else { return true };
            selector.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
        };
        let mut holders: BTreeMap<&str, &Key> = BTreeMap::new();
        let view = ranks.into_iter().filter_map(|rank| {
            let PhysicalNode { key, object, .. } = &all[rank.index];
            let attachment = object.spec.attachments.iter().find(fits)?;
            let holder = *holders.entry(&attachment.interface).or_insert(key);
            let view = PhysicalView {
                uid: uid(object.metadata.uid.as_ref()),
                interface: attachment.interface.clone(),
                mode: attachment.mode.unwrap_or(AttachmentMode::Dedicated),
                mtu: object.spec.mtu.unwrap_or(1500),
                taken_by: (holder != key).then(|| holder.clone()),
            };
            Some((key.clone(), view))
        });
        view.collect()
    }

    /// Adds to the networks of a view what of them is on other nodes: ports, and legs of routers, which send from there.
    pub fn overlays(&self, view: &mut NodeView) {
        if self.own().is_none() {
            return;
        }
        let Topology { networks, routers, subnets, .. } = self.topology;
        let bound: Vec<Bound<'t>> = self.elsewhere.iter().map(|(port, _)| *port).collect();
        // While a router moves, two nodes send from it.
        let moves = |r: Index| routers[r].next_node.is_some() || routers[r].former_node.is_some();
        let away = |r: Index| self.leaves(r) && (moves(r) || !self.is_gateway(&routers[r]));
        let legs = self.reached(&bound, away).into_iter().flat_map(|r| &routers[r].legs);
        let mut found: BTreeMap<Index, OverlayView> = BTreeMap::new();
        let segment = |network: Option<Index>| {
            let node = &networks[network?];
            let used = node.physical.is_none() && view.networks.contains_key(&node.key);
            Some((network?, node.vni.filter(|_| used)?))
        };
        let mut overlay = |(index, vni): (Index, u32), add: &dyn Fn(&mut OverlayView)| {
            add(found.entry(index).or_insert_with(|| OverlayView { vni, ..OverlayView::default() }));
        };
        for leg in legs {
            if let Some(segment) = segment(subnets[leg.subnet].network) {
                overlay(segment, &|_| {});
            }
        }
        for ((entry, port), address) in &self.elsewhere {
            if let (Some(address), Some(mac)) = (address, port.mac)
                && let Some(segment) = segment(port.network)
            {
                overlay(segment, &|overlay| {
                    overlay.stations.insert(mac, *address);
                    overlay.neighbours.extend(port.addresses.iter().map(|(_, ip)| (*ip, mac)));
                    overlay.forwards |= self.node.departed.contains(&entry.key);
                });
            }
        }
        for (index, overlay) in found {
            if let Some(network) = view.networks.get_mut(&networks[index].key) {
                network.overlay = Some(overlay);
            }
        }
    }
}
