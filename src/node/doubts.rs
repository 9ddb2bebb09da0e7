//! What lists lack, and this node has plugged, or routes or translates: before anything of it is taken away, the server itself says
//! that it is gone.
//!
//! A list may be made of a cache that has lost its way, or of a store that was put back from an old copy. This node knows by its
//! own records what there should be. Until list and server agree, nothing changes here, and packets go on as before.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tracing::warn;

use super::api::Order;
use super::world::World;
use crate::agent::node::Node as Hands;
use crate::api::{Port, Router};
use crate::cluster::mirror::{Mirror, Name, News};
use crate::dataplane::attachment::Attachments;
use crate::model::group::DEFAULT;
use crate::model::object::Object;
use crate::model::{Id, Key, Kind, Snapshot, Uid};

/// How long lists are believed to be wrong before they are read again, and a server that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(5);

/// What is known of objects that lists lack.
#[derive(Debug, Default)]
pub struct Doubts {
    /// What a watch saw going: nobody has to be asked.
    seen: BTreeSet<Id>,
    words: BTreeMap<Id, Word>,
    /// How much had gone when nothing was missing that what is plugged needs; none: nobody has looked yet.
    looked: Option<u64>,
}

/// What the server says of an object that lists lack.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    /// It was asked.
    Asked,
    /// It is gone.
    Gone,
    /// It is there, or the server did not answer. Lists are read again then.
    Doubtful(Instant),
}

impl Doubts {
    /// Takes in what a watch tells: what is seen to go needs no second word.
    pub fn hear(&mut self, news: &News, attachments: &Attachments) {
        let News::Gone(Name::Object(id)) = news else { return };
        let matters = match id.kind {
            Kind::Port => attachments.contains_key(&id.key),
            Kind::Router | Kind::FloatingIP => true,
            _ => false,
        };
        if matters {
            self.seen.insert(id.clone());
        }
    }

    /// What of all that is plugged or `routed` here, or that this needs, is in no list. The first time all is asked for: nobody
    /// could see a list become shorter. What what is plugged needs is looked for only when something has gone: it is a long walk.
    fn missing(&self, attachments: &Attachments, routed: &BTreeSet<Id>, mirror: &Mirror) -> BTreeSet<Id> {
        let (snapshot, first) = (mirror.snapshot(), self.looked.is_none());
        let walk = self.looked != Some(mirror.left());
        let plugged = attachments.keys().flat_map(|key| match snapshot.ports.get(key) {
            Some(port) if walk => needed(key, port, snapshot, first),
            Some(_) => Vec::new(),
            None => vec![Id::new(Kind::Port, key.clone())],
        });
        let routers = routed.iter().filter(|_| first).filter_map(|id| Some((&id.key, snapshot.routers.get(&id.key)?)));
        let legs = routers.flat_map(|(key, router)| routes(key, router));
        let known = |id: &Id| Object::key_in(snapshot, id).is_some();
        // What cannot be read is there.
        let unsure = |id: &Id| !known(id) && !self.seen.contains(id) && !mirror.tells_of(id);
        plugged.chain(legs).chain(routed.iter().cloned()).filter(unsure).collect()
    }

    /// What to ask for of what is missing; none: all of it is gone.
    fn ask(&mut self, missing: &BTreeSet<Id>) -> Option<Vec<Id>> {
        self.words.retain(|id, _| missing.contains(id));
        let sure = missing.iter().all(|id| self.words.get(id) == Some(&Word::Gone));
        let ask: Vec<Id> = missing.iter().filter(|id| !self.words.contains_key(id)).cloned().collect();
        self.words.extend(ask.iter().map(|id| (id.clone(), Word::Asked)));
        (!sure).then_some(ask)
    }

    /// Forgets words that have become old; whether there were any.
    pub fn expire(&mut self, now: Instant) -> bool {
        self.words.extract_if(.., |_, word| matches!(word, Word::Doubtful(until) if *until <= now)).count() > 0
    }

