//! `manifests/` is accepted by a real API server, as one file, by kustomize and by Helm, first and again; and its overlays are.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::control_plane::{ControlPlane, built};
use crate::nodes::INSTALL;
use crate::support::{Said, repository, run, until};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/base");

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
    overlays(&plane);

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

#[test]
fn helm_installs_the_chart_upgrades_it_and_takes_it_away_but_for_what_users_made() {
    let mut plane = ControlPlane::start();
    plane.start_manager();
    let (helm, kubeconfig) = (built("TENET_NODE_BIN", "node").join("helm"), plane.kubeconfig());
    let home = kubeconfig.parent().unwrap().to_owned();
    let run = |line: &str| {
        let mut command = Command::new(&helm);
        command.args(line.split(' ')).args(["-n", "kube-system", "--kubeconfig"]).arg(&kubeconfig).env("HOME", &home);
        let said = command.current_dir(repository().join("manifests")).output();
        Said::of(&said.expect("Helm is missing: `make kube` builds it")).expect_ok()
    };
    run("install tenet chart");
    plane.expect(&["get", "-f", INSTALL], "");
    plane.expect(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"], "");
    let blue =
        "{apiVersion: tenet.network/v1alpha1, kind: Network, metadata: {name: blue, namespace: default}, spec: {}}";
    plane.expect(&["apply", "-f", "-"], blue);
    let replicas = ["get", "-n", "tenet-system", "deployment", "tenet-controller", "-o", "jsonpath={.spec.replicas}"];
    assert_eq!(plane.expect(&replicas, ""), "2");
    run("upgrade tenet chart --set controller.replicas=3");
    assert_eq!(plane.expect(&replicas, ""), "3");
    run("rollback tenet 1");
    assert_eq!(plane.expect(&replicas, ""), "2");
    run("uninstall tenet");
    plane.expect(&["get", "tnet", "blue"], "");
    let left = plane.kubectl(&["get", "validatingadmissionpolicies,clusterroles,crd", "-o", "name"], "");
    let left = Said::of(&left).expect_ok();
    let ours: Vec<&str> = left.lines().filter(|line| line.contains("tenet")).collect();
    assert!(ours.len() > 9 && ours.iter().all(|line| line.starts_with("customresourcedefinition")), "{ours:?}");
}

/// Each overlay, and production as it is when what watches it is no comment any more.
fn overlays(plane: &ControlPlane) {
    let copy = std::env::temp_dir().join(format!("tenet-overlays-{}", std::process::id()));
    fs::create_dir_all(&copy).unwrap();
    run(&format!("cp -r {FOLDER}/../../manifests {} {}", repository().join("crds").display(), copy.display()))
        .expect_ok();
    let overlay = |name: &str| copy.join("manifests/overlays").join(name);
    let render = |name: &str| plane.expect(&["kustomize", overlay(name).to_str().unwrap()], "");
    let (kind, production) = (render("kind"), render("production"));
    let file = overlay("production").join("kustomization.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let watched = text.replace("# components:", "components:").replace("# - ../../monitoring", "- ../../monitoring");
    assert_ne!(text, watched);
    fs::write(file, watched).unwrap();
    let watched = render("production");
    fs::remove_dir_all(&copy).unwrap();

    for (text, says, times) in [
        (&kind, "imagePullPolicy: Never\n", 3),
        (&production, "image: registry.example/tenet:0.1.0\n", 3),
        (&watched, "- --metrics=$(HOST_IP):9471\n", 1),
        (&watched, "kind: ServiceMonitor\n", 1),
        (&watched, "grafana_dashboard: ", 1),
    ] {
        assert_eq!(text.matches(says).count(), times, "{says}");
    }
    for text in [kind, production, watched] {
        // Kinds of the Prometheus operator, which is not here.
        let ours = text.split("\n---\n").filter(|document| !document.contains("apiVersion: monitoring.coreos.com/"));
        let said = plane.expect(&["apply", "--dry-run=server", "-f", "-"], &ours.collect::<Vec<_>>().join("\n---\n"));
        assert!(!said.contains("Warning"), "{said}");
    }
}
