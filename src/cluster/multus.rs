//! `NetworkAttachmentDefinition`s, read from the server when a pod names one, and never else: there may be none, nor their kind.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ApiResource, DynamicObject};
use kube::{Api, Client};
use tracing::debug;

use crate::api::multus::{Selection, meaning, selections};
use crate::api::pod::{Entry, interface_name};

/// What one read says is believed for so long: pods of one deployment come together.
const FRESH: Duration = Duration::from_secs(5);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What definitions say.
pub struct Definitions {
    client: Client,
    kind: ApiResource,
    /// `spec.config` by namespace and name; none: there is no such definition.
    read: HashMap<(String, String), (Instant, Option<String>)>,
}

impl Definitions {
    /// Definitions of the cluster.
    #[must_use]
    pub fn new(client: &Client) -> Self {
        let kind = ApiResource {
            group: "k8s.cni.cncf.io".into(),
            version: "v1".into(),
            api_version: "k8s.cni.cncf.io/v1".into(),
            kind: "NetworkAttachmentDefinition".into(),
            plural: "network-attachment-definitions".into(),
        };
        Self { client: client.clone(), kind, read: HashMap::new() }
    }

    /// Interfaces that a pod gets by Multus and by us; none: a definition is not there, or cannot be read now.
    pub async fn entries(&mut self, pod: &ObjectMeta) -> Option<Vec<Entry>> {
        let (Some(notes), Some(namespace)) = (&pod.annotations, &pod.namespace) else { return Some(Vec::new()) };
        let mut entries = Vec::new();
        for Selection { namespace: place, name, interface } in selections(notes, namespace) {
            let config = self.config(&place, &name).await?;
            if let Some(what) = meaning(&config, namespace)
                && interface_name(&interface).is_ok()
            {
                entries.push(Entry { what, interface });
            }
        }
        Some(entries)
    }

    async fn config(&mut self, namespace: &str, name: &str) -> Option<String> {
        self.read.retain(|_, (at, _)| at.elapsed() < FRESH);
        let place = (namespace.to_owned(), name.to_owned());
        if let Some((_, config)) = self.read.get(&place) {
            return config.clone();
        }
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &self.kind);
        let config = match tokio::time::timeout(PATIENCE, api.get_opt(name)).await {
            // One without a configuration names a file of the node: none of ours.
            Ok(Ok(there)) => there.map(|object| object.data["spec"]["config"].as_str().unwrap_or_default().to_owned()),
            failed => {
                debug!(namespace, name, ?failed, "a NetworkAttachmentDefinition cannot be read: it is tried again");
                None
            }
        };
        self.read.insert(place, (Instant::now(), config.clone()));
        config
    }
}
