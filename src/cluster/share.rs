//! Who says what of an object: two writers never share a field.
//!
//! The controller says what was decided. Whether packets pass is said by the node that does it: for a port its own, for a
//! router or a floating IP the one that translates. Until that node has spoken, the controller says that it has not; that
//! something is under way it then leaves to be read from `Ready`, or it would have to take it back later by a write more.

use serde::Serialize;
use serde_json::Value;

use super::event::Note;
use super::write::Status;
use crate::api::{Condition, ConditionType, FloatingIPStatus, PortStatus, RouterStatus};
use crate::model::agent::is_silent;
use crate::model::status::Statuses;
use crate::model::{Id, Key, Kind, Snapshot};

/// What the controller writes of these statuses: its part, and only where that is different.
#[must_use]
pub fn of_controller(snapshot: &Snapshot, statuses: &Statuses) -> Vec<Status> {
    let mut writes = Vec::new();
    macro_rules! each {
        ($($kind:ident $field:ident $node:expr, $moved:expr;)+) => { $(
            for (key, status) in &statuses.$field {
                let Some(object) = snapshot.$field.get(key) else { continue };
                let before = object.status.as_ref();
                let node: Node = ($node)(before, status);
                let wanted = part(status, node);
                let clean = node != Node::Heard || before.is_none_or(|before| !contradicts(&before.conditions));
                if clean && before.map(|before| part(before, node)).as_ref() == Some(&wanted) {
                    continue;
                }
                let id = Id::new(Kind::$kind, key.clone());
                let uid = object.metadata.uid.clone();
                let note = note(before.map(|b| &*b.conditions), &status.conditions);
                let note = ($moved)(snapshot, before, status).or(note);
                let same = before.is_some_and(|before| before.conditions == status.conditions);
                let lazy = same && matches!(id.kind, Kind::Subnet | Kind::SecurityGroup);
                writes.push(Status { id, uid, version: None, status: wanted, lazy, note });
            }
        )+ };
    }
    each! {
        PhysicalNetwork physical_networks |_, _| Node::Nobody, stays;
        Network networks |_, _| Node::Nobody, stays;
        Subnet subnets |_, _| Node::Nobody, stays;
        Router routers |before: Option<&RouterStatus>, now: &RouterStatus| {
            Node::of(now.gateway_node.as_ref(), before.map(|b| (b.gateway_node.as_ref(), &*b.conditions)))
        }, moved;
        FloatingIP floating_ips |before: Option<&FloatingIPStatus>, now: &FloatingIPStatus| {
            Node::of(now.node_name.as_ref(), before.map(|b| (b.node_name.as_ref(), &*b.conditions)))
        }, stays;
        SecurityGroup security_groups |_, _| Node::Nobody, stays;
        Port ports |before: Option<&PortStatus>, _: &_| {
            if before.is_some_and(|before| before.binding.is_some()) { Node::Heard } else { Node::Nobody }
        }, stays;
    }
    writes
}

/// Who says whether an object is realised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    /// No node: the controller does.
    Nobody,
    /// A node that has not spoken yet.
    Awaited,
    /// A node that has.
    Heard,
}

impl Node {
    /// By the node that is to speak, and the one that was, with what is recorded.
    fn of(now: Option<&String>, before: Option<(Option<&String>, &[Condition])>) -> Self {
        match (now, before) {
            (None, _) => Self::Nobody,
            (now, Some((then, conditions))) if now == then && has_spoken(conditions) => Self::Heard,
            _ => Self::Awaited,
        }
    }
}

/// What an Event is to say: that an object cannot be, and since when that is over.
fn note(before: Option<&[Condition]>, now: &[Condition]) -> Option<Note> {
    let ready = |conditions: &[Condition]| ConditionType::Ready.find(conditions).cloned();
    let (before, now) = (before.and_then(ready), ready(now)?);
    let was_wrong = before.as_ref().is_some_and(|c| c.status != "True" && c.reason != PENDING);
    let is_wrong = now.status != "True" && now.reason != PENDING;
    let is_new = before.is_none_or(|before| before.reason != now.reason || before.status != now.status);
    (is_new && (is_wrong || was_wrong)).then_some(Note { warning: is_wrong, reason: now.reason, message: now.message })
}

/// What moves nowhere.
fn stays<S>(_: &Snapshot, _: Option<&S>, _: &S) -> Option<Note> {
    None
}

/// That a router moves from one gateway node to another, and why.
fn moved(snapshot: &Snapshot, before: Option<&RouterStatus>, now: &RouterStatus) -> Option<Note> {
    let (from, to) = (before?.gateway_node.as_deref()?, now.gateway_node.as_deref()?);
    if from == to {
        return None;
    }
    let agent = snapshot.agents.get(&Key::new("", from));
    let why = match agent.map(|agent| (is_silent(agent), agent.spec.drain, agent.spec.gateway)) {
        None => "is gone",
        Some((true, ..)) => "fell silent, and its tunnel address does not answer",
        Some((_, Some(true), _)) => "drains",
        Some((.., Some(false))) => "is to be no gateway",
        Some(_) => "is not attached to what the router reaches, or others are named as gateways",
    };
    let message = format!("Moved to node {to}: {from} {why}.");
    Some(Note { warning: false, reason: "GatewayMoved".into(), message })
}

