//! Everything that one node of a cluster knows, and one walk from there to the kernel and to what is said of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use tracing::{info, warn};

use super::api::{Failure, Order, Told};
use super::claims::Claims;
use super::figures::Figures;
use super::myself::Myself;
use super::watches::Watches;
use crate::agent::node::Node as Hands;
use crate::api::{Agent, AgentFailure, AgentStatus, Condition, Port, Reason};
use crate::cluster::mirror::{Heard, Mirror};
use crate::cluster::write::{Done, Status, Target, Write};
use crate::model::object::Object;
use crate::model::status::voice;
use crate::model::view::Node;
use crate::model::{Id, Key, Kind, Linker, NodeView, Report, Role, Topology};

/// How often a node shows that it is alive: one that translates for others often, because others take over for it.
const BEAT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// How long a write that was refused waits before it is tried again.
const REFUSED: Duration = Duration::from_secs(5);

/// A node and what it knows.
pub struct World<N> {
    pub(super) node: N,
    pub(super) mirror: Mirror,
    /// What the API thread is to do next.
    pub(super) orders: Vec<Order>,
    /// Ports that were taken away from here, and why: whoever waits for them is told.
    pub(super) lost: Vec<(Key, String)>,
    pub(super) myself: Myself,
    watches: Watches,
    pub(super) claims: Claims,
    /// Plugged by this process, and not yet told by the watch of own ports.
    pub(super) fresh: BTreeSet<Key>,
    linker: Linker,
    topology: Topology,
    pub(super) view: NodeView,
    pub(super) report: Report,
    pub(super) figures: Figures,
    /// Writes on their way, and those that were refused, with when they may be tried again.
    sent: HashMap<Target, Option<Instant>>,
    beat: Option<Duration>,
    /// When the Agent was written last, and when its counts may be again.
    counted: Option<Instant>,
    recount: Option<Instant>,
    /// Labels of the node, which attachments of physical networks choose by.
    labels: BTreeMap<String, String>,
    /// Silent nodes that were asked whether they live; and those that did not answer.
    probed: BTreeMap<Key, (Instant, Option<bool>)>,
    introduced: bool,
}

impl<N: Hands> World<N> {
    /// A world that knows nothing yet; its first orders are watches.
    pub fn new(node: N, myself: Myself) -> Self {
        let (mut mirror, mut orders) = (Mirror::default(), Vec::new());
        let watches = Watches::begin(&myself.node, &mut mirror, &mut orders);
        Self {
            node,
            mirror,
            orders,
            lost: Vec::new(),
            myself,
            watches,
            claims: Claims::default(),
            fresh: BTreeSet::new(),
            linker: Linker::new(Role::Node),
            topology: Topology::default(),
            view: NodeView::default(),
            report: Report::default(),
            figures: Figures::default(),
            sent: HashMap::new(),
            beat: None,
            counted: None,
            recount: None,
            labels: BTreeMap::new(),
            probed: BTreeMap::new(),
            introduced: false,
        }
    }

    /// Takes in what the API server said; whether to converge.
    pub fn hear(&mut self, told: Told) -> bool {
        match told {
            Told::News(source, news) => match self.mirror.hear(source, news) {
                Heard::Same => false,
                Heard::Different => true,
                Heard::Doubtful => {
                    warn!(
                        "a list lacks more than half of what was there: nothing is taken away before it is read again"
                    );
                    false
                }
            },
            Told::Machine(machine) => {
                let labels = machine.map(|machine| machine.labels).unwrap_or_default();
                let before = std::mem::replace(&mut self.labels, labels);
                before != self.labels
            }
            // The loop answers.
            Told::Asked(_) => false,
            Told::Probed(node, answers) => {
                let asked = self.probed.get_mut(&node);
                // That it lives is no news.
                asked.is_some_and(|(_, answer)| answer.replace(answers) != Some(answers) && !answers)
            }
            Told::Ended(target, ended) => {
                self.sent.remove(&target);
                self.figures.ended(&ended);
                match ended {
                    Ok(Done::Now(thing)) => drop(self.mirror.answer(thing)),
                    // What is different comes with the watch.
                    Ok(_) | Err(Failure::Conflict) => {}
                    Err(Failure::Refused(why)) => {
                        warn!(?target, "the API server refuses what this node says: {why}");
                        self.sent.insert(target, Some(Instant::now() + REFUSED));
                    }
                    Err(Failure::Unreachable(why)) => {
                        warn!("the API server cannot be reached: {why}");
                        self.sent.insert(target, Some(Instant::now() + BEAT.0));
                    }
                }
                true
            }
        }
    }

    /// When something that was refused may be said again.
    pub fn deadline(&self) -> Option<Instant> {
        let asked = self.probed.values().filter(|(_, answer)| *answer == Some(true)).map(|(at, _)| *at + BEAT.0);
        self.sent.values().flatten().copied().chain(asked).chain(self.recount).min()
    }

