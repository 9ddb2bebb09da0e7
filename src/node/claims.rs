//! Which ports this node has: what is plugged here and what the API server says of it.
//!
//! A port that is plugged and that nobody has is wired at once, as if it were bound here, and claimed with the version that
//! was read: of two nodes one learns that it was second, and takes its wiring back. It is claimed once the controller has
//! looked at it, so that the claim and what came of the wiring are one write.

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
    assumed: BTreeMap<Key, Arc<Port>>,
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
}

impl Claims {
    /// Takes a port over from whoever has it.
    pub fn force(&mut self, key: &Key) {
        self.forced.insert(key.clone());
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
            let pod = attachment.pod.as_ref().and_then(|sandbox| sandbox.pod.clone());
            match (binding(object).map(|b| b.node_name.as_str()), object.spec.node_name.as_deref()) {
                (Some(other), _) if other != node && !self.forced.contains(key) => {
                    verdict.lost.push((key.clone(), format!("Port {key} is plugged on node {other}")));
                }
                (_, Some(only)) if only != node => {
                    verdict.lost.push((key.clone(), format!("Port {key} is for node {only} only (spec.nodeName)")));
                }
                // A port that went from one pod here to the next may be bound for the first still.
                (Some(own), _) if own == node && binding(object).is_some_and(|bound| bound.pod == pod) => {
                    self.forced.remove(key);
                }
                _ => {
                    let binding = Binding { node_name: node.into(), device: attachment.target.device().into(), pod };
                    Arc::make_mut(object).status.get_or_insert_default().binding = Some(binding);
                    self.assumed.insert(key.clone(), object.clone());
                }
            }
        }
        self.assumed.retain(|key, object| snapshot.ports.get(key).is_some_and(|now| Arc::ptr_eq(now, object)));
        let bound = snapshot.ports.iter().filter(|(_, port)| binding(port).is_some_and(|b| b.node_name == node));
        verdict.released = bound.map(|(key, _)| key).filter(|key| !attachments.contains_key(*key)).cloned().collect();
        verdict
    }

    /// Whether a port is bound here only because we say so.
    #[must_use]
    pub fn assumes(&self, key: &Key) -> bool {
        self.assumed.contains_key(key)
    }
}

fn binding(port: &Port) -> Option<&Binding> {
    port.status.as_ref()?.binding.as_ref()
}

fn uid(port: &Port) -> Uid {
    Uid::parse(port.metadata.uid.as_deref().unwrap_or_default())
}
