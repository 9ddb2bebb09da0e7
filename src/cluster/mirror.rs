//! What the API server holds, as far as it was told: a snapshot that follows watches and the answers to own writes.

mod part;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use part::Part;

use crate::api::Allocation;
use crate::model::allocation::Slot;
use crate::model::object::Object;
use crate::model::{Id, Key, Kind, Snapshot};

/// A watch, by number.
pub type Source = usize;

/// Something that the API server holds.
#[derive(Clone, Debug)]
pub enum Thing {
    /// An object that means something.
    Object(Object),
    /// A lock.
    Allocation(Arc<Allocation>),
}

/// What a watch tells.
#[derive(Clone, Debug)]
pub enum News {
    /// A list begins: what is not in it is gone.
    Listing,
    /// It is in the list.
    Listed(Thing),
    /// The list is whole.
    Whole,
    /// It is new, or different.
    Put(Thing),
    /// It is there, and cannot be read: what was known of it before stays.
    Unreadable(Name),
    /// It is gone, or no longer what the watch asks for.
    Gone(Name),
}

/// How a thing is found again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    /// An object that means something.
    Object(Id),
    /// A lock.
    Slot(Slot),
}

impl Name {
    /// The name of what has these metadata; `kind`: none for locks.
    #[must_use]
    pub fn of(kind: Option<Kind>, meta: &ObjectMeta) -> Option<Self> {
        let name = meta.name.as_deref()?;
        match kind {
            Some(kind) => {
                let key = Key::new(meta.namespace.as_deref().unwrap_or_default(), name);
                Some(Self::Object(Id::new(kind, key)))
            }
            None => Slot::parse(name).map(Self::Slot),
        }
    }
}

/// The snapshot and where each part of it comes from.
#[derive(Debug, Default)]
pub struct Mirror {
    snapshot: Snapshot,
    parts: BTreeMap<Source, Part>,
    /// The namespace that was heard of last: all its objects share the text.
    namespace: Arc<str>,
    /// Lists that would take away more than half of what a watch had: they are believed when a second one says the same.
    doubted: HashMap<Source, HashSet<Name>>,
    /// Whether also a first list that is empty is believed only when a second one says the same.
    wary: bool,
    /// Values whose locks are gone, since that was asked last.
    freed: Vec<Slot>,
    /// How many things have gone.
    left: u64,
}

/// What became of news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing is different.
    Same,
    /// Something is.
    Different,
    /// A list lacks so much that it has to be read again before it is believed: start the watch anew.
    Doubtful,
    /// A first list is empty, and is to be read again, too.
    Empty,
}

/// Fewer objects than this may vanish at once without a second look.
const FEW: usize = 8;

impl Mirror {
    /// A mirror of a server that is known to hold something: it doubts first lists that are empty, if `wary`.
    #[must_use]
    pub fn new(wary: bool) -> Self {
        Self { wary, ..Self::default() }
    }

    /// Believes first lists as they are from now on.
    pub fn trust(&mut self) {
        self.wary = false;
    }

    /// All objects.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// All objects, to mark what is assumed until the server says so.
    pub fn snapshot_mut(&mut self) -> &mut Snapshot {
        &mut self.snapshot
    }

    /// Values whose locks have gone since this was asked last.
    pub fn freed(&mut self) -> impl Iterator<Item = Slot> {
        self.freed.drain(..)
    }

    /// How many things have gone so far: where it is the same as before, nothing lacks that was there.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Expects news from a watch; until its first list is whole, nothing is. `whole`: it is the only one of all objects of a
    /// kind.
    pub fn expect(&mut self, source: Source, whole: Option<Kind>) {
        self.parts.entry(source).or_insert_with(|| Part::new(whole));
    }

    /// Forgets a watch and what only it knew.
    pub fn forget(&mut self, source: Source) {
        let Some(part) = self.parts.remove(&source) else { return };
        for name in part.names(&self.snapshot) {
            self.leave(&name);
        }
    }

