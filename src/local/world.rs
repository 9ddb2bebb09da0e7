//! Everything that one instance knows: what users declare, what is recorded, what they declare no longer, and the node.
//!
//! Here is what files do to the store; `converge` is the rest of the walk. No waiting happens in either: `run` says when.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use k8s_openapi::jiff::Timestamp;
use tracing::{info, warn};

use super::files::{Files, Touched};
use super::held;
use super::removals::{Removals, sentences};
use super::said::Said;
use super::store::{Declared, Store};
use crate::agent::Error;
use crate::agent::ears::Ears;
use crate::agent::node::Node;
use crate::agent::plugs::Ports;
use crate::agent::protocol::Answer;
use crate::api::Port;
use crate::model::view::Active;
use crate::model::{Id, Key, Kind, Linker, NodeView, Problems, Report, Topology};

/// A host's objects and the node that realises them.
#[derive(Debug)]
pub struct World<N> {
    /// Name of the node.
    pub(super) name: String,
    /// What users declare.
    pub files: Files,
    /// What is recorded.
    pub store: Store,
    /// What users declare no longer.
    pub removals: Removals,
    /// The node.
    pub node: N,
    /// What the node realises now.
    pub view: NodeView,
    /// Where what is held back is written for `tenet get`; none: nowhere.
    pub notes: Option<PathBuf>,
    noted: Option<BTreeMap<String, usize>>,
    pub(super) linker: Linker,
    pub(super) topology: Topology,
    pub(super) problems: Problems,
    /// What the node said last.
    pub(super) report: Report,
    pub(super) bound: BTreeSet<Key>,
    /// What guests announce, and active pairs of ports that are not recorded yet.
    pub(super) ears: Ears,
    pub(super) active: Active,
    refused: BTreeMap<Id, String>,
    pub(super) said: Said,
    /// Whether since the last walk anything but rules of security groups may have become different, or it left something undone.
    pub(super) strayed: bool,
}

impl<N: Node> World<N> {
    /// A world that has read nothing yet.
    pub fn new(name: &str, files: Files, store: Store, node: N) -> Self {
        let here = |p: &crate::api::Port| {
            p.status.as_ref().and_then(|s| s.binding.as_ref()).is_some_and(|b| b.node_name == name)
        };
        let bound = store.snapshot().ports.iter().filter(|(_, p)| here(p)).map(|(k, _)| k.clone()).collect();
        Self {
            name: name.into(),
            files,
            store,
            removals: Removals::default(),
            node,
            view: NodeView::default(),
            notes: None,
            noted: None,
            linker: Linker::default(),
            topology: Topology::default(),
            problems: Problems::default(),
            report: Report::default(),
            bound,
            ears: Ears::default(),
            active: Active::new(),
            refused: BTreeMap::new(),
            said: Said::default(),
            strayed: true,
        }
    }

    /// Reads all files and judges what the store has and they have not.
    pub fn begin(&mut self, enter: &mut dyn FnMut(&Path), now: (Timestamp, Instant)) {
        let mut touched = self.files.scan(enter);
        touched.objects.extend(self.store.sources().map(|(id, _)| id.clone()));
        self.take(touched, now);
        self.judge(now.0);
    }

    /// Takes over what files say now. Whether anything is to be linked again.
    pub fn take(&mut self, touched: Touched, (now, clock): (Timestamp, Instant)) -> bool {
        let mut ids = touched.objects;
        for path in touched.healed {
            ids.extend(self.store.sources().filter(|(_, s)| Path::new(s).starts_with(&path)).map(|(id, _)| id.clone()));
        }
        let mut changed = false;
        for id in ids {
            if let Some((path, object)) = self.files.declared(&id) {
                self.removals.present(&id);
                self.refused.remove(&id);
                match self.store.declare(object, &path.to_string_lossy(), now) {
                    Declared::Same => {}
                    Declared::Changed => {
                        changed = true;
                        self.strayed |= id.kind != Kind::SecurityGroup;
                    }
                    Declared::Refused(remark) => {
                        let why = format!("{}: {id} keeps its old spec: {}", path.display(), remark.message);
                        self.refused.insert(id, why);
                        changed = true;
                    }
                }
                continue;
            }
            self.refused.remove(&id);
            let kept = self.store.source(&id).is_none_or(|file| self.files.vouches_for(Path::new(file)));
            let going = self.store.get(&id).is_none_or(|o| o.meta().deletion_timestamp.is_some());
            if !kept && !going {
                self.removals.missing(&id, clock);
            }
        }
        self.say_problems();
        changed
    }

    /// Judges what is missing; what may go is marked. Whether anything is to be linked again.
    pub fn judge(&mut self, now: Timestamp) -> bool {
        let (store, files) = (&self.store, &self.files);
        let folder = |file: &str| {
            let file = Path::new(file);
            files.root_of(file).or(file.parent()).unwrap_or(file).display().to_string()
        };
        let left = |name: &str| {
            let here = |(id, file): &(&Id, &str)| files.declared(id).is_some() && folder(file) == name;
            store.sources().filter(here).count()
        };
        let go = self.removals.judge(|id| folder(store.source(id).unwrap_or_default()), left);
        self.let_go(&go, now);
        self.say_problems();
        !go.is_empty()
    }

    /// Lets go of what was held back; returns it.
    pub fn confirm(&mut self, now: Timestamp) -> BTreeSet<Id> {
        let go = self.removals.confirm();
        self.let_go(&go, now);
        self.say_problems();
        go
    }

    fn let_go(&mut self, ids: &BTreeSet<Id>, now: Timestamp) {
        for id in ids {
            info!(object = %id, "no file declares it any more: it goes");
            self.store.delete(id, now);
            self.strayed = true;
        }
    }

    /// Everything wrong with files and with what they declare, in sentences.
    pub fn complaints(&self) -> Vec<String> {
        let held = self.removals.held().iter().map(|(folder, ids)| (folder.as_str(), ids.len()));
        self.files.problems().chain(self.refused.values().cloned()).chain(sentences(held)).collect()
    }

    /// Logs what is wrong with files when it appears and when it is gone, and notes what is held back.
    fn say_problems(&mut self) {
        self.said.lines(self.complaints());
        self.said.skipped(self.files.foreign());
        let held: BTreeMap<_, _> = self.removals.held().iter().map(|(f, ids)| (f.clone(), ids.len())).collect();
        if let Some(dir) = &self.notes
            && self.noted.as_ref() != Some(&held)
            && let Err(error) = held::write(dir, &held)
        {
            warn!(%error, "what is held back could not be noted for `tenet get`");
        }
        self.noted = Some(held);
    }
}

impl<N: Node> Ports for World<N> {
    type Node = N;

    fn port(&self, key: &Key) -> Option<Arc<Port>> {
        self.store.snapshot().ports.get(key).cloned()
    }

    fn view(&self) -> &NodeView {
        &self.view
    }

    fn node(&self) -> &N {
        &self.node
    }

    fn node_mut(&mut self) -> &mut N {
        &mut self.node
    }

    fn advice(&self) -> &'static str {
        "declare it in one of the folders"
    }

    fn may_plug(&mut self, _: &Key, _: &Port, _: bool) -> Result<(), String> {
        Ok(())
    }

    fn check(&mut self, key: &Key) -> Result<(), Error> {
        self.node.check(key, &self.view)
    }

    fn confirm(&mut self) -> Answer {
        let gone = Self::confirm(self, Timestamp::now());
        Answer::Done(gone.iter().map(ToString::to_string).collect())
    }
}
