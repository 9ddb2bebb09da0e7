//! What is not well, by root cause: what is not Ready only because of another is named under that.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::api::{AgentFailure, Reference};
use crate::model::chart::Fault;
use crate::model::id::{Id, Key, Kind};
use crate::model::object::Object;
use crate::model::pod;
use crate::model::snapshot::Snapshot;

/// Most objects that are named under one cause.
const NAMED: usize = 8;

/// What is known beside the objects.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// Why nobody leads; none: somebody does, it is not known, or it is local mode.
    pub headless: Option<String>,
    /// Versions of controllers, and how each is called.
    pub controllers: Vec<(String, String)>,
}

/// What is not well.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Diagnosis {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What may be worth knowing, and is not wrong by itself.
    pub notes: Vec<String>,
}

/// One cause.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// What it is with: an object, or a part of Tenet.
    pub what: String,
    /// Why, in one word.
    pub reason: String,
    /// Why, in a sentence that says what to do.
    pub message: String,
    /// What is not Ready because of it.
    pub because: Vec<String>,
}

impl Finding {
    fn new(what: impl Into<String>, reason: &str, message: impl Into<String>) -> Self {
        Self { what: what.into(), reason: reason.into(), message: message.into(), because: Vec::new() }
    }
}

/// Looks for what is not well. `namespace`: there, and in what the cluster has; none: everywhere.
#[must_use]
pub fn diagnose(snapshot: &Snapshot, around: &Around, namespace: Option<&str>) -> Diagnosis {
    let faults = faults(snapshot);
    let here = |id: &Id| !id.kind.namespaced() || namespace.is_none_or(|namespace| *id.key.namespace == *namespace);
    let mut causes: BTreeMap<Id, Vec<Id>> = BTreeMap::new();
    for id in faults.keys().filter(|id| here(id)) {
        let root = root(snapshot, &faults, id);
        let hit = causes.entry(root.clone()).or_default();
        hit.extend((root != *id).then(|| id.clone()));
    }
    let mut diagnosis = Diagnosis::default();
    diagnosis.findings.extend(around.headless.iter().map(|why| Finding::new("Controller", "NoLeader", why)));
    for (root, hit) in causes {
        let Some(fault) = faults.get(&root) else { continue };
        let mut finding = Finding::new(root.to_string(), &fault.reason, &fault.message);
        finding.because = hit.iter().take(NAMED).map(ToString::to_string).collect();
        if hit.len() > NAMED {
            finding.because.push(format!("{} more", hit.len() - NAMED));
        }
        diagnosis.findings.push(finding);
    }
    diagnosis.failures(snapshot, &here);
    diagnosis.pods(snapshot, &here);
    diagnosis.versions(snapshot, around);
    diagnosis
}

/// What is not Ready, or not judged since it changed, and why.
fn faults(snapshot: &Snapshot) -> BTreeMap<Id, Fault> {
    let mut faults = BTreeMap::new();
    for object in Kind::ALL.into_iter().flat_map(|kind| Object::all(snapshot, kind)) {
        let meta = object.meta();
        if object.kind() == Kind::ReferenceGrant {
            continue;
        }
        let conditions = object.conditions().to_vec();
        let seen = conditions.iter().filter_map(|c| c.observed_generation).max();
        let stale = seen.zip(meta.generation).is_some_and(|(seen, now)| seen < now);
        let late = || Fault { reason: "Pending".into(), message: "Its last change is not judged yet.".into() };
        if let Some(fault) = Fault::of(Some(&conditions)).or_else(|| stale.then(late)) {
            faults.insert(object.id(), fault);
        }
    }
    // What could not be read has a name and nothing else: nobody judged it where we look.
    faults.retain(|id, _| id.kind != Kind::PhysicalNetwork || is_read(snapshot, id));
    faults
}

/// Whether a physical network was read, and does not only stand in for one.
fn is_read(snapshot: &Snapshot, id: &Id) -> bool {
    snapshot.physical_networks.get(&id.key).is_some_and(|object| object.metadata.uid.is_some())
}

/// The first of what an object leans on that is not Ready either, and so on.
fn root(snapshot: &Snapshot, faults: &BTreeMap<Id, Fault>, id: &Id) -> Id {
    let (mut at, mut met) = (id.clone(), BTreeSet::from([id.clone()]));
    while let Some(object) = Object::find(snapshot, &at) {
        let fault = faults.get(&at);
        // What clashes or is wrong by itself is its own cause, whatever it leans on.
        let own =
            fault.is_some_and(|f| !matches!(&*f.reason, "DependencyNotReady" | "NoRoute" | "Pending" | "NotFound"));
        let next = leans(&object).into_iter().filter(|_| !own).find(|other| faults.contains_key(other));
        match next {
            Some(next) if met.insert(next.clone()) => at = next,
            _ => break,
        }
    }
    at
}

