//! What an agent watches: small kinds whole, and of the ports only those of the networks that its node uses.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::api::{Order, Question};
use crate::cluster::mirror::{Mirror, Source};
use crate::cluster::watch::Age;
use crate::model::{Id, Key, Kind, NodeView, Uid};

/// A field selector costs the API server at every write of a port: beyond so many networks, all ports are watched and
/// what is foreign is let go on arrival.
const NETWORKS: usize = 32;
/// So many ports may be awaited by a watch of their own, which is two requests each. A node that starts awaits hundreds.
const AWAITED: usize = 8;
/// Where many were awaited, more will be soon; and reading the ports of each network anew is not for nothing.
const LINGER: Duration = Duration::from_secs(10);

/// Kinds that are watched whole: there are few of them.
const WHOLE: [Kind; 8] = [
    Kind::Network,
    Kind::Subnet,
    Kind::Router,
    Kind::FloatingIP,
    Kind::SecurityGroup,
    Kind::PhysicalNetwork,
    Kind::ReferenceGrant,
    Kind::Agent,
];

/// What a watch is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    /// All objects of a kind.
    Whole(Kind),
    /// Ports bound to this node.
    Own,
    /// Ports of a network.
    Network(Uid),
    /// All ports.
    Ports,
    /// A port that somebody waits for.
    Awaited(Key),
}

impl Reason {
    /// Whether it is one for as long as the agent runs.
    fn is_lasting(&self) -> bool {
        matches!(self, Self::Whole(_) | Self::Own)
    }
}

/// The watches that run.
#[derive(Debug)]
pub struct Watches {
    node: String,
    running: BTreeMap<Reason, Source>,
    next: Source,
    /// Until when all ports are watched because many were awaited.
    many: Option<Instant>,
}

impl Watches {
    /// Begins with what every agent needs.
    pub fn begin(node: &str, mirror: &mut Mirror, orders: &mut Vec<Order>) -> Self {
        let mut watches = Self { node: node.into(), running: BTreeMap::new(), next: 0, many: None };
        for reason in WHOLE.into_iter().map(Reason::Whole).chain([Reason::Own]) {
            watches.start(reason, mirror, orders);
        }
        watches
    }

    /// Follows what the node uses now. `awaited`: ports that somebody waits to plug.
    pub fn follow(&mut self, view: &NodeView, awaited: &BTreeSet<Key>, mirror: &mut Mirror, orders: &mut Vec<Order>) {
        let now = Instant::now();
        let unseen: Vec<&Key> = awaited.iter().filter(|port| !self.is_followed(port, view, mirror)).collect();
        if unseen.len() > AWAITED {
            self.many = Some(now + LINGER);
        }
        self.many = self.many.filter(|until| *until > now);
        let mut wanted = BTreeSet::new();
        if self.many.is_some() || networks(view).count() > NETWORKS {
            wanted.insert(Reason::Ports);
        } else {
            wanted.extend(networks(view).map(Reason::Network));
            wanted.extend(unseen.into_iter().cloned().map(Reason::Awaited));
        }
        for reason in &wanted {
            if !self.running.contains_key(reason) {
                self.start(reason.clone(), mirror, orders);
            }
        }
        // What takes the place of others does so once it is whole: meanwhile nothing is missed and nothing waits.
        if !wanted.iter().all(|reason| self.is_whole(reason, mirror)) {
            return;
        }
        let ended = |reason: &Reason| !reason.is_lasting() && !wanted.contains(reason);
        for (_, source) in self.running.extract_if(.., |reason, _| ended(reason)) {
            mirror.forget(source);
            orders.push(Order::Unwatch(source));
        }
    }

