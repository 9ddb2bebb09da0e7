//! Pods: which Ports they are to have, and what is said to them. Pure.
//!
//! A Port is made for each network that a pod asks for, also where it will not come to anything: its conditions say why, to
//! the pod's agent too, and once the network, or the grant, is there all is well by itself. The pod owns it, so Kubernetes
//! collects it with the pod; what we see to be left over, of pods that have finished or whose name another has by now, we
//! delete sooner. What somebody edits in the annotations of a pod that runs takes away no Port.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde_json::{Value, json};

use crate::api::pod::{self, Attachments, Entry, Refusal, What};
use crate::api::{Binding, Condition, ConditionType, Port, Reason, Reference};
use crate::model::id::Key;
use crate::model::snapshot::{Objects, Snapshot};

/// A pod that asks for interfaces: all that is kept of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its UID.
    pub uid: Arc<str>,
    /// The version that all this was read from.
    pub version: Option<String>,
    /// Whether it is being deleted.
    pub leaving: bool,
    /// What it asks for.
    pub wishes: Vec<Wish>,
    /// Why not all that it asks for can be followed.
    pub refusal: Option<Refusal>,
    /// What `k8s.v1.cni.cncf.io/network-status` says now.
    pub shown: Option<String>,
}

/// One interface of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// What is asked for.
    pub entry: Entry,
    /// The Port that it is.
    pub port: Key,
    /// Whether it is plugged by Multus, which says itself what came of it.
    pub by_multus: bool,
}

/// All pods that ask for interfaces.
#[derive(Clone, Debug, Default)]
pub struct Pods {
    /// Those that were told of.
    pub known: Objects<Pod>,
    /// Whether all have been told: before, one that is not known may be there.
    pub whole: bool,
}

impl Pod {
    /// What is kept of a pod; none of one that asks for nothing. `others`: what it gets by Multus.
    #[must_use]
    pub fn of(meta: &ObjectMeta, others: Vec<Entry>) -> Option<Self> {
        let notes = meta.annotations.as_ref().filter(|notes| !others.is_empty() || Attachments::asked(notes))?;
        let (name, namespace) = (meta.name.as_deref()?, meta.namespace.as_deref()?);
        let (own, refusal) = match Attachments::of(notes, namespace) {
            Ok(asks) => (asks.entries, None),
            Err(refusal) => (Vec::new(), Some(refusal)),
        };
        let wish =
            |by_multus| move |entry: Entry| Wish { port: Key::new(namespace, &entry.port(name)), entry, by_multus };
        Some(Self {
            uid: meta.uid.as_deref()?.into(),
            version: meta.resource_version.clone(),
            leaving: meta.deletion_timestamp.is_some(),
            wishes: own.into_iter().map(wish(false)).chain(others.into_iter().map(wish(true))).collect(),
            refusal,
            shown: notes.get(pod::NETWORK_STATUS).cloned(),
        })
    }

    /// Whether both are alike but for the version: a pod has many that mean nothing here.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        let Self { uid, version: _, leaving, wishes, refusal, shown } = self;
        *uid == other.uid
            && *leaving == other.leaving
            && *wishes == other.wishes
            && *refusal == other.refusal
            && *shown == other.shown
    }
}

/// A pod, by name and UID: another of the same name is not meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Who {
    /// Namespace and name.
    pub key: Key,
    /// UID.
    pub uid: Arc<str>,
}

/// A Port that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The Port.
    pub port: Key,
    /// For whom.
    pub pod: Who,
    /// Its network.
    pub network: Reference,
    /// The interface in the pod.
    pub interface: String,
}

/// A Port whose pod is not seen any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The Port.
    pub port: Key,
    /// Its UID.
    pub uid: Option<String>,
    /// Whose it was.
    pub pod: Who,
}

/// What keeps a pod from an interface.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Complaint {
    /// In one word.
    pub reason: String,
    /// What to do.
    pub message: String,
}

/// What its annotation is to say: all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The pod.
    pub pod: Who,
    /// The version that this was decided from.
    pub version: Option<String>,
    /// The annotation.
    pub text: String,
}

/// All that is to be done for pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chores {
    /// Ports to be made.
    pub wanted: Vec<Wanted>,
    /// Ports to be deleted, if the server agrees.
    pub left: Vec<Left>,
    /// What is wrong, one at a time.
    pub complaints: Vec<(Who, Complaint)>,
    /// Annotations to be written.
    pub shown: Vec<Shown>,
}

/// Pods that have all they ask for and say so: most of them, at a glance. Only remembers what saves time.
#[derive(Debug, Default)]
pub struct Settled(HashMap<Key, (Arc<Pod>, Vec<Arc<Port>>)>);

