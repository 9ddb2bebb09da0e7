//! Links again and again, and reads of each port only once what does not change.

use std::ops::Range;
use std::sync::Arc;

use super::references::References;
use super::{World, single};
use crate::api::{Port, ReferenceGrant};
use crate::model::cold::Cold;
use crate::model::entry::{Few, PortEntry};
use crate::model::group::{GroupEntry, Lead};
use crate::model::id::Key;
use crate::model::snapshot::Snapshot;
use crate::model::topology::{Problems, Topology};

/// Remembers what it read of ports and security groups. What [`Linker::link`] gives is a function of the snapshot alone: the memory only saves
/// time. It saves most if the previous topology is dropped before.
#[derive(Debug, Default)]
pub struct Linker {
    role: Role,
    entries: Arc<Vec<PortEntry>>,
    networks: Vec<Key>,
    /// Whether a port's reference to a network leads nowhere.
    dangling: bool,
    grants: Vec<Arc<ReferenceGrant>>,
    groups: Vec<Arc<GroupEntry>>,
}

/// Who links, and so what is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// A host of its own: it chooses addresses, and there is no other node.
    #[default]
    Host,
    /// A cluster's controller: it chooses addresses, segments and gateway nodes.
    Controller,
    /// A node of a cluster: it chooses nothing; what is not recorded is not there.
    Node,
}

impl Linker {
    /// A linker that has read nothing yet.
    #[must_use]
    pub fn new(role: Role) -> Self {
        Self { role, ..Self::default() }
    }

    /// As [`link`](super::link).
    #[must_use]
    pub fn link(&mut self, snapshot: &Snapshot) -> (Topology, Problems) {
        self.link_with(snapshot, &Cold::default())
    }

    /// As [`Self::link`], but that nobody gets a cold address who does not ask for it by name, as long as there are others.
    #[must_use]
    pub fn link_with(&mut self, snapshot: &Snapshot, cold: &Cold) -> (Topology, Problems) {
        let references = References::of(snapshot);
        let read = self.read(snapshot);
        let same_groups = self.read_groups(snapshot);
        self.resolve(snapshot, &references, read, same_groups);
        let topology = Topology { role: self.role, entries: self.entries.clone(), ..Topology::default() };
        super::run(World { snapshot, cold, references, groups: &self.groups, topology, problems: Problems::default() })
    }

    /// Takes one port, as `snapshot` has it, into what was linked last, if nothing else is different that has not been taken in.
    /// The result is the one of [`Linker::link`]. Whether that could be done; if not, the topology is of no use any more.
    pub fn take_in(&mut self, snapshot: &Snapshot, topology: &mut Topology, port: &Key) -> bool {
        if !(single::may(topology) && snapshot.allocations.is_empty() && Arc::ptr_eq(&self.entries, &topology.entries))
        {
            return false;
        }
        // It goes first, so that it need not be copied.
        self.entries = Arc::default();
        let known = |namespace: &str, name: &str| {
            let key = Key::new(namespace, name);
            snapshot.subnets.get_key_value(&key).map(|(key, _)| key.clone())
        };
        let found = snapshot.ports.get_key_value(port).map(|(key, object)| {
            let references = References::of_port(snapshot, topology, key, object);
            let mut entry = PortEntry::read(key, object, known);
            entry.leads = leads(&entry, &references, &mut None);
            entry.network = references.network(key, &object.spec.network_ref).ok();
            self.dangling |= entry.network.is_none();
            (references, entry)
        });
        let (references, entry) = found.map_or_else(|| (References::default(), None), |(r, entry)| (r, Some(entry)));
        // A node gives nothing away.
        let (whole, problems, cold) = (std::mem::take(topology), Problems::default(), &Cold::default());
        let mut world = World { snapshot, cold, references, groups: &self.groups, topology: whole, problems };
        let done = single::replace(&mut world, port, entry);
        *topology = world.topology;
        self.entries = topology.entries.clone();
        done
    }

