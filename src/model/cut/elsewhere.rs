//! What ports of other nodes are in a node's view, one by one: so that one that comes, goes or changes is all that is looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use super::security::{addresses, groups};
use super::{bound_to, prepared_on};
use crate::api::MacAddr;
use crate::model::entry::Few;
use crate::model::id::Key;
use crate::model::ipam::number;
use crate::model::moved::Moved;
use crate::model::security::{Member, Number};
use crate::model::topology::{Index, Standing, Topology};
use crate::model::view::{Node, NodeView};

/// All that a view has of a port of another node.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    network: Index,
    addresses: Few<(Index, IpAddr)>,
    mac: Option<MacAddr>,
    /// Whether it is plugged on a node, and not only prepared.
    bound: bool,
    /// Where that node's tunnels begin.
    tunnel: Option<Ipv4Addr>,
    members: BTreeSet<Member>,
}

impl Topology {
    /// What a view has of a port that is not on its node; none: nothing.
    #[must_use]
    pub fn trace(&self, key: &Key) -> Option<Trace> {
        let index = self.entries.binary_search_by(|entry| entry.key.cmp(key)).ok()?;
        let (entry, port) = (&self.entries[index], &self.ports[index]);
        let network = port.network.filter(|_| entry.bound || entry.prepared)?;
        if port.standing != Standing::InForce {
            return None;
        }
        let domain = self.networks[network].domain;
        let groups = if self.is_guarded(entry, port) { groups(self, entry).0 } else { BTreeSet::new() };
        let member = |group: Number| addresses(entry, port).map(move |ip| Member { group, domain, ip });
        Some(Trace {
            network,
            addresses: port.addresses.clone(),
            mac: port.mac,
            bound: entry.bound,
            tunnel: bound_to(entry).and_then(|node| self.tunnels.get(node)).map(|tunnel| tunnel.address),
            members: groups.into_iter().flat_map(member).collect(),
        })
    }

    /// Whether a port is on a node, plugged or prepared.
    #[must_use]
    pub fn is_on(&self, node: &str, key: &Key) -> bool {
        let found = self.entries.binary_search_by(|entry| entry.key.cmp(key)).ok();
        let entry = found.map(|index| &self.entries[index]);
        entry.is_some_and(|entry| [bound_to(entry), prepared_on(entry)].contains(&Some(node)))
    }

    /// Mends the view of a node that a port is not on, and has not just left: of which there was one trace before, and is another
    /// now. Whether that is all that is different; if not, nothing is mended. Notes in `moved` where it mends.
    pub fn mend<'a>(
        &self,
        node: impl Into<Node<'a>>,
        key: &Key,
        (before, after): (Option<&Trace>, Option<&Trace>),
        view: &mut NodeView,
        moved: &mut Moved,
    ) -> bool {
        if before == after {
            return true;
        }
        let mut mender = Mender { topology: self, view, moved };
        let may = self.reaches_the_same(node.into().name, key, before, after)
            && mender.keeps_tunnels(before, after)
            && before.is_none_or(|trace| mender.is_alone(trace));
        if may {
            for (trace, there) in [(before, false), (after, true)] {
                if let Some(trace) = trace {
                    mender.put(trace, there);
                }
            }
        }
        may
    }

    /// Whether ports elsewhere lead to the routers that they led to: in each subnet with a router the port is not the first one
    /// or the last one that is plugged on another node.
    fn reaches_the_same(&self, me: &str, key: &Key, before: Option<&Trace>, after: Option<&Trace>) -> bool {
        let near = |trace: Option<&Trace>| -> BTreeSet<Index> {
            let all = trace.filter(|trace| trace.bound).into_iter().flat_map(|trace| trace.addresses.iter());
            all.map(|(subnet, _)| *subnet).filter(|subnet| !self.subnets[*subnet].routers.is_empty()).collect()
        };
        let other = |subnet: Index| {
            self.plugged().any(|(entry, port)| {
                port.addresses.iter().any(|(of, _)| *of == subnet)
                    && bound_to(entry).is_some_and(|node| node != me)
                    && entry.key != *key
            })
        };
        near(before).symmetric_difference(&near(after)).all(|subnet| other(*subnet))
    }
}

