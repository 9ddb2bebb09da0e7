//! Pods that ask by Multus. Multus itself does not run here: it is the agent that it would call.

use serde_json::json;

use super::{WORLD, pod};
use crate::nodes::Cluster;
use crate::support::until;

/// As Multus installs it.
const DEFINITIONS: &str = include_str!("../../support/multus.yaml");

fn define(cluster: &Cluster, name: &str, config: &serde_json::Value) {
    let object = json!({
        "apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition", "metadata": { "name": name },
        "spec": { "config": config.to_string() },
    });
    cluster.plane.expect(&["apply", "-f", "-"], &object.to_string());
}

#[test]
fn what_a_pod_asks_of_multus_is_a_port_too_and_definitions_may_come_later() {
    let cluster = Cluster::start(0);
    cluster.apply(WORLD);
    cluster.wait("tport/kept", "Ready");
    let asks = |name: &str, text: &str| {
        let mut pod = pod(name, &[]);
        pod["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"] = text.into();
        pod
    };
    // The kind itself is not there yet, and other pods are served.
    cluster.pods(&[asks("early", "wire, to-blue, to-blue@eth7"), pod("other", &[("networks", "red")])]);
    until("the other pod is served", || cluster.owned().len() == 1);
    cluster.plane.expect(&["create", "-f", "-"], DEFINITIONS);
    cluster.plane.expect(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"], "");
    define(&cluster, "wire", &json!({ "cniVersion": "1.0.0", "type": "macvlan", "master": "eth1" }));
    define(&cluster, "to-blue", &json!({ "cniVersion": "1.0.0", "type": "tenet", "network": "blue" }));
    define(&cluster, "to-kept", &json!({ "cniVersion": "1.0.0", "plugins": [{ "type": "tenet", "port": "kept" }] }));
    let names = || -> Vec<String> { cluster.owned().into_iter().map(|(name, _)| name).collect() };
    until("its Ports are made", || names() == ["early-eth7", "early-net2", "other-net1"]);
    cluster.wait("tport/early-eth7 tport/early-net2", "Ready");
    // In JSON, with a Port; and one that asks for nothing of ours.
    let json = json!([{ "name": "to-kept" }, { "name": "to-blue", "namespace": "default", "interface": "x1" }]);
    cluster.pods(&[asks("late", &json.to_string()), asks("none", "wire")]);
    until("its Port is made", || names().contains(&"late-x1".into()));
    assert_eq!(names().len(), 4);
    cluster.kubectl("delete pods --all --force --grace-period=0");
    until("nothing is left", || cluster.owned().is_empty());
    let said = cluster.said();
    assert!(!said.contains("ERROR") && !said.contains("a write failed"), "{said}");
}
