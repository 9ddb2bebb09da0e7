//! Everything that one node of a cluster knows, and one walk from there to the kernel and to what is said of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use tracing::{info, warn};

use super::api::{Failure, Order, Told};
use super::claims::{Claims, binding, migration};
use super::doubts::Doubts;
use super::elsewhere::Since;
use super::fence::Fence;
use super::figures::Figures;
use super::handover::Handovers;
use super::heed::{Eyes, Heed};
use super::migration::Migrations;
use super::myself::Myself;
use super::watches::Watches;
use super::words::Words;
use crate::agent::Outcome;
use crate::agent::ears::Ears;
use crate::agent::node::Node as Hands;
use crate::cluster::mirror::{Heard, Mirror, Name, News, Thing};
use crate::cluster::write::Done;
use crate::model::view::{Active, NetworkView, Node, Takeovers};
use crate::model::{Id, Key, Kind, Linker, NodeView, Report, Role, Topology};

/// How often a node shows that it is alive: one that translates for others often, because others take over for it.
pub(super) const BEAT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
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
    pub(super) watches: Watches,
    pub(super) claims: Claims,
    pub(super) doubts: Doubts,
    /// Plugged by this process, and not yet told by the watch of own ports.
    pub(super) fresh: BTreeSet<Key>,
    /// Ports that somebody waits to plug, or that were just plugged.
    pub(super) awaited: BTreeSet<Key>,
    /// Plugged, and not wired yet: what is recorded of such a port may be of the last time it was plugged.
    pub(super) unwired: BTreeSet<Key>,
    pub(super) linker: Linker,
    pub(super) topology: Topology,
    pub(super) view: NodeView,
    pub(super) report: Report,
    pub(super) figures: Figures,
    pub(super) words: Words,
    pub(super) beat: Option<Duration>,
    /// When the Agent was written last, and when its counts may be again.
    pub(super) counted: Option<Instant>,
    pub(super) recount: Option<Instant>,
    /// Labels of the node, which attachments of physical networks choose by.
    pub(super) labels: BTreeMap<String, String>,
    /// Silent nodes that were asked whether they live; and those that did not answer.
    pub(super) probed: BTreeMap<Key, (Instant, Option<bool>)>,
    /// Routers that come here or go.
    pub(super) handovers: Handovers,
    pub(super) takeovers: Takeovers,
    /// Ports that come here or go while their guests run.
    pub(super) migrations: Migrations,
    /// Whether others may have taken over from here.
    pub(super) fence: Fence,
    /// What guests announce, and active pairs of ports here that are not recorded yet.
    pub(super) ears: Ears,
    pub(super) active: Active,
    pub(super) introduced: bool,
    /// Whether the view says what this node is to hold: before the first walk it says nothing.
    pub(super) walked: bool,
    pub(super) since: Since,
}

impl<N: Hands> World<N> {
    /// A world that knows nothing yet; its first orders are watches.
    pub fn new(node: N, myself: Myself) -> Self {
        // Where something is plugged, there is something.
        let (mut mirror, mut orders) =
            (Mirror::new(!(node.attachments().is_empty() && node.routed().is_empty())), Vec::new());
        let watches = Watches::begin(&myself.node, &mut mirror, &mut orders);
        // It lives, whatever it knows: until it knows whether it translates, it beats as if it did.
        orders.push(Order::Beat(BEAT.0));
        Self {
            node,
            mirror,
            orders,
            lost: Vec::new(),
            myself,
            watches,
            claims: Claims::default(),
            doubts: Doubts::default(),
            fresh: BTreeSet::new(),
            awaited: BTreeSet::new(),
            unwired: BTreeSet::new(),
            linker: Linker::new(Role::Node),
            topology: Topology::default(),
            view: NodeView::default(),
            report: Report::default(),
            figures: Figures::default(),
            words: Words::default(),
            beat: Some(BEAT.0),
            counted: None,
            recount: None,
            labels: BTreeMap::new(),
            probed: BTreeMap::new(),
            handovers: Handovers::default(),
            takeovers: Takeovers::default(),
            migrations: Migrations::default(),
            fence: Fence::default(),
            ears: Ears::default(),
            active: Active::new(),
            introduced: false,
            walked: false,
            since: Since::default(),
        }
    }

    /// Takes in what the API server said; how soon to converge.
    pub fn hear(&mut self, told: Told) -> Heed {
        let heed = if self.is_elsewhere(&told) { Heed::Later } else { Heed::Now };
        let about = match &told {
            Told::News(_, News::Listed(Thing::Object(object)) | News::Put(Thing::Object(object))) => Some(object.id()),
            Told::News(_, News::Gone(Name::Object(id))) => Some(id.clone()),
            _ => None,
        };
        let put = matches!(&told, Told::News(_, News::Put(_)));
        if !self.take_in(told) {
            return Heed::Never;
        }
        match about {
            Some(Id { kind: Kind::SecurityGroup, .. }) if put => self.since.ruled = true,
            Some(Id { kind: Kind::Port, key }) => _ = self.since.elsewhere.insert(key),
            _ => self.since.strayed = true,
        }
        heed
    }

