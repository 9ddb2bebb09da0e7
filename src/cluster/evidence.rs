//! What is around the objects: who leads, pods, logs, events. Read with the rights of whoever asks; what may not be read is
//! said, and what is secret is never asked for.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, LogParams};
use kube::core::{NamespaceResourceScope, PartialObjectMeta};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::pods::FIELDS;
use super::{CONTROLLER, NAMESPACE};
use crate::api::{Allocation, GROUP};
use crate::model::diagnosis::Around;
use crate::model::object::key;
use crate::model::pod::{Pod as Asking, Pods};

/// Labels of Tenet's own pods.
const OURS: &str = "app.kubernetes.io/name=tenet";
/// How long a Lease is old news beyond its own term: clocks differ, and the API server may be slow. Seconds.
const LATE: i64 = 30;

/// Who leads, and the controllers' versions. `gaps` gets what may not be read.
pub async fn around(client: &Client, now: Timestamp, gaps: &mut Vec<String>) -> Around {
    let lease: Api<Lease> = Api::namespaced(client.clone(), NAMESPACE);
    let headless = match lease.get_opt(CONTROLLER).await {
        Ok(lease) => headless(lease.as_ref(), now),
        Err(error) => {
            gaps.push(format!("who leads (Lease {NAMESPACE}/{CONTROLLER}): {}", short(&error)));
            None
        }
    };
    let mut controllers = Vec::new();
    for pod in own_pods(client, gaps).await {
        let name = pod.name_any();
        let image = pod.spec.as_ref().and_then(|spec| spec.containers.first()?.image.clone()).unwrap_or_default();
        let is_controller = pod.labels().get("app.kubernetes.io/component").is_some_and(|part| part == "controller");
        controllers.extend(version(&image).filter(|_| is_controller).map(|version| (name, version)));
    }
    Around { headless, controllers }
}

/// Why nobody leads.
fn headless(lease: Option<&Lease>, now: Timestamp) -> Option<String> {
    let start = "start one: kubectl -n tenet-system get deployment,pods";
    let Some(spec) = lease.and_then(|lease| lease.spec.as_ref()) else {
        return Some(format!("No controller has ever led: {start}."));
    };
    let holder = spec.holder_identity.as_deref().filter(|holder| !holder.is_empty());
    let Some(holder) = holder else { return Some(format!("No controller leads: {start}.")) };
    let term = i64::from(spec.lease_duration_seconds.unwrap_or_default());
    let age = now.as_second() - spec.renew_time.as_ref()?.0.as_second();
    (age > term + LATE).then(|| format!("{holder}, which led, was not heard for {age} s: {start}."))
}

/// The version that an image's tag says, if it says one as agents do.
fn version(image: &str) -> Option<String> {
    let (_, tag) = image.rsplit('/').next()?.split_once(':')?;
    let tag = tag.strip_prefix('v').unwrap_or(tag);
    let numbers = tag.split('.').count() == 3 && tag.split('.').all(|part| part.parse::<u32>().is_ok());
    numbers.then(|| tag.to_owned())
}

/// Tenet's own pods.
pub async fn own_pods(client: &Client, gaps: &mut Vec<String>) -> Vec<Pod> {
    let api: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    match api.list(&ListParams::default().labels(OURS)).await {
        Ok(list) => list.items,
        Err(error) => {
            gaps.push(format!("pods of namespace {NAMESPACE}: {}", short(&error)));
            Vec::new()
        }
    }
}

/// Pods that ask for interfaces, of all namespaces or of one.
pub async fn asking(client: &Client, namespace: Option<&str>, gaps: &mut Vec<String>) -> Pods {
    type Meta = PartialObjectMeta<Pod>;
    let api: Api<Meta> = scoped(client, namespace);
    match api.list_metadata(&ListParams::default().fields(FIELDS)).await {
        Ok(list) => {
            let metas = list.items.iter().map(|pod| &pod.metadata);
            let known = metas.filter_map(|meta| Some((key(meta), Arc::new(Asking::of(meta, Vec::new())?))));
            Pods { known: known.collect(), whole: true }
        }
        Err(error) => {
            gaps.push(format!("pods: {}", short(&error)));
            Pods::default()
        }
    }
}

