//! A port moves to this node, or away from it, while its guest runs (live migration).
//!
//! | recorded of the port | who does what |
//! |---|---|
//! | `binding: a` | a has it |
//! | `binding: a, migration: b` | b prepares: link and filters, closed, and the flows that a remembers |
//! | `binding: b` | b has it; a forwards for a while what others still send to it, and tells b what flows have begun meanwhile |
//!
//! The second step is one write. Before it is sent, b leads the port's station to its own link, so no frame can go round between
//! the two (`dataplane/overlay.rs`). Whoever asked for it is told that it is done once a has let go: from then on nothing is
//! lost. Of an a that does not answer, which may be dead, b hears nothing within a second, and goes on without.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tracing::{info, warn};

use super::api::Order;
use super::claims::{binding, migration};
use super::handover::Moment;
use super::handover::tell::{Share, Shares};
use super::world::World;
use crate::agent::node::Node as Hands;
use crate::agent::plugs::Step;
use crate::api::Port;
use crate::cluster::write::Status;
use crate::model::{Id, Key, Kind, Uid};

/// How long this node forwards what others still send to a port that has left. They follow within a tenth of a second; an agent
/// that is being restarted needs a few seconds.
const FORWARDS: Duration = Duration::from_secs(10);

/// Ports that come and go.
#[derive(Debug, Default)]
pub struct Migrations {
    coming: BTreeMap<Key, Coming>,
    /// Ports that have left, and until when this node forwards for them.
    departed: BTreeMap<Key, Instant>,
    /// The same without times.
    left: BTreeSet<Key>,
}

#[derive(Debug)]
struct Coming {
    /// The node that has the port, or had it; none: nobody.
    from: Option<String>,
    moment: Moment,
    /// Whether that node has answered, or never will.
    answered: bool,
}

impl Migrations {
    /// Ports that have left a moment ago.
    pub fn left(&self) -> &BTreeSet<Key> {
        &self.left
    }

    /// A port has left.
    pub fn depart(&mut self, key: &Key, now: Instant) {
        self.departed.insert(key.clone(), now + FORWARDS);
        self.left.insert(key.clone());
    }

    /// Forgets ports that others have followed by now.
    pub fn expire(&mut self, now: Instant) {
        self.departed.retain(|_, until| *until > now);
        self.left.retain(|key| self.departed.contains_key(key));
    }

    /// When the next is forgotten.
    pub fn deadline(&self) -> Option<Instant> {
        self.departed.values().min().copied()
    }
}

fn uid(port: &Port) -> Uid {
    Uid::parse(port.metadata.uid.as_deref().unwrap_or_default())
}

impl<N: Hands> World<N> {
    /// Whether a port was plugged here by what is known; before the first walk it may have been.
    pub(super) fn had(&self, key: &Key) -> bool {
        !self.walked || self.view.networks.values().any(|network| network.ports.contains_key(key))
    }

