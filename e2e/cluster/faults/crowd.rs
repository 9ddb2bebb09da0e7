//! Many clients of the API server at once.

use std::future::Future;
use std::path::Path;

use futures::StreamExt as _;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tenet::api::Port;
use tenet::cluster::client::{Access, connect};
use tokio::runtime::{Builder, Runtime};

pub struct Crowd {
    runtime: Runtime,
    pub client: Client,
}

impl Crowd {
    pub fn new(kubeconfig: &Path) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let access = Access { kubeconfig: Some(kubeconfig.to_owned()) };
        let client = runtime.block_on(connect(&access)).unwrap();
        Self { runtime, client }
    }

    pub fn run<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }

    /// Ports of namespace `default`.
    pub fn ports(&self) -> Api<Port> {
        Api::namespaced(self.client.clone(), "default")
    }

    /// Creates objects, sixteen at a time.
    pub async fn create(&self, objects: Vec<Value>) {
        let create = |object: Value| async {
            let object: DynamicObject = serde_json::from_value(object).unwrap();
            self.api(&object).create(&PostParams::default(), &object).await.unwrap();
        };
        futures::stream::iter(objects).map(create).buffer_unordered(16).collect::<Vec<()>>().await;
    }

    /// Deletes ports, sixteen at a time.
    pub async fn delete(&self, names: impl Iterator<Item = String>) {
        let delete =
            |name: String| async move { drop(self.ports().delete(&name, &DeleteParams::default()).await.unwrap()) };
        futures::stream::iter(names).map(delete).buffer_unordered(16).collect::<Vec<()>>().await;
    }

    fn api(&self, object: &DynamicObject) -> Api<DynamicObject> {
        let kind = &object.types.as_ref().unwrap().kind;
        let gvk = GroupVersionKind::gvk("tenet.network", "v1alpha1", kind);
        let plural = if kind == "FloatingIP" { "floatingips".to_owned() } else { format!("{}s", kind.to_lowercase()) };
        let resource = ApiResource::from_gvk_with_plural(&gvk, &plural);
        match &object.metadata.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }
}

/// An object.
pub fn object(kind: &str, namespace: &str, name: &str, spec: Value) -> Value {
    let metadata = json!({ "namespace": namespace, "name": name });
    let mut object = json!({ "apiVersion": "tenet.network/v1alpha1", "kind": kind, "metadata": metadata });
    object["spec"] = spec;
    object
}

/// A port of network `blue`.
pub fn port(name: &str) -> Value {
    object("Port", "default", name, json!({ "networkRef": { "name": "blue" } }))
}
