//! What this node has said of each object: never twice at once, and never again what changed nothing.
//!
//! With server-side apply nobody can take away what another writer says, so what a node finds may stay other than it wants
//! until that writer has seen it. Saying it again meanwhile would keep the API server busy and change nothing.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Instant;

use serde_json::Value;

use crate::cluster::write::Target;

/// Words about so many objects are remembered without asking whether the objects are still there.
const FEW: usize = 64;

/// All that was said and may matter still.
#[derive(Debug)]
pub struct Words {
    said: HashMap<Target, Word>,
    limit: usize,
}

#[derive(Debug)]
struct Word {
    content: u64,
    fate: Fate,
}

#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// On its way.
    Sent,
    /// Not to be tried again before.
    Refused(Instant),
    /// It left the object at this version.
    Vain(String),
}

impl Default for Words {
    fn default() -> Self {
        Self { said: HashMap::new(), limit: FEW }
    }
}

impl Words {
    /// Whether this may be said of an object that was seen in `version`; if so, it counts as on its way.
    pub fn begin(&mut self, target: &Target, content: &Value, version: Option<&str>, now: Instant) -> bool {
        let mut hasher = DefaultHasher::new();
        content.to_string().hash(&mut hasher);
        let content = hasher.finish();
        let waits = self.said.get(target).is_some_and(|word| match &word.fate {
            Fate::Sent => true,
            Fate::Refused(until) => *until > now,
            Fate::Vain(left) => word.content == content && version == Some(left),
        });
        if !waits {
            self.said.insert(target.clone(), Word { content, fate: Fate::Sent });
        }
        !waits
    }

    /// It was taken, or somebody was first.
    pub fn done(&mut self, target: &Target) {
        self.said.remove(target);
    }

    /// It was taken and left the object in a version that was known.
    pub fn vain(&mut self, target: &Target, version: &str) {
        self.fate(target, Fate::Vain(version.into()));
    }

    /// It was not taken, and is not tried again before `until`.
    pub fn refused(&mut self, target: &Target, until: Instant) {
        self.fate(target, Fate::Refused(until));
    }

    fn fate(&mut self, target: &Target, fate: Fate) {
        if let Some(word) = self.said.get_mut(target) {
            word.fate = fate;
        }
    }

    /// When something that was refused may be said again.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let refused = |word: &Word| if let Fate::Refused(until) = word.fate { Some(until) } else { None };
        self.said.values().filter_map(refused).min()
    }

    /// Forgets words about what is no longer there, once there are many.
    pub fn prune(&mut self, is_there: impl Fn(&Target) -> bool) {
        if self.said.len() > self.limit {
            self.said.retain(|target, word| word.fate == Fate::Sent || is_there(target));
            self.limit = self.said.len() * 2 + FEW;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::model::{Id, Key, Kind};

    fn target(name: &str) -> Target {
        Target::Object(Id::new(Kind::Router, Key::new("default", name)))
    }

    #[test]
    fn what_changed_nothing_is_said_again_only_of_another_version_or_in_other_words() {
        let (mut words, now, r) = (Words::default(), Instant::now(), target("r"));
        assert!(words.begin(&r, &json!("up"), Some("7"), now));
        assert!(!words.begin(&r, &json!("down"), Some("7"), now), "one at a time");
        words.vain(&r, "7");
        assert!(!words.begin(&r, &json!("up"), Some("7"), now));
        assert!(words.begin(&r, &json!("up"), Some("8"), now));
        words.vain(&r, "8");
        assert!(words.begin(&r, &json!("down"), Some("8"), now));
        words.done(&r);
        assert!(words.begin(&r, &json!("down"), Some("8"), now));
    }

    #[test]
    fn what_was_refused_waits_and_what_is_gone_is_forgotten() {
        let (mut words, now) = (Words::default(), Instant::now());
        let (r, later) = (target("r"), now + Duration::from_secs(5));
        assert!(words.begin(&r, &json!(1), None, now));
        words.refused(&r, later);
        assert!(!words.begin(&r, &json!(2), None, now));
        assert_eq!(words.deadline(), Some(later));
        assert!(words.begin(&r, &json!(2), None, later));
        for n in 0..=FEW {
            let target = target(&n.to_string());
            assert!(words.begin(&target, &json!(n), None, now));
            words.vain(&target, "1");
        }
        words.prune(|_| false);
        assert_eq!(words.said.len(), 1, "what is on its way stays");
    }
}
