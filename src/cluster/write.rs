//! Writes: what is decided, sent to the API server.

use k8s_openapi::api::core::v1::Node;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use super::event::{self, Note};
use super::mirror::{Thing, thing};
use super::pods::{self, Came, Chore};
use super::watch;
use crate::api::{
    API_VERSION, Agent, AgentSpec, Allocation, ConditionType, FloatingIP, Network, OBSERVED, PhysicalNetwork, Port,
    ReferenceGrant, Router, SecurityGroup, Subnet,
};
use crate::model::allocation::Slot;
use crate::model::locks::Lock;
use crate::model::object::Object;
use crate::model::pod::{Shown, Who};
use crate::model::{Id, Key, Kind};

/// One write.
#[derive(Clone, Debug)]
pub enum Write {
    /// Locks a value for its owner.
    Lock(Box<Lock>),
    /// Lets go of a value that nobody was seen to hold, once the server says so too.
    Unlock(Slot, Arc<Allocation>),
    /// Says something in an object's status.
    Status(Status),
    /// Says that a port is plugged nowhere any more, or prepared nowhere (this field of its status is removed): who has it is gone.
    /// The server itself is asked whether that is so, and the version that the port was read from must hold.
    Release(Id, Holder, &'static str, Option<String>),
    /// Says which node is ready to follow as a router's gateway node, or takes that back. The version that this was decided from
    /// must hold.
    Prepared(Id, Option<String>, Option<String>),
    /// Adds or removes our finalizer.
    Finalizers(Finalizers),
    /// Does something for a pod.
    Pod(Chore),
}

/// Who has a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// This node, whatever is on it.
    Node(Arc<str>),
    /// This pod.
    Pod(Who),
}

/// All finalizers of an object, as they are and as they are to be. Whatever else somebody writes to it meanwhile, however
/// often, does not matter.
#[derive(Clone, Debug, PartialEq)]
pub struct Finalizers {
    /// The object.
    pub id: Id,
    /// Its UID: another object of the same name is not meant.
    pub uid: Option<String>,
    /// As they were read.
    pub from: Option<Vec<String>>,
    /// As they are to be.
    pub to: Vec<String>,
}

/// What one writer says of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The object.
    pub id: Id,
    /// Its UID: another object of the same name is not meant.
    pub uid: Option<String>,
    /// The version that must still hold; none: whatever it is.
    pub version: Option<String>,
    /// The writer's part of the status.
    pub status: Value,
    /// Whether nobody waits for it: counts of subnets and groups change with every port.
    pub lazy: bool,
    /// What a person would want to have seen: told as an Event once the status is written.
    pub note: Option<Note>,
}

/// What a write is about: no two at once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// A value.
    Slot(Slot),
    /// An object.
    Object(Id),
    /// Which node is ready to follow as a router's gateway node.
    Prepared(Id),
    /// A Port that is made for a pod of this UID.
    Made(Key, Arc<str>),
    /// A pod.
    Pod(Key),
}

impl Write {
    /// What it is about.
    #[must_use]
    pub fn target(&self) -> Target {
        match self {
            Self::Lock(lock) => Target::Slot(lock.slot),
            Self::Unlock(slot, _) => Target::Slot(*slot),
            Self::Status(status) => Target::Object(status.id.clone()),
            Self::Prepared(id, ..) => Target::Prepared(id.clone()),
            Self::Finalizers(Finalizers { id, .. }) | Self::Release(id, ..) => Target::Object(id.clone()),
            Self::Pod(Chore::Make(wanted)) => Target::Made(wanted.port.clone(), wanted.pod.uid.clone()),
            Self::Pod(Chore::Collect(left)) => Target::Object(Id::new(Kind::Port, left.port.clone())),
            Self::Pod(Chore::Tell(who, _) | Chore::Show(Shown { pod: who, .. })) => Target::Pod(who.key.clone()),
        }
    }
}

/// Where a port's status says where it is plugged, and where it is prepared.
pub const BINDING: &str = "binding";
/// See [`BINDING`].
pub const MIGRATION: &str = "migration";

/// How long an answer may take: a server that fell without a word would else be waited for as long as for a watch.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came of a write.
#[derive(Debug)]
pub enum Done {
    /// The object as it is now.
    Now(Thing),
    /// The lock as it is now: ours, or somebody's who was first.
    Locked(Arc<Allocation>),
    /// The lock is gone, or was not ours to open.
    Unlocked(Slot),
    /// All stays as it is: the lock's owner still has the value, or the node is there.
    Kept,
    /// There is no such object any more.
    Vanished,
    /// Something was done for a pod.
    Pod(Came),
}

/// Sends one write as `manager`.
///
/// # Errors
/// The API server's.
pub async fn send(client: &Client, manager: &str, write: Write) -> Result<Done, kube::Error> {
    match tokio::time::timeout(PATIENCE, sent(client, manager, write)).await {
        Ok(ended) => ended,
        Err(silence) => Err(kube::Error::Service(silence.into())),
    }
}

