//! What is wrong, told once: a line in the log when it appears, and one when it is gone.

use std::collections::{BTreeMap, BTreeSet};

use tracing::{info, warn};

use super::store::Store;
use crate::api::ConditionType::{Accepted, Programmed, Ready, ResolvedRefs};
use crate::model::object::Object;
use crate::model::{Id, Kind, Snapshot};

/// What was said last.
#[derive(Debug, Default)]
pub struct Said {
    lines: BTreeSet<String>,
    skipped: BTreeSet<String>,
    objects: BTreeMap<Id, String>,
}

impl Said {
    /// What is wrong with files now.
    pub fn lines(&mut self, now: Vec<String>) {
        let now: BTreeSet<_> = now.into_iter().collect();
        for line in now.difference(&self.lines) {
            warn!("{line}");
        }
        for line in self.lines.difference(&now) {
            info!("no longer: {line}");
        }
        self.lines = now;
    }

    /// What files hold that is somebody else's.
    pub fn skipped(&mut self, now: impl Iterator<Item = String>) {
        let now: BTreeSet<_> = now.collect();
        for line in now.difference(&self.skipped) {
            info!("{line}");
        }
        self.skipped = now;
    }

    /// What is wrong with objects now, and why. Of those that are not there any more nothing is said.
    pub fn objects(&mut self, now: BTreeMap<Id, String>, snapshot: &Snapshot) {
        for (object, why) in now.iter().filter(|(object, why)| self.objects.get(*object) != Some(*why)) {
            warn!(%object, "{why}");
        }
        let there = |object: &&Id| !now.contains_key(*object) && Object::find(snapshot, object).is_some();
        for object in self.objects.keys().filter(there) {
            info!(%object, "in order again");
        }
        self.objects = now;
    }
}

/// Every object that is not Ready, with reason and message.
#[must_use]
pub fn unready(store: &Store) -> Vec<String> {
    let all = Kind::ALL.into_iter().filter(|k| k.declared() && *k != Kind::ReferenceGrant);
    let objects = all.flat_map(|kind| Object::all(store.snapshot(), kind));
    objects.filter_map(|o| unready_line(&o)).collect()
}

fn unready_line(object: &Object) -> Option<String> {
    if object.condition(Ready).is_some_and(|c| c.status == "True") {
        return None;
    }
    // The first aspect that is not true says why.
    let wrong = [Accepted, ResolvedRefs, Programmed, Ready].into_iter().filter_map(|t| object.condition(t));
    let why = wrong.into_iter().find(|c| c.status != "True");
    let why = why.map_or_else(|| "nothing is known of it".to_owned(), |c| format!("{}: {}", c.reason, c.message));
    Some(format!("{}: {why}", object.id()))
}
