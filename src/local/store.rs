//! What an API server would keep: every object with its metadata, and the status decided so far.
//!
//! Addresses are given once: a status is on disk before the kernel hears of it ([`Store::commit`]).

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::Path;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use super::journal::{FILE, Journal, Record, replay};
use crate::api::{ActivePair, Binding};
use crate::model::object::Object;
use crate::model::status::Statuses;
use crate::model::{Id, Key, Kind, Remark, Snapshot};

/// All objects, in memory and on disk.
#[derive(Debug, Default)]
pub struct Store {
    snapshot: Snapshot,
    sources: HashMap<Id, Arc<str>>,
    /// None: nothing is written, as `tenet plan` wants it.
    journal: Option<Journal>,
    dirty: BTreeSet<Id>,
    version: u64,
}

/// Whether a state directory has a store.
#[must_use]
pub fn is_there(dir: &Path) -> bool {
    dir.join(FILE).exists()
}

/// What became of an object that a file declares.
#[derive(Debug, PartialEq, Eq)]
pub enum Declared {
    /// It was like that already.
    Same,
    /// It is new, or its spec has changed.
    Changed,
    /// An immutable field differs: the old spec stays.
    Refused(Remark),
}

impl Store {
    /// Opens the store of a state directory, to write to it.
    ///
    /// # Errors
    /// The directory cannot be written, or the journal is damaged.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let mut store = Self::default();
        store.journal = Some(Journal::open(dir, |record| store.replay(record))?);
        Ok(store)
    }

    /// Reads the store of a state directory; empty when there is none. Nothing is ever written.
    ///
    /// # Errors
    /// The journal cannot be read or is damaged.
    pub fn read(dir: &Path) -> io::Result<Self> {
        let mut store = Self::default();
        match replay(&dir.join(FILE), |record| store.replay(record)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(store),
        }
    }

    fn replay(&mut self, record: Record) {
        match record {
            Record::Put { source, object } => {
                let version = object.meta().resource_version.as_deref().and_then(|v| v.parse().ok());
                self.version = self.version.max(version.unwrap_or(0));
                self.sources.insert(object.id(), source.into());
                object.put(&mut self.snapshot);
            }
            Record::Gone { kind, namespace, name } => {
                let Some(kind) = Kind::named(&kind) else { return };
                let id = Id::new(kind, Key::new(&namespace, &name));
                self.sources.remove(&id);
                Object::take(&mut self.snapshot, &id);
            }
        }
    }

    /// All objects.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// All objects with the file that declares each.
    pub fn sources(&self) -> impl Iterator<Item = (&Id, &str)> {
        self.sources.iter().map(|(id, source)| (id, &**source))
    }

    /// The file that declares an object.
    #[must_use]
    pub fn source(&self, id: &Id) -> Option<&str> {
        self.sources.get(id).map(|source| &**source)
    }

    /// One object.
    #[must_use]
    pub fn get(&self, id: &Id) -> Option<Object> {
        Object::find(&self.snapshot, id)
    }

    /// Takes over what a file says of an object. One that was about to go stays.
    pub fn declare(&mut self, declared: &Object, source: &str, now: Timestamp) -> Declared {
        let id = declared.id();
        let Some(mut object) = self.get(&id) else {
            let mut object = declared.clone();
            let meta = object.meta_mut();
            meta.uid = Some(uuid::Uuid::new_v4().to_string());
            meta.creation_timestamp = Some(Time(now));
            meta.generation = Some(1);
            self.sources.insert(id, source.into());
            self.put(object);
            return Declared::Changed;
        };
        let same_spec = object.same_spec(declared);
        let (old, new) = (object.meta(), declared.meta());
        let same_meta =
            old.labels == new.labels && old.annotations == new.annotations && old.deletion_timestamp.is_none();
        let same_source = self.sources.get(&id).is_some_and(|s| **s == *source);
        if same_spec && same_meta && same_source {
            return Declared::Same;
        }
        let refused = if same_spec { None } else { declared.edit(&object).err() };
        self.sources.insert(id.clone(), source.into());
        // Seen twice at once, an object is copied: let go of the old one first.
        Object::take(&mut self.snapshot, &id);
        if !same_spec && refused.is_none() {
            object.take_spec(declared);
            let meta = object.meta_mut();
            meta.generation = meta.generation.map(|g| g + 1);
        }
        let (labels, annotations) = (new.labels.clone(), new.annotations.clone());
        let meta = object.meta_mut();
        (meta.labels, meta.annotations, meta.deletion_timestamp) = (labels, annotations, None);
        self.put(object);
        refused.map_or(Declared::Changed, Declared::Refused)
    }

    /// Marks an object to go as soon as nothing depends on it.
    pub fn delete(&mut self, id: &Id, now: Timestamp) {
        if let Some(mut object) = Object::take(&mut self.snapshot, id) {
            object.meta_mut().deletion_timestamp.get_or_insert(Time(now));
            self.put(object);
        }
    }

    /// Takes an object away.
    pub fn remove(&mut self, id: &Id) {
        if Object::take(&mut self.snapshot, id).is_some() {
            self.sources.remove(id);
            self.dirty.insert(id.clone());
        }
    }

    /// Records who has plugged a port; none: nobody. Whether that is new.
    pub fn bind(&mut self, port: &Key, binding: Option<Binding>) -> bool {
        let Some(object) = self.snapshot.ports.get_mut(port) else { return false };
        if object.status.as_ref().and_then(|s| s.binding.as_ref()) == binding.as_ref() {
            return false;
        }
        let status = Arc::make_mut(object).status.get_or_insert_default();
        // What was here with the guest is gone with it.
        status.active_pairs.retain(|_| binding.is_some());
        status.binding = binding;
        self.touch(&Id::new(Kind::Port, port.clone()));
        true
    }

    /// Records which allowed address pairs are at a port. Whether that is new.
    pub fn activate(&mut self, port: &Key, pairs: &[ActivePair]) -> bool {
        let Some(object) = self.snapshot.ports.get_mut(port) else { return false };
        if object.status.as_ref().is_none_or(|status| status.active_pairs == pairs) {
            return false;
        }
        Arc::make_mut(object).status.get_or_insert_default().active_pairs = pairs.to_vec();
        self.touch(&Id::new(Kind::Port, port.clone()));
        true
    }

    /// Records statuses; whether any is new.
    pub fn record(&mut self, statuses: Statuses) -> bool {
        let mut changed = Vec::new();
        macro_rules! record { ($($kind:ident $field:ident),+) => { $(
            for (key, status) in statuses.$field {
                let Some(object) = self.snapshot.$field.get_mut(&key) else { continue };
                if object.status.as_ref() != Some(&status) {
                    Arc::make_mut(object).status = Some(status);
                    changed.push(Id::new(Kind::$kind, key));
                }
            }
        )+ } }
        record!(Network networks, Subnet subnets, Port ports, Router routers, FloatingIP floating_ips, SecurityGroup security_groups,
            PhysicalNetwork physical_networks);
        for id in &changed {
            self.touch(id);
        }
        !changed.is_empty()
    }

    /// Writes what has changed. `durable`: once this returns, it survives a power cut.
    ///
    /// # Errors
    /// The disk's; what has changed is then written by the next commit.
    pub fn commit(&mut self, durable: bool) -> io::Result<()> {
        let Some(mut journal) = self.journal.take() else {
            self.dirty.clear();
            return Ok(());
        };
        let done = self.write(&mut journal, durable);
        self.journal = Some(journal);
        done
    }

    fn write(&mut self, journal: &mut Journal, durable: bool) -> io::Result<()> {
        if self.dirty.is_empty() {
            return Ok(());
        }
        let batch: Vec<_> = self.dirty.iter().map(|id| self.as_record(id)).collect();
        journal.append(&batch, durable)?;
        self.dirty.clear();
        if journal.has_grown()
            && let Err(error) = journal.rewrite(self.sources.keys().map(|id| self.as_record(id)))
        {
            // The batch is on disk all the same.
            tracing::warn!(%error, "the journal goes on growing: it could not be written anew");
        }
        Ok(())
    }

    fn as_record(&self, id: &Id) -> Record {
        match (self.get(id), self.sources.get(id)) {
            (Some(object), Some(source)) => Record::Put { source: source.to_string(), object },
            _ => Record::Gone {
                kind: id.kind.to_string(),
                namespace: id.key.namespace.to_string(),
                name: id.key.name.to_string(),
            },
        }
    }

    fn put(&mut self, object: Object) {
        let id = object.id();
        object.put(&mut self.snapshot);
        self.touch(&id);
    }

    fn touch(&mut self, id: &Id) {
        self.version += 1;
        if let Some(mut object) = Object::take(&mut self.snapshot, id) {
            object.meta_mut().resource_version = Some(self.version.to_string());
            object.put(&mut self.snapshot);
        }
        self.dirty.insert(id.clone());
    }
}

#[cfg(test)]
mod tests;
