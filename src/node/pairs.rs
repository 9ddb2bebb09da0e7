//! Allowed address pairs that move: what guests here announce, and what is said of it.

use std::time::Instant;

use serde_json::{Value, json};

use super::world::World;
use crate::agent::node::Node as Hands;
use crate::api::{ActivePair, Port};
use crate::model::object::Object;
use crate::model::status::voice::{Voice, again};
use crate::model::{Id, Key, Kind};

impl<N: Hands> World<N> {
    /// Takes in what guests have announced; whether the node is to be another. Who else may have an address is known from the
    /// first walk on.
    pub fn listen(&mut self, now: Instant) -> bool {
        let heard = self.node.announced();
        self.ears.hear(heard);
        self.walked && self.knows_enough() && self.follow(now)
    }

    /// Follows what was announced; whether anything is at another place now.
    pub(super) fn follow(&mut self, now: Instant) -> bool {
        let heard = self.ears.ready(now);
        let (active, moved) = self.topology.follow(&self.myself.node, &self.active, &heard);
        self.ears.moved(moved, now);
        std::mem::replace(&mut self.active, active) != self.active
    }

    /// Lets go of what others have now, or what a port may have no more.
    pub(super) fn yield_pairs(&mut self) {
        (self.active, _) = self.topology.follow(&self.myself.node, &self.active, &[]);
    }

    /// All that this node has to say of ports whose pairs are others than recorded, beside what `voices` say.
    pub(super) fn announcers(&self, voices: &[Voice]) -> Vec<Voice> {
        let is_said = |id: &Id| voices.iter().any(|voice| voice.id == *id);
        let ids = self.active.keys().map(|key| Id::new(Kind::Port, key.clone())).filter(|id| !is_said(id));
        ids.filter_map(|id| self.said_again(id)).collect()
    }

    /// All that this node has to say of ports that it takes over as they are, beside what `voices` say.
    pub(super) fn switched(&self, voices: &[Voice]) -> Vec<Voice> {
        let is_said = |id: &Id| voices.iter().any(|voice| voice.id == *id);
        let taken = self.node.attachments().keys().filter(|key| self.claims.switches(key) && self.claims.assumes(key));
        let ids = taken.map(|key| Id::new(Kind::Port, key.clone())).filter(|id| !is_said(id));
        ids.filter_map(|id| self.said_again(id)).collect()
    }

    fn said_again(&self, id: Id) -> Option<Voice> {
        let Some(Object::Port(port)) = Object::find(self.mirror.snapshot(), &id) else { return None };
        let recorded = port.status.as_ref().map_or(&[][..], |status| &status.conditions);
        Some(again(id, recorded))
    }

    /// The active pairs that a port's status is to have; none: it has none and needs none.
    pub(super) fn pairs(&self, key: &Key, port: &Port) -> Option<Value> {
        let recorded: &[ActivePair] = port.status.as_ref().map_or(&[], |status| &status.active_pairs);
        let wanted = self.active.get(key).map_or(recorded, Vec::as_slice);
        // An empty list takes away what another node has said.
        (!recorded.is_empty() || !wanted.is_empty()).then(|| json!(wanted))
    }
}