    /// Whether news are about nothing that this node holds or is about to hold.
    fn is_elsewhere(&self, told: &Told) -> bool {
        let Told::News(_, news) = told else { return false };
        let calm = self.walked && self.awaited.is_empty() && self.unwired.is_empty();
        let snapshot = self.mirror.snapshot();
        let eyes = Eyes { me: &self.myself.node, view: &self.view, ports: self.node.attachments(), snapshot };
        calm && !eyes.concerned(news)
    }

    fn take_in(&mut self, told: Told) -> bool {
        match told {
            Told::News(source, news) => {
                self.doubts.hear(&news, self.node.attachments());
                let whole = matches!(news, News::Whole);
                match self.mirror.hear(source, news) {
                    heard @ (Heard::Same | Heard::Different) => {
                        let open = whole && self.read_anew(source);
                        open || heard == Heard::Different
                    }
                    doubt @ (Heard::Doubtful | Heard::Empty) => {
                        if doubt == Heard::Doubtful {
                            warn!(
                                "a list lacks more than half of what was there: nothing is taken away before it is read again"
                            );
                        }
                        self.watches.again(source, &mut self.orders);
                        false
                    }
                }
            }
            Told::Found(id, found) => self.found(&id, found),
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
            Told::Heard(heard) => self.heartbeat(heard),
            Told::Peers(any) => self.peers(any),
            Told::Answered(id, peer, moment, answer) if id.kind == Kind::Port => {
                self.told_flows(&id, peer, moment, answer)
            }
            Told::Answered(router, peer, moment, answer) => self.answered(&router.key, peer, moment, answer),
            Told::Ended(target, ended) => {
                self.figures.ended(&ended);
                match ended {
                    Ok(Done::Now(thing)) => {
                        match self.mirror.knows(&thing) {
                            Some(version) => self.words.vain(&target, &version),
                            None => self.words.done(&target),
                        }
                        self.mirror.answer(thing);
                    }
                    // What is different comes with the watch.
                    Ok(_) | Err(Failure::Conflict) => self.words.done(&target),
                    Err(Failure::Refused(why)) => {
                        warn!(?target, "the API server refuses what this node says: {why}");
                        self.words.refused(&target, Instant::now() + REFUSED);
                    }
                    Err(Failure::Unreachable(why)) => {
                        warn!("the API server cannot be reached: {why}");
                        self.words.refused(&target, Instant::now() + BEAT.0);
                    }
                }
                true
            }
        }
    }

    /// When something that was refused may be said again.
    pub fn deadline(&self) -> Option<Instant> {
        let asked = self.probed.values().filter(|(_, answer)| *answer == Some(true)).map(|(at, _)| *at + BEAT.0);
        let later = self.recount.into_iter().chain(self.watches.deadline()).chain(self.doubts.deadline());
        let later = later.chain(self.fence.deadline()).chain(self.ears.deadline());
        let later = later.chain(self.migrations.deadline());
        self.words.deadline().into_iter().chain(asked).chain(later).min()
    }

    /// Makes the node like what the API server holds, and says what came of it. Whether all that could be done is done.
    /// `awaited`: ports that somebody waits to plug.
    pub fn converge(&mut self, mut awaited: BTreeSet<Key>, now: Timestamp) -> bool {
        let start = Instant::now();
        self.since.strayed = true;
        if self.doubts.expire(start) {
            self.watches.all_again(&mut self.orders);
        }
        self.look_out();
        self.migrations.expire(start);
        // The watch that a plug began with ends only once the watch of own ports has the port.
        self.fresh.retain(|key| self.node.attachments().contains_key(key) && !self.watches.owns(key, &self.mirror));
        awaited.extend(self.fresh.iter().cloned());
        self.awaited.clone_from(&awaited);
        self.watches.follow(&self.view, &awaited, &mut self.mirror, &mut self.orders);
        if !self.knows_enough() {
            return self.report.faults.is_empty();
        }
        if !self.walked {
            // What was plugged by a process that was killed before it claimed the port: no watch tells of it yet.
            let unclaimed = |key: &&Key| !self.watches.owns(key, &self.mirror);
            self.fresh.extend(self.node.attachments().keys().filter(unclaimed).cloned());
            awaited.extend(self.fresh.iter().cloned());
            self.watches.follow(&self.view, &awaited, &mut self.mirror, &mut self.orders);
            if !self.knows_enough() {
                return true;
            }
        }
        if !self.is_sure() {
            return true;
        }
        let (released, unprepared) = self.claim();
        self.relink();
        self.takeovers = self.takeovers();
        self.yield_pairs();
        self.cut();
        // A network that was not used before: its ports on other nodes are to be known before it is wired.
        self.watches.follow(&self.view, &awaited, &mut self.mirror, &mut self.orders);
        if !self.knows_enough() {
            return self.report.faults.is_empty();
        }
        if self.follow(start) {
            self.cut();
        }
        self.walked = true;
        self.mirror.trust();
        let mut outcome = self.realise();
        if self.half_done() {
            self.cut();
            let before = outcome;
            outcome = self.realise();
            outcome.changes += before.changes;
            outcome.vanished.extend(before.vanished);
        }
        self.figures.converged(start.elapsed(), &outcome);
        for port in &outcome.vanished {
            info!(object = %Id::new(Kind::Port, port.clone()), "its guest is gone: unplugged");
        }
        for (id, fault) in &outcome.report.faults {
            if self.report.faults.get(id) != Some(fault) {
                warn!(object = %id, reason = %fault.reason, "{}", fault.message);
            }
        }
        self.report = outcome.report;
        let (view, faults, plugged) = (&self.view, &self.report.faults, self.node.attachments());
        self.unwired.retain(|key| {
            let has = |network: &NetworkView| network.ports.contains_key(key) || network.prepared.contains_key(key);
            let seen = view.networks.values().any(has);
            plugged.contains_key(key) && (!seen || faults.contains_key(&Id::new(Kind::Port, key.clone())))
        });
        if outcome.changes > 0 {
            let ports: usize = self.view.networks.values().map(|n| n.ports.len()).sum();
            let (networks, routers) = (self.view.networks.len(), self.view.routers.len());
            let ms = start.elapsed().as_millis();
            info!(changes = outcome.changes, networks, ports, routers, ms, "converged");
        }
        self.hand_over();
        self.speak(&released, &unprepared, now);
        let done = outcome.vanished.is_empty() && self.report.faults.is_empty();
        self.since.strayed = !done;
        done
    }