async fn sent(client: &Client, manager: &str, write: Write) -> Result<Done, kube::Error> {
    match write {
        Write::Lock(lock) => make_lock(client, manager, *lock).await,
        Write::Unlock(slot, lock) => unlock(client, slot, &lock).await,
        Write::Status(status) => gone_is_fine(say(client, manager, status).await),
        Write::Release(id, holder, field, version) => {
            let lives = match holder {
                Holder::Node(node) => {
                    Api::<Node>::all(client.clone()).get_opt(&node).await?.is_some_and(|node| !watch::is_down(&node))
                }
                Holder::Pod(pod) => pods::lives(client, &pod).await?,
            };
            if lives {
                return Ok(Done::Kept);
            }
            let mut patch = json!({ "metadata": { "resourceVersion": version }, "status": { field: null } });
            if field == BINDING {
                patch["status"]["activePairs"] = Value::Null;
            }
            gone_is_fine(patch_object(client, &id, &PatchParams::default(), &Patch::Merge(patch), true).await)
        }
        Write::Pod(chore) => pods::send(client, manager, chore).await.map(Done::Pod),
        Write::Finalizers(finalizers) => gone_is_fine(set(client, finalizers).await),
        Write::Prepared(id, node, version) => {
            let patch = json!({ "metadata": { "resourceVersion": version }, "status": { "preparedNode": node } });
            let params = PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
            gone_is_fine(patch_object(client, &id, &params, &Patch::Merge(patch), true).await)
        }
    }
}

async fn set(client: &Client, Finalizers { id, uid, from, to }: Finalizers) -> Result<Thing, kube::Error> {
    let patch = json!([
        { "op": "test", "path": "/metadata/uid", "value": uid },
        { "op": "test", "path": "/metadata/finalizers", "value": from },
        { "op": "add", "path": "/metadata/finalizers", "value": to },
    ]);
    let patch = Patch::Json(serde_json::from_value(patch).map_err(kube::Error::SerdeError)?);
    let answer = patch_object(client, &id, &PatchParams::default(), &patch, false).await;
    answer.map_err(|error| match error {
        // A test has failed: somebody was first.
        kube::Error::Api(mut status) if status.code == 422 => {
            status.code = 409;
            kube::Error::Api(status)
        }
        other => other,
    })
}

fn gone_is_fine(answer: Result<Thing, kube::Error>) -> Result<Done, kube::Error> {
    match answer {
        Ok(thing) => Ok(Done::Now(thing)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Done::Vanished),
        Err(error) => Err(error),
    }
}

/// A status that says of which generation it is, where it says whether the object is ready.
fn dated(mut status: Value) -> Value {
    let ready = |c: &&Value| c["type"] == ConditionType::Ready.as_str();
    let of = status["conditions"].as_array().and_then(|conditions| conditions.iter().find(ready));
    if let Some(generation) = of.and_then(|ready| ready.get(OBSERVED)).cloned() {
        status[OBSERVED] = generation;
    }
    status
}

async fn say(client: &Client, manager: &str, status: Status) -> Result<Thing, kube::Error> {
    let Status { id, uid, version, status, note, .. } = status;
    let status = dated(status);
    let mut metadata = json!({ "name": &*id.key.name });
    if id.kind.namespaced() {
        metadata["namespace"] = (&*id.key.namespace).into();
    }
    if let Some(uid) = uid {
        metadata["uid"] = uid.into();
    }
    if let Some(version) = version {
        metadata["resourceVersion"] = version.into();
    }
    let body =
        json!({ "apiVersion": API_VERSION, "kind": id.kind.to_string(), "metadata": metadata, "status": status });
    let answer = patch_object(client, &id, &PatchParams::apply(manager).force(), &Patch::Apply(body), true).await?;
    if let (Some(note), Thing::Object(object)) = (note, &answer)
        && let Err(error) = event::tell(client, manager, object, &note).await
    {
        tracing::warn!(object = %id, %error, "an Event cannot be written");
    }
    Ok(answer)
}

async fn patch_object(
    client: &Client,
    id: &Id,
    params: &PatchParams,
    patch: &Patch<Value>,
    status: bool,
) -> Result<Thing, kube::Error> {
    macro_rules! of {
        (namespaced $($kind:ident)+; cluster $($other:ident)+) => {
            match id.kind {
                $(Kind::$kind => one(&namespaced::<$kind>(client, &id.key), id, params, patch, status).await
                    .map(|object| thing(object, |o| Thing::Object(Object::$kind(o)))),)+
                $(Kind::$other => one(&Api::<$other>::all(client.clone()), id, params, patch, status).await
                    .map(|object| thing(object, |o| Thing::Object(Object::$other(o)))),)+
            }
        };
    }
    of!(namespaced Network Subnet Port Router FloatingIP SecurityGroup ReferenceGrant; cluster PhysicalNetwork Agent)
}

