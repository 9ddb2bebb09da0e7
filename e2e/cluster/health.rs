//! Who waits for objects as Flux and Helm do, by the conditions of kstatus, waits until they are done and no longer.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::control_plane::built;
use crate::nodes::Cluster;
use crate::support::{Said, until, yaml};

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

/// Installs or upgrades a release, and waits until it is done.
fn helm(kubeconfig: &Path, (what, name): (&str, &str), objects: &str, timeout: &str) -> Said {
    let home = kubeconfig.parent().unwrap();
    let folder = home.join(name);
    chart(&folder, name, objects);
    let mut helm = Command::new(built("TENET_NODE_BIN", "node").join("helm"));
    helm.args([what, name, "--wait", "--timeout", timeout, "--kubeconfig"]).arg(kubeconfig).arg(&folder);
    Said::of(&helm.env("HOME", home).output().expect("Helm is missing: `make kube` builds it"))
}

/// Everything is ready, as it is now.
fn is_done(cluster: &Cluster) {
    for (kind, name) in [("tnet", "blue"), ("tsub", "web"), ("tsg", "web"), ("tport", "a"), ("trtr", "r")] {
        let object = cluster.get(kind, name);
        let conditions = object["status"]["conditions"].as_array().unwrap();
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready").unwrap();
        assert_eq!(ready["status"], "True", "{object}");
        assert_eq!(object["status"]["observedGeneration"], object["metadata"]["generation"], "{object}");
    }
}

#[test]
fn a_release_of_our_objects_is_done_once_they_are_ready_and_fails_for_what_can_never_be() {
    let mut cluster = Cluster::start(1);
    let kubeconfig = cluster.plane.kubeconfig();
    helm(&kubeconfig, ("install", "world"), WORLD, "60s").expect_ok();
    is_done(&cluster);

    // What was said of them before an edit is not said of the edit.
    cluster.stop_controller(0);
    let edited = WORLD.replace("Network blue", "Network blue {portSecurity: false}");
    assert_ne!(edited, WORLD);
    let (config, over) = (kubeconfig.clone(), Arc::new(AtomicBool::new(false)));
    let told = over.clone();
    let upgrade = std::thread::spawn(move || {
        let said = helm(&config, ("upgrade", "world"), &edited, "60s");
        told.store(true, Ordering::Relaxed);
        said
    });
    until("the edit is there", || cluster.get("tnet", "blue")["metadata"]["generation"] == 2);
    std::thread::sleep(Duration::from_secs(5));
    assert!(!over.load(Ordering::Relaxed), "nobody has looked at it yet: {:?}", upgrade.join());
    cluster.revive_controller();
    upgrade.join().unwrap().expect_ok();
    is_done(&cluster);

    let wrong = helm(&kubeconfig, ("install", "wrong"), WRONG, "120s");
    assert!(!wrong.ok() && wrong.err.contains("Subnet"), "{wrong:?}");
    assert!(!wrong.err.contains("deadline"), "it says so at once, not when its patience ends: {wrong:?}");
}
