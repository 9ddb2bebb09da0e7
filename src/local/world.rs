//! The whole walk on one host: files, store, link, view, node, report, and back into the store.
//!
//! No waiting happens here: `run` says when, this says what.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use tracing::{info, warn};

use super::files::{Files, Touched};
use super::held;
use super::node::Node;
use super::object::Object;
use super::removals::{Removals, sentences};
use super::store::{Declared, Store};
use crate::agent::{self, Agent};
use crate::api::Binding;
use crate::dataplane::attachment::{Attachment, Target};
use crate::dataplane::plan::Plan;
use crate::model::status::statuses;
use crate::model::{Id, Key, Kind, NodeView, Problems, Report, Topology, Uid, link};

/// A host's objects and the node that realises them.
#[derive(Debug)]
pub struct World<N> {
    /// Name of the node.
    name: String,
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
    topology: Topology,
    problems: Problems,
    bound: BTreeSet<Key>,
    refused: BTreeMap<Id, String>,
    said: BTreeMap<String, String>,
}

/// How often a convergence starts over because something went while it ran.
const ROUNDS: usize = 16;

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
            topology: Topology::default(),
            problems: Problems::default(),
            bound,
            refused: BTreeMap::new(),
            said: BTreeMap::new(),
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
                    Declared::Changed => changed = true,
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
        }
    }

    /// Makes the node like the objects, and records how far it got. What was decided is on disk before the node changes.
    /// Whether all that could be done is done; if not, trying again may help.
    ///
    /// # Errors
    /// The store cannot be written; the node is as it was.
    pub fn converge(&mut self, now: Timestamp) -> io::Result<bool> {
        let start = Instant::now();
        let (mut changes, mut recorded, mut report) = (0, false, Report::default());
        for _ in 0..ROUNDS {
            let (bound, strays) = self.bind();
            recorded |= bound;
            self.unplug(strays);
            (self.topology, self.problems) = link(self.store.snapshot());
            if !self.topology.released.is_empty() {
                for id in std::mem::take(&mut self.topology.released) {
                    self.store.remove(&id);
                    recorded = true;
                }
                continue;
            }
            let decided = statuses(self.store.snapshot(), &self.topology, &self.problems, None, now);
            recorded |= self.store.record(decided);
            self.store.commit(true)?;
            self.view = self.topology.view(&self.name);
            let vanished;
            (report, vanished) = self.realise(now, &mut changes, &mut recorded)?;
            if !vanished {
                break;
            }
        }
        self.say(&report);
        let took = start.elapsed();
        if changes > 0 || recorded {
            let ports: usize = self.view.networks.values().map(|n| n.ports.len()).sum();
            let (networks, routers) = (self.view.networks.len(), self.view.routers.len());
            info!(changes, networks, ports, routers, ms = millis(took), "converged");
        }
        Ok(report.faults.is_empty())
    }

    /// Makes the node like the view again, after the kernel changed under us.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn repair(&mut self, now: Timestamp) -> io::Result<bool> {
        let start = Instant::now();
        let (mut changes, mut recorded) = (0, false);
        let (report, vanished) = self.realise(now, &mut changes, &mut recorded)?;
        if vanished {
            return self.converge(now);
        }
        self.say(&report);
        if changes > 0 {
            info!(changes, ms = millis(start.elapsed()), "repaired");
        }
        Ok(report.faults.is_empty())
    }

    fn realise(&mut self, now: Timestamp, changes: &mut usize, recorded: &mut bool) -> io::Result<(Report, bool)> {
        let outcome = self.node.converge(&self.view);
        *changes += outcome.changes;
        for port in &outcome.vanished {
            info!(object = %Id::new(Kind::Port, port.clone()), "its guest is gone: unplugged");
        }
        let said = statuses(self.store.snapshot(), &self.topology, &self.problems, Some(&outcome.report), now);
        *recorded |= self.store.record(said);
        // What a report says is seen again after a power cut; only what was decided has to be on disk.
        self.store.commit(false)?;
        Ok((outcome.report, !outcome.vanished.is_empty()))
    }

    /// Records in the ports' status who has plugged them: whether that is new, and what is plugged into ports that are gone.
    fn bind(&mut self) -> (bool, Vec<Key>) {
        let mut changed = false;
        let (mut bound, mut strays) = (BTreeSet::new(), Vec::new());
        for (key, attachment) in self.node.attachments() {
            if self.store.snapshot().ports.get(key).is_some_and(|port| is_for(attachment, port)) {
                let device = device(&attachment.target).to_owned();
                changed |= self.store.bind(key, Some(Binding { node_name: self.name.clone(), device }));
                bound.insert(key.clone());
            } else {
                strays.push(key.clone());
            }
        }
        for key in self.bound.difference(&bound) {
            changed |= self.store.bind(key, None);
        }
        self.bound = bound;
        (changed, strays)
    }

    fn unplug(&mut self, strays: Vec<Key>) {
        for key in strays {
            let done = self.node.detach(&key);
            let id = Id::new(Kind::Port, key);
            match done {
                Ok(()) => info!(object = %id, "the port is gone: unplugged"),
                Err(error) => warn!(object = %id, %error, "the port is gone and could not be unplugged"),
            }
        }
    }

    /// Everything wrong with files and with what they declare, in sentences.
    pub fn complaints(&self) -> Vec<String> {
        let held = self.removals.held().iter().map(|(folder, ids)| (folder.as_str(), ids.len()));
        self.files.problems().chain(self.refused.values().cloned()).chain(sentences(held)).collect()
    }

    /// Logs what is wrong with files when it appears and when it is gone, and notes what is held back.
    fn say_problems(&mut self) {
        let held: BTreeMap<_, _> = self.removals.held().iter().map(|(f, ids)| (f.clone(), ids.len())).collect();
        if let Some(dir) = &self.notes
            && self.noted.as_ref() != Some(&held)
            && let Err(error) = held::write(dir, &held)
        {
            warn!(%error, "what is held back could not be noted for `tenet get`");
        }
        self.noted = Some(held);
        let now: BTreeMap<_, _> = self.complaints().into_iter().map(|line| (line, String::new())).collect();
        let mut said = std::mem::take(&mut self.said);
        let objects: BTreeMap<_, _> = said.extract_if(.., |_, why| !why.is_empty()).collect();
        now.keys().filter(|line| !said.contains_key(*line)).for_each(|line| warn!("{line}"));
        said.keys().filter(|line| !now.contains_key(*line)).for_each(|line| info!("no longer: {line}"));
        self.said = objects.into_iter().chain(now).collect();
    }

    /// Logs what is wrong with objects when it appears and when it is gone.
    fn say(&mut self, report: &Report) {
        let judged = self.problems.iter().filter_map(|(id, all)| Some((id, &all.first()?.remark)));
        let faults = report.faults.iter().chain(&report.remarks).chain(judged);
        let now: BTreeMap<_, _> =
            faults.map(|(id, remark)| (id.to_string(), format!("{}: {}", remark.reason, remark.message))).collect();
        let mut said = std::mem::take(&mut self.said);
        let files: BTreeMap<_, _> = said.extract_if(.., |_, why| why.is_empty()).collect();
        for (object, why) in now.iter().filter(|(object, why)| said.get(*object) != Some(*why)) {
            warn!(%object, "{why}");
        }
        said.keys().filter(|object| !now.contains_key(*object)).for_each(|object| info!(%object, "in order again"));
        self.said = files.into_iter().chain(now).collect();
    }
}

