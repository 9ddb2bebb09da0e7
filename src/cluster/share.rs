//! Who says what of an object: two writers never share a field.
//!
//! The controller says what was decided. Whether packets pass is said by the node that does it: for a port its own, for a
//! router or a floating IP the one that translates. Until that node has spoken, the controller says that it has not.

use serde::Serialize;
use serde_json::Value;

use super::write::{Note, Status};
use crate::api::{Condition, ConditionType};
use crate::model::status::Statuses;
use crate::model::{Id, Kind, Snapshot};

/// What the controller writes of these statuses: its part, and only where that is different.
#[must_use]
pub fn of_controller(snapshot: &Snapshot, statuses: &Statuses) -> Vec<Status> {
    let mut writes = Vec::new();
    macro_rules! each {
        ($($kind:ident $field:ident $spoken:expr;)+) => { $(
            for (key, status) in &statuses.$field {
                let Some(object) = snapshot.$field.get(key) else { continue };
                let before = object.status.as_ref();
                let spoken: bool = before.is_some_and(|before| ($spoken)(before, status));
                let wanted = part(status, spoken);
                if before.map(|before| part(before, spoken)).as_ref() == Some(&wanted) {
                    continue;
                }
                let id = Id::new(Kind::$kind, key.clone());
                let uid = object.metadata.uid.clone();
                let note = note(before.map(|b| &*b.conditions), &status.conditions);
                let same = before.is_some_and(|before| before.conditions == status.conditions);
                let lazy = same && id.kind == Kind::Subnet;
                writes.push(Status { id, uid, version: None, status: wanted, lazy, note });
            }
        )+ };
    }
    each! {
        PhysicalNetwork physical_networks |_: &_, _: &_| false;
        Network networks |_: &_, _: &_| false;
        Subnet subnets |_: &_, _: &_| false;
        Router routers |before: &crate::api::RouterStatus, now: &crate::api::RouterStatus| {
            now.gateway_node.is_some() && before.gateway_node == now.gateway_node && has_spoken(&before.conditions)
        };
        FloatingIP floating_ips |before: &crate::api::FloatingIPStatus, now: &crate::api::FloatingIPStatus| {
            now.node_name.is_some() && before.node_name == now.node_name && has_spoken(&before.conditions)
        };
        Port ports |before: &crate::api::PortStatus, _: &_| before.binding.is_some();
    }
    writes
}

/// What an Event is to say: that an object cannot be, and since when that is over.
fn note(before: Option<&[Condition]>, now: &[Condition]) -> Option<Note> {
    let ready = |conditions: &[Condition]| conditions.iter().find(|c| c.type_ == "Ready").cloned();
    let (before, now) = (before.and_then(ready), ready(now)?);
    let was_wrong = before.as_ref().is_some_and(|c| c.status != "True" && c.reason != PENDING);
    let is_wrong = now.status != "True" && now.reason != PENDING;
    let is_new = before.is_none_or(|before| before.reason != now.reason || before.status != now.status);
    (is_new && (is_wrong || was_wrong)).then_some(Note { warning: is_wrong, reason: now.reason, message: now.message })
}

/// What is under way is no news.
const PENDING: &str = "Pending";

/// The conditions that are decided, not done.
fn is_decided(type_: &str) -> bool {
    [ConditionType::Accepted, ConditionType::ResolvedRefs].iter().any(|t| t.to_string() == type_)
}

/// Whether a node has said how far it is.
fn has_spoken(conditions: &[Condition]) -> bool {
    conditions.iter().any(|c| c.type_ == "Programmed" && c.status != "Unknown")
}

/// The controller's part of a status. `spoken`: a node speaks of what is done.
fn part<S: Serialize>(status: &S, spoken: bool) -> Value {
    let mut value = serde_json::to_value(status).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("binding");
        if let Some(Value::Array(conditions)) = fields.get_mut("conditions")
            && spoken
        {
            conditions.retain(|c| c["type"].as_str().is_some_and(is_decided));
        }
    }
    value
}
