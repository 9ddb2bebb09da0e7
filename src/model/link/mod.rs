//! From objects to their meaning: references resolved, clashes judged, addresses chosen.
//!
//! One file per kind, in the order in which kinds lean on each other. What is recorded in `status` is kept before anything
//! new is chosen, so the result depends on the objects and on what was decided before, not on the order of events.

mod claims;
mod external;
mod floating_ip;
mod gateway;
mod handover;
mod linker;
mod network;
mod outcome;
mod physical;
mod port;
mod rank;
mod references;
mod release;
mod router;
mod security;
mod segment;
mod single;
mod subnet;
mod tunnel;

use std::sync::Arc;

use crate::api::{ConditionType, GrantKind, Reason, Reference};
use crate::model::cold::Cold;
use crate::model::group::GroupEntry;
use crate::model::id::{Id, Key, Kind};
use crate::model::ipam::Holder;
use crate::model::report::Remark;
use crate::model::snapshot::Snapshot;
use crate::model::topology::{Index, Problem, Problems, Standing, Topology};

pub use gateway::wires;
pub use linker::{Linker, Role};
pub use rank::Rank;
use references::References;

/// Resolves references, judges clashes, chooses addresses. Never fails: what is wrong becomes a problem of its object.
#[must_use]
pub fn link(snapshot: &Snapshot) -> (Topology, Problems) {
    Linker::default().link(snapshot)
}

fn run(mut world: World) -> (Topology, Problems) {
    physical::link(&mut world);
    network::link(&mut world);
    subnet::link(&mut world);
    security::judge(&mut world);
    let mut claims = Vec::new();
    router::claim(&mut world, &mut claims);
    floating_ip::claim(&mut world, &mut claims);
    port::claim(&mut world, &mut claims);
    claims::settle(&mut world, claims);
    router::link(&mut world);
    floating_ip::link(&mut world);
    segment::link(&mut world);
    gateway::link(&mut world);
    tunnel::link(&mut world);
    security::join(&mut world);
    release::release(&mut world);
    security::link(&mut world);
    (world.topology, world.problems)
}

/// A topology in the making.
struct World<'a> {
    snapshot: &'a Snapshot,
    /// What nobody gets who does not ask for it by name, as long as there is anything else.
    cold: &'a Cold,
    references: References<'a>,
    /// Security groups as they were read.
    groups: &'a [Arc<GroupEntry>],
    topology: Topology,
    problems: Problems,
}

impl World<'_> {
    /// Records what is wrong with an object; the first of each aspect stays.
    fn problem(&mut self, kind: Kind, key: &Key, condition: ConditionType, remark: Remark) {
        let problems = self.problems.entry(Id::new(kind, key.clone())).or_default();
        if problems.iter().all(|p| p.condition != condition) {
            problems.push(Problem { condition, remark });
        }
    }

    /// The object does not make sense by itself or beside its neighbours.
    fn refuse(&mut self, kind: Kind, key: &Key, remark: Remark) {
        self.problem(kind, key, ConditionType::Accepted, remark);
    }

    /// The object names something that is not there for it.
    fn unresolved(&mut self, kind: Kind, key: &Key, remark: Remark) {
        self.problem(kind, key, ConditionType::ResolvedRefs, remark);
    }

    /// The network that a reference leads to, if it counts.
    fn network(&self, from: &Key, reference: &Reference) -> Result<Index, Remark> {
        let index = self.references.network(from, reference)?;
        let node = &self.topology.networks[index];
        ready(node.standing, Kind::Network, &node.key).map(|()| index)
    }

    /// The subnet that a reference leads to, if it counts.
    fn subnet(&self, from: &Key, reference: &Reference) -> Result<Index, Remark> {
        let index = self.references.subnet(from, reference)?;
        let node = &self.topology.subnets[index];
        ready(node.standing, Kind::Subnet, &node.key).map(|()| index)
    }

    /// The port that a reference leads to, if it counts. One that is being deleted is gone for everybody else.
    fn port(&self, from: &Key, reference: &Reference) -> Result<Index, Remark> {
        let place = self.references.permitted(GrantKind::Port, from, reference)?;
        let Topology { entries, ports, .. } = &self.topology;
        let found = entries.binary_search_by(|p| (&*p.key.namespace, &*p.key.name).cmp(&place)).ok();
        let index = found.filter(|i| ports[*i].standing != Standing::Released);
        let index = index.ok_or_else(|| references::not_found(Kind::Port, place))?;
        ready(ports[index].standing, Kind::Port, &entries[index].key).map(|()| index)
    }

    /// How a port is called.
    fn port_key(&self, port: Index) -> &Key {
        &self.topology.entries[port].key
    }

    /// How a holder is called before somebody in `namespace`: other tenants' names are not told.
    fn name(&self, holder: Holder, namespace: &str) -> String {
        let (kind, key) = match holder {
            Holder::Interface(i) | Holder::External(i) => (Kind::Router, &self.topology.routers[i].key),
            Holder::FloatingIP(i) => (Kind::FloatingIP, &self.topology.floating_ips[i].key),
            Holder::Port(i) => (Kind::Port, self.port_key(i)),
            Holder::Leaving => return "an object that is going away".into(),
        };
        if &*key.namespace == namespace { format!("{kind} {key}") } else { format!("a {kind} of another namespace") }
    }
}

fn ready(standing: Standing, kind: Kind, key: &Key) -> Result<(), Remark> {
    if standing == Standing::InForce {
        return Ok(());
    }
    Err(not_ready(kind, key))
}

fn not_ready(kind: Kind, key: &Key) -> Remark {
    remark(Reason::DependencyNotReady, format!("{kind} {key} is not accepted or not resolved: see its conditions."))
}

/// A remark, shorter.
fn remark(reason: Reason, message: impl Into<String>) -> Remark {
    Remark { reason, message: message.into() }
}