impl World<Agent> {
    /// What [`World::converge`] would change on the node. Nothing is written.
    ///
    /// # Errors
    /// The kernel could not be observed.
    pub fn plan(&mut self, now: Timestamp) -> Result<Plan, agent::Error> {
        loop {
            self.bind();
            (self.topology, self.problems) = link(self.store.snapshot());
            let released = std::mem::take(&mut self.topology.released);
            if released.is_empty() {
                break;
            }
            released.iter().for_each(|id| self.store.remove(id));
        }
        let decided = statuses(self.store.snapshot(), &self.topology, &self.problems, None, now);
        self.store.record(decided);
        self.view = self.topology.view(&self.name);
        self.node.plan(&self.view)
    }
}

/// Whether an attachment is for this port, and not for an earlier one of the same name.
fn is_for(attachment: &Attachment, port: &crate::api::Port) -> bool {
    let uid = port.metadata.uid.as_deref().map(Uid::parse);
    uid == Some(attachment.port) && port.metadata.deletion_timestamp.is_none()
}

/// Name of the device on the guest's side.
#[must_use]
pub fn device(target: &Target) -> &str {
    match target {
        Target::Netns { device, .. } => device,
        Target::Tap { name } => name,
    }
}

/// Milliseconds with three digits behind the point.
fn millis(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}

/// Every object that is not Ready, with reason and message.
#[must_use]
pub fn unready(store: &Store) -> Vec<String> {
    let all = Kind::ALL.into_iter().filter(|k| *k != Kind::ReferenceGrant);
    let objects = all.flat_map(|kind| Object::all(store.snapshot(), kind));
    objects.filter_map(|o| unready_line(&o)).collect()
}

fn unready_line(object: &Object) -> Option<String> {
    use crate::api::ConditionType::{Accepted, Programmed, Ready, ResolvedRefs};
    if object.condition(Ready).is_some_and(|c| c.status == "True") {
        return None;
    }
    // The first aspect that is not true says why.
    let wrong = [Accepted, ResolvedRefs, Programmed, Ready].into_iter().filter_map(|t| object.condition(t));
    let why = wrong.into_iter().find(|c| c.status != "True");
    let why = why.map_or_else(|| "nothing is known of it".to_owned(), |c| format!("{}: {}", c.reason, c.message));
    Some(format!("{}: {why}", object.id()))
}