    /// Makes the node like what the API server holds, and says what came of it. Whether all that could be done is done.
    /// `awaited`: ports that somebody waits to plug.
    pub fn converge(&mut self, mut awaited: BTreeSet<Key>, now: Timestamp) -> bool {
        let start = Instant::now();
        // The watch that a plug began with ends only once the watch of own ports has the port.
        self.fresh.retain(|key| self.node.attachments().contains_key(key) && !self.watches.owns(key, &self.mirror));
        awaited.extend(self.fresh.iter().cloned());
        self.watches.follow(&self.view, &awaited, &mut self.mirror, &mut self.orders);
        if !self.mirror.is_whole() {
            return true;
        }
        let released = self.claim();
        self.topology = Topology::default();
        (self.topology, _) = self.linker.link(self.mirror.snapshot());
        self.view = self.topology.view(Node { name: &self.myself.node, labels: Some(&self.labels) });
        // A network that was not used before: its ports on other nodes are to be known before it is wired.
        self.watches.follow(&self.view, &awaited, &mut self.mirror, &mut self.orders);
        if !self.mirror.is_whole() {
            return true;
        }
        let outcome = self.node.converge(&self.view);
        self.figures.converged(start.elapsed(), &outcome);
        for port in &outcome.vanished {
            info!(object = %Id::new(Kind::Port, port.clone()), "its guest is gone: unplugged");
        }
        self.report = outcome.report;
        if outcome.changes > 0 {
            let ports: usize = self.view.networks.values().map(|n| n.ports.len()).sum();
            let (networks, routers) = (self.view.networks.len(), self.view.routers.len());
            let ms = start.elapsed().as_millis();
            info!(changes = outcome.changes, networks, ports, routers, ms, "converged");
        }
        self.speak(&released, now);
        outcome.vanished.is_empty() && self.report.faults.is_empty()
    }

    /// Makes the node like the view again, after the kernel changed under us.
    pub fn repair(&mut self, now: Timestamp) -> bool {
        let start = Instant::now();
        let outcome = self.node.converge(&self.view);
        self.figures.converged(start.elapsed(), &outcome);
        if outcome.changes > 0 {
            info!(changes = outcome.changes, "repaired");
        }
        let vanished = !outcome.vanished.is_empty();
        if outcome.report != self.report && self.mirror.is_whole() {
            self.report = outcome.report;
            self.speak(&[], now);
        }
        !vanished && self.report.faults.is_empty()
    }

    /// Unplugs what is not for this node any more; returns ports that are bound here and have no guest.
    fn claim(&mut self) -> Vec<Key> {
        let verdict = self.claims.judge(&self.myself.node, self.node.attachments(), self.mirror.snapshot_mut());
        let mut released = verdict.released;
        let strays = verdict.strays.into_iter().map(|key| (key.clone(), format!("Port {key} is gone")));
        for (key, why) in strays.chain(verdict.lost) {
            match self.node.detach(&key) {
                Ok(()) => {
                    info!(object = %Id::new(Kind::Port, key.clone()), "{why}: unplugged");
                    // Whoever waits for it need not wait for what is said of it here.
                    let port = self.mirror.snapshot().ports.get(&key);
                    let binding = port.and_then(|port| port.status.as_ref()?.binding.as_ref());
                    if binding.is_some_and(|binding| binding.node_name == self.myself.node) {
                        released.push(key.clone());
                    }
                }
                Err(error) => {
                    warn!(object = %Id::new(Kind::Port, key.clone()), %error, "{why}, and could not be unplugged");
                }
            }
            self.lost.push((key, why));
        }
        released
    }

    /// Asks silent nodes whether they live: only who sees that one does not may take its routers over.
    fn probe(&mut self) {
        let agents = &self.mirror.snapshot().agents;
        let silent = |agent: &Agent| {
            agent.status.iter().flat_map(|s| &s.conditions).any(|c| c.type_ == "Ready" && c.status == "Unknown")
        };
        self.probed.retain(|key, _| agents.get(key).is_some_and(|agent| silent(agent)));
        for (key, agent) in agents.iter().filter(|(key, agent)| *key.name != *self.myself.node && silent(agent)) {
            let address = agent.status.as_ref().and_then(|s| s.tunnel_address);
            // One that answered is asked again: it may fall later.
            let due = |(at, answer): &(Instant, _)| *answer == Some(true) && at.elapsed() >= BEAT.0;
            let again = self.probed.get(key).is_none_or(due);
            if let Some(address) = address.filter(|_| again) {
                self.probed.insert(key.clone(), (Instant::now(), None));
                self.orders.push(Order::Probe(key.clone(), address));
            }
        }
    }

