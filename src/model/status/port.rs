//! The statuses of ports. Most ports are well and their status says so already: these are passed over at a glance.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Judge;
use super::conditions::{Known, Progress, Wanted};
use super::each::Node;
use super::kinds::{in_force, refer};
use crate::api::{Condition, Port, PortStatus, StatusAddress};
use crate::model::entry::PortEntry;
use crate::model::id::{Key, Kind};
use crate::model::link::Role;
use crate::model::topology::{Index, PortNode, Standing, Topology};

/// Of which healthy ports the recorded conditions already speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    unbound: bool,
    done: bool,
    unheard: bool,
}

impl Settled {
    /// Compares recorded conditions with those of healthy ports.
    pub fn of(generation: Option<i64>, conditions: &[Condition]) -> Self {
        let speaks = |progress| {
            let (refused, unresolved, in_use) = (None, None, None);
            let known = Known { generation, judged: true, refers: true, refused, unresolved, in_use, progress };
            Wanted::of(&known, conditions).same(conditions)
        };
        Self { unbound: speaks(Progress::Unbound), done: speaks(Progress::Done), unheard: speaks(Progress::Unheard) }
    }
}

/// A port: what was read of it, and what came of it.
#[derive(Clone, Copy)]
struct Ported<'a> {
    entry: &'a PortEntry,
    node: &'a PortNode,
}

impl Node for Ported<'_> {
    type Object = Port;
    type Status = PortStatus;
    fn key(&self) -> &Key {
        &self.entry.key
    }
    fn standing(&self) -> Standing {
        self.node.standing
    }
    fn generation(&self) -> Option<i64> {
        self.entry.object.metadata.generation
    }
    fn recorded(object: &Port) -> Option<&PortStatus> {
        object.status.as_ref()
    }
}

impl Judge<'_> {
    pub(super) fn ports(&self) -> BTreeMap<Key, PortStatus> {
        let mut sayings = self.sayings(Kind::Port);
        let closer = self.which().filter_map(|index| {
            let (entry, node) = (&self.topology.entries[index], &self.topology.ports[index]);
            let port = Ported { entry, node };
            let settled = self.is_settled(&port) && sayings.silent(&entry.key);
            // Of what was settled when it was read, only a report writes anew, of plugged ports; without one that stays.
            let may_be_newer = entry.bound && self.report.is_some();
            if node.standing == Standing::Released || settled && !may_be_newer {
                return None;
            }
            let object = self.snapshot.ports.get(&entry.key)?;
            (!(settled && Arc::ptr_eq(&entry.object, object))).then_some((port, object))
        });
        self.each(Kind::Port, closer, |port, recorded, known| {
            // A port that is not in force keeps what is recorded, so that it gets the same addresses once it is.
            if !in_force(port.node.standing) {
                return None;
            }
            match &recorded.binding {
                None => known.progress = Progress::Unbound,
                Some(binding) if self.is_others(Some(&binding.node_name)) => {
                    known.progress = known.progress.unheard();
                }
                Some(_) => {}
            }
            let network = &self.topology.networks[port.node.network?];
            let address = |(subnet, ip): &(usize, _)| StatusAddress {
                subnet_ref: refer(&port.entry.key, &self.topology.subnets[*subnet].key),
                ip: *ip,
            };
            let fields = PortStatus {
                addresses: port.node.addresses.iter().map(address).collect(),
                mac_address: port.node.mac,
                mtu: Some(network.mtu),
                network_uid: network.object.metadata.uid.clone(),
                binding: recorded.binding.clone(),
                migration: recorded.migration.clone(),
                // The node's own word.
                active_pairs: recorded.active_pairs.clone(),
                conditions: Vec::new(),
            };
            (!same_fields(&fields, recorded)).then_some(fields)
        })
    }

    /// Ports to look at: a report changes nothing about those that nobody has plugged.
    fn which(&self) -> impl Iterator<Item = Index> {
        let Topology { bound, ports, .. } = self.topology;
        let (all, some) = if self.only_told { (0..0, bound.as_slice()) } else { (0..ports.len(), &[][..]) };
        all.chain(some.iter().copied())
    }

    /// Whether a port is well and its status, as it was read, says just that.
    fn is_settled(&self, port: &Ported) -> bool {
        let (entry, node) = (port.entry, port.node);
        let speaks = match (entry.bound, self.report) {
            (false, _) => entry.settled.unbound,
            (true, Some(_)) if self.topology.role != Role::Controller => entry.settled.done,
            (true, _) => entry.settled.unheard,
        };
        let Some(network) = node.network.filter(|_| speaks && in_force(node.standing)) else { return false };
        let (recorded, network) = (&entry.recorded, &self.topology.networks[network]);
        let same_address = |((key, was), (subnet, ip)): (&(Key, _), &(usize, _))| {
            was == ip && key.is(&self.topology.subnets[*subnet].key)
        };
        recorded.mac == node.mac
            && recorded.mtu == Some(network.mtu)
            && recorded.network_uid == Some(network.uid)
            && recorded.addresses.len() == node.addresses.len()
            && recorded.addresses.iter().zip(node.addresses.iter()).all(same_address)
    }
}

/// Whether two statuses are alike beside their conditions.
fn same_fields(a: &PortStatus, b: &PortStatus) -> bool {
    a.addresses == b.addresses
        && a.mac_address == b.mac_address
        && a.mtu == b.mtu
        && a.network_uid == b.network_uid
        && a.binding == b.binding
}
