//! The CRDs and manifests without an API server: `crds/` is what the code says, everything in them is described and bounded, and each
//! rule, in CEL and in Rust, takes the good objects of `objects/` and refuses the bad ones.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "schema/agree.rs"]
mod agree;
#[path = "schema/agree_security.rs"]
mod agree_security;
#[path = "schema/board.rs"]
mod board;
#[path = "schema/chart.rs"]
mod chart;
#[path = "schema/files.rs"]
mod files;
#[path = "schema/gitops.rs"]
mod gitops;
#[path = "schema/manifests.rs"]
mod manifests;
#[path = "objects/mod.rs"]
mod objects;
#[path = "schema/rules.rs"]
mod rules;
#[path = "schema/shape.rs"]
mod shape;

use serde_json::Value;

/// The schema of each kind, with the kind.
fn schemas() -> Vec<(String, Value)> {
    let schema = |crd: &Value| crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
    let crds = tenet::api::all().into_iter().map(|crd| serde_json::to_value(crd).unwrap());
    crds.map(|crd| (crd["spec"]["names"]["kind"].as_str().unwrap().to_owned(), schema(&crd))).collect()
}

/// Visits a schema and all schemas in it, each with its path.
fn walk(path: &str, schema: &Value, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), property, visit);
    }
    for (mark, inner) in [("[]", &schema["items"]), ("{}", &schema["additionalProperties"])] {
        if inner.is_object() {
            walk(&format!("{path}{mark}"), inner, visit);
        }
    }
}