    /// When something is to be asked again.
    pub fn deadline(&self) -> Option<Instant> {
        let until = |word: &Word| if let Word::Doubtful(until) = word { Some(*until) } else { None };
        self.words.values().filter_map(until).min()
    }
}

/// What a port needs; unless it is the `first` time, only its network.
fn needed(key: &Key, port: &Port, snapshot: &Snapshot, first: bool) -> Vec<Id> {
    // A port that never had a network has lost nothing.
    let Some(status) = port.status.as_ref().filter(|status| status.network_uid.is_some()) else { return Vec::new() };
    let network = key.referred(&port.spec.network_ref);
    let wire = snapshot.networks.get(&network).filter(|_| first).and_then(|network| network.spec.provider.as_ref());
    let wire = wire.map(|provider| Id::new(Kind::PhysicalNetwork, Key::new("", &provider.physical_network)));
    let mut needed: Vec<Id> = wire.into_iter().chain([Id::new(Kind::Network, network)]).collect();
    if first {
        let subnets = status.addresses.iter().map(|address| key.referred(&address.subnet_ref));
        needed.extend(subnets.map(|key| Id::new(Kind::Subnet, key)));
        // Where a namespace's own group `default` is not known, another one would be in force.
        let own = Key { namespace: key.namespace.clone(), name: DEFAULT.into() };
        let groups = port.spec.security_group_refs.iter().flatten().map(|reference| key.referred(reference));
        needed.extend(groups.chain([own]).map(|key| Id::new(Kind::SecurityGroup, key)));
    }
    needed
}

/// Between what a router routes.
fn routes(key: &Key, router: &Router) -> impl Iterator<Item = Id> {
    let subnets = router.spec.interfaces.iter().map(|leg| Id::new(Kind::Subnet, key.referred(&leg.subnet_ref)));
    let outside = router.spec.external_gateway.iter().map(|gateway| &gateway.network_ref);
    subnets.chain(outside.map(|network| Id::new(Kind::Network, key.referred(network))))
}

impl<N: Hands> World<N> {
    /// Whether what lists lack is gone by the server's own word, so far as this node has it.
    pub(super) fn is_sure(&mut self) -> bool {
        let (attachments, snapshot) = (self.node.attachments(), self.mirror.snapshot());
        let routed = self.node.routed();
        let had = |id: &Id| routed.contains(id) || id.kind == Kind::Port && attachments.contains_key(&id.key);
        self.doubts.seen.retain(|id| had(id) && Object::key_in(snapshot, id).is_none());
        let missing = self.doubts.missing(attachments, routed, &self.mirror);
        let ask = self.doubts.ask(&missing);
        let sure = ask.is_none();
        if sure {
            self.doubts.looked = Some(self.mirror.left());
        }
        self.orders.extend(ask.into_iter().flatten().map(Order::Ask));
        sure
    }

    /// The server has said whether an object is there; whether to go on.
    pub(super) fn found(&mut self, id: &Id, found: Result<Option<String>, String>) -> bool {
        let plugged = self.node.attachments().get(&id.key).filter(|_| id.kind == Kind::Port).map(|a| a.port);
        let gone = match &found {
            Ok(None) => true,
            // Another one of the same name.
            Ok(Some(uid)) => plugged.is_some_and(|plugged| plugged != Uid::parse(uid)),
            Err(_) => false,
        };
        match found {
            Ok(Some(_)) if !gone => {
                warn!(object = %id, "a list lacks it, and it is there: nothing changes before they agree");
            }
            Err(error) => {
                warn!(object = %id, error, "a list lacks it, and the server does not say whether it is there");
            }
            _ => {}
        }
        if let Some(word) = self.doubts.words.get_mut(id) {
            *word = if gone { Word::Gone } else { Word::Doubtful(Instant::now() + AGAIN) };
        }
        gone
    }
}
