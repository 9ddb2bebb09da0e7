//! What the kernel may hold of routers and floating IPs, by name: an agent that has just started knows nothing else that tells a
//! router that is gone from one that a list lacks.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::durable;
use crate::model::{Id, Key, Kind};

/// Its file in the run directory, which is empty after a reboot, as the kernel is.
const FILE: &str = "routed.json";

/// One line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    kind: String,
    namespace: String,
    name: String,
}

/// Routers and floating IPs that were made last, or are about to be.
#[derive(Debug)]
pub struct Routed {
    path: PathBuf,
    ids: BTreeSet<Id>,
}

impl Routed {
    /// Reads the file. Without it, or where it is damaged, lists are believed.
    pub fn open(run_dir: &Path) -> Self {
        let path = run_dir.join(FILE);
        let lines = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<Vec<Line>>(&bytes).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let lines = lines.unwrap_or_else(|error| {
            warn!(file = %path.display(), %error, "what was routed here is not known");
            Vec::new()
        });
        let id = |line: Line| Some(Id::new(Kind::named(&line.kind)?, Key::new(&line.namespace, &line.name)));
        Self { path, ids: lines.into_iter().filter_map(id).collect() }
    }

    /// What it says.
    pub fn ids(&self) -> &BTreeSet<Id> {
        &self.ids
    }

    /// Says something else from now on. What the disk does not take is known as long as this agent runs.
    pub fn note(&mut self, ids: BTreeSet<Id>) {
        if ids == self.ids {
            return;
        }
        self.ids = ids;
        let line = |id: &Id| Line {
            kind: id.kind.to_string(),
            namespace: id.key.namespace.to_string(),
            name: id.key.name.to_string(),
        };
        let lines: Vec<Line> = self.ids.iter().map(line).collect();
        if let Err(error) = durable::replace(&self.path, |out| Ok(serde_json::to_writer(out, &lines)?)) {
            warn!(file = %self.path.display(), %error, "what is routed here cannot be recorded: after a restart lists are believed");
        }
    }

    /// Takes the file away.
    ///
    /// # Errors
    /// The disk's; an absent file is fine.
    pub fn remove(&mut self) -> io::Result<()> {
        self.ids.clear();
        durable::remove(&self.path)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot begin ends there")]
mod tests {
    use super::*;

    #[test]
    fn what_was_routed_is_known_to_the_next_one_and_a_damaged_file_is_none() {
        let dir = std::env::temp_dir().join(format!("routed-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let ids = |names: &[(Kind, &str)]| -> BTreeSet<Id> {
            names.iter().map(|(kind, name)| Id::new(*kind, Key::new("default", name))).collect()
        };
        let one = ids(&[(Kind::Router, "main"), (Kind::FloatingIP, "main")]);
        let mut routed = Routed::open(&dir);
        assert!(routed.ids().is_empty());
        routed.note(one.clone());
        assert_eq!(Routed::open(&dir).ids(), &one);
        routed.note(ids(&[(Kind::Router, "other")]));
        assert_eq!(Routed::open(&dir).ids(), &ids(&[(Kind::Router, "other")]));
        std::fs::write(dir.join(FILE), "[{").unwrap();
        assert!(Routed::open(&dir).ids().is_empty());
        routed.remove().unwrap();
        std::fs::remove_dir(&dir).unwrap();
    }
}
