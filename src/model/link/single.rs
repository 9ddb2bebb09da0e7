//! One port that comes, goes or changes, taken into what was linked before.
//!
//! What a port has depends on no other port as long as no two want the same thing, and nobody else depends on a port that no
//! floating IP leads to, that is nobody's gateway, that nothing waits for in order to go, and beside which nobody's address pairs
//! move. So the rest stays as it was linked. Where any of that is not so, all is linked anew.

use std::sync::Arc;

use super::World;
use super::claims::Wish;
use super::port;
use crate::api::Reference;
use crate::model::entry::PortEntry;
use crate::model::group::Lead;
use crate::model::id::{Id, Key, Kind};
use crate::model::ipam::number;
use crate::model::link::Role;
use crate::model::topology::{Index, PortNode, Standing, SubnetNode, Topology};

/// Whether ports may be taken into a topology one by one.
pub fn may(topology: &Topology) -> bool {
    let waits = |id: &Id| !matches!(id.kind, Kind::Port | Kind::ReferenceGrant);
    topology.role == Role::Node
        && !topology.contested
        && topology.in_use.is_empty()
        && !topology.released.iter().any(waits)
}

/// Puts a port, as it was read, in the place of the one of that name; none: it is gone. Whether that was all; if not, what is
/// there now is of no use.
pub fn replace(world: &mut World, key: &Key, entry: Option<PortEntry>) -> bool {
    if is_target(&world.topology, key) {
        return false;
    }
    let place = world.topology.entries.binary_search_by(|known| known.key.cmp(key));
    if let Ok(index) = place
        && !forget(&mut world.topology, index)
    {
        return false;
    }
    let Topology { entries, ports, .. } = &mut world.topology;
    let entries = Arc::make_mut(entries);
    let index = match (place, entry) {
        (Ok(index), Some(entry)) => {
            (entries[index], ports[index]) = (entry, PortNode::default());
            index
        }
        (Err(index), Some(entry)) => {
            entries.insert(index, entry);
            ports.insert(index, PortNode::default());
            count_anew(&mut world.topology, |port| port + usize::from(port >= index));
            index
        }
        (Ok(index), None) => {
            entries.remove(index);
            ports.remove(index);
            count_anew(&mut world.topology, |port| port - usize::from(port > index));
            return true;
        }
        (Err(_), None) => return true,
    };
    let entries = world.topology.entries.clone();
    settle(world, index, &entries[index]);
    !world.topology.contested && is_alone(&world.topology, index)
}

/// Whether a floating IP leads, or may lead, to a port.
fn is_target(topology: &Topology, port: &Key) -> bool {
    topology.floating_ips.iter().any(|node| {
        let spec = &node.object.spec;
        let leads = |to: &Reference| *to.name == *port.name && node.key.namespace_of(to) == &*port.namespace;
        spec.port_ref.iter().chain(spec.port_forwardings.iter().map(|to| &to.port_ref)).any(leads)
    })
}

/// Takes from a port all that it has; whether it is known what that is.
fn forget(topology: &mut Topology, index: Index) -> bool {
    if !is_alone(topology, index) {
        return false;
    }
    let Topology { networks, subnets, entries, ports, released, .. } = &mut *topology;
    let (entry, node) = (&entries[index], &ports[index]);
    if node.standing == Standing::InForce {
        for (subnet, ip) in node.addresses.iter() {
            let subnet = &mut subnets[*subnet];
            subnet.ledger.give_back(&subnet.range, number(*ip));
        }
        if let (Some(network), Some(mac)) = (node.network, node.mac) {
            networks[network].give_back_mac(mac);
        }
    } else if node.network.is_some() && (entry.recorded.mac.is_some() || !entry.recorded.addresses.is_empty()) {
        // Some of that it may have.
        return false;
    }
    if entry.deleted {
        released.remove(&Id::new(Kind::Port, entry.key.clone()));
    }
    count(topology, index, |ports| ports.saturating_sub(1));
    topology.bound.retain(|port| *port != index);
    true
}

/// Whether nobody else is other than without the port.
fn is_alone(topology: &Topology, index: Index) -> bool {
    let (entry, node) = (&topology.entries[index], &topology.ports[index]);
    let domain = |network: Option<Index>| network.map(|network| topology.networks[network].domain);
    let beside = |port: &Index| domain(topology.ports[*port].network) == domain(node.network);
    let is_gateway = |(subnet, ip): &(Index, _)| topology.subnets[*subnet].range.gateway == Some(number(*ip));
    let more = entry.announces || node.addresses.iter().any(is_gateway);
    !more && (node.network.is_none() || !topology.announcing.iter().any(beside))
}

/// Counts ports in groups.
fn count(topology: &mut Topology, index: Index, to: impl Fn(usize) -> usize) {
    let entry = &topology.entries[index];
    if topology.is_guarded(entry, &topology.ports[index]) {
        for lead in entry.leads.iter() {
            if let Lead::Object(group) = lead {
                let ports = &mut topology.security_groups[*group].ports;
                *ports = to(*ports);
            }
        }
    }
}

fn count_anew(topology: &mut Topology, renumber: impl Fn(usize) -> usize + Copy) {
    topology.subnets.iter_mut().for_each(|subnet| subnet.ledger.count_anew(renumber));
    for port in topology.bound.iter_mut().chain(&mut topology.announcing) {
        *port = renumber(*port);
    }
}

/// Judges a port and gives it what is recorded of it.
fn settle(world: &mut World, index: Index, entry: &PortEntry) {
    let (standing, network) = port::judge(world, entry);
    let node = &mut world.topology.ports[index];
    (node.standing, node.network) = (standing, network);
    if entry.bound || entry.prepared {
        let bound = &mut world.topology.bound;
        bound.insert(bound.partition_point(|port| *port < index), index);
        let announcing = &mut world.topology.announcing;
        announcing.extend(entry.announces.then_some(index));
        announcing.sort_unstable();
    }
    port::hold(world, entry, entry.rank.at(index), &mut Vec::<Wish>::new());
    count(&mut world.topology, index, |ports| ports + 1);
}

impl Topology {
    /// Whether two topologies of the same objects are the same as far as ports have a say.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let read = |t: &Self| {
            let entry = |e: &PortEntry| (e.key.clone(), e.network, e.leads.clone(), e.bound, e.prepared);
            t.entries.iter().map(entry).collect::<Vec<_>>()
        };
        let ledgers =
            |(a, b): (&SubnetNode, &SubnetNode)| a.key == b.key && a.standing == b.standing && a.ledger == b.ledger;
        let networks = self.networks.iter().zip(&other.networks);
        let groups = self.security_groups.iter().zip(&other.security_groups);
        read(self) == read(other)
            && self.ports == other.ports
            && (&self.bound, &self.announcing) == (&other.bound, &other.announcing)
            && (&self.released, &self.in_use) == (&other.released, &other.in_use)
            && self.contested == other.contested
            && self.subnets.iter().zip(&other.subnets).all(ledgers)
            && networks.clone().all(|(a, b)| a.has_same_macs(b) && a.standing == b.standing && a.domain == b.domain)
            && groups.clone().all(|(a, b)| a.ports == b.ports && a.standing == b.standing)
    }
}