impl Settled {
    /// Whether a pod and its Ports are those that were settled.
    fn holds(&self, snapshot: &Snapshot, key: &Key, pod: &Arc<Pod>) -> bool {
        let same = |(wish, known): (&Wish, &Arc<Port>)| {
            snapshot.ports.get(&wish.port).is_some_and(|port| Arc::ptr_eq(port, known))
        };
        self.0.get(key).is_some_and(|(known, ports)| {
            Arc::ptr_eq(known, pod) && ports.len() == pod.wishes.len() && pod.wishes.iter().zip(ports).all(same)
        })
    }
}

/// What is to be done for pods. Nothing before all of them are known.
#[must_use]
pub fn chores(snapshot: &Snapshot, settled: &mut Settled) -> Chores {
    let mut chores = Chores::default();
    let Pods { known, whole: true } = &snapshot.pods else { return chores };
    if settled.0.len() > known.len() {
        settled.0.retain(|key, _| known.contains_key(key));
    }
    for (key, pod) in known.iter().filter(|(_, pod)| !pod.leaving) {
        if settled.holds(snapshot, key, pod) {
            continue;
        }
        let who = Who { key: key.clone(), uid: pod.uid.clone() };
        if let Some(refusal) = &pod.refusal {
            chores.complaints.push((who.clone(), complaint(Reason::Invalid, refusal.to_string())));
        }
        if let Some(ports) = serve(snapshot, pod, &who, &mut chores) {
            settled.0.insert(key.clone(), (pod.clone(), ports));
        }
    }
    let here: HashSet<&str> = known.values().map(|pod| &*pod.uid).collect();
    for (key, port) in &snapshot.ports {
        if port.metadata.deletion_timestamp.is_none()
            && let Some(owner) = maker(key, port)
            && !here.contains(owner.uid.as_str())
        {
            let pod = Who { key: Key::new(&key.namespace, &owner.name), uid: owner.uid.as_str().into() };
            chores.left.push(Left { port: key.clone(), uid: port.metadata.uid.clone(), pod });
        }
    }
    chores
}

/// The pod that a Port was made for, and that owns it still.
fn maker<'a>(key: &Key, port: &'a Port) -> Option<&'a OwnerReference> {
    let interface = port.metadata.annotations.as_ref()?.get(pod::INTERFACE)?;
    let owner = owner(port)?;
    (pod::port_name(&owner.name, interface) == *key.name).then_some(owner)
}

/// The pod that owns a Port.
fn owner(port: &Port) -> Option<&OwnerReference> {
    let mut owners = port.metadata.owner_references.iter().flatten();
    owners.find(|owner| owner.kind == "Pod" && owner.api_version == "v1" && owner.controller == Some(true))
}

/// The pod that has plugged a port, if it is not seen any more.
#[must_use]
pub fn gone(snapshot: &Snapshot, port: &Key, binding: &Binding) -> Option<Who> {
    let pod = binding.pod.as_ref()?;
    let who = Who { key: Key::new(&port.namespace, &pod.name), uid: pod.uid.as_str().into() };
    let is_here = snapshot.pods.known.get(&who.key).is_some_and(|there| there.uid == who.uid);
    (snapshot.pods.whole && !is_here).then_some(who)
}

/// One pod; its Ports, if nothing is to be done.
fn serve(snapshot: &Snapshot, pod: &Pod, who: &Who, chores: &mut Chores) -> Option<Vec<Arc<Port>>> {
    let (mut ready, mut names, mut wrong) = (Vec::new(), BTreeSet::new(), pod.refusal.is_some());
    for wish in &pod.wishes {
        let found = match snapshot.ports.get(&wish.port) {
            _ if !names.insert(&wish.port) => {
                let name = &wish.port.name;
                let message = format!("Port {name} is to be two interfaces of the pod: remove one of the entries.");
                Found::Wrong(complaint(Reason::Invalid, message))
            }
            None => missing(who, wish, chores),
            Some(there) => judge(who, wish, there),
        };
        match found {
            Found::Ready(port) => ready.push((wish, port)),
            // One at a time: what comes next may be the same fault.
            Found::Wrong(complaint) if !wrong => {
                wrong = true;
                chores.complaints.push((who.clone(), complaint));
            }
            Found::Waits | Found::Wrong(_) => {}
        }
    }
    let own: Vec<_> =
        ready.iter().filter(|(wish, _)| !wish.by_multus).map(|(wish, port)| (&wish.entry, &***port)).collect();
    let asked = pod.wishes.iter().filter(|wish| !wish.by_multus).count();
    if wrong || own.len() < asked {
        return None;
    }
    let text = if own.is_empty() { None } else { show(pod.shown.as_deref(), &who.key, &own) };
    let is_settled = text.is_none() && ready.len() == pod.wishes.len();
    let version = pod.version.clone();
    chores.shown.extend(text.map(|text| Shown { pod: who.clone(), version, text }));
    is_settled.then(|| ready.into_iter().map(|(_, port)| port.clone()).collect())
}

