//! What lists lack, and this node has plugged, or routes or translates: before anything of it is taken away, the server itself says
//! that it is gone.
//!
//! A list may be made of a cache that has lost its way, or of a store that was put back from an old copy. This node knows by its
//! own record what there should be, and once it runs, by what it does. Until list and server agree, nothing changes here, and
//! packets go on as before.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tracing::warn;

use super::api::Order;
use super::world::World;
use crate::agent::node::Node as Hands;
use crate::cluster::mirror::{Mirror, Name, News};
use crate::dataplane::attachment::Attachments;
use crate::model::object::Object;
use crate::model::{Id, Key, Kind, Uid};

/// How long lists are believed to be wrong before they are read again, and a server that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(5);

/// What is known of objects that lists lack.
#[derive(Debug, Default)]
pub struct Doubts {
    /// What a watch saw going: nobody has to be asked.
    seen: BTreeSet<Id>,
    words: BTreeMap<Id, Word>,
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

    /// What of all that is plugged, or that these ports are on, is in no list; and of the `lacking`, which are not known.
    fn missing(&self, attachments: &Attachments, lacking: Vec<Id>, mirror: &Mirror) -> BTreeSet<Id> {
        let snapshot = mirror.snapshot();
        let missing = |key: &Key| {
            let Some(port) = snapshot.ports.get(key) else {
                return Some(Id::new(Kind::Port, key.clone()));
            };
            let network = key.referred(&port.spec.network_ref);
            let had = port.status.as_ref().is_some_and(|status| status.network_uid.is_some());
            (had && !snapshot.networks.contains_key(&network)).then(|| Id::new(Kind::Network, network))
        };
        // What cannot be read is there.
        let unsure = |id: &Id| !self.seen.contains(id) && !mirror.tells_of(id);
        attachments.keys().filter_map(missing).chain(lacking).filter(unsure).collect()
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

impl<N: Hands> World<N> {
    /// Whether what lists lack is gone by the server's own word, so far as this node has it.
    pub(super) fn is_sure(&mut self) -> bool {
        let (attachments, snapshot) = (self.node.attachments(), self.mirror.snapshot());
        let lacking: Vec<Id> = self.translated().filter(|id| Object::find(snapshot, id).is_none()).collect();
        let plugged = |key: &Key| attachments.contains_key(key) && !snapshot.ports.contains_key(key);
        self.doubts.seen.retain(|id| lacking.contains(id) || id.kind == Kind::Port && plugged(&id.key));
        let missing = self.doubts.missing(attachments, lacking, &self.mirror);
        let ask = self.doubts.ask(&missing);
        let sure = ask.is_none();
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
