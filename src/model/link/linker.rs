//! Links again and again, and reads of each port only once what does not change.

use std::ops::Range;
use std::sync::Arc;

use super::World;
use super::references::References;
use crate::api::{Port, ReferenceGrant};
use crate::model::entry::PortEntry;
use crate::model::id::Key;
use crate::model::snapshot::Snapshot;
use crate::model::topology::{Problems, Topology};

/// Remembers what it read of ports. What [`Linker::link`] gives is a function of the snapshot alone: the memory only saves
/// time. It saves most if the previous topology is dropped before.
#[derive(Debug, Default)]
pub struct Linker {
    role: Role,
    entries: Arc<Vec<PortEntry>>,
    networks: Vec<Key>,
    /// Whether a port's reference to a network leads nowhere.
    dangling: bool,
    grants: Vec<Arc<ReferenceGrant>>,
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
        let references = References::of(snapshot);
        let read = self.read(snapshot);
        self.resolve(snapshot, &references, read);
        let topology = Topology { role: self.role, entries: self.entries.clone(), ..Topology::default() };
        super::run(World { snapshot, references, topology, problems: Problems::default() })
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

    /// Looks up the networks of ports, as far as the answer may be another than the last time.
    fn resolve(&mut self, snapshot: &Snapshot, references: &References, read: Range<usize>) {
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
        let open = if all || self.dangling { 0..self.entries.len() } else { read };
        if open.is_empty() {
            return;
        }
        self.dangling = false;
        for entry in &mut Arc::make_mut(&mut self.entries)[open] {
            if all || entry.network.is_none() {
                entry.network = references.network(&entry.key, &entry.object.spec.network_ref).ok();
            }
            self.dangling |= entry.network.is_none();
        }
    }
}
