//! Which ports this node has: what is plugged here and what the API server says of it.
//!
//! A port that is plugged and that nobody has is wired at once, as if it were bound here, and claimed with the version that
//! was read: of two nodes one learns that it was second, and takes its wiring back. It is claimed once the controller has
//! looked at it, so that the claim and what came of the wiring are one write.
//!
//! In the same way a port that is prepared here is taken over from where it is plugged (`migration.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::{Binding, Port};
use crate::dataplane::attachment::Attachments;
use crate::model::{Key, Snapshot, Uid};

/// Ports that are treated as bound here though the server does not say so yet.
#[derive(Debug, Default)]
pub struct Claims {
    /// Ports that are taken over, whoever has them.
    forced: BTreeSet<Key>,
    /// Ports to be prepared here, until the server says that they are.
    preparing: BTreeSet<Key>,
    /// Ports that are prepared here and taken over, until the server says that they were. Nothing else ends it: what was sent
    /// may be taken yet.
    switching: BTreeSet<Key>,
    assumed: BTreeMap<Key, Arc<Port>>,
    /// Ports that are treated as prepared here though the server does not say so yet.
    proposed: BTreeMap<Key, Arc<Port>>,
}

/// What became of what is plugged.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The port is gone, or another of the same name: unplug.
    pub strays: Vec<Key>,
    /// Another node has the port, or only another may: unplug and say so.
    pub lost: Vec<(Key, String)>,
    /// Bound here, and nothing is plugged: let go of them.
    pub released: Vec<Key>,
    /// Said to be prepared here, and nothing is plugged: take that back.
    pub unprepared: Vec<Key>,
}

impl Claims {
    /// Takes a port over from whoever has it.
    pub fn force(&mut self, key: &Key) {
        self.forced.insert(key.clone());
    }

    /// Prepares a port here, whoever has it.
    pub fn prepare(&mut self, key: &Key) {
        self.preparing.insert(key.clone());
    }

    /// Takes a port over that is prepared here.
    pub fn switch(&mut self, key: &Key) {
        self.switching.insert(key.clone());
    }

    /// Judges what is plugged, and marks as bound here what nobody has.
    pub fn judge(&mut self, node: &str, attachments: &Attachments, snapshot: &mut Snapshot) -> Verdict {
        let mut verdict = Verdict::default();
        for (key, attachment) in attachments {
            let Some(object) = snapshot.ports.get_mut(key).filter(|port| uid(port) == attachment.port) else {
                verdict.strays.push(key.clone());
                continue;
            };
            if object.metadata.deletion_timestamp.is_some() {
                verdict.strays.push(key.clone());
                continue;
            }
            let here = || Binding {
                node_name: node.into(),
                device: attachment.target.device().into(),
                pod: attachment.pod.as_ref().and_then(|sandbox| sandbox.pod.clone()),
            };
            let holder = binding(object).map(|b| b.node_name.as_str());
            match (holder, migration(object).map(|m| m.node_name.as_str()), object.spec.node_name.as_deref()) {
                (_, _, Some(only)) if only != node => {
                    verdict.lost.push((key.clone(), format!("Port {key} is for node {only} only (spec.nodeName)")));
                }
                // A port that went from one pod here to the next may be bound for the first still.
                (Some(own), ..) if own == node && binding(object).is_some_and(|bound| bound.pod == here().pod) => {
                    self.forced.remove(key);
                    if !self.is_assumed(key, object) {
                        self.preparing.remove(key);
                        self.switching.remove(key);
                    }
                }
                (_, Some(own), _) if own == node => {
                    if object.spec.migration_node_name.as_deref() != Some(node) {
                        let why = format!("Port {key} is not to move here any more (spec.migrationNodeName)");
                        verdict.lost.push((key.clone(), why));
                    } else if self.switching.contains(key) {
                        let status = Arc::make_mut(object).status.get_or_insert_default();
                        (status.binding, status.migration) = (Some(here()), None);
                        self.assumed.insert(key.clone(), object.clone());
                    } else if !self.proposed.get(key).is_some_and(|proposed| Arc::ptr_eq(proposed, object)) {
                        self.preparing.remove(key);
                    }
                }
                (_, Some(other), _) if self.preparing.contains(key) => {
                    verdict.lost.push((key.clone(), format!("Port {key} is being prepared on node {other}")));
                }
                (_, None, _) if self.preparing.contains(key) => {
                    Arc::make_mut(object).status.get_or_insert_default().migration = Some(here());
                    self.proposed.insert(key.clone(), object.clone());
                }
                (Some(other), ..) if other != node && !self.forced.contains(key) => {
                    verdict.lost.push((key.clone(), format!("Port {key} is plugged on node {other}")));
                }
                _ => {
                    Arc::make_mut(object).status.get_or_insert_default().binding = Some(here());
                    self.assumed.insert(key.clone(), object.clone());
                }
            }
        }
        for said in [&mut self.assumed, &mut self.proposed] {
            said.retain(|key, object| snapshot.ports.get(key).is_some_and(|now| Arc::ptr_eq(now, object)));
        }
        for wanted in [&mut self.preparing, &mut self.switching] {
            wanted.retain(|key| attachments.contains_key(key));
        }
        let empty = |of: fn(&Port) -> Option<&Binding>| {
            let said = snapshot.ports.iter().filter(move |(_, port)| of(port).is_some_and(|b| b.node_name == node));
            said.map(|(key, _)| key).filter(|key| !attachments.contains_key(*key)).cloned()
        };
        verdict.released = empty(binding).collect();
        verdict.unprepared = empty(migration).collect();
        verdict
    }

