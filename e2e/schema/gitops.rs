//! `examples/gitops`: what Argo CD and Flux judge our objects by.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tenet::api::{ConditionType, OBSERVED};

use crate::schemas;

fn example(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/gitops").join(file)).unwrap()
}

/// A Port of generation 2 with these conditions: type, status, the generation that was judged.
fn port(conditions: &[(ConditionType, &str, i64)]) -> Value {
    let conditions: Vec<Value> = conditions
        .iter()
        .map(|(type_, status, generation)| {
            json!({
                "type": type_.as_str(), "status": status, "observedGeneration": generation,
                "reason": "AddressInUse", "message": "take another", "lastTransitionTime": "2026-01-01T00:00:00Z",
            })
        })
        .collect();
    json!({ "kind": "Port", "metadata": { "name": "a", "generation": 2 }, "status": { "conditions": conditions } })
}

/// The status of an object that nobody has judged yet.
fn unjudged() -> Value {
    let (_, schema) = schemas().into_iter().find(|(kind, _)| kind == "Port").unwrap();
    schema["properties"]["status"]["default"].clone()
}

/// Objects, with what is to be said of each: `Healthy`, `Progressing` or `Degraded`.
fn judged() -> Vec<(Value, &'static str)> {
    use ConditionType::{Accepted, Ready, Reconciling, Stalled};
    vec![
        (json!({ "kind": "Port", "metadata": { "name": "a", "generation": 1 } }), "Progressing"),
        (json!({ "kind": "Port", "metadata": { "name": "a", "generation": 1 }, "status": unjudged() }), "Progressing"),
        (port(&[(Accepted, "True", 2), (Ready, "True", 2)]), "Healthy"),
        (port(&[(Ready, "True", 1)]), "Progressing"),
        (port(&[(Ready, "Unknown", 2), (Reconciling, "True", 2)]), "Progressing"),
        (port(&[(Accepted, "False", 2), (Ready, "False", 2), (Stalled, "True", 2)]), "Degraded"),
        (port(&[(Ready, "False", 1), (Stalled, "True", 1)]), "Progressing"),
    ]
}

/// A value as Lua writes it.
fn lua(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("[{name:?}] = {}", lua(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Value::Array(items) => format!("{{ {} }}", items.iter().map(lua).collect::<Vec<_>>().join(", ")),
        Value::Null => "nil".into(),
        other => other.to_string(),
    }
}

/// What the health check says of an object. Lua 5.1 is what Argo CD runs.
fn argo(script: &str, object: &Value) -> String {
    let program = format!("obj = {}\nprint((function()\n{script}\nend)().status)", lua(object));
    let mut child = Command::new("lua5.1")
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("lua5.1 is missing; `make deps` installs what the tests need");
    child.stdin.take().unwrap().write_all(program.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
}

#[test]
fn argo_cd_judges_an_object_by_what_was_said_of_its_present_spec() {
    let map: Value = serde_saphyr::from_str(&example("argocd-cm.yaml")).unwrap();
    let customizations: Value =
        serde_saphyr::from_str(map["data"]["resource.customizations"].as_str().unwrap()).unwrap();
    let script = customizations["tenet.network/*"]["health.lua"].as_str().unwrap();
    for (object, says) in judged() {
        assert_eq!(argo(script, &object), says, "{object}");
    }
    for (kind, _) in schemas().iter().filter(|(_, schema)| schema["properties"]["status"].is_null()) {
        assert_eq!(argo(script, &json!({ "kind": kind, "metadata": { "generation": 1 } })), "Healthy", "{kind}");
    }
}

#[test]
fn flux_and_helm_are_told_of_which_spec_a_status_is() {
    let objects: Vec<Value> =
        example("flux.yaml").split("\n---\n").map(|document| serde_saphyr::from_str(document).unwrap()).collect();
    let waits = objects.iter().filter(|object| object["kind"] == "Kustomization");
    assert_eq!(waits.map(|object| object["spec"]["wait"] == true).collect::<Vec<_>>(), [true, true]);
    for (kind, schema) in schemas() {
        let status = &schema["properties"]["status"]["properties"];
        assert_eq!(status["conditions"].is_null(), status[OBSERVED].is_null(), "{kind}");
    }
}