/// How far an interface is.
enum Found<'a> {
    /// Packets pass.
    Ready(&'a Arc<Port>),
    /// Something is still under way.
    Waits,
    /// It will not come to anything unless somebody does something.
    Wrong(Complaint),
}

fn missing(who: &Who, wish: &Wish, chores: &mut Chores) -> Found<'static> {
    let Wish { entry, port, .. } = wish;
    match &entry.what {
        What::Network { namespace, name } => {
            let foreign = **namespace != *who.key.namespace;
            let network = Reference { name: name.clone(), namespace: foreign.then(|| namespace.clone()) };
            let interface = entry.interface.clone();
            chores.wanted.push(Wanted { port: port.clone(), pod: who.clone(), network, interface });
            Found::Waits
        }
        What::Port { name } => {
            let message = format!("Port {port} does not exist: create it, or correct {}: {name}.", pod::PORTS);
            Found::Wrong(complaint(Reason::NotFound, message))
        }
    }
}

fn judge<'a>(who: &Who, wish: &Wish, port: &'a Arc<Port>) -> Found<'a> {
    let Wish { entry, port: key, .. } = wish;
    if matches!(entry.what, What::Network { .. }) {
        match owner(port) {
            Some(owner) if owner.uid == *who.uid => {}
            // Another pod's: it goes with that pod, which most likely had this one's name.
            Some(owner) if owner.name == *who.key.name => return Found::Waits,
            _ => {
                let message = format!(
                    "Port {key}, which is to be made for the pod, is somebody else's already: delete it, or choose \
                     another interface for {} by @name.",
                    pod::NETWORKS
                );
                return Found::Wrong(complaint(Reason::NameInUse, message));
            }
        }
    }
    if port.metadata.deletion_timestamp.is_some() {
        return Found::Waits;
    }
    let Some(status) = &port.status else { return Found::Waits };
    let conditions = &status.conditions;
    let refused = [ConditionType::Accepted, ConditionType::ResolvedRefs]
        .iter()
        .filter_map(|type_| type_.find(conditions))
        .find(|condition| condition.status == "False");
    if let Some(Condition { reason, message, .. }) = refused {
        let message = format!("Port {key}: {message}");
        return Found::Wrong(Complaint { reason: reason.clone(), message });
    }
    let passes = ConditionType::Ready.holds(conditions) && ConditionType::Programmed.holds(conditions);
    if passes && status.binding.is_some() { Found::Ready(port) } else { Found::Waits }
}

fn complaint(reason: Reason, message: String) -> Complaint {
    Complaint { reason: reason.to_string(), message }
}

/// What the annotation is to say, if that is not what it says: entries of other interfaces stay, in their order; ours follow.
/// What cannot be read is somebody else's, and stays.
fn show(shown: Option<&str>, pod: &Key, ready: &[(&Entry, &Port)]) -> Option<String> {
    let before: Vec<Value> = shown.map_or(Some(Vec::new()), |text| serde_json::from_str(text).ok())?;
    let ours: BTreeMap<&str, Value> =
        ready.iter().map(|(entry, port)| (&*entry.interface, line(pod, entry, port))).collect();
    let is_other = |line: &&Value| line["interface"].as_str().is_none_or(|interface| !ours.contains_key(interface));
    let others = before.iter().filter(is_other).cloned();
    let after: Vec<Value> =
        others.chain(ready.iter().filter_map(|(entry, _)| ours.get(&*entry.interface).cloned())).collect();
    (before != after).then(|| Value::Array(after).to_string())
}

/// One interface, as Multus says it (Kubernetes Network Custom Resource Definition De-facto Standard 1.3, 5.1).
fn line(pod: &Key, entry: &Entry, port: &Port) -> Value {
    let reference = &port.spec.network_ref;
    let status = port.status.clone().unwrap_or_default();
    let ips: Vec<String> = status.addresses.iter().map(|address| address.ip.to_string()).collect();
    let mut line = json!({
        "name": format!("{}/{}", pod.namespace_of(reference), reference.name),
        "interface": entry.interface,
        "ips": ips,
        // The cluster's own network is the other one.
        "default": false,
        "dns": {},
    });
    if let Some(mac) = status.mac_address {
        line["mac"] = mac.to_string().into();
    }
    if let Some(mtu) = status.mtu {
        line["mtu"] = mtu.into();
    }
    line
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