    /// Reads the ports that are not the ones read before. What is alike at both ends stays where it is; returns what lies
    /// between.
    fn read(&mut self, snapshot: &Snapshot) -> Range<usize> {
        let same = |(entry, object): &(&PortEntry, &Arc<Port>)| Arc::ptr_eq(&entry.object, object);
        let ports = snapshot.ports.values();
        let front = self.entries.iter().zip(ports.clone()).take_while(same).count();
        let rest = self.entries.len().min(ports.len()) - front;
        let back = self.entries.iter().rev().zip(ports.rev()).take(rest).take_while(same).count();
        let (old, new) = (self.entries.len() - front - back, snapshot.ports.len() - front - back);
        if old == 0 && new == 0 {
            return front..front;
        }
        let known = |namespace: &str, name: &str| {
            let key = Key::new(namespace, name);
            snapshot.subnets.get_key_value(&key).map(|(key, _)| key.clone())
        };
        let entries = Arc::make_mut(&mut self.entries);
        let mut before = entries[front..front + old].iter().cloned().peekable();
        let read = snapshot.ports.iter().skip(front).take(new).map(|(key, object)| {
            // Comparing places in memory first: almost always that settles it, and no name is looked at.
            let same = |entry: &PortEntry| Arc::ptr_eq(&entry.object, object);
            let kept = before.next_if(same).or_else(|| {
                while before.next_if(|entry| entry.key < *key).is_some() {}
                before.next_if(same)
            });
            kept.unwrap_or_else(|| PortEntry::read(key, object, known))
        });
        let read: Vec<_> = read.collect();
        entries.splice(front..front + old, read);
        front..front + new
    }

    /// Reads the groups that are not the ones read before; whether those that there are have the same names.
    fn read_groups(&mut self, snapshot: &Snapshot) -> bool {
        let mut before = std::mem::take(&mut self.groups).into_iter().peekable();
        let mut same = before.len() == snapshot.security_groups.len();
        for (key, object) in &snapshot.security_groups {
            while before.next_if(|entry| entry.key < *key).is_some() {
                same = false;
            }
            let there = before.next_if(|entry| entry.key.is(key));
            same &= there.is_some();
            let kept = there.filter(|entry| Arc::ptr_eq(&entry.object, object));
            self.groups.push(kept.unwrap_or_else(|| Arc::new(GroupEntry::read(key, object))));
        }
        same
    }

    /// Looks up networks and groups of ports, as far as the answer may be another than the last time.
    fn resolve(&mut self, snapshot: &Snapshot, references: &References, read: Range<usize>, same_groups: bool) {
        let same_networks = self.networks.len() == snapshot.networks.len()
            && self.networks.iter().zip(snapshot.networks.keys()).all(|(a, b)| a.is(b));
        let grants = snapshot.reference_grants.values();
        let same_grants =
            self.grants.len() == grants.len() && self.grants.iter().zip(grants).all(|(a, b)| Arc::ptr_eq(a, b));
        let all = !(same_networks && same_grants);
        if all {
            self.networks = snapshot.networks.keys().cloned().collect();
            self.grants = snapshot.reference_grants.values().cloned().collect();
        }
        let regroup = !(same_groups && same_grants);
        let open = if all || regroup || self.dangling { 0..self.entries.len() } else { read.clone() };
        if open.is_empty() {
            return;
        }
        self.dangling = false;
        // Ports of one namespace stand side by side.
        let mut own: Option<(Arc<str>, Lead)> = None;
        let start = open.start;
        for (index, entry) in Arc::make_mut(&mut self.entries)[open].iter_mut().enumerate() {
            if regroup || read.contains(&(start + index)) {
                entry.leads = leads(entry, references, &mut own);
            }
            if all || entry.network.is_none() {
                entry.network = references.network(&entry.key, &entry.object.spec.network_ref).ok();
            }
            self.dangling |= entry.network.is_none();
        }
    }
}

/// Where a port's references to groups lead. `own`: the last namespace that was asked for, and its group `default`.
fn leads(entry: &PortEntry, references: &References, own: &mut Option<(Arc<str>, Lead)>) -> Few<Lead> {
    let Some(named) = &entry.object.spec.security_group_refs else {
        let namespace = &entry.key.namespace;
        if own.as_ref().is_none_or(|(known, _)| known != namespace) {
            *own = Some((namespace.clone(), references.own_group(namespace)));
        }
        return own.iter().map(|(_, lead)| *lead).collect();
    };
    named.iter().map(|reference| references.group(&entry.key, reference).unwrap_or(Lead::Nowhere)).collect()
}
