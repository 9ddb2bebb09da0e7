//! The CRDs, as the API server and `crds/` have them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt as _;
use serde_json::json;

use super::columns::columns;
use super::{
    Agent, Allocation, ConditionType, FloatingIP, Network, PhysicalNetwork, Port, Reason, ReferenceGrant, Router,
    SecurityGroup, Subnet, UNJUDGED,
};

/// Every CRD, in the order in which a reader meets the kinds.
#[must_use]
pub fn all() -> Vec<CustomResourceDefinition> {
    let mut crds = vec![
        Network::crd(),
        Subnet::crd(),
        Port::crd(),
        Router::crd(),
        FloatingIP::crd(),
        SecurityGroup::crd(),
        PhysicalNetwork::crd(),
        ReferenceGrant::crd(),
        Agent::crd(),
        Allocation::crd(),
    ];
    for crd in &mut crds {
        for version in &mut crd.spec.versions {
            let columns = columns(&crd.spec.names.kind, version.subresources.is_some());
            version.additional_printer_columns = Some(columns);
            if let Some(schema) = version.schema.as_mut().and_then(|v| v.open_api_v3_schema.as_mut()) {
                // kube describes an object as derived; what the kind is for stands at its spec.
                schema.description = schema.properties.as_ref().and_then(|p| p.get("spec")?.description.clone());
                settle(schema);
                let Some(status) = schema.properties.as_mut().and_then(|all| all.get_mut("status")) else { continue };
                status.properties.get_or_insert_default().insert(OBSERVED.into(), observed());
                // Of an Agent `Ready` is Unknown when its node falls silent; one that has said nothing yet has not.
                if crd.spec.names.kind != "Agent" {
                    status.default = Some(unjudged());
                }
            }
        }
    }
    crds
}

/// One CRD as a YAML document.
///
/// # Errors
/// The serialiser's words; it has no reason to fail.
pub fn crd_yaml(crd: &CustomResourceDefinition) -> Result<String, String> {
    serde_saphyr::to_string(crd).map_err(|e| format!("a CRD cannot be written as YAML: {e}"))
}

/// Every CRD as one YAML stream, for `kubectl apply -f -`.
///
/// # Errors
/// As [`crd_yaml`].
pub fn crds_yaml() -> Result<String, String> {
    let documents: Result<Vec<String>, String> = all().iter().map(crd_yaml).collect();
    Ok(documents?.join("---\n"))
}

/// The status of an object that nobody has judged yet. Who waits for objects by kstatus (Helm, Flux) takes one without any
/// condition for done. The API server puts it in by itself, without a write, and nobody owns it: whoever speaks first replaces it.
fn unjudged() -> JSON {
    JSON(json!({
        "conditions": [{
            "type": ConditionType::Ready.as_str(),
            "status": "Unknown",
            "reason": Reason::Pending.to_string(),
            "message": UNJUDGED,
            "lastTransitionTime": "1970-01-01T00:00:00Z",
        }],
    }))
}

/// The field of a status by which kstatus (Helm, Flux) knows that it is about the present spec. It says what the condition
/// `Ready` says, so nobody here reads it: it is put in where a status is written.
pub const OBSERVED: &str = "observedGeneration";

fn observed() -> JSONSchemaProps {
    JSONSchemaProps {
        type_: Some("integer".into()),
        format: Some("int64".into()),
        minimum: Some(0.0),
        description: Some("metadata.generation of the spec that Ready speaks of.".into()),
        ..JSONSchemaProps::default()
    }
}

/// Takes out what Rust's types bring and Kubernetes does not know.
///
/// Without `nullable` the API server drops a field that is written as `null`, which then is absent, as users mean it;
/// with it CEL would see a field that is there. A width such as `uint16` is no format of Kubernetes: each CRD
/// would come with a warning; the range of every number is in its bounds.
fn settle(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.format = schema.format.take().filter(|f| matches!(f.as_str(), "date-time" | "int32" | "int64"));
    for property in schema.properties.iter_mut().flat_map(|p| p.values_mut()) {
        settle(property);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => settle(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(settle),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        settle(values);
    }
}
