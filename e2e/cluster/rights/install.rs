//! `manifests/` is accepted by a real API server, as one file and by kustomize, first and again.

use serde_json::Value;

use crate::control_plane::ControlPlane;
use crate::nodes::INSTALL;
use crate::support::{Said, until};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests");

/// What changes with every write.
const VERSIONS: &str = "custom-columns=KIND:.kind,NAME:.metadata.name,VERSION:.metadata.resourceVersion";

#[test]
fn the_install_file_is_accepted_and_its_policies_know_our_types() {
    let mut plane = ControlPlane::start();
    // What is in a namespace cannot be tried before that is there.
    plane.expect(&["apply", "-f", &format!("{FOLDER}/namespaces.yaml")], "");
    plane.expect(&["apply", "--dry-run=server", "-f", INSTALL], "");
    plane.expect(&["apply", "-f", INSTALL], "");
    plane.expect(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"], "");
    let versions = || plane.expect(&["get", "-f", INSTALL, "-o", VERSIONS], "");
    let before = versions();
    plane.expect(&["apply", "-f", INSTALL], "");
    assert_eq!(before, versions(), "applied again, it changes something");
    let same = Said::of(&plane.kubectl(&["diff", "-k", FOLDER], ""));
    assert!(same.ok(), "kustomize makes something else than install.yaml: {same:?}");

    plane.start_manager();
    let policies = || -> Vec<Value> {
        let list = plane.expect(&["get", "validatingadmissionpolicies", "-o", "json"], "");
        serde_json::from_str::<Value>(&list).unwrap()["items"].as_array().unwrap().clone()
    };
    until("the expressions of every policy are checked", || {
        policies().iter().all(|policy| policy["status"]["observedGeneration"].is_number())
    });
    for policy in policies() {
        let warnings = &policy["status"]["typeChecking"]["expressionWarnings"];
        assert!(warnings.is_null(), "{}: {warnings}", policy["metadata"]["name"]);
    }
}