    /// Whether every watch has been whole once.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.parts.values().all(|part| part.whole)
    }

    /// Whether a watch has been whole once.
    #[must_use]
    pub fn is_whole_of(&self, source: Source) -> bool {
        self.parts.get(&source).is_some_and(|part| part.whole)
    }

    /// Whether a watch has told of an object.
    #[must_use]
    pub fn has(&self, source: Source, id: &Id) -> bool {
        self.parts.get(&source).is_some_and(|part| part.has(&Name::Object(id.clone()), &self.snapshot))
    }

    /// Whether any watch has told of an object, be it readable or not.
    #[must_use]
    pub fn tells_of(&self, id: &Id) -> bool {
        let name = Name::Object(id.clone());
        self.parts.values().any(|part| part.has(&name, &self.snapshot))
    }

    /// Takes in what a watch tells.
    pub fn hear(&mut self, source: Source, news: News) -> Heard {
        let Some(part) = self.parts.get_mut(&source) else { return Heard::Same };
        match news {
            News::Listing => {
                part.begin(&self.snapshot);
                Heard::Same
            }
            News::Listed(thing) | News::Put(thing) => {
                let Some(name) = name(&thing, &self.snapshot, &mut self.namespace) else { return Heard::Same };
                part.tell(&name, true);
                match (thing, name) {
                    (Thing::Object(object), Name::Object(id)) => self.put(object, id, true),
                    (Thing::Allocation(lock), _) => {
                        self.snapshot.allocations.insert(lock);
                        Heard::Different
                    }
                    (Thing::Object(_), Name::Slot(_)) => Heard::Same,
                }
            }
            News::Unreadable(name) => {
                part.tell(&name, false);
                Heard::Same
            }
            News::Whole => self.whole(source),
            News::Gone(name) => {
                part.lose(&name);
                self.leave(&name)
            }
        }
    }

    fn whole(&mut self, source: Source) -> Heard {
        let Some(part) = self.parts.get_mut(&source) else { return Heard::Same };
        let first = !part.whole;
        let Some(gone) = part.end(&self.snapshot) else {
            part.whole = true;
            return Heard::Same;
        };
        let here = part.len(&self.snapshot);
        let empty = gone.len() == here;
        if first && empty && self.wary && self.doubted.insert(source, HashSet::new()).is_none() {
            return Heard::Empty;
        }
        part.whole = true;
        // What has gone since the first list was read makes the second one no less of a confirmation.
        let confirmed = self.doubted.get(&source).is_some_and(|doubted| doubted.is_subset(&gone));
        if gone.len() > FEW && gone.len() * 2 > here && !confirmed {
            self.doubted.insert(source, gone);
            return Heard::Doubtful;
        }
        self.doubted.remove(&source);
        for name in &gone {
            part.lose(name);
        }
        let left = gone.iter().filter(|name| self.leave(name) == Heard::Different).count();
        if first || left > 0 { Heard::Different } else { Heard::Same }
    }

    /// The version of an object, if it is the very one that is known already.
    #[must_use]
    pub fn knows(&self, thing: &Thing) -> Option<String> {
        let Thing::Object(object) = thing else { return None };
        let known = Object::find(&self.snapshot, &object.id())?;
        let same =
            known.meta().uid == object.meta().uid && known.meta().resource_version == object.meta().resource_version;
        object.meta().resource_version.clone().filter(|_| same)
    }

    /// Takes in the server's answer to an own write: never anything that is not there, lest something deleted comes back.
    pub fn answer(&mut self, thing: Thing) -> Heard {
        match thing {
            Thing::Object(object) => {
                let id = object.id();
                self.put(object, id, false)
            }
            Thing::Allocation(_) => Heard::Different,
        }
    }

    /// Takes in a lock that was just made, or was there before: the watch will tell of it too.
    pub fn locked(&mut self, lock: Arc<Allocation>) {
        self.snapshot.allocations.insert(lock);
    }

    fn put(&mut self, object: Object, id: Id, new: bool) -> Heard {
        let known = Object::find(&self.snapshot, &id);
        match &known {
            Some(known) if !is_newer(known.meta(), object.meta()) => return Heard::Same,
            None if !new => return Heard::Same,
            _ => {}
        }
        let same = known.is_some_and(|known| is_same(&known, &object));
        object.put_as(id.key, &mut self.snapshot);
        if same { Heard::Same } else { Heard::Different }
    }

    /// Takes something away, unless another watch has it.
    fn leave(&mut self, name: &Name) -> Heard {
        if self.parts.values().any(|part| part.keeps(name)) {
            return Heard::Same;
        }
        self.left += 1;
        match name {
            Name::Object(id) => drop(Object::take(&mut self.snapshot, id)),
            Name::Slot(slot) => {
                self.freed.extend(self.snapshot.allocations.get(slot).map(|_| *slot));
                self.snapshot.allocations.remove(slot);
            }
        }
        Heard::Different
    }
}

/// The name of a thing. It is kept in several places, so its text is shared with what is known already.
fn name(thing: &Thing, snapshot: &Snapshot, last: &mut Arc<str>) -> Option<Name> {
    let object = match thing {
        Thing::Object(object) => object,
        Thing::Allocation(lock) => return Name::of(None, &lock.metadata),
    };
    let mut id = object.id();
    if let Some(known) = Object::key_in(snapshot, &id) {
        id.key = known;
    } else if id.key.namespace == *last {
        id.key.namespace = last.clone();
    } else {
        *last = id.key.namespace.clone();
    }
    Some(Name::Object(id))
}

/// Whether two versions of one object differ in nothing but bookkeeping.
fn is_same(known: &Object, new: &Object) -> bool {
    let (a, b) = (known.meta(), new.meta());
    a.uid == b.uid
        && a.generation == b.generation
        && a.deletion_timestamp == b.deletion_timestamp
        && a.finalizers == b.finalizers
        && a.labels == b.labels
        && known.same_spec(new)
        && known.same_status(new)
}

/// Whether `new` is not older than what is known. Versions count up (Kubernetes 1.35, KEP-5504, says so of what etcd always
/// did); where they are no numbers, the last one told is believed.
fn is_newer(known: &ObjectMeta, new: &ObjectMeta) -> bool {
    let version = |meta: &ObjectMeta| meta.resource_version.as_deref().and_then(|v| v.parse::<u64>().ok());
    known.uid != new.uid || version(known).zip(version(new)).is_none_or(|(known, new)| known <= new)
}

/// Makes a thing of what the server sends, without the server's own bookkeeping, which is longer than the object.
pub fn thing<T>(mut object: T, wrap: fn(Arc<T>) -> Thing) -> Thing
where
    T: kube::Resource,
{
    let meta = object.meta_mut();
    meta.managed_fields = None;
    if let Some(notes) = &mut meta.annotations {
        notes.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    wrap(Arc::new(object))
}

#[cfg(test)]
mod tests;
