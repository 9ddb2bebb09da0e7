//! From what the API server holds to what is to be written there. Pure: no client, no clock of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use serde_json::json;

use super::pods::{Chores, Pods};
use crate::api::{AgentFailure, AllocationParty, Binding, Condition, ConditionType, Port, Reason};
use crate::cluster::FINALIZER;
use crate::cluster::pods::Came;
use crate::cluster::share;
use crate::cluster::write::{self, BINDING, Finalizers, Holder, MIGRATION, Status, Write};
use crate::model::agent::is_silent;
use crate::model::cold::Cold;
use crate::model::object::Object;
use crate::model::pod;
use crate::model::status::statuses;
use crate::model::{Id, Key, Kind, Linker, Remark, Report, Role, Snapshot, Topology};

/// What decides; it only remembers what saves time.
#[derive(Debug)]
pub struct Controller {
    linker: Linker,
    pods: Pods,
}

impl Default for Controller {
    fn default() -> Self {
        Self { linker: Linker::new(Role::Controller), pods: Pods::default() }
    }
}

impl Controller {
    /// All that is to be written, the most urgent first. What is written already is not written again.
    pub fn decide(&mut self, snapshot: &Snapshot, lost: &Lost, cold: &Cold, now: Timestamp) -> Vec<Write> {
        let (topology, problems) = self.linker.link_with(snapshot, cold);
        let report = heard(snapshot);
        let decided = statuses(snapshot, &topology, &problems, Some(&report), now);
        let locks = topology.locks(&snapshot.allocations);
        let open = locks.open();
        let said = share::of_controller(snapshot, &decided);
        let said = said.into_iter().filter(|status| !open.contains(&status.id)).map(Write::Status);
        let finalizers = finalizers(snapshot, &topology);
        // A subnet gives nothing before it is sure to outlive what it gave.
        let bare: BTreeSet<&Id> = finalizers.keys().collect();
        let is_bare = |pool: &AllocationParty| {
            let key = Key::new(pool.namespace.as_deref().unwrap_or_default(), &pool.name);
            pool.kind == Kind::Subnet.to_string() && bare.contains(&Id::new(Kind::Subnet, key))
        };
        let locked: Vec<Write> = locks
            .missing
            .iter()
            .filter(|lock| !is_bare(&lock.spec.pool))
            .map(|lock| Write::Lock(Box::new(lock.clone())))
            .collect();
        let orphans = locks.orphans.iter().filter_map(|slot| {
            let lock = snapshot.allocations.get(slot)?;
            // What an object no longer has but still records, it shall have again.
            let owner = write::owner(lock).and_then(|id| Object::find(snapshot, &id));
            let records = owner.is_some_and(|o| o.meta().uid == lock.spec.owner.uid && o.has(&lock.spec.value));
            (!records).then(|| Write::Unlock(*slot, lock.clone()))
        });
        let said = silent(snapshot, lost, now).chain(released(snapshot, lost)).chain(said);
        let Chores { first, last } = self.pods.decide(snapshot);
        // A pod waits for its Port. A value is locked before anybody hears of it.
        first.into_iter().chain(locked).chain(finalizers.into_values()).chain(said).chain(last).chain(orphans).collect()
    }
}

impl Controller {
    /// Takes in what was done for a pod.
    pub fn done(&mut self, came: &Came) {
        self.pods.done(came);
    }
}

/// What is known of nodes that do not speak for themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Nodes whose heartbeat is overdue.
    pub silent: BTreeSet<Arc<str>>,
    /// Nodes of which Kubernetes knows nothing, or that somebody declared out of service, and that are silent.
    pub gone: BTreeSet<Arc<str>>,
}