    /// Whether anything is said of a port, or is to be.
    #[must_use]
    pub fn knows(&self, key: &Key) -> bool {
        [&self.forced, &self.preparing, &self.switching].iter().any(|keys| keys.contains(key))
            || [&self.assumed, &self.proposed].iter().any(|ports| ports.contains_key(key))
    }

    /// Whether a port is bound here only because we say so.
    #[must_use]
    pub fn assumes(&self, key: &Key) -> bool {
        self.assumed.contains_key(key)
    }

    /// Whether a port is being taken over that was prepared here.
    #[must_use]
    pub fn switches(&self, key: &Key) -> bool {
        self.switching.contains(key)
    }

    /// Ports that are prepared here only because we say so.
    pub fn proposed(&self) -> impl Iterator<Item = (&Key, &Arc<Port>)> {
        self.proposed.iter()
    }

    fn is_assumed(&self, key: &Key, object: &Arc<Port>) -> bool {
        self.assumed.get(key).is_some_and(|assumed| Arc::ptr_eq(assumed, object))
    }
}

pub(super) fn binding(port: &Port) -> Option<&Binding> {
    port.status.as_ref()?.binding.as_ref()
}

pub(super) fn migration(port: &Port) -> Option<&Binding> {
    port.status.as_ref()?.migration.as_ref()
}

fn uid(port: &Port) -> Uid {
    Uid::parse(port.metadata.uid.as_deref().unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::dataplane::attachment::{Attachment, Target};
    use crate::model::fixtures::{key, world};

    /// A port as the server has it: where it is plugged, prepared, and may be prepared; a dash: nowhere.
    fn said(text: &str) -> Snapshot {
        let mut snapshot = world("Port p {networkRef: {name: blue}}");
        let port = Arc::make_mut(snapshot.ports.get_mut(&key("p")).unwrap());
        let at = |name: &str| Binding { node_name: name.into(), device: "tap0".into(), pod: None };
        let mut names = text.split(' ').map(|name| Some(name).filter(|name| *name != "-"));
        let status = port.status.get_or_insert_default();
        (status.binding, status.migration) = (names.next().unwrap().map(at), names.next().unwrap().map(at));
        port.spec.migration_node_name = names.next().unwrap().map(str::to_owned);
        snapshot
    }

    /// What node `b` makes of it, where the port is plugged into a tap.
    fn judged(claims: &mut Claims, snapshot: &mut Snapshot) -> (String, Verdict) {
        let tap = Target::Tap { name: "tap0".into() };
        let port = uid(&snapshot.ports[&key("p")]);
        let verdict = claims.judge("b", &[(key("p"), Attachment { port, target: tap, pod: None })].into(), snapshot);
        let port = &snapshot.ports[&key("p")];
        let name = |binding: Option<&Binding>| binding.map_or("-".to_owned(), |binding| binding.node_name.clone());
        (format!("{} {}", name(binding(port)), name(migration(port))), verdict)
    }

    #[test]
    fn a_port_is_prepared_and_switched_only_by_order_and_only_once_the_server_says_so() {
        let mut claims = Claims::default();
        let (now, verdict) = judged(&mut claims, &mut said("a - b"));
        assert!(now == "a -" && verdict.lost.len() == 1, "what nobody ordered, as after a crash, is unplugged");
        claims.prepare(&key("p"));
        let mut snapshot = said("a - b");
        for _ in 0..2 {
            assert_eq!(judged(&mut claims, &mut snapshot), ("a b".into(), Verdict::default()));
            assert_eq!(claims.proposed().count(), 1, "until the server says so, it is said to it");
        }
        let mut snapshot = said("a b b");
        assert_eq!(judged(&mut claims, &mut snapshot), ("a b".into(), Verdict::default()));
        assert_eq!((claims.proposed().count(), claims.assumes(&key("p"))), (0, false));
        claims.switch(&key("p"));
        for _ in 0..2 {
            assert_eq!(judged(&mut claims, &mut snapshot), ("b -".into(), Verdict::default()));
            assert!(claims.assumes(&key("p")) && claims.switches(&key("p")));
        }
        // Somebody else wrote first.
        let mut snapshot = said("a b b");
        assert_eq!(
            judged(&mut claims, &mut snapshot),
            ("b -".into(), Verdict::default()),
            "what was sent may be taken yet"
        );
        assert_eq!(judged(&mut claims, &mut said("b - b")), ("b -".into(), Verdict::default()));
        assert!(!claims.assumes(&key("p")) && !claims.switches(&key("p")));
    }

    #[test]
    fn what_another_prepares_and_what_may_not_move_here_any_more_is_let_go_of() {
        for (server, why) in [("a c b", "is being prepared on node c"), ("a b -", "is not to move here any more")] {
            let mut claims = Claims::default();
            claims.prepare(&key("p"));
            let (_, verdict) = judged(&mut claims, &mut said(server));
            assert!(verdict.lost.iter().any(|(_, said)| said.contains(why)), "{verdict:?}");
        }
        let verdict = Claims::default().judge("b", &Attachments::new(), &mut said("a b b"));
        assert_eq!((verdict.unprepared, verdict.released), (vec![key("p")], vec![]), "nothing is plugged any more");
        let (now, verdict) = judged(&mut Claims::default(), &mut said("- b b"));
        assert!(now == "- b" && verdict == Verdict::default(), "that nobody has it is no order");
    }
}