    /// Tells the nodes that ports go to what is remembered of them, and asks for those that come here.
    pub(super) fn share_ports(&mut self, shares: &mut Shares) {
        let (snapshot, me) = (self.mirror.snapshot(), &*self.myself.node);
        let node = |of: fn(&Port) -> Option<&crate::api::Binding>, port| of(port).map(|b| b.node_name.as_str());
        let plugged = self.node.attachments().keys().filter_map(|key| Some((key, snapshot.ports.get(key)?)));
        let leaving = plugged.clone().filter(|(_, port)| node(binding, port) == Some(me));
        let leaving =
            leaving.filter_map(|(_, port)| Some((port, node(migration, port).filter(|to| *to != me)?, false)));
        let left = self.migrations.left.iter().filter_map(|key| snapshot.ports.get(key));
        let left = left.filter_map(|port| Some((port, node(binding, port).filter(|to| *to != me)?, true)));
        for (port, to, let_go) in leaving.chain(left) {
            if let Some(peer) = self.tunnel_of(to) {
                shares.insert(uid(port), Share { peer, let_go, kind: Kind::Port });
            }
        }
        let mut wanted = Vec::new();
        for (key, port) in plugged {
            let known = self.migrations.coming.get(key);
            let from = node(binding, port).filter(|from| *from != me).map(str::to_owned);
            if node(binding, port) == Some(me) && !self.claims.assumes(key) {
                // It has come.
                if let Some(Coming { from, moment: Moment::Prepare, .. }) = known {
                    wanted.push((key.clone(), uid(port), from.clone(), Moment::Switch));
                }
            } else if node(migration, port) == Some(me) && !self.claims.proposed().any(|(proposed, _)| proposed == key)
            {
                let same = known.is_some_and(|known| known.from == from && known.moment == Moment::Prepare);
                // Nobody has it any more: what was copied is all there is.
                if !(same || from.is_none() && known.is_some()) {
                    wanted.push((key.clone(), uid(port), from, Moment::Prepare));
                }
            }
        }
        for (key, uid, from, moment) in wanted {
            let peer = from.as_deref().and_then(|from| self.tunnel_of(from));
            let order = peer.map(|peer| Order::Fetch(Id::new(Kind::Port, key.clone()), uid, peer, moment));
            let answered = order.is_none();
            self.orders.extend(order);
            self.migrations.coming.insert(key, Coming { from, moment, answered });
        }
        let attachments = self.node.attachments();
        self.migrations.coming.retain(|key, _| attachments.contains_key(key));
    }

    /// A node that was asked for a port's flows has answered, or will not. Whether that changes anything.
    pub(super) fn told_flows(&mut self, id: &Id, peer: IpAddr, moment: Moment, answer: Result<usize, String>) -> bool {
        let asked =
            self.migrations.coming.get_mut(&id.key).filter(|coming| coming.moment == moment && !coming.answered);
        let Some(coming) = asked else { return false };
        match answer {
            Ok(count) => info!(object = %id, from = coming.from, ?moment, flows = count, "flows copied"),
            Err(why) => warn!(object = %id, from = coming.from, %peer, ?moment, "flows are not copied: {why}"),
        }
        coming.answered = true;
        true
    }

    /// How far a step is, if it is not done.
    pub(super) fn migrated(&self, key: &Key, step: Step) -> Result<(), String> {
        let id = Id::new(Kind::Port, key.clone());
        let Some(port) = self.mirror.snapshot().ports.get(key) else { return Err(format!("{id} is gone")) };
        let at = |binding: Option<&crate::api::Binding>| binding.is_some_and(|b| *b.node_name == *self.myself.node);
        let proposed = || self.claims.proposed().any(|(proposed, _)| proposed == key);
        let (said, moment) = match step {
            Step::Switch => (at(binding(port)) && !self.claims.assumes(key), Moment::Switch),
            _ => (at(migration(port)) && !proposed(), Moment::Prepare),
        };
        if !said {
            return Err(format!("{id} is not said to be here yet"));
        }
        let coming = self.migrations.coming.get(key);
        // An agent that was restarted in between has nobody to ask.
        let answered = coming.map_or(step == Step::Switch, |coming| coming.moment == moment && coming.answered);
        if !answered {
            return Err(format!("{id} is not let go of yet"));
        }
        Ok(())
    }

    /// What is to be said of ports that are to be prepared here, and of those that are no more.
    pub(super) fn migration_words(&self, unprepared: &[Key]) -> Vec<Status> {
        let word = |key: &Key, port: &Port, status| Status {
            id: Id::new(Kind::Port, key.clone()),
            uid: port.metadata.uid.clone(),
            version: port.metadata.resource_version.clone(),
            status,
            lazy: false,
            note: None,
        };
        let proposed =
            self.claims.proposed().map(|(key, port)| word(key, port, json!({ "migration": migration(port) })));
        let ports = &self.mirror.snapshot().ports;
        // With nothing else to say of it, what was said is taken back.
        let taken_back = unprepared.iter().filter_map(|key| Some(word(key, ports.get(key)?, json!({}))));
        proposed.chain(taken_back).collect()
    }
}