/// Mends one view.
struct Mender<'m> {
    topology: &'m Topology,
    view: &'m mut NodeView,
    moved: &'m mut Moved,
}

/// A station behind a tunnel: its network, its MAC address, and where the tunnel leads.
type Station = (Key, MacAddr, Ipv4Addr);

impl Mender<'_> {
    /// Whether every network has tunnels that had some: with the first station they come, and with the last one they may go.
    fn keeps_tunnels(&self, before: Option<&Trace>, after: Option<&Trace>) -> bool {
        let [before, after] = [before, after].map(|trace| trace.and_then(|trace| self.station(trace)));
        let overlay = |(key, ..): &Station| self.view.networks.get(key)?.overlay.as_ref();
        let stays = |(key, ..): &Station| after.as_ref().is_some_and(|(other, ..)| other == key);
        let lacks = |station: &Station| overlay(station).is_none_or(|o| o.stations.len() < 2 && !stays(station));
        !before.is_some_and(|station| lacks(&station))
            && after.as_ref().is_none_or(|station| overlay(station).is_some())
    }

    /// Whether nobody else is the same member: in other networks of a domain somebody may have the same address.
    fn is_alone(&self, trace: &Trace) -> bool {
        let Topology { networks, subnets, .. } = self.topology;
        let members = trace.members.iter().filter(|member| self.view.members.contains(member));
        let mut numbers = members.map(|member| (member.domain, number(member.ip)));
        numbers.all(|(domain, number)| {
            let others = networks.iter().enumerate().filter(|(at, node)| *at != trace.network && node.domain == domain);
            !others.filter_map(|(_, node)| node.subnet_of(number)).any(|at| subnets[at].ledger.holder(number).is_some())
        })
    }

    /// The station that a port is here; none: it is none.
    fn station(&self, trace: &Trace) -> Option<Station> {
        self.view.tunnel.as_ref()?;
        let node = &self.topology.networks[trace.network];
        let overlay = node.physical.is_none() && node.vni.is_some() && self.view.networks.contains_key(&node.key);
        trace.mac.zip(trace.tunnel).filter(|_| overlay).map(|(mac, tunnel)| (node.key.clone(), mac, tunnel))
    }

    /// Puts a port everywhere that it belongs, or takes it away from there.
    fn put(&mut self, trace: &Trace, there: bool) {
        if let Some((key, mac, tunnel)) = self.station(trace)
            && let Some(overlay) = self.view.networks.get_mut(&key).and_then(|network| network.overlay.as_mut())
        {
            put(&mut overlay.stations, mac, Some(tunnel).filter(|_| there));
            for (_, ip) in trace.addresses.iter() {
                put(&mut overlay.neighbours, *ip, Some(mac).filter(|_| there));
                self.moved.neighbours.insert((key.clone(), *ip));
            }
            self.moved.stations.insert((key, mac));
        }
        self.peers(trace, there);
        for member in &trace.members {
            if !self.view.remotes.contains(&(member.group, member.domain)) {
                continue;
            }
            if there {
                self.view.members.insert(*member);
            } else {
                self.view.members.remove(member);
            }
            self.moved.members.insert(*member);
        }
    }

    /// Routers with a leg beside the port know it.
    fn peers(&mut self, trace: &Trace, there: bool) {
        let Topology { routers, subnets, .. } = self.topology;
        let mac = trace.mac.filter(|_| there);
        for (subnet, ip) in trace.addresses.iter() {
            for router in subnets[*subnet].routers.iter().map(|router| &routers[*router]) {
                let Some(view) = self.view.routers.get_mut(&router.key) else { continue };
                for leg in router.legs.iter().filter(|leg| leg.subnet == *subnet) {
                    for interface in view.interfaces.iter_mut().filter(|interface| interface.uid == leg.uid) {
                        put(&mut interface.peers, *ip, mac);
                        self.moved.peers.insert((router.key.clone(), leg.uid, *ip));
                    }
                }
            }
        }
    }
}

fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    if let Some(value) = value {
        map.insert(key, value);
    } else {
        map.remove(&key);
    }
}