/// What is under way is no news.
const PENDING: &str = "Pending";

/// The conditions that are decided, not done.
fn is_decided(type_: &str) -> bool {
    [ConditionType::Accepted, ConditionType::ResolvedRefs].iter().any(|t| t.as_str() == type_)
}

/// Whether a node has said how far it is.
fn has_spoken(conditions: &[Condition]) -> bool {
    ConditionType::Programmed.find(conditions).is_some_and(|c| c.status != "Unknown")
}

/// Whether what is recorded cannot have been said by one writer: `Reconciling` or `Stalled` beside a true `Ready`, or beside
/// each other. One of them is of the time before the node spoke, and only who said it can take it back.
fn contradicts(conditions: &[Condition]) -> bool {
    let [ready, reconciling, stalled] =
        [ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled].map(|type_| type_.holds(conditions));
    ready && (reconciling || stalled) || reconciling && stalled
}

/// The controller's part of a status.
fn part<S: Serialize>(status: &S, node: Node) -> Value {
    let mut value = serde_json::to_value(status).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("binding");
        fields.remove("migration");
        fields.remove("activePairs");
        fields.remove("preparedNode");
        if let Some(Value::Array(conditions)) = fields.get_mut("conditions") {
            conditions.retain(|c| {
                let type_ = c["type"].as_str().unwrap_or_default();
                match node {
                    Node::Nobody => true,
                    Node::Awaited => type_ != ConditionType::Reconciling.as_str(),
                    Node::Heard => is_decided(type_),
                }
            });
        }
    }
    value
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::api::Router;

    fn router(conditions: &[(&str, &str)]) -> Router {
        let conditions: Vec<Value> = conditions
            .iter()
            .map(|(kind, holds)| {
                json!({ "type": kind, "status": holds, "reason": "Test", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z" })
            })
            .collect();
        let object = json!({
            "apiVersion": "tenet.network/v1alpha1", "kind": "Router", "metadata": { "name": "r", "namespace": "default" },
            "spec": {}, "status": { "gatewayNode": "node-1", "conditions": conditions },
        });
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn of_an_awaited_node_nothing_is_said_that_would_have_to_be_taken_back() {
        let (mut snapshot, mut statuses) = (Snapshot::default(), Statuses::default());
        let key = Key::new("default", "r");
        let decided = [("Accepted", "True"), ("ResolvedRefs", "True")];
        let pending = [("Programmed", "Unknown"), ("Ready", "False"), ("Reconciling", "True")];
        let wanted = router(&[&decided[..], &pending].concat()).status.unwrap();
        let types = |status: &Status| {
            let all = status.status["conditions"].as_array().unwrap();
            all.iter().map(|c| c["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        snapshot.routers.insert(key.clone(), Arc::new(Router { status: None, ..router(&[]) }));
        statuses.routers.insert(key.clone(), wanted.clone());
        assert_eq!(types(&of_controller(&snapshot, &statuses)[0]), ["Accepted", "ResolvedRefs", "Programmed", "Ready"]);
        // Where no node is to speak, the controller says it all.
        statuses.routers.insert(key, RouterStatus { gateway_node: None, ..wanted });
        assert_eq!(types(&of_controller(&snapshot, &statuses)[0]).len(), 5);
    }

    #[test]
    fn what_was_said_before_the_node_spoke_is_taken_back() {
        let decided = [("Accepted", "True"), ("ResolvedRefs", "True")];
        let said = |recorded: &[(&str, &str)]| {
            let (mut snapshot, mut statuses) = (Snapshot::default(), Statuses::default());
            let key = Key::new("default", "r");
            snapshot.routers.insert(key.clone(), Arc::new(router(&[&decided, recorded].concat())));
            let wanted = router(&[&decided[..], &[("Programmed", "True"), ("Ready", "True")]].concat());
            statuses.routers.insert(key, wanted.status.unwrap());
            of_controller(&snapshot, &statuses)
        };
        assert!(said(&[("Programmed", "True"), ("Ready", "True")]).is_empty());
        assert!(said(&[("Programmed", "False"), ("Ready", "False"), ("Stalled", "True")]).is_empty());
        let again = said(&[("Programmed", "True"), ("Ready", "True"), ("Reconciling", "True")]);
        let types = again[0].status["conditions"].as_array().unwrap();
        assert!(types.iter().all(|c| is_decided(c["type"].as_str().unwrap())), "{types:?}");
    }
}
