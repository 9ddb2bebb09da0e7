//! What a node says: of the objects that it realises, of silent nodes, and of itself. Never twice, never two at once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::api::Order;
use super::handover::concerns;
use super::world::{BEAT, World};
use crate::agent::node::Node as Hands;
use crate::api::{AgentFailure, AgentStatus, Condition, ConditionType, Port, Reason};
use crate::cluster::write::{Status, Target, Write};
use crate::model::agent::is_silent;
use crate::model::object::Object;
use crate::model::status::voice;
use crate::model::{Id, Key, Kind};

/// How many ports there are changes with each: it is not written again before.
const COUNT: Duration = Duration::from_secs(3);

impl<N: Hands> World<N> {
    /// Asks silent nodes whether they live: only who sees that one does not may take its routers over.
    fn probe(&mut self) {
        let agents = &self.mirror.snapshot().agents;
        self.probed.retain(|key, _| agents.get(key).is_some_and(|agent| is_silent(agent)));
        for (key, agent) in agents.iter().filter(|(key, agent)| *key.name != *self.myself.node && is_silent(agent)) {
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
    pub(super) fn speak(&mut self, released: &[Key], unprepared: &[Key], now: Timestamp) {
        self.probe();
        let realised = self.realised();
        let (snapshot, node) = (self.mirror.snapshot(), self.myself.node.clone());
        let gateway =
            snapshot.routers.values().any(|router| router.status.as_ref().is_some_and(|s| concerns(s, &node)));
        let mut writes = self.migration_words(unprepared);
        let mut voices = voice::voices(snapshot, &node, &self.report, |id| realised.contains(id), now);
        voices.extend(self.announcers(&voices));
        voices.extend(self.switched(&voices));
        for voice in voices {
            // What is not wholly here is still done elsewhere.
            if voice.id.kind == Kind::Router && self.takeovers.contains_key(&voice.id.key) {
                continue;
            }
            let released = voice.id.kind == Kind::Port && released.contains(&voice.id.key);
            let Some(object) = Object::find(snapshot, &voice.id).filter(|_| !released) else { continue };
            let assumed = voice.id.kind == Kind::Port && self.claims.assumes(&voice.id.key);
            // Nobody is to send here what would be lost.
            if assumed && self.claims.switches(&voice.id.key) && self.report.faults.contains_key(&voice.id) {
                continue;
            }
            // The controller looks at it right now, and its word would make this one's version old.
            if assumed && object.condition(ConditionType::Accepted).is_none() {
                continue;
            }
            let version = assumed.then(|| object.meta().resource_version.clone()).flatten();
            let mut status = json!({ "conditions": voice.conditions });
            if let Object::Port(port) = &object {
                status["binding"] = binding(port);
                if let Some(pairs) = self.pairs(&voice.id.key, port) {
                    status["activePairs"] = pairs;
                }
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
            let mut status = json!({ "conditions": voice::unplugged(port.metadata.generation, recorded, now) });
            if port.status.as_ref().is_some_and(|s| !s.active_pairs.is_empty()) {
                status["activePairs"] = json!([]);
            }
            let id = Id::new(Kind::Port, key.clone());
            writes.push(Status { id, uid: port.metadata.uid.clone(), version: None, status, lazy: false, note: None });
        }
        let ports = self.node.attachments().len();
        let recorded = snapshot.agents.get(&Key::new("", &node)).cloned();
        let status = self.myself.status(recorded.as_deref(), &self.view, &self.report, self.unreachable(), ports, now);
        let counts = |a: &AgentStatus, b: &AgentStatus| AgentStatus { ports: b.ports, ..a.clone() } == *b;
        let lazy = status.as_ref().zip(recorded.as_deref().and_then(|a| a.status.as_ref()));
        let lazy = lazy.is_some_and(|(new, old)| counts(new, old));
        let later = self.counted.map(|at| at + COUNT).filter(|at| lazy && *at > Instant::now());
        self.recount = later.filter(|_| status.is_some());
        let own = status.filter(|_| later.is_none()).map(|status| Status {
            id: Id::new(Kind::Agent, Key::new("", &node)),
            uid: None,
            version: None,
            status: serde_json::to_value(status).unwrap_or_default(),
            lazy: false,
            note: None,
        });
        let there = self.mirror.snapshot();
        self.words.prune(|target| !matches!(target, Target::Object(id) if Object::find(there, id).is_none()));
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

    /// Says whether this node is ready to follow as a gateway node, unless that is on its way.
    pub(super) fn say_prepared(&mut self, write: Write) {
        if let Write::Prepared(_, node, version) = &write
            && self.words.begin(&write.target(), &json!(node), version.as_deref(), Instant::now())
        {
            self.orders.push(Order::Write(write));
        }
    }

    fn write(&mut self, status: Status, introduce: bool) {
        let object = Object::find(self.mirror.snapshot(), &status.id);
        let version = object.as_ref().and_then(|object| object.meta().resource_version.as_deref());
        let (target, content) = (Target::Object(status.id.clone()), &status.status);
        if !self.words.begin(&target, content, version, Instant::now()) {
            return;
        }
        let write = Write::Status(status);
        self.orders.push(if introduce && !self.introduced { Order::Introduce(write) } else { Order::Write(write) });
    }

    /// What the view has of the objects that this node speaks for.
    fn realised(&self) -> BTreeSet<Id> {
        let ports = self.view.networks.values().flat_map(|network| network.ports.keys());
        ports.map(|key| Id::new(Kind::Port, key.clone())).chain(self.translated()).collect()
    }

    /// Routers and floating IPs that the view has.
    pub(super) fn translated(&self) -> impl Iterator<Item = Id> {
        let routers = self.view.routers.keys().map(|key| Id::new(Kind::Router, key.clone()));
        let floating = self.view.routers.values().filter_map(|router| router.external.as_ref()).flat_map(|external| {
            let whole = external.floating.values().map(|f| Id::new(Kind::FloatingIP, f.key.clone()));
            whole.chain(external.forwarding.values().map(|f| Id::new(Kind::FloatingIP, f.key.clone())))
        });
        routers.chain(floating)
    }
}

fn binding(port: &Port) -> Value {
    let binding = port.status.as_ref().and_then(|status| status.binding.as_ref());
    binding.map_or(Value::Null, |binding| serde_json::to_value(binding).unwrap_or_default())
}
