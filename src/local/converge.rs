//! The walk itself: link, record, view, node, report, and back into the store.

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use tracing::{info, warn};

use super::world::World;
use crate::agent::node::Node;
use crate::agent::{self, Agent};
use crate::api::{Binding, Port};
use crate::dataplane::attachment::Attachment;
use crate::dataplane::plan::Plan;
use crate::model::status::{of_groups, statuses, told};
use crate::model::{Id, Key, Kind, Report, Topology, Uid, view};

/// How often a convergence starts over because something went while it ran.
const ROUNDS: usize = 16;

impl<N: Node> World<N> {
    /// Makes the node like the objects, and records how far it got. What was decided is on disk before the node changes.
    /// Whether all that could be done is done; if not, trying again may help.
    ///
    /// # Errors
    /// The store cannot be written; the node is as it was.
    pub fn converge(&mut self, now: Timestamp) -> io::Result<bool> {
        let start = Instant::now();
        let (mut changes, mut recorded) = (0, false);
        for _ in 0..ROUNDS {
            let (bound, strays) = self.bind();
            recorded |= bound;
            self.unplug(strays);
            self.link();
            if !self.topology.released.is_empty() {
                for id in std::mem::take(&mut self.topology.released) {
                    self.store.remove(&id);
                    recorded = true;
                }
                continue;
            }
            self.follow(start);
            for (port, pairs) in &self.active {
                recorded |= self.store.activate(port, pairs);
            }
            let decided = statuses(self.store.snapshot(), &self.topology, &self.problems, None, now);
            recorded |= self.store.record(decided);
            self.store.commit(true)?;
            self.view = self.topology.view(view::Node { fresh: &self.active, ..(&self.name).into() });
            let (report, vanished) = self.realise(&mut changes);
            recorded |= self.tell(report, now)?;
            if !vanished {
                break;
            }
        }
        self.say();
        if changes > 0 || recorded {
            let ports: usize = self.view.networks.values().map(|n| n.ports.len()).sum();
            let (networks, routers) = (self.view.networks.len(), self.view.routers.len());
            info!(changes, networks, ports, routers, ms = millis(start.elapsed()), "converged");
        }
        self.strayed = !self.report.faults.is_empty();
        Ok(!self.strayed)
    }

    /// Brings into force what is new since the last walk, if that is nothing but rules of security groups: they concern every
    /// port of a group, and change nothing about any of them. Whether it was; if not, the node is to converge.
    ///
    /// # Errors
    /// The store cannot be written; the node is as it was.
    pub fn regroup(&mut self, now: Timestamp) -> io::Result<bool> {
        if std::mem::replace(&mut self.strayed, true) {
            return Ok(false);
        }
        let start = Instant::now();
        let before = self.topology.take_groups();
        self.link();
        if !self.topology.released.is_empty() || !self.topology.differs_by_rules(&before) {
            return Ok(false);
        }
        let said = of_groups(self.store.snapshot(), &self.topology, &self.problems, &self.report, now);
        self.store.record(said);
        self.store.commit(true)?;
        let node = view::Node { fresh: &self.active, ..(&self.name).into() };
        self.topology.regroup(node, &mut self.view);
        debug_assert_eq!(self.view, self.topology.view(node), "only rules were different");
        let Some(changes) = self.node.regroup(&self.view) else { return Ok(false) };
        self.strayed = false;
        self.say();
        info!(changes, ms = millis(start.elapsed()), "rules in force");
        Ok(true)
    }

    /// Takes in what guests have announced; whether the node is to be another.
    pub fn listen(&mut self, now: Instant) -> bool {
        let heard = self.node.announced();
        self.ears.hear(heard);
        self.follow(now)
    }

    /// Follows what was announced, and lets go of what a port may have no more; whether anything is at another place now.
    fn follow(&mut self, now: Instant) -> bool {
        let heard = self.ears.ready(now);
        let (active, moved) = self.topology.follow(&self.name, &self.active, &heard);
        self.ears.moved(moved, now);
        std::mem::replace(&mut self.active, active) != self.active
    }

    /// Makes the node like the view again, after the kernel changed under us.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn repair(&mut self, now: Timestamp) -> io::Result<bool> {
        let start = Instant::now();
        let mut changes = 0;
        let (report, vanished) = self.realise(&mut changes);
        if vanished {
            return self.converge(now);
        }
        // Nothing but the node has changed, so what it says is all that statuses could differ by.
        if report != self.report {
            self.tell(report, now)?;
        }
        self.say();
        if changes > 0 {
            info!(changes, ms = millis(start.elapsed()), "repaired");
        }
        Ok(self.report.faults.is_empty())
    }

    /// Links anew. The old topology goes first, so that the linker need not copy what it shares with it.
    fn link(&mut self) {
        self.topology = Topology::default();
        (self.topology, self.problems) = self.linker.link(self.store.snapshot());
    }

    /// Makes the node like the view: what it says, and whether a guest was found to be gone.
    fn realise(&mut self, changes: &mut usize) -> (Report, bool) {
        let outcome = self.node.converge(&self.view);
        *changes += outcome.changes;
        for port in &outcome.vanished {
            info!(object = %Id::new(Kind::Port, port.clone()), "its guest is gone: unplugged");
        }
        (outcome.report, !outcome.vanished.is_empty())
    }

    /// Records what the node says; whether that is new.
    fn tell(&mut self, report: Report, now: Timestamp) -> io::Result<bool> {
        let said = told(self.store.snapshot(), &self.topology, &self.problems, &report, now);
        self.report = report;
        let recorded = self.store.record(said);
        // What a report says is seen again after a power cut; only what was decided has to be on disk.
        self.store.commit(false)?;
        Ok(recorded)
    }

    /// Records in the ports' status who has plugged them: whether that is new, and what is plugged into ports that are gone.
    fn bind(&mut self) -> (bool, Vec<Key>) {
        let mut changed = false;
        let (mut bound, mut strays) = (BTreeSet::new(), Vec::new());
        for (key, attachment) in self.node.attachments() {
            if self.store.snapshot().ports.get(key).is_some_and(|port| is_for(attachment, port)) {
                let device = attachment.target.device().to_owned();
                changed |= self.store.bind(key, Some(Binding { node_name: self.name.clone(), device, pod: None }));
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

    fn say(&mut self) {
        let judged = self.problems.iter().filter_map(|(id, all)| Some((id, &all.first()?.remark)));
        let all = self.report.faults.iter().chain(&self.report.remarks).chain(judged);
        let wrong = all.map(|(id, why)| (id.clone(), format!("{}: {}", why.reason, why.message))).collect();
        self.said.objects(wrong, self.store.snapshot());
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
            self.link();
            let released = std::mem::take(&mut self.topology.released);
            if released.is_empty() {
                break;
            }
            for id in &released {
                self.store.remove(id);
            }
        }
        let decided = statuses(self.store.snapshot(), &self.topology, &self.problems, None, now);
        self.store.record(decided);
        self.view = self.topology.view(&self.name);
        self.node.plan(&self.view)
    }
}

/// Whether an attachment is for this port, and not for an earlier one of the same name.
fn is_for(attachment: &Attachment, port: &Port) -> bool {
    let uid = port.metadata.uid.as_deref().map(Uid::parse);
    uid == Some(attachment.port) && port.metadata.deletion_timestamp.is_none()
}

/// Milliseconds with three digits behind the point.
fn millis(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}
