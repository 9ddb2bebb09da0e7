//! Pods of the cluster: how they are watched, and what is written for them.
//!
//! Most pods are none of ours. Their metadata is all that is asked for, the server leaves out those that have finished and
//! those in their host's network, and of what asks for nothing not even the name is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{self as core, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;
use tracing::warn;

use super::event::{Note, event};
use super::multus::Definitions;
use super::watch::Patience;

use crate::api::pod::{INTERFACE, NETWORK_STATUS};
use crate::api::{Port, PortSpec, multus};
use crate::model::Key;
use crate::model::object::key;
use crate::model::pod::{Complaint, Left, Pod, Shown, Wanted, Who};

/// What the watch of pods tells.
#[derive(Clone, Debug)]
pub enum PodNews {
    /// A pod that asks for interfaces is new, or has changed.
    Is(Key, Arc<Pod>),
    /// It is gone, or has finished.
    Gone(Key),
    /// All have been told.
    Whole,
}

/// Pods that can have interfaces: the others are never sent.
pub(super) const FIELDS: &str = "spec.hostNetwork=false,status.phase!=Succeeded,status.phase!=Failed";

/// Watches the pods that ask for interfaces.
#[must_use]
pub fn watch(client: &Client, tell: Sender<PodNews>) -> JoinHandle<()> {
    let api: Api<PartialObjectMeta<core::Pod>> = Api::all(client.clone());
    let config = watcher::Config::default().fields(FIELDS).page_size(500);
    let definitions = Definitions::new(client);
    tokio::spawn(async move {
        let mut stream = std::pin::pin!(watcher(api, config).backoff(Patience::default()));
        let mut desk =
            Desk { tell, definitions, known: BTreeSet::new(), listed: BTreeSet::new(), waiting: BTreeMap::new() };
        let mut wait = AGAIN.0;
        loop {
            let event = tokio::select! {
                event = stream.next() => event,
                () = tokio::time::sleep(wait), if !desk.waiting.is_empty() => {
                    wait = (wait * 2).min(AGAIN.1);
                    if desk.retry().await.is_none() {
                        return;
                    }
                    continue;
                }
            };
            let waited = desk.waiting.len();
            let heard = match event {
                Some(Ok(event)) => desk.hear(event).await,
                Some(Err(error)) => {
                    warn!(%error, "the API server does not answer the watch of pods: it is tried again");
                    continue;
                }
                None => None,
            };
            if heard.is_none() {
                return;
            }
            if desk.waiting.len() > waited {
                wait = AGAIN.0;
            }
        }
    })
}

/// How long a pod waits at first and at most until what Multus is to read for it is looked for again.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Who reads what the watch tells. Its steps end with nothing once nobody listens.
struct Desk {
    tell: Sender<PodNews>,
    definitions: Definitions,
    /// Pods that were told of.
    known: BTreeSet<Key>,
    /// Those of the list that is under way.
    listed: BTreeSet<Key>,
    /// Pods that name definitions that are not there.
    waiting: BTreeMap<Key, ObjectMeta>,
}

impl Desk {
    async fn hear(&mut self, event: Event<PartialObjectMeta<core::Pod>>) -> Option<()> {
        match event {
            // Who waits and is there is in the list, too.
            Event::Init => {
                self.listed.clear();
                self.waiting.clear();
            }
            Event::Apply(pod) | Event::InitApply(pod) => self.read(pod.metadata).await?,
            Event::Delete(pod) => self.gone(&key(&pod.metadata)).await?,
            // Also what has gone while nobody looked.
            Event::InitDone => {
                let gone: Vec<Key> = self.known.difference(&self.listed).cloned().collect();
                for key in gone {
                    self.gone(&key).await?;
                }
                self.listed.clear();
                self.tell.send(PodNews::Whole).await.ok()?;
            }
        }
        Some(())
    }

    async fn read(&mut self, mut meta: ObjectMeta) -> Option<()> {
        let key = key(&meta);
        let asks = |name: &str| meta.annotations.as_ref().is_some_and(|notes| notes.contains_key(name));
        let others = if asks(multus::NETWORKS) { self.definitions.entries(&meta).await } else { Some(Vec::new()) };
        self.waiting.remove(&key);
        match Pod::of(&meta, others.clone().unwrap_or_default()) {
            Some(pod) => {
                self.known.insert(key.clone());
                self.listed.insert(key.clone());
                self.tell.send(PodNews::Is(key.clone(), Arc::new(pod))).await.ok()?;
            }
            None => self.gone(&key).await?,
        }
        if others.is_none() {
            meta.managed_fields = None;
            self.waiting.insert(key, meta);
        }
        Some(())
    }

    async fn retry(&mut self) -> Option<()> {
        for meta in std::mem::take(&mut self.waiting).into_values() {
            self.read(meta).await?;
        }
        Some(())
    }

    async fn gone(&mut self, key: &Key) -> Option<()> {
        self.waiting.remove(key);
        if self.known.remove(key) {
            self.tell.send(PodNews::Gone(key.clone())).await.ok()?;
        }
        Some(())
    }
}

/// What is written for pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chore {
    /// Makes a Port.
    Make(Wanted),
    /// Deletes a Port whose pod is gone or has finished, if the server itself says so.
    Collect(Left),
    /// Tells a person, once: an Event of a name that follows from what it says.
    Tell(Who, Complaint),
    /// Writes what came of it on the pod.
    Show(Shown),
}