/// Reads an object from the server itself.
async fn get(client: &Client, id: &Id) -> Result<Option<Object>, kube::Error> {
    macro_rules! of {
        (namespaced $($kind:ident)+; cluster $($other:ident)+) => {
            match id.kind {
                $(Kind::$kind => Ok(namespaced::<$kind>(client, &id.key).get_opt(&id.key.name).await?
                    .map(|object| Object::$kind(Arc::new(object)))),)+
                $(Kind::$other => Ok(Api::<$other>::all(client.clone()).get_opt(&id.key.name).await?
                    .map(|object| Object::$other(Arc::new(object)))),)+
            }
        };
    }
    of!(namespaced Network Subnet Port Router FloatingIP SecurityGroup ReferenceGrant; cluster PhysicalNetwork Agent)
}

/// UID of an object by the server's own word: not of its cache, as a list may be, and also where the object cannot be read.
/// None: there is no such object.
///
/// # Errors
/// The API server's.
pub async fn find(client: &Client, id: &Id) -> Result<Option<String>, kube::Error> {
    macro_rules! of {
        (namespaced $($kind:ident)+; cluster $($other:ident)+) => {
            match id.kind {
                $(Kind::$kind => namespaced::<$kind>(client, &id.key).get_metadata_opt(&id.key.name).await?.map(|o| o.metadata),)+
                $(Kind::$other => Api::<$other>::all(client.clone()).get_metadata_opt(&id.key.name).await?.map(|o| o.metadata),)+
            }
        };
    }
    let found = async {
        let metadata = of!(namespaced Network Subnet Port Router FloatingIP SecurityGroup ReferenceGrant; cluster PhysicalNetwork Agent);
        Ok(metadata.map(|metadata| metadata.uid.unwrap_or_default()))
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|silence| Err(kube::Error::Service(silence.into())))
}

fn namespaced<K>(client: &Client, key: &Key) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    Api::namespaced(client.clone(), &key.namespace)
}

async fn one<K>(
    api: &Api<K>,
    id: &Id,
    params: &PatchParams,
    patch: &Patch<Value>,
    status: bool,
) -> Result<K, kube::Error>
where
    K: Clone + DeserializeOwned + Debug + Serialize,
{
    if status {
        api.patch_status(&id.key.name, params, patch).await
    } else {
        api.patch(&id.key.name, params, patch).await
    }
}

/// Creating the object is the allocation: whoever is second learns who was first.
async fn make_lock(client: &Client, manager: &str, lock: Lock) -> Result<Done, kube::Error> {
    let api: Api<Allocation> = Api::all(client.clone());
    let name = lock.slot.name();
    let params = PostParams { field_manager: Some(manager.to_owned()), ..PostParams::default() };
    match api.create(&params, &Allocation::new(&name, lock.spec)).await {
        Ok(made) => Ok(Done::Locked(Arc::new(made))),
        Err(kube::Error::Api(status)) if status.code == 409 => match api.get_opt(&name).await? {
            Some(there) => Ok(Done::Locked(Arc::new(there))),
            None => Ok(Done::Unlocked(lock.slot)),
        },
        Err(error) => Err(error),
    }
}

/// The object that a lock is for.
#[must_use]
pub fn owner(lock: &Allocation) -> Option<Id> {
    let owner = &lock.spec.owner;
    let kind = Kind::named(&owner.kind)?;
    Some(Id::new(kind, Key::new(owner.namespace.as_deref().unwrap_or_default(), &owner.name)))
}

/// What was seen may be old: the owner is asked for once more.
async fn unlock(client: &Client, slot: Slot, lock: &Allocation) -> Result<Done, kube::Error> {
    let live = match owner(lock) {
        Some(id) => get(client, &id).await?,
        None => None,
    };
    let owner = live.filter(|object| object.meta().uid == lock.spec.owner.uid);
    // Of an object that nothing was said of yet, another controller may be about to say that it has this value.
    let fresh = |object: &Object| object.condition(ConditionType::Accepted).is_none();
    if owner.is_some_and(|object| object.has(&lock.spec.value) || fresh(&object)) {
        return Ok(Done::Kept);
    }
    let api: Api<Allocation> = Api::all(client.clone());
    let only = Preconditions { uid: lock.metadata.uid.clone(), resource_version: None };
    let params = DeleteParams { preconditions: Some(only), ..DeleteParams::default() };
    match api.delete(&slot.name(), &params).await {
        Ok(_) => Ok(Done::Unlocked(slot)),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(Done::Unlocked(slot)),
        Err(error) => Err(error),
    }
}

/// Makes the Agent of a node if there is none: its spec is the operator's, so nothing is said of it.
///
/// # Errors
/// The API server's.
pub async fn introduce(client: &Client, manager: &str, node: &str) -> Result<(), kube::Error> {
    let api: Api<Agent> = Api::all(client.clone());
    let params = PostParams { field_manager: Some(manager.to_owned()), ..PostParams::default() };
    match api.create(&params, &Agent::new(node, AgentSpec::default())).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        other => other.map(drop),
    }
}