/// What an object names.
fn leans(object: &Object) -> Vec<Id> {
    let key = object.id().key;
    let to = |kind, reference: &Reference| Id::new(kind, key.referred(reference));
    match object {
        Object::Network(o) => {
            let wire =
                o.spec.provider.iter().map(|p| Id::new(Kind::PhysicalNetwork, Key::new("", &p.physical_network)));
            wire.collect()
        }
        Object::Subnet(o) => vec![to(Kind::Network, &o.spec.network_ref)],
        Object::Port(o) => {
            let groups = o.spec.security_group_refs.iter().flatten().map(|group| to(Kind::SecurityGroup, group));
            let node = o.status.as_ref().and_then(|s| s.binding.as_ref());
            let node = node.map(|binding| Id::new(Kind::Agent, Key::new("", &binding.node_name)));
            let wishes = o.spec.addresses.iter().flatten().filter_map(|a| a.subnet_ref.as_ref());
            let subnets = wishes.map(|subnet| to(Kind::Subnet, subnet));
            std::iter::once(to(Kind::Network, &o.spec.network_ref)).chain(subnets).chain(groups).chain(node).collect()
        }
        Object::Router(o) => {
            let outside = o.spec.external_gateway.iter().map(|gateway| to(Kind::Network, &gateway.network_ref));
            let node = o.status.as_ref().and_then(|s| s.gateway_node.as_ref());
            let node = node.map(|node| Id::new(Kind::Agent, Key::new("", node)));
            o.spec.interfaces.iter().map(|leg| to(Kind::Subnet, &leg.subnet_ref)).chain(outside).chain(node).collect()
        }
        Object::FloatingIP(o) => {
            let ports = o.spec.port_ref.iter().chain(o.spec.port_forwardings.iter().map(|part| &part.port_ref));
            let router = o.status.as_ref().and_then(|s| s.router_ref.as_ref());
            let router = router.map(|router| to(Kind::Router, router));
            let ports = ports.map(|port| to(Kind::Port, port));
            std::iter::once(to(Kind::Network, &o.spec.network_ref)).chain(ports).chain(router).collect()
        }
        Object::SecurityGroup(o) => {
            let remotes = o.spec.rules.iter().filter_map(|rule| rule.remote.as_ref()?.group_ref.as_ref());
            remotes.map(|group| to(Kind::SecurityGroup, group)).collect()
        }
        Object::PhysicalNetwork(_) | Object::ReferenceGrant(_) | Object::Agent(_) => Vec::new(),
    }
}

impl Diagnosis {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.findings.is_empty()
    }

    /// What nodes cannot do.
    fn failures(&mut self, snapshot: &Snapshot, here: &dyn Fn(&Id) -> bool) {
        let mut found: BTreeMap<(String, String, String), Vec<String>> = BTreeMap::new();
        for (node, agent) in &snapshot.agents {
            for AgentFailure { kind, namespace, name, reason, message } in
                agent.status.iter().flat_map(|status| &status.failures)
            {
                let kind_known = Kind::named(kind);
                let key = Key::new(namespace.as_deref().unwrap_or_default(), name);
                if kind_known.is_some_and(|kind| !here(&Id::new(kind, key.clone()))) {
                    continue;
                }
                let what = (format!("{kind} {key}"), reason.to_string(), message.clone());
                found.entry(what).or_default().push(node.name.to_string());
            }
            let missing = agent.status.iter().filter_map(|s| s.kernel.as_ref()).flat_map(|kernel| &kernel.missing);
            let missing: Vec<&str> = missing.map(String::as_str).collect();
            if !missing.is_empty() {
                self.notes.push(format!("the kernel of node {} has no {}", node.name, missing.join(", ")));
            }
        }
        for ((what, reason, message), nodes) in found {
            let told =
                self.findings.iter_mut().find(|f| f.what == what && (f.message == message || f.reason == reason));
            let nodes = nodes.join(", ");
            if let Some(finding) = told {
                finding.message = format!("{} (said by node {nodes})", finding.message);
            } else {
                self.findings.push(Finding::new(what, &reason, format!("{message} (on node {nodes})")));
            }
        }
    }

    /// Pods whose Ports are not there, or that ask for what cannot be.
    fn pods(&mut self, snapshot: &Snapshot, here: &dyn Fn(&Id) -> bool) {
        let chores = pod::chores(snapshot, &mut pod::Settled::default());
        let is_here = |key: &Key| here(&Id::new(Kind::Port, key.clone()));
        for wanted in chores.wanted.iter().filter(|wanted| is_here(&wanted.port)) {
            let message = format!("Port {} is not made yet: is a controller leading?", wanted.port);
            self.findings.push(Finding::new(format!("Pod {}", wanted.pod.key), "Pending", message));
        }
        for (who, complaint) in chores.complaints.iter().filter(|(who, _)| is_here(&who.key)) {
            let known = self.findings.iter().any(|finding| complaint.message.ends_with(&finding.message));
            if !known {
                self.findings.push(Finding::new(format!("Pod {}", who.key), &complaint.reason, &complaint.message));
            }
        }
    }

    /// Controllers and agents of several versions.
    fn versions(&mut self, snapshot: &Snapshot, around: &Around) {
        let mut versions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, version) in &around.controllers {
            versions.entry(version).or_default().push(name.clone());
        }
        for (node, agent) in &snapshot.agents {
            if let Some(version) = agent.status.as_ref().and_then(|status| status.version.as_deref()) {
                versions.entry(version).or_default().push(format!("agent {}", node.name));
            }
        }
        if versions.len() > 1 {
            let each = versions.iter().map(|(version, who)| {
                let more = who.len().checked_sub(4).filter(|more| *more > 0);
                let more = more.map_or(String::new(), |more| format!(" and {more} more"));
                format!("{version}: {}{more}", who[..who.len().min(4)].join(", "))
            });
            let message = format!("{}. Bring all to one version.", each.collect::<Vec<_>>().join("; "));
            self.findings.push(Finding::new("Tenet", "VersionSkew", message));
        }
    }
}