/// Events on our objects, the oldest first.
pub async fn events(client: &Client, namespace: Option<&str>, gaps: &mut Vec<String>) -> Vec<Value> {
    let api: Api<Event> = scoped(client, namespace);
    let list = match api.list(&ListParams::default()).await {
        Ok(list) => list.items,
        Err(error) => {
            gaps.push(format!("events: {}", short(&error)));
            return Vec::new();
        }
    };
    let ours = |event: &&Event| {
        let version = event.regarding.as_ref().and_then(|about| about.api_version.as_deref());
        version.is_some_and(|version| version.split('/').next() == Some(GROUP))
    };
    let mut events: Vec<&Event> = list.iter().filter(ours).collect();
    events.sort_by_key(|event| event.event_time.as_ref().map(|time| time.0));
    let line = |event: &Event| {
        let about = event.regarding.clone().unwrap_or_default();
        json!({
            "time": event.event_time, "type": event.type_, "reason": event.reason, "note": event.note,
            "kind": about.kind, "namespace": about.namespace, "name": about.name,
            "from": event.reporting_controller, "count": event.series.as_ref().map(|series| series.count),
        })
    };
    events.into_iter().map(line).collect()
}

/// Locks.
pub async fn allocations(client: &Client, gaps: &mut Vec<String>) -> Vec<Value> {
    match Api::<Allocation>::all(client.clone()).list(&ListParams::default()).await {
        Ok(list) => list.items.iter().filter_map(|lock| serde_json::to_value(lock).ok()).collect(),
        Err(error) => {
            gaps.push(format!("allocations: {}", short(&error)));
            Vec::new()
        }
    }
}

/// Of Nodes what Tenet goes by, and what kernel they run.
pub async fn nodes(client: &Client, gaps: &mut Vec<String>) -> Vec<Value> {
    let list = match Api::<Node>::all(client.clone()).list(&ListParams::default()).await {
        Ok(list) => list.items,
        Err(error) => {
            gaps.push(format!("nodes: {}", short(&error)));
            return Vec::new();
        }
    };
    let picked = |node: Node| {
        let status = node.status.unwrap_or_default();
        json!({
            "name": node.metadata.name, "labels": node.metadata.labels,
            "taints": node.spec.and_then(|spec| spec.taints),
            "addresses": status.addresses, "conditions": status.conditions,
            "nodeInfo": status.node_info.map(|info| json!({
                "kernelVersion": info.kernel_version, "osImage": info.os_image, "architecture": info.architecture,
                "kubeletVersion": info.kubelet_version, "containerRuntimeVersion": info.container_runtime_version,
            })),
        })
    };
    list.into_iter().map(picked).collect()
}

/// Of a pod of ours what tells how it is; values of environment variables are none of it.
#[must_use]
pub fn picked(pod: &Pod) -> Value {
    let spec = pod.spec.clone().unwrap_or_default();
    let container = |container: k8s_openapi::api::core::v1::Container| {
        let env: Vec<_> = container.env.unwrap_or_default().into_iter().map(|env| env.name).collect();
        json!({
            "name": container.name, "image": container.image, "command": container.command, "args": container.args,
            "env": env, "resources": container.resources,
        })
    };
    json!({
        "name": pod.metadata.name, "namespace": pod.metadata.namespace, "labels": pod.metadata.labels,
        "creationTimestamp": pod.metadata.creation_timestamp, "nodeName": spec.node_name,
        "containers": spec.containers.into_iter().map(container).collect::<Vec<_>>(), "status": pod.status,
    })
}

/// The last lines of a container's log; `before`: of the one that ended before it.
///
/// # Errors
/// Why there are none.
pub async fn log(client: &Client, pod: &str, container: &str, lines: i64, before: bool) -> Result<String, String> {
    let api: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let params = LogParams {
        container: Some(container.to_owned()),
        tail_lines: Some(lines),
        previous: before,
        timestamps: true,
        ..LogParams::default()
    };
    api.logs(pod, &params).await.map_err(|error| short(&error))
}

/// The API server's version.
pub async fn server(client: &Client) -> String {
    client.apiserver_version().await.map_or_else(|error| short(&error), |info| info.git_version)
}

fn scoped<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    namespace.map_or_else(|| Api::all(client.clone()), |namespace| Api::namespaced(client.clone(), namespace))
}

fn short(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.code == 403 => "you may not read them".into(),
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::coordination::v1::LeaseSpec;

    use super::*;

    #[test]
    fn only_a_tag_that_is_a_version_is_one() {
        let says = |image: &str| version(image);
        assert_eq!(says("tenet:0.1.0"), Some("0.1.0".into()));
        assert_eq!(says("registry:5000/x/tenet:v1.2.3"), Some("1.2.3".into()));
        for other in ["tenet", "registry:5000/tenet", "tenet:latest", "tenet:1.2", "tenet@sha256:00"] {
            assert_eq!(says(other), None, "{other}");
        }
    }

    #[test]
    fn nobody_leads_whose_lease_is_old_empty_or_missing() {
        assert!(headless(None, Timestamp::UNIX_EPOCH).is_some());
        let lease = Lease { metadata: kube::core::ObjectMeta::default(), spec: Some(LeaseSpec::default()) };
        assert!(headless(Some(&lease), Timestamp::UNIX_EPOCH).is_some());
    }
}