    /// Nodes that are silent and do not answer either.
    fn unreachable(&self) -> impl Iterator<Item = AgentFailure> {
        let dead = self.probed.iter().filter(|(_, answers)| answers.1 == Some(false));
        dead.map(|(key, _)| AgentFailure {
            kind: Kind::Agent.to_string(),
            namespace: None,
            name: key.name.to_string(),
            reason: Reason::Unreachable,
            message: "Its heartbeat is overdue, and its tunnel address does not answer.".into(),
        })
    }

    /// Says what is not said yet.
    fn speak(&mut self, released: &[Key], now: Timestamp) {
        self.probe();
        let realised = self.realised();
        let (snapshot, node) = (self.mirror.snapshot(), self.myself.node.clone());
        let gateway = snapshot
            .routers
            .values()
            .any(|router| router.status.as_ref().and_then(|s| s.gateway_node.as_deref()) == Some(&*node));
        let mut writes = Vec::new();
        for voice in voice::voices(snapshot, &node, &self.report, |id| realised.contains(id), now) {
            let released = voice.id.kind == Kind::Port && released.contains(&voice.id.key);
            let Some(object) = Object::find(snapshot, &voice.id).filter(|_| !released) else { continue };
            let assumed = voice.id.kind == Kind::Port && self.claims.assumes(&voice.id.key);
            let version = assumed.then(|| object.meta().resource_version.clone()).flatten();
            let mut status = json!({ "conditions": voice.conditions });
            if let Object::Port(port) = &object {
                status["binding"] = binding(port);
            }
            writes.push(Status {
                uid: object.meta().uid.clone(),
                id: voice.id,
                version,
                status,
                lazy: false,
                note: None,
            });
        }
        for key in released {
            let Some(port) = snapshot.ports.get(key) else { continue };
            let recorded: &[Condition] = port.status.as_ref().map_or(&[], |s| &s.conditions);
            let status = json!({ "conditions": voice::unplugged(port.metadata.generation, recorded, now) });
            let id = Id::new(Kind::Port, key.clone());
            writes.push(Status { id, uid: port.metadata.uid.clone(), version: None, status, lazy: false, note: None });
        }
        let ports = self.node.attachments().len();
        let recorded = snapshot.agents.get(&Key::new("", &node)).cloned();
        let status = self.myself.status(recorded.as_deref(), &self.view, &self.report, self.unreachable(), ports, now);
        // How many ports there are changes with each; nobody needs it more often than once a second.
        let counts = |a: &AgentStatus, b: &AgentStatus| AgentStatus { ports: b.ports, ..a.clone() } == *b;
        let lazy = status.as_ref().zip(recorded.as_deref().and_then(|a| a.status.as_ref()));
        let lazy = lazy.is_some_and(|(new, old)| counts(new, old));
        let later = self.counted.map(|at| at + BEAT.0).filter(|at| lazy && *at > Instant::now());
        self.recount = later.filter(|_| status.is_some());
        let own = status.filter(|_| later.is_none()).map(|status| Status {
            id: Id::new(Kind::Agent, Key::new("", &node)),
            uid: None,
            version: None,
            status: serde_json::to_value(status).unwrap_or_default(),
            lazy: false,
            note: None,
        });
        for status in writes {
            self.write(status, false);
        }
        if let Some(own) = own {
            self.counted = Some(Instant::now());
            self.write(own, recorded.is_none());
        }
        let beat = if gateway { BEAT.0 } else { BEAT.1 };
        if self.beat != Some(beat) {
            self.beat = Some(beat);
            self.orders.push(Order::Beat(beat));
        }
    }

    fn write(&mut self, status: Status, introduce: bool) {
        let write = Write::Status(status);
        let target = write.target();
        let now = Instant::now();
        match self.sent.get(&target) {
            Some(None) => return,
            Some(Some(at)) if *at > now => return,
            _ => {}
        }
        self.sent.insert(target, None);
        self.orders.push(if introduce && !self.introduced { Order::Introduce(write) } else { Order::Write(write) });
    }

    /// What the view has of the objects that this node speaks for.
    fn realised(&self) -> BTreeSet<Id> {
        let id = |kind| move |key: &Key| Id::new(kind, key.clone());
        let ports = self.view.networks.values().flat_map(|network| network.ports.keys().map(id(Kind::Port)));
        let routers = self.view.routers.keys().map(id(Kind::Router));
        let floating = self.view.routers.values().filter_map(|router| router.external.as_ref()).flat_map(|external| {
            let whole = external.floating.values().map(|f| Id::new(Kind::FloatingIP, f.key.clone()));
            whole.chain(external.forwarding.values().map(|f| Id::new(Kind::FloatingIP, f.key.clone())))
        });
        ports.chain(routers).chain(floating).collect()
    }
}

fn binding(port: &Port) -> Value {
    let binding = port.status.as_ref().and_then(|status| status.binding.as_ref());
    binding.map_or(Value::Null, |binding| serde_json::to_value(binding).unwrap_or_default())
}
