//! What one watch has told of.

use std::collections::HashSet;

use super::Name;
use crate::model::object::Object;
use crate::model::{Id, Kind, Snapshot};

/// One watch's part of the mirror.
#[derive(Debug)]
pub struct Part {
    /// Whether it has been whole once.
    pub whole: bool,
    here: Here,
    listing: Listing,
}

/// What a watch has told of.
#[derive(Debug)]
enum Here {
    /// These. Other watches may have told of them, too.
    These(HashSet<Name>),
    /// All of a kind that no other watch tells of: what the snapshot has of it, and these, which could not be read.
    Kind(Kind, HashSet<Name>),
}

/// The list that is being read.
#[derive(Debug)]
enum Listing {
    /// None is.
    No,
    /// One, when nothing had been told of: all that is here is in it.
    First,
    /// Another one; what is in it so far.
    Again(HashSet<Name>),
}

impl Part {
    /// Of a watch that has told nothing yet; `kind`: the only one of all objects of a kind.
    pub fn new(kind: Option<Kind>) -> Self {
        let here = kind.map_or_else(|| Here::These(HashSet::new()), |kind| Here::Kind(kind, HashSet::new()));
        Self { whole: false, here, listing: Listing::No }
    }

    /// Whether it has told of something.
    pub fn has(&self, name: &Name, snapshot: &Snapshot) -> bool {
        match (&self.here, name) {
            (Here::These(names), name) => names.contains(name),
            (Here::Kind(kind, unread), Name::Object(id)) => {
                id.kind == *kind && (unread.contains(name) || Object::key_in(snapshot, id).is_some())
            }
            (Here::Kind(..), Name::Slot(_)) => false,
        }
    }

    /// Whether something stays because this watch has told of it, though another one says that it is gone.
    pub fn keeps(&self, name: &Name) -> bool {
        matches!(&self.here, Here::These(names) if names.contains(name))
    }

    /// How many there are.
    pub fn len(&self, snapshot: &Snapshot) -> usize {
        match &self.here {
            Here::These(names) => names.len(),
            Here::Kind(kind, unread) => Object::count(snapshot, *kind) + strangers(unread, snapshot).count(),
        }
    }

    /// A list begins.
    pub fn begin(&mut self, snapshot: &Snapshot) {
        self.listing = if self.len(snapshot) == 0 { Listing::First } else { Listing::Again(HashSet::new()) };
    }

    /// Something is there; `read`: and could be read.
    pub fn tell(&mut self, name: &Name, read: bool) {
        if let Listing::Again(listed) = &mut self.listing {
            listed.insert(name.clone());
        }
        match &mut self.here {
            Here::Kind(_, unread) if read => _ = unread.remove(name),
            Here::These(names) | Here::Kind(_, names) => _ = names.insert(name.clone()),
        }
    }

    /// Something is gone.
    pub fn lose(&mut self, name: &Name) {
        let (Here::These(names) | Here::Kind(_, names)) = &mut self.here;
        names.remove(name);
    }

    /// The list has ended; what is here and not in it. None: no list was being read.
    pub fn end(&mut self, snapshot: &Snapshot) -> Option<HashSet<Name>> {
        match std::mem::replace(&mut self.listing, Listing::No) {
            Listing::No => None,
            Listing::First => Some(HashSet::new()),
            Listing::Again(listed) => {
                let mut here = self.names(snapshot);
                here.retain(|name| !listed.contains(name));
                Some(here)
            }
        }
    }

    /// All that it has told of.
    pub fn names(&self, snapshot: &Snapshot) -> HashSet<Name> {
        match &self.here {
            Here::These(names) => names.clone(),
            Here::Kind(kind, unread) => {
                let known = Object::keys(snapshot, *kind).into_iter().map(|key| Name::Object(Id::new(*kind, key)));
                known.chain(unread.iter().cloned()).collect()
            }
        }
    }
}

/// What could not be read and was not known before.
fn strangers<'a>(unread: &'a HashSet<Name>, snapshot: &'a Snapshot) -> impl Iterator<Item = &'a Name> {
    unread.iter().filter(|name| matches!(name, Name::Object(id) if Object::key_in(snapshot, id).is_none()))
}