    /// When the watches will be others, though nothing else is.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.many
    }

    /// Whether everything about what the node uses is known. `plugged`: ports here that the watch of own ports lacks.
    #[must_use]
    pub fn suffice(&self, view: &NodeView, plugged: &BTreeSet<Key>, mirror: &Mirror) -> bool {
        let always = WHOLE.into_iter().map(Reason::Whole).chain([Reason::Own]);
        let mut networks = networks(view).map(Reason::Network);
        let whole = |reason| self.is_whole(&reason, mirror);
        let known = |port: &Key| self.is_followed(port, view, mirror) || whole(Reason::Awaited(port.clone()));
        always.into_iter().all(whole) && (whole(Reason::Ports) || networks.all(whole) && plugged.iter().all(known))
    }

    /// Whether the watch of a network that the node uses tells of a port: then it needs none of its own.
    fn is_followed(&self, port: &Key, view: &NodeView, mirror: &Mirror) -> bool {
        let id = Id::new(Kind::Port, port.clone());
        let tells = |source: &Source| mirror.is_whole_of(*source) && mirror.has(*source, &id);
        networks(view).any(|network| self.running.get(&Reason::Network(network)).is_some_and(tells))
    }

    fn is_whole(&self, reason: &Reason, mirror: &Mirror) -> bool {
        self.running.get(reason).is_some_and(|source| mirror.is_whole_of(*source))
    }

    /// Whether the watch of own ports has told of a port.
    #[must_use]
    pub fn owns(&self, port: &Key, mirror: &Mirror) -> bool {
        let id = Id::new(Kind::Port, port.clone());
        self.running.get(&Reason::Own).is_some_and(|source| mirror.has(*source, &id))
    }

    /// Begins a watch anew, because its list is not believed before it is read again.
    pub fn again(&self, source: Source, orders: &mut Vec<Order>) {
        if let Some((reason, _)) = self.running.iter().find(|(_, running)| **running == source) {
            orders.extend([Order::Unwatch(source), Order::Watch(source, self.question(reason))]);
        }
    }

    /// Begins all watches anew, because what they have told is not what is there. Says which of them are never ended, so that
    /// each will tell all that there is.
    pub fn all_again(&self, orders: &mut Vec<Order>) -> BTreeSet<Source> {
        for (reason, source) in &self.running {
            let question = Question { age: Age::New, ..self.question(reason) };
            orders.extend([Order::Unwatch(*source), Order::Watch(*source, question)]);
        }
        self.running.iter().filter(|(reason, _)| reason.is_lasting()).map(|(_, source)| *source).collect()
    }

    /// What a watch asks for.
    fn question(&self, reason: &Reason) -> Question {
        let all = |kind| Question { kind, fields: None, age: Age::New };
        let ports = |fields| Question { fields: Some(fields), ..all(Kind::Port) };
        match reason {
            Reason::Whole(kind) => all(*kind),
            Reason::Ports => all(Kind::Port),
            Reason::Own => ports(format!("status.binding.nodeName={}", self.node)),
            // What is plugged elsewhere is followed, not decided upon: a port that is told a moment later is reached then.
            Reason::Network(uid) => Question { age: Age::Any, ..ports(format!("status.networkUID={uid:?}")) },
            Reason::Awaited(key) => ports(format!("metadata.namespace={},metadata.name={}", key.namespace, key.name)),
        }
    }

    fn start(&mut self, reason: Reason, mirror: &mut Mirror, orders: &mut Vec<Order>) {
        let source = self.next;
        self.next += 1;
        tracing::debug!(source, ?reason, "a watch begins");
        mirror.expect(source, if let Reason::Whole(kind) = reason { Some(kind) } else { None });
        orders.push(Order::Watch(source, self.question(&reason)));
        self.running.insert(reason, source);
    }
}

