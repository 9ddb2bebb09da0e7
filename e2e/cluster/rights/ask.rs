//! Single requests with somebody's token. kubectl reads an object before it patches it, so what it shows to be refused may
//! be the reading.

use std::path::PathBuf;

use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::Request;
use kube::{Client, Error};
use serde_json::Value;
use tenet::cluster::client::{Access, connect};
use tokio::runtime::{Builder, Runtime};

/// Somebody who asks the API server.
pub struct Person {
    runtime: Runtime,
    client: Client,
}

impl Person {
    /// Whoever the kubeconfig says.
    pub fn new(kubeconfig: PathBuf) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let client = runtime.block_on(connect(&Access { kubeconfig: Some(kubeconfig) })).unwrap();
        Self { runtime, client }
    }

    /// Sends `VERB [NAMESPACE:]PLURAL[/NAME[/SUBRESOURCE]]`, with a body in YAML. The verbs: get, create, replace, delete, and
    /// patches: merge, json, and apply with force. What the server answers, or its words.
    pub fn ask(&self, line: &str, body: &str, dry: bool) -> Result<Value, String> {
        let (verb, what) = line.split_once(' ').unwrap();
        let (namespace, place) = what.split_once(':').map_or((None, what), |(n, place)| (Some(n), place));
        let mut parts = place.split('/');
        let (plural, name, sub) = (parts.next().unwrap(), parts.next().unwrap_or_default(), parts.next());
        let (group, kind) = kind(plural);
        let within = namespace.map_or(String::new(), |namespace| format!("/namespaces/{namespace}"));
        let request =
            Request::new(format!("/{}{group}{within}/{plural}", if group == "v1" { "api/" } else { "apis/" }));
        let mut body: Value = if body.is_empty() { Value::Null } else { serde_saphyr::from_str(body).unwrap() };
        if ["create", "replace", "apply"].contains(&verb) && sub != Some("token") {
            body["apiVersion"] = group.into();
            body["kind"] = kind.into();
            body["metadata"]["name"] = name.into();
        }
        if verb == "replace" {
            // Who may not read it cannot know; then that is not what the refusal is about.
            let now = self.ask(&line.replacen("replace", "get", 1), "", false).unwrap_or_default();
            body["metadata"]["resourceVersion"] = now["metadata"]["resourceVersion"].as_str().unwrap_or("1").into();
        }
        let post = PostParams { dry_run: dry, ..PostParams::default() };
        let mut patching = PatchParams { dry_run: dry, ..PatchParams::default() };
        let bytes = || serde_json::to_vec(&body).unwrap();
        let patch = match verb {
            "merge" => Some(Patch::Merge(body.clone())),
            "json" => Some(Patch::Json(serde_json::from_value(body.clone()).unwrap())),
            "apply" => {
                patching = PatchParams { force: true, field_manager: Some("tenet-agent/node-1".into()), ..patching };
                Some(Patch::Apply(body.clone()))
            }
            _ => None,
        };
        let request = match (verb, patch, sub) {
            (_, Some(patch), None) => request.patch(name, &patching, &patch),
            (_, Some(patch), Some(sub)) => request.patch_subresource(sub, name, &patching, &patch),
            ("get", ..) if name.is_empty() => request.list(&ListParams::default()),
            ("get", ..) => request.get(name, &kube::api::GetParams::default()),
            ("create", _, None) => request.create(&post, bytes()),
            ("create", _, Some(sub)) => request.create_subresource(sub, name, &post, bytes()),
            ("replace", ..) => request.replace(name, &post, bytes()),
            ("delete", ..) => request.delete(name, &DeleteParams { dry_run: dry, ..DeleteParams::default() }),
            _ => panic!("no such verb: {line}"),
        };
        self.runtime.block_on(self.client.request(request.unwrap())).map_err(|error| match error {
            Error::Api(status) => status.message.clone(),
            error => error.to_string(),
        })
    }
}

/// Group with version, and kind.
fn kind(plural: &str) -> (&'static str, &'static str) {
    const OURS: &str = "tenet.network/v1alpha1";
    match plural {
        "pods" => ("v1", "Pod"),
        "events" => ("events.k8s.io/v1", "Event"),
        "leases" => ("coordination.k8s.io/v1", "Lease"),
        "validatingadmissionpolicies" => ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
        "validatingadmissionpolicybindings" => ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"),
        "networks" => (OURS, "Network"),
        "subnets" => (OURS, "Subnet"),
        "ports" => (OURS, "Port"),
        "routers" => (OURS, "Router"),
        "floatingips" => (OURS, "FloatingIP"),
        "securitygroups" => (OURS, "SecurityGroup"),
        "physicalnetworks" => (OURS, "PhysicalNetwork"),
        "referencegrants" => (OURS, "ReferenceGrant"),
        "agents" => (OURS, "Agent"),
        "allocations" => (OURS, "Allocation"),
        _ => ("v1", ""),
    }
}
