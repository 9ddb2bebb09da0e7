//! Events: what a person would want to have seen.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};

use crate::api::{API_VERSION, GROUP};
use crate::model::object::Object;

/// Something that happened to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Whether it is a fault.
    pub warning: bool,
    /// Why, in one word.
    pub reason: String,
    /// Why, in a sentence.
    pub message: String,
}

/// Writes an Event about an object.
///
/// # Errors
/// The API server's.
pub async fn tell(client: &Client, manager: &str, object: &Object, note: &Note) -> Result<(), kube::Error> {
    let id = object.id();
    let regarding = ObjectReference {
        api_version: Some(API_VERSION.into()),
        kind: Some(id.kind.to_string()),
        namespace: id.kind.namespaced().then(|| id.key.namespace.to_string()),
        name: Some(id.key.name.to_string()),
        uid: object.meta().uid.clone(),
        ..ObjectReference::default()
    };
    // The server completes the name; the longest that it takes is 253 characters.
    let prefix: String = id.key.name.chars().take(200).collect();
    let metadata = ObjectMeta { generate_name: Some(format!("{prefix}-")), ..ObjectMeta::default() };
    event(client, manager, metadata, regarding, note).await
}

/// Writes an Event, in the namespace of what it is about.
///
/// # Errors
/// The API server's; 409 where `metadata` name one that is there.
pub async fn event(
    client: &Client,
    manager: &str,
    metadata: ObjectMeta,
    regarding: ObjectReference,
    note: &Note,
) -> Result<(), kube::Error> {
    let api: Api<Event> = Api::namespaced(client.clone(), regarding.namespace.as_deref().unwrap_or("default"));
    let event = Event {
        metadata,
        action: Some("Reconcile".into()),
        event_time: Some(MicroTime(Timestamp::now())),
        note: Some(note.message.chars().take(1024).collect()),
        reason: Some(note.reason.clone()),
        regarding: Some(regarding),
        reporting_controller: Some(format!("{GROUP}/{manager}")),
        reporting_instance: Some(manager.to_owned()),
        type_: Some(if note.warning { "Warning" } else { "Normal" }.into()),
        ..Event::default()
    };
    api.create(&PostParams::default(), &event).await.map(drop)
}
