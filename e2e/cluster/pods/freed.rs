//! A pod that is gone while nobody speaks for its node.

use std::time::Duration;

use serde_json::{Value, json};

use super::{WORLD, pod};
use crate::nodes::Cluster;
use crate::support::{until, within};

/// A node counts as silent after 15 s, and anew after a moment at which the API server did not answer.
const SILENT: Duration = Duration::from_mins(2);

/// A node that nobody hears has said that a port is plugged there.
fn bind(cluster: &Cluster, port: &str, pod: &Value) {
    let mut status = json!({
        "apiVersion": "tenet.network/v1alpha1", "kind": "Port", "metadata": { "name": port, "namespace": "default" },
        "status": { "binding": { "nodeName": "far", "device": "net1" } },
    });
    if !pod.is_null() {
        status["status"]["binding"]["pod"] = pod.clone();
    }
    let how = ["apply", "--server-side", "--force-conflicts", "--field-manager=far", "--subresource=status", "-f", "-"];
    cluster.plane.expect(&how, &status.to_string());
}

#[test]
fn the_port_of_a_pod_that_is_gone_is_free_though_its_node_says_nothing() {
    let cluster = Cluster::start(0);
    cluster.plane.expect(&["create", "-f", "-"], "{apiVersion: v1, kind: Node, metadata: {name: far}}");
    cluster.apply(WORLD);
    cluster.apply("Port lives {networkRef: {name: blue}}\nPort plain {networkRef: {name: blue}}");
    cluster.wait("tport/kept tport/lives tport/plain", "Ready");
    let uids = cluster.pods(&[pod("a", &[("ports", "kept")]), pod("b", &[("ports", "lives")])]);
    bind(&cluster, "kept", &json!({ "name": "a", "uid": uids[0] }));
    bind(&cluster, "lives", &json!({ "name": "b", "uid": uids[1] }));
    bind(&cluster, "plain", &Value::Null);
    cluster.kubectl("delete pod a --force --grace-period=0");
    let holder = |port: &str| cluster.field(&format!("tport/{port}"), "{.status.binding.nodeName}");
    within(SILENT, "the port of the pod that is gone is free", || holder("kept").is_empty());
    assert_eq!([holder("lives"), holder("plain")], ["far", "far"]);
    // Another of its name is another guest.
    cluster.kubectl("delete pod b --force --grace-period=0");
    cluster.pods(&[pod("b", &[("ports", "lives")])]);
    until("the other port is free, too", || holder("lives").is_empty());
    assert_eq!(holder("plain"), "far");
}
