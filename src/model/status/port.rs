//! The statuses of ports. Most ports are well and their status says so already: these are passed over at a glance.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Judge;
use super::conditions::{Known, Progress, Wanted};
use super::each::{Node, beside};
use super::kinds::{in_force, refer};
use crate::api::{Condition, Port, PortStatus, StatusAddress};
use crate::model::entry::PortEntry;
use crate::model::id::{Key, Kind};
use crate::model::topology::{PortNode, Standing};

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
struct Ported<'a> {
    entry: Cow<'a, PortEntry>,
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
        let ports = self.topology.entries.iter().zip(&self.topology.ports);
        let ports = ports.map(|(entry, node)| Ported { entry: Cow::Borrowed(entry), node });
        let ports = beside(&self.snapshot.ports, ports).map(|(mut port, object)| {
            if !Arc::ptr_eq(&port.entry.object, object) {
                port.entry.to_mut().read_status(object);
            }
            (port, object)
        });
        let differ = ports.filter(|(port, _)| {
            let settled = port.entry.settled;
            let speaks = match (port.entry.bound, self.report) {
                (false, _) => settled.unbound,
                (true, Some(_)) => settled.done,
                (true, None) => settled.unheard,
            };
            !(speaks && in_force(port.node.standing) && self.same(port) && sayings.silent(&port.entry.key))
        });
        self.each(Kind::Port, differ, |port, recorded, known| {
            // A port that is not in force keeps what is recorded, so that it gets the same addresses once it is.
            if !in_force(port.node.standing) {
                return None;
            }
            if !port.entry.bound {
                known.progress = Progress::Unbound;
            }
            let network = &self.topology.networks[port.node.network?];
            let subnet = |subnet: usize| refer(&port.entry.key, &self.topology.subnets[subnet].key);
            let addresses = port.node.addresses.iter();
            (!self.same(port)).then(|| PortStatus {
                addresses: addresses.map(|(s, ip)| StatusAddress { subnet_ref: subnet(*s), ip: *ip }).collect(),
                mac_address: port.node.mac,
                mtu: Some(network.mtu),
                network_uid: network.object.metadata.uid.clone(),
                binding: recorded.binding.clone(),
                conditions: Vec::new(),
            })
        })
    }

    /// Whether the port's own fields are as recorded.
    fn same(&self, port: &Ported) -> bool {
        let (recorded, node) = (&port.entry.recorded, port.node);
        let Some(network) = node.network.map(|n| &self.topology.networks[n]) else { return false };
        let same_address = |((key, was), (subnet, ip)): (&(Key, _), &(usize, _))| {
            was == ip && *key == self.topology.subnets[*subnet].key
        };
        recorded.mac == node.mac
            && recorded.mtu == Some(network.mtu)
            && recorded.network_uid == Some(network.uid)
            && recorded.addresses.len() == node.addresses.len()
            && recorded.addresses.iter().zip(node.addresses.iter()).all(same_address)
    }
}