/// Says of silent nodes that they are; they say themselves when they are back.
fn silent(snapshot: &Snapshot, lost: &Lost, now: Timestamp) -> impl Iterator<Item = Write> {
    lost.silent.iter().filter_map(move |node| {
        let key = Key { namespace: "".into(), name: node.clone() };
        let agent = snapshot.agents.get(&key)?;
        let condition = Condition {
            type_: ConditionType::Ready.to_string(),
            status: "Unknown".into(),
            reason: Reason::Silent.to_string(),
            message: "Nothing was heard of the node for longer than its heartbeat promises.".into(),
            observed_generation: agent.metadata.generation,
            last_transition_time: Time(now),
        };
        let status = json!({ "conditions": [condition] });
        let id = Id::new(Kind::Agent, key);
        (!is_silent(agent)).then(|| {
            Write::Status(Status {
                id,
                uid: agent.metadata.uid.clone(),
                version: None,
                status,
                lazy: false,
                note: None,
            })
        })
    })
}

/// Takes ports back from nodes that will not come back, and from pods that are gone where their node does not speak.
fn released(snapshot: &Snapshot, lost: &Lost) -> Vec<Write> {
    if lost.silent.is_empty() && lost.gone.is_empty() {
        return Vec::new();
    }
    let release = |(key, port): (&Key, &Arc<Port>)| {
        let status = port.status.as_ref()?;
        let holder = |binding: &Binding| {
            let node = binding.node_name.as_str();
            let left = || lost.silent.contains(node).then(|| pod::gone(snapshot, key, binding)).flatten();
            lost.gone.get(node).cloned().map(Holder::Node).or_else(|| left().map(Holder::Pod))
        };
        let said = [(BINDING, &status.binding), (MIGRATION, &status.migration)];
        let (field, holder) = said.into_iter().find_map(|(field, at)| Some((field, holder(at.as_ref()?)?)))?;
        Some(Write::Release(Id::new(Kind::Port, key.clone()), holder, field, port.metadata.resource_version.clone()))
    };
    snapshot.ports.iter().filter_map(release).collect()
}

/// What agents say they cannot do.
fn heard(snapshot: &Snapshot) -> Report {
    let mut report = Report::default();
    for (agent, object) in &snapshot.agents {
        let failures = object.status.iter().flat_map(|s| &s.failures);
        for (id, failure) in failures.filter_map(|failure| Some((subject(failure)?, failure))) {
            let message = format!("Node {}: {}", agent.name, failure.message);
            let only_to_know = matches!(failure.reason, Reason::BridgeFiltered | Reason::SharedInterface);
            let list = if only_to_know { &mut report.remarks } else { &mut report.faults };
            list.entry(id).or_insert(Remark { reason: failure.reason, message });
        }
    }
    report
}

fn subject(failure: &AgentFailure) -> Option<Id> {
    let kind = Kind::named(&failure.kind)?;
    Some(Id::new(kind, Key::new(failure.namespace.as_deref().unwrap_or_default(), &failure.name)))
}

/// What others depend on gets our finalizer; what nobody depends on any more, and somebody deletes, loses it.
fn finalizers(snapshot: &Snapshot, topology: &Topology) -> BTreeMap<Id, Write> {
    let set = |id: &Id, meta: &ObjectMeta, to: Vec<String>| {
        let (id, uid, from) = (id.clone(), meta.uid.clone(), meta.finalizers.clone());
        Write::Finalizers(Finalizers { id, uid, from, to })
    };
    let used = topology.used();
    let wanted = used.iter().filter(|id| !topology.released.contains(id));
    let mut changes: BTreeMap<Id, Write> = BTreeMap::new();
    for id in wanted {
        let Some(object) = Object::find(snapshot, id) else { continue };
        let meta = object.meta();
        let has: BTreeSet<&str> = meta.finalizers.iter().flatten().map(String::as_str).collect();
        // The server lets nobody add one to what is being deleted.
        if meta.deletion_timestamp.is_none() && !has.contains(FINALIZER) {
            let all = has.into_iter().chain([FINALIZER]).map(str::to_owned).collect();
            changes.insert(id.clone(), set(id, meta, all));
        }
    }
    for id in &topology.released {
        let Some(object) = Object::find(snapshot, id) else { continue };
        let meta = object.meta();
        let all = meta.finalizers.clone().unwrap_or_default();
        if all.iter().any(|f| f == FINALIZER) {
            let rest = all.into_iter().filter(|f| f != FINALIZER).collect();
            changes.insert(id.clone(), set(id, meta, rest));
        }
    }
    changes
}
