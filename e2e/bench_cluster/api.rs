//! A client of the API server: it creates, and hears when a port is programmed.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use tenet::api::{Port, PortSpec, Reference};
use tenet::cluster::client::{Access, connect};
use tokio::runtime::{Builder, Runtime};

/// Names of ports, with when their condition was first seen to be true.
pub struct Heard(Receiver<(String, &'static str, Instant)>);

pub struct User {
    runtime: Runtime,
    client: Client,
}

impl User {
    pub fn new(kubeconfig: &Path) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let access = Access { kubeconfig: Some(kubeconfig.to_owned()) };
        let client = runtime.block_on(connect(&access)).unwrap();
        Self { runtime, client }
    }

    fn port(name: &str, network: &str) -> Port {
        let network_ref = Reference { name: network.into(), namespace: None };
        let spec: PortSpec = serde_json::from_value(serde_json::json!({ "networkRef": network_ref })).unwrap();
        Port::new(name, spec)
    }

    /// Creates objects of any kind, one after the other, as documents of YAML have them.
    pub fn apply(&self, yaml: &str) {
        self.apply_wide(yaml, 1);
    }

    /// As [`Self::apply`], with so many requests on their way at once.
    pub fn apply_wide(&self, yaml: &str, width: usize) {
        let create = async |document| {
            let object: DynamicObject = serde_saphyr::from_str(document).unwrap();
            let kind = object.types.clone().unwrap().kind;
            api(&self.client, &kind).create(&PostParams::default(), &object).await.map(drop).unwrap();
        };
        let documents = yaml.split("---\n").filter(|text| !text.trim().is_empty());
        self.runtime.block_on(futures::stream::iter(documents).map(create).buffer_unordered(width).collect::<Vec<_>>());
    }

    /// Gives an object another spec.
    pub fn edit(&self, kind: &str, name: &str, spec: &serde_json::Value) {
        let patch = Patch::Merge(serde_json::json!({ "spec": spec }));
        self.runtime.block_on(api(&self.client, kind).patch(name, &PatchParams::default(), &patch)).unwrap();
    }

    /// Creates ports with so many requests on their way at once.
    pub fn create(&self, names: impl Iterator<Item = (String, String)>, width: usize) -> Duration {
        let api: Api<Port> = Api::namespaced(self.client.clone(), "default");
        let start = Instant::now();
        self.runtime.block_on(async {
            let create = |(name, network): (String, String)| {
                let api = api.clone();
                async move { api.create(&PostParams::default(), &Self::port(&name, &network)).await.map(drop).unwrap() }
            };
            futures::stream::iter(names).map(create).buffer_unordered(width).collect::<Vec<_>>().await;
        });
        start.elapsed()
    }
}

fn api(client: &Client, kind: &str) -> Api<DynamicObject> {
    let plural = format!("{}s", kind.to_lowercase());
    let gvk = GroupVersionKind::gvk("tenet.network", "v1alpha1", kind);
    Api::namespaced_with(client.clone(), "default", &ApiResource::from_gvk_with_plural(&gvk, &plural))
}

/// Watches all objects of a kind from a thread of its own.
pub fn listen(kubeconfig: &Path, kind: &'static str) -> Heard {
    let (tell, heard) = channel();
    let kubeconfig = kubeconfig.to_owned();
    std::thread::spawn(move || {
        let user = User::new(&kubeconfig);
        user.runtime.block_on(async {
            let mut stream = std::pin::pin!(watcher(api(&user.client, kind), watcher::Config::default()));
            while let Some(event) = stream.next().await {
                let Ok(Event::Apply(object) | Event::InitApply(object)) = event else { continue };
                let conditions = object.data["status"]["conditions"].as_array();
                for condition in conditions.into_iter().flatten().filter(|c| c["status"] == "True") {
                    let what = match condition["type"].as_str() {
                        Some("Programmed") => "Programmed",
                        Some("Ready") => "Ready",
                        _ => continue,
                    };
                    let name = object.metadata.name.clone().unwrap();
                    if tell.send((name, what, Instant::now())).is_err() {
                        return;
                    }
                }
            }
        });
    });
    Heard(heard)
}

impl Heard {
    /// Waits until a condition of all these objects was seen to be true; when the last one was.
    pub fn all(&self, names: &[String], what: &str) -> Instant {
        let mut missing: HashMap<&str, ()> = names.iter().map(|name| (name.as_str(), ())).collect();
        loop {
            let (name, said, at) = self.0.recv_timeout(Duration::from_secs(120)).expect("not all is served in time");
            if said == what && missing.remove(name.as_str()).is_some() && missing.is_empty() {
                return at;
            }
        }
    }
}

/// The first address as IPv4.
pub fn ipv4(ip: IpAddr) -> std::net::Ipv4Addr {
    match ip {
        IpAddr::V4(ip) => ip,
        IpAddr::V6(_) => panic!("{ip}"),
    }
}