/// What came of that.
#[derive(Clone, Debug)]
pub enum Came {
    /// The Port is there.
    Made,
    /// The Port is gone.
    Collected,
    /// Its pod lives.
    Lives,
    /// It is told.
    Told(Who, Complaint),
    /// It is said, in this version.
    Shown(Shown),
    /// There is no such pod any more.
    Vanished,
}

/// Does one chore.
///
/// # Errors
/// The API server's.
pub async fn send(client: &Client, manager: &str, chore: Chore) -> Result<Came, kube::Error> {
    match chore {
        Chore::Make(wanted) => make(client, manager, wanted).await,
        Chore::Collect(left) => collect(client, left).await,
        Chore::Tell(who, complaint) => {
            tell(client, manager, &who, &complaint).await?;
            Ok(Came::Told(who, complaint))
        }
        Chore::Show(shown) => show(client, manager, shown).await,
    }
}

async fn make(client: &Client, manager: &str, wanted: Wanted) -> Result<Came, kube::Error> {
    let Wanted { port, pod, network, interface } = wanted;
    let owner = OwnerReference {
        api_version: "v1".into(),
        kind: "Pod".into(),
        name: pod.key.name.to_string(),
        uid: pod.uid.to_string(),
        controller: Some(true),
        block_owner_deletion: Some(false),
    };
    let spec = json!({ "networkRef": network });
    let spec: PortSpec = serde_json::from_value(spec).map_err(kube::Error::SerdeError)?;
    let mut object = Port::new(&port.name, spec);
    object.metadata.annotations = Some([(INTERFACE.to_owned(), interface)].into());
    object.metadata.owner_references = Some(vec![owner]);
    let params = PostParams { field_manager: Some(manager.to_owned()), ..PostParams::default() };
    let api: Api<Port> = Api::namespaced(client.clone(), &port.namespace);
    let Err(error) = api.create(&params, &object).await else { return Ok(Came::Made) };
    // A quota, most likely: its words change with each try, so it is told as one thing.
    if let kube::Error::Api(status) = &error
        && status.code == 403
    {
        let message = format!("Port {port} is not made: {}", status.message);
        let complaint = Complaint { reason: "Forbidden".into(), message };
        let once = once(&pod, &[&complaint.reason, &port.name]);
        said_once(client, manager, &pod, &complaint, &once).await?;
    }
    Err(error)
}

async fn collect(client: &Client, Left { port, uid, pod }: Left) -> Result<Came, kube::Error> {
    if lives(client, &pod).await? {
        return Ok(Came::Lives);
    }
    let api: Api<Port> = Api::namespaced(client.clone(), &port.namespace);
    let only = Preconditions { uid, resource_version: None };
    let params = DeleteParams { preconditions: Some(only), ..DeleteParams::default() };
    match api.delete(&port.name, &params).await {
        Ok(_) => Ok(Came::Collected),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(Came::Collected),
        Err(error) => Err(error),
    }
}

/// Whether the server says that a pod is there and has not finished.
///
/// # Errors
/// The API server's.
pub async fn lives(client: &Client, pod: &Who) -> Result<bool, kube::Error> {
    let pods: Api<core::Pod> = Api::namespaced(client.clone(), &pod.key.namespace);
    let there = pods.get_opt(&pod.key.name).await?.filter(|there| there.metadata.uid.as_deref() == Some(&*pod.uid));
    let phase = there.as_ref().map(|there| there.status.as_ref().and_then(|status| status.phase.as_deref()));
    Ok(phase.is_some_and(|phase| !matches!(phase, Some("Succeeded" | "Failed"))))
}

async fn show(client: &Client, manager: &str, shown: Shown) -> Result<Came, kube::Error> {
    let Shown { pod, version, text } = shown;
    let patch = json!({ "metadata": {
        "uid": &*pod.uid, "resourceVersion": version, "annotations": { NETWORK_STATUS: &text },
    }});
    let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
    let api: Api<core::Pod> = Api::namespaced(client.clone(), &pod.key.namespace);
    match api.patch_metadata(&pod.key.name, &params, &Patch::Merge(patch)).await {
        Ok(now) => Ok(Came::Shown(Shown { pod, version: now.metadata.resource_version, text })),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Came::Vanished),
        Err(error) => Err(error),
    }
}

async fn tell(client: &Client, manager: &str, pod: &Who, complaint: &Complaint) -> Result<(), kube::Error> {
    let once = once(pod, &[&complaint.reason, &complaint.message]);
    said_once(client, manager, pod, complaint, &once).await
}

/// Writes an Event about a pod, unless one of that name is there: it has been told then, be it by somebody who led before.
async fn said_once(
    client: &Client,
    manager: &str,
    pod: &Who,
    complaint: &Complaint,
    name: &str,
) -> Result<(), kube::Error> {
    let regarding = ObjectReference {
        api_version: Some("v1".into()),
        kind: Some("Pod".into()),
        namespace: Some(pod.key.namespace.to_string()),
        name: Some(pod.key.name.to_string()),
        uid: Some(pod.uid.to_string()),
        ..ObjectReference::default()
    };
    let Complaint { reason, message } = complaint.clone();
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    match event(client, manager, metadata, regarding, &Note { warning: true, reason, message }).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        other => other,
    }
}

/// The name of an Event about a pod that is told once.
fn once(pod: &Who, what: &[&str]) -> String {
    let all = [&[&*pod.uid], what].concat().join("\n");
    let hash = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, all.as_bytes()).simple().to_string();
    let prefix: String = pod.key.name.chars().take(200).collect();
    format!("{}.{hash}", prefix.trim_end_matches(['.', '-']))
}