/// Networks whose ports a node has to know: those that it uses, and those whose ports may be in groups that rules here name.
fn networks(view: &NodeView) -> impl Iterator<Item = Uid> {
    view.networks.values().map(|network| network.uid).chain(view.member_networks.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::mirror::{Name, News, Thing};
    use crate::model::fixtures;
    use crate::model::object::Object;

    #[test]
    fn networks_whose_ports_may_be_members_are_watched_too() {
        let (mut mirror, mut orders) = (Mirror::default(), Vec::new());
        let mut watches = Watches::begin("node-1", &mut mirror, &mut orders);
        let own = orders.len();
        for source in 0..own {
            mirror.hear(source, News::Whole);
        }
        let view = NodeView { member_networks: [Uid(7)].into(), ..NodeView::default() };
        let nobody = BTreeSet::new();
        watches.follow(&view, &nobody, &mut mirror, &mut orders);
        let [Order::Watch(source, question)] = &orders[own..] else { unreachable!() };
        assert!(question.fields.as_ref().is_some_and(|fields| fields.contains(&format!("{:?}", Uid(7)))));
        assert!(!watches.suffice(&view, &nobody, &mirror), "a member that is not known yet would be cut off");
        mirror.hear(*source, News::Whole);
        assert!(watches.suffice(&view, &nobody, &mirror));
    }

    #[test]
    fn a_port_that_the_watch_of_a_network_tells_of_needs_none_of_its_own() {
        let (mut mirror, mut orders) = (Mirror::default(), Vec::new());
        let mut watches = Watches::begin("node-1", &mut mirror, &mut orders);
        let own = orders.len();
        let view = NodeView { member_networks: [Uid(7)].into(), ..NodeView::default() };
        let awaited: BTreeSet<Key> = [Key::new("default", "a")].into();
        watches.follow(&view, &awaited, &mut mirror, &mut orders);
        let (network, alone) = (own, own + 1);
        assert_eq!(orders.len(), own + 2, "where nobody tells of it yet, it has one of its own");
        for source in (0..own).chain([network]) {
            mirror.hear(source, News::Whole);
        }
        assert!(!watches.suffice(&view, &awaited, &mirror));
        let port = fixtures::world("Port a {networkRef: {name: blue}}").ports[&Key::new("default", "a")].clone();
        mirror.hear(network, News::Put(Thing::Object(Object::Port(port))));
        assert!(watches.suffice(&view, &awaited, &mirror));
        watches.follow(&view, &awaited, &mut mirror, &mut orders);
        assert!(matches!(orders[..], [.., Order::Unwatch(ended)] if ended == alone), "{orders:?}");
        assert!(watches.suffice(&view, &awaited, &mirror));
        // It goes, and may come again.
        mirror.hear(network, News::Gone(Name::Object(Id::new(Kind::Port, Key::new("default", "a")))));
        watches.follow(&view, &awaited, &mut mirror, &mut orders);
        assert!(!watches.suffice(&view, &awaited, &mirror));
        assert!(matches!(orders.last(), Some(Order::Watch(..))), "{orders:?}");
    }

    #[test]
    fn many_awaited_ports_are_one_watch_which_takes_over_once_it_is_whole() {
        let (mut mirror, mut orders, view) = (Mirror::default(), Vec::new(), NodeView::default());
        let mut watches = Watches::begin("node-1", &mut mirror, &mut orders);
        let awaited = |count: usize| (0..count).map(|n| Key::new("default", &n.to_string())).collect::<BTreeSet<Key>>();
        let own = orders.len();
        watches.follow(&view, &awaited(1), &mut mirror, &mut orders);
        assert!(matches!(&orders[own..], [Order::Watch(_, question)] if question.fields.is_some()));
        for source in 0..=own {
            assert!(!watches.suffice(&view, &awaited(1), &mirror));
            mirror.hear(source, News::Whole);
        }
        assert!(watches.suffice(&view, &awaited(1), &mirror));
        orders.clear();
        watches.follow(&view, &awaited(AWAITED + 1), &mut mirror, &mut orders);
        assert!(matches!(&orders[..], [Order::Watch(_, question)] if question.fields.is_none()), "{orders:?}");
        assert!(watches.suffice(&view, &awaited(1), &mirror), "the old watch goes on meanwhile");
        mirror.hear(own + 1, News::Whole);
        watches.follow(&view, &awaited(AWAITED + 1), &mut mirror, &mut orders);
        assert!(matches!(orders[..], [_, Order::Unwatch(ended)] if ended == own), "{orders:?}");
        assert!(watches.suffice(&view, &awaited(AWAITED + 1), &mirror));
        // Fewer again: what is read is kept for a while.
        watches.follow(&view, &awaited(1), &mut mirror, &mut orders);
        assert!(orders.len() == 2 && watches.deadline().is_some());
        // Whoever waits for all to be read anew waits for none that may end before.
        assert_eq!(watches.all_again(&mut orders), (0..own).collect());
    }
}
