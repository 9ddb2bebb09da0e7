//! Deletion: what others depend on waits for them, and says for whom.
//!
//! Kinds are walked from the leaves to the root, so when everything is deleted at once everything is released at once.

use super::World;
use crate::model::entry::PortEntry;
use crate::model::group::{Lead, is_default};
use crate::model::id::{Id, Key, Kind};
use crate::model::ipam::Holder;
use crate::model::topology::{Index, Standing, Topology};

/// How many dependents a condition names.
const NAMED: usize = 3;

/// Finds out which deleted objects may go.
pub fn release(world: &mut World) {
    let World { snapshot, topology, .. } = world;
    for (key, grant) in &snapshot.reference_grants {
        if grant.metadata.deletion_timestamp.is_some() {
            topology.released.insert(Id::new(Kind::ReferenceGrant, key.clone()));
        }
    }
    macro_rules! walk {
        ($kind:ident, $nodes:ident, $users:ident) => {
            for index in 0..topology.$nodes.len() {
                if topology.$nodes[index].object.metadata.deletion_timestamp.is_none() {
                    continue;
                }
                let sentence = sentence($users(topology, index));
                let id = Id::new(Kind::$kind, topology.$nodes[index].key.clone());
                if let Some(sentence) = sentence {
                    topology.in_use.insert(id, sentence);
                } else {
                    topology.$nodes[index].standing = Standing::Released;
                    topology.released.insert(id);
                }
            }
        };
    }
    walk!(Router, routers, of_router);
    for node in topology.routers.iter_mut().filter(|node| node.standing == Standing::Released) {
        (node.legs, node.external, node.routes) = Default::default();
    }
    walk!(SecurityGroup, security_groups, of_group);
    walk!(Subnet, subnets, of_subnet);
    walk!(Network, networks, of_network);
    walk!(PhysicalNetwork, physical_networks, of_physical);
}

fn sentence<'a>(users: impl Iterator<Item = (Kind, &'a Key)>) -> Option<String> {
    let users: Vec<_> = users.collect();
    let names: Vec<String> = users.iter().take(NAMED).map(|(kind, key)| format!("{kind} {key}")).collect();
    let more = users.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!users.is_empty()).then(|| format!("Still used by {}{more}: it goes as soon as these are gone.", names.join(", ")))
}

fn of_router(topology: &Topology, router: Index) -> impl Iterator<Item = (Kind, &Key)> {
    let through = move |f: &&crate::model::topology::FloatingNode| f.router == Some(router);
    topology.floating_ips.iter().filter(through).map(|f| (Kind::FloatingIP, &f.key))
}

/// Ports in a group. What `default` allows without an object is implied, so that one may go at any time.
fn of_group(topology: &Topology, group: Index) -> impl Iterator<Item = (Kind, &Key)> {
    let waits = topology.security_groups[group].ports > 0 && !is_default(&topology.security_groups[group].key);
    let ports = topology.entries.iter().zip(&topology.ports).filter(move |_| waits);
    let is_in = move |entry: &PortEntry| entry.leads.contains(&Lead::Object(group));
    let ports = ports.filter(move |(entry, port)| is_in(entry) && topology.is_guarded(entry, port));
    ports.map(|(entry, _)| (Kind::Port, &entry.key))
}

fn of_subnet(topology: &Topology, subnet: Index) -> impl Iterator<Item = (Kind, &Key)> {
    topology.subnets[subnet].ledger.iter().filter_map(|(_, holder)| match holder {
        Holder::Port(i) => Some((Kind::Port, &topology.entries[i].key)),
        Holder::Leaving => None,
        Holder::FloatingIP(i) => Some((Kind::FloatingIP, &topology.floating_ips[i].key)),
        Holder::Interface(i) | Holder::External(i) => {
            let node = &topology.routers[i];
            (node.standing != Standing::Released).then_some((Kind::Router, &node.key))
        }
    })
}

fn of_network(topology: &Topology, network: Index) -> impl Iterator<Item = (Kind, &Key)> {
    let here = Some(network);
    let subnets = topology.subnets.iter().filter(move |s| s.network == here && s.standing != Standing::Released);
    let ports = topology.entries.iter().zip(&topology.ports).filter(move |(_, port)| port.network == here);
    let routers = topology.routers.iter().filter(move |r| r.external.as_ref().is_some_and(|e| e.network == network));
    let floating = topology.floating_ips.iter().filter(move |f| f.network == here);
    subnets
        .map(|s| (Kind::Subnet, &s.key))
        .chain(ports.map(|(entry, _)| (Kind::Port, &entry.key)))
        .chain(routers.map(|r| (Kind::Router, &r.key)))
        .chain(floating.map(|f| (Kind::FloatingIP, &f.key)))
}

fn of_physical(topology: &Topology, physical: Index) -> impl Iterator<Item = (Kind, &Key)> {
    let uses = move |n: &&crate::model::topology::NetworkNode| {
        n.physical == Some(physical) && n.standing != Standing::Released
    };
    topology.networks.iter().filter(uses).map(|n| (Kind::Network, &n.key))
}
