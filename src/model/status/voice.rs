//! What a cluster's node says of what it does: for each port plugged there, and for routers and floating IPs that it
//! translates for. Whether an object is accepted is the controller's to say; the node repeats it in `Ready`.

use k8s_openapi::jiff::Timestamp;

use super::conditions::{Known, Progress, Wanted};
use crate::api::{Condition, ConditionType, Conditions, Reason};
use crate::model::id::{Id, Key, Kind};
use crate::model::report::{Remark, Report};
use crate::model::snapshot::Snapshot;

/// What a node has to say of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Voice {
    /// The object.
    pub id: Id,
    /// `Programmed`, `Ready`, and `Reconciling` or `Stalled` while it is not.
    pub conditions: Conditions,
}

/// Which conditions a node writes.
#[must_use]
pub fn is_nodes(type_: &str) -> bool {
    use ConditionType::{Programmed, Ready, Reconciling, Stalled};
    [Programmed, Ready, Reconciling, Stalled].iter().any(|t| t.as_str() == type_)
}

/// What a node has said of an object, once more: whoever says one thing of it says all.
#[must_use]
pub fn again(id: Id, recorded: &[Condition]) -> Voice {
    Voice { id, conditions: recorded.iter().filter(|c| is_nodes(&c.type_)).cloned().collect() }
}

/// What `node` has to say that is not recorded yet. `realised`: whether an object is part of what the node realises.
#[must_use]
pub fn voices(
    snapshot: &Snapshot,
    node: &str,
    report: &Report,
    realised: impl Fn(&Id) -> bool,
    now: Timestamp,
) -> Vec<Voice> {
    let mut said = Vec::new();
    let mut speak = |id: Id, generation: Option<i64>, recorded: &[Condition]| {
        let conditions = judge(&id, generation, recorded, report, realised(&id), now);
        said.extend(conditions.map(|conditions| Voice { id, conditions }));
    };
    let of = |kind, key: &Key| Id::new(kind, key.clone());
    for (key, port) in &snapshot.ports {
        let Some(status) = &port.status else { continue };
        if status.binding.as_ref().is_some_and(|b| b.node_name == node) {
            speak(of(Kind::Port, key), port.metadata.generation, &status.conditions);
        }
    }
    for (key, router) in &snapshot.routers {
        let Some(status) = &router.status else { continue };
        if status.gateway_node.as_deref() == Some(node) {
            speak(of(Kind::Router, key), router.metadata.generation, &status.conditions);
        }
    }
    for (key, floating) in &snapshot.floating_ips {
        let Some(status) = &floating.status else { continue };
        if status.node_name.as_deref() == Some(node) {
            speak(of(Kind::FloatingIP, key), floating.metadata.generation, &status.conditions);
        }
    }
    said
}

/// The conditions to write; none: they are as recorded.
fn judge(
    id: &Id,
    generation: Option<i64>,
    recorded: &[Condition],
    report: &Report,
    realised: bool,
    now: Timestamp,
) -> Option<Conditions> {
    let progress = match (report.faults.get(id), report.remarks.get(id)) {
        (Some(fault), _) => Progress::Fault(fault),
        (None, Some(remark)) if realised => Progress::Remarked(remark),
        (None, None) if realised => Progress::Done,
        _ => Progress::Nothing,
    };
    wanted(generation, recorded, progress, |wanted| {
        // Nearly all stays as it is.
        let new = (!wanted.same(recorded)).then(|| nodes_part(wanted, recorded, now))?;
        let before = recorded.iter().filter(|c| is_nodes(&c.type_));
        (!before.eq(&new)).then_some(new)
    })
}

/// All that an object's conditions have to say, of which a node knows how far it is.
fn wanted<R>(
    generation: Option<i64>,
    recorded: &[Condition],
    progress: Progress,
    then: impl FnOnce(&Wanted) -> R,
) -> R {
    let (refused, unresolved) =
        (wrong(recorded, ConditionType::Accepted), wrong(recorded, ConditionType::ResolvedRefs));
    let known = Known {
        generation,
        judged: true,
        refers: true,
        refused: refused.as_ref(),
        unresolved: unresolved.as_ref(),
        in_use: None,
        progress,
    };
    then(&Wanted::of(&known, recorded))
}

/// What a node writes of that.
fn nodes_part(wanted: &Wanted, recorded: &[Condition], now: Timestamp) -> Conditions {
    wanted.write(recorded, now).into_iter().filter(|c| is_nodes(&c.type_)).collect()
}

/// Why the controller says no, if it does.
fn wrong(recorded: &[Condition], type_: ConditionType) -> Option<Remark> {
    let Some(condition) = type_.find(recorded) else {
        return Some(Remark { reason: Reason::Pending, message: "The controller has not looked at it yet.".into() });
    };
    (condition.status != "True").then(|| {
        let reason = Reason::ALL.iter().copied().find(|r| r.to_string() == condition.reason);
        Remark { reason: reason.unwrap_or(Reason::Pending), message: condition.message.clone() }
    })
}

/// What a node says of a port when it lets go of it.
#[must_use]
pub fn unplugged(generation: Option<i64>, recorded: &[Condition], now: Timestamp) -> Conditions {
    wanted(generation, recorded, Progress::Unbound, |wanted| nodes_part(wanted, recorded, now))
}