    /// Links anew. The old topology goes first, so that the linker need not copy what it shares with it.
    pub(super) fn relink(&mut self) {
        (self.since.ruled, self.since.elsewhere) = Default::default();
        self.topology = Topology::default();
        (self.topology, _) = self.linker.link(self.mirror.snapshot());
    }

    /// What this node is to hold.
    fn cut(&mut self) {
        self.view = self.topology.view(self.eye());
    }

    /// Makes the node like the view; first what that routes is noted, so that it is known whenever the kernel has it.
    fn realise(&mut self) -> Outcome {
        let routed = self.translated().collect();
        self.node.note_routed(routed);
        self.node.converge(&self.view)
    }

    /// This node, as views are cut for it.
    pub(super) fn eye(&self) -> Node<'_> {
        let (name, labels) = (&*self.myself.node, Some(&self.labels));
        let cut_off = self.fence.is_shut();
        let (takeovers, fresh, departed) = (&self.takeovers, &self.active, self.migrations.left());
        Node { name, labels, takeovers, cut_off, fresh, departed }
    }

    /// Whether all is known of what this node uses.
    pub(super) fn knows_enough(&self) -> bool {
        self.watches.suffice(&self.view, &self.fresh, &self.mirror)
    }

    /// Makes the node like the view again, after the kernel changed under us.
    pub fn repair(&mut self, now: Timestamp) -> bool {
        if !self.walked {
            return true;
        }
        let start = Instant::now();
        let outcome = self.realise();
        self.figures.converged(start.elapsed(), &outcome);
        if outcome.changes > 0 {
            info!(changes = outcome.changes, "repaired");
        }
        let vanished = !outcome.vanished.is_empty();
        if outcome.report != self.report && self.knows_enough() {
            self.report = outcome.report;
            self.speak(&[], &[], now);
        }
        !vanished && self.report.faults.is_empty()
    }

    /// Unplugs what is not for this node any more; returns ports that are bound here, and those prepared here, that have no guest.
    fn claim(&mut self) -> (Vec<Key>, Vec<Key>) {
        let attachments = self.node.attachments();
        let verdict = self.claims.judge(&self.myself.node, attachments, self.mirror.snapshot_mut());
        // What cannot be read is there all the same.
        let unread = |key: &Key| {
            let known = self.mirror.snapshot().ports.contains_key(key);
            !known && self.mirror.tells_of(&Id::new(Kind::Port, key.clone()))
        };
        let strays: Vec<Key> = verdict.strays.into_iter().filter(|key| !unread(key)).collect();
        let (mut released, mut unprepared) = (verdict.released, verdict.unprepared);
        let strays = strays.into_iter().map(|key| (key.clone(), format!("Port {key} is gone")));
        for (key, why) in strays.chain(verdict.lost) {
            match self.node.detach(&key) {
                Ok(()) => {
                    info!(object = %Id::new(Kind::Port, key.clone()), "{why}: unplugged");
                    // Whoever waits for it need not wait for what is said of it here.
                    let port = self.mirror.snapshot().ports.get(&key);
                    let binding = port.and_then(|port| binding(port));
                    if binding.is_some_and(|binding| binding.node_name == self.myself.node) {
                        released.push(key.clone());
                    } else if port.and_then(|p| migration(p)).is_some_and(|m| m.node_name == self.myself.node) {
                        unprepared.push(key.clone());
                    } else if binding.is_some() && self.had(&key) {
                        self.migrations.depart(&key, Instant::now());
                    }
                }
                Err(error) => {
                    warn!(object = %Id::new(Kind::Port, key.clone()), %error, "{why}, and could not be unplugged");
                }
            }
            self.lost.push((key, why));
        }
        (released, unprepared)
    }
}
