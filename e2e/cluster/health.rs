//! Who waits for objects as Flux and Helm do, by the conditions of kstatus, waits until they are done and no longer.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::control_plane::built;
use crate::nodes::Cluster;
use crate::support::{Said, yaml};

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
SecurityGroup web {rules: [{direction: Egress}]}
Port a {networkRef: {name: blue}, securityGroupRefs: [{name: web}]}
Router r {interfaces: [{subnetRef: {name: web}}]}";

/// As much again, one of which can never be: its subnet lies over the other.
const WRONG: &str = "
Network red
Subnet one {networkRef: {name: red}, cidr: 10.1.0.0/24}
Subnet two {networkRef: {name: red}, cidr: 10.1.0.0/16}";

/// Makes a chart of objects.
fn chart(folder: &Path, name: &str, objects: &str) {
    fs::create_dir_all(folder.join("templates")).unwrap();
    let about = json!({ "apiVersion": "v2", "name": name, "version": "1.0.0" });
    fs::write(folder.join("Chart.yaml"), about.to_string()).unwrap();
    fs::write(folder.join("templates/all.yaml"), yaml(objects)).unwrap();
}

#[test]
fn a_release_of_our_objects_is_done_once_they_are_ready_and_fails_for_what_can_never_be() {
    let cluster = Cluster::start(1);
    let kubeconfig = cluster.plane.kubeconfig();
    let home = kubeconfig.parent().unwrap().to_owned();
    let install = |name: &str, objects: &str, timeout: &str| {
        let folder = home.join(name);
        chart(&folder, name, objects);
        let mut helm = Command::new(built("TENET_NODE_BIN", "node").join("helm"));
        helm.args(["install", name, "--wait", "--timeout", timeout, "--kubeconfig"]).arg(&kubeconfig).arg(&folder);
        Said::of(&helm.env("HOME", &home).output().expect("Helm is missing: `make kube` builds it"))
    };
    install("world", WORLD, "60s").expect_ok();
    for object in ["tnet/blue", "tsub/web", "tsg/web", "tport/a", "trtr/r"] {
        let field = "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
        assert_eq!(cluster.kubectl(&format!("get {object} -o {field}")), "True", "{object}");
    }
    let wrong = install("wrong", WRONG, "120s");
    assert!(!wrong.ok() && wrong.err.contains("Subnet"), "{wrong:?}");
    assert!(!wrong.err.contains("deadline"), "it says so at once, not when its patience ends: {wrong:?}");
}
