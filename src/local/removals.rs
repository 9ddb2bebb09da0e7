//! Between "no file declares it any more" and "it goes": editors and checkouts take a file away for a moment, and a
//! folder that is suddenly empty is more often a mistake than a wish.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::model::Id;

/// How long nothing more may go missing before what is missing counts as removed. Editors rename the old file away
/// before they write the new one; that takes them a few milliseconds.
pub const QUIET: Duration = Duration::from_millis(200);

/// Things that go missing without end are judged after this long.
const PATIENCE: Duration = Duration::from_secs(2);

/// A folder with fewer objects than this may lose any but its last one without being asked.
const FEW: usize = 4;

/// Objects that no file declares any more.
#[derive(Debug, Default)]
pub struct Removals {
    missing: BTreeSet<Id>,
    /// When the first and the last of `missing` were seen to be missing.
    since: Option<(Instant, Instant)>,
    held: BTreeMap<String, BTreeSet<Id>>,
}

impl Removals {
    /// An object is missing at `now`.
    pub fn missing(&mut self, id: &Id, now: Instant) {
        if !self.held.values().any(|ids| ids.contains(id)) && self.missing.insert(id.clone()) {
            self.since = Some((self.since.map_or(now, |(first, _)| first), now));
        }
    }

    /// An object is declared (again).
    pub fn present(&mut self, id: &Id) {
        if self.missing.remove(id) && self.missing.is_empty() {
            self.since = None;
        }
        for ids in self.held.values_mut() {
            ids.remove(id);
        }
        self.held.retain(|_, ids| !ids.is_empty());
    }

    /// When [`Removals::judge`] is to be called.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.since.map(|(first, last)| (last + QUIET).min(first + PATIENCE))
    }

    /// What may go, of all that is missing. `folder` says which folder an object belonged to, `left` how many objects
    /// of a folder are still declared. What a folder loses too suddenly is held until [`Removals::confirm`].
    pub fn judge(&mut self, folder: impl Fn(&Id) -> String, left: impl Fn(&str) -> usize) -> BTreeSet<Id> {
        self.since = None;
        let mut lost: BTreeMap<String, BTreeSet<Id>> = BTreeMap::new();
        for id in std::mem::take(&mut self.missing) {
            lost.entry(folder(&id)).or_default().insert(id);
        }
        let mut go = BTreeSet::new();
        for (folder, ids) in lost {
            let left = left(&folder);
            let gone = ids.len() + self.held.get(&folder).map_or(0, BTreeSet::len);
            if left == 0 || (left + gone >= FEW && gone > left) {
                self.held.entry(folder).or_default().extend(ids);
            } else {
                go.extend(ids);
            }
        }
        go
    }

    /// What is held back, by folder.
    #[must_use]
    pub fn held(&self) -> &BTreeMap<String, BTreeSet<Id>> {
        &self.held
    }

    /// Lets go of everything that is held back.
    pub fn confirm(&mut self) -> BTreeSet<Id> {
        std::mem::take(&mut self.held).into_values().flatten().collect()
    }
}

/// What a person has to know of what is held back: one sentence for each folder.
#[must_use]
pub fn sentences<'a>(held: impl Iterator<Item = (&'a str, usize)>) -> Vec<String> {
    let line = |(folder, count): (&str, usize)| {
        let objects = if count == 1 { "1 object".to_owned() } else { format!("{count} objects") };
        format!(
            "{folder} has suddenly lost {objects}; nothing is removed until you run `tenet confirm` (or put the files back)"
        )
    };
    held.map(line).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::{Key, Kind};

    fn id(name: usize) -> Id {
        Id::new(Kind::Port, Key::new("default", &format!("p{name}")))
    }

    /// Loses `gone` of a folder with `all` objects; returns how many may go.
    fn lose(removals: &mut Removals, all: usize, gone: usize) -> usize {
        (0..gone).for_each(|n| removals.missing(&id(n), Instant::now()));
        removals.judge(|_| "/f".into(), |_| all - gone).len()
    }

    #[test]
    fn a_folder_may_lose_half_of_what_it_holds_but_not_more_and_not_all() {
        let cases = [(1, 1, 0), (2, 1, 1), (3, 2, 2), (3, 3, 0), (4, 2, 2), (4, 3, 0), (100, 50, 50), (100, 51, 0)];
        for (all, gone, go) in cases {
            let mut removals = Removals::default();
            assert_eq!(lose(&mut removals, all, gone), go, "{gone} of {all}");
            assert_eq!(removals.confirm().len(), gone - go, "{gone} of {all}");
            assert!(removals.held().is_empty());
        }
    }

    #[test]
    fn a_folder_cannot_be_emptied_bite_by_bite_at_once() {
        let mut removals = Removals::default();
        let start = Instant::now();
        removals.missing(&id(0), start);
        let first = removals.deadline().unwrap();
        removals.missing(&id(1), start + QUIET / 2);
        assert!(removals.deadline().unwrap() > first, "the second one is waited for");
        for n in 2..1000_u32 {
            removals.missing(&id(n as usize), start + n * QUIET / 2);
        }
        assert_eq!(removals.deadline(), Some(start + PATIENCE), "but not for ever");
    }

    #[test]
    fn what_comes_back_is_held_no_longer_and_what_was_held_is_not_judged_again() {
        let mut removals = Removals::default();
        assert_eq!(lose(&mut removals, 4, 4), 0);
        assert_eq!(lose(&mut removals, 4, 4), 0);
        removals.present(&id(0));
        assert_eq!(sentences(removals.held().iter().map(|(f, i)| (f.as_str(), i.len()))).len(), 1);
        assert_eq!(removals.confirm(), (1..4).map(id).collect());
        removals.missing(&id(5), Instant::now());
        removals.present(&id(5));
        assert_eq!(removals.deadline(), None);
    }
}
