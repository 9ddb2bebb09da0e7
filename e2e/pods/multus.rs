//! The real Multus calls the plugin for what a pod's `NetworkAttachmentDefinitions` say.

use std::fs;

use serde_json::{Value, json};

use crate::bed::Bed;

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Network red
Subnet far {networkRef: {name: red}, cidr: 10.1.0.0/24}
SecurityGroup default {rules: [{direction: Ingress}, {direction: Egress}]}
Port web-0 {networkRef: {name: red}, addresses: [{ip: 10.1.0.50}]}";

/// As Multus installs it.
const KIND: &str = include_str!("../support/multus.yaml");

/// Puts Multus before the node's network.
fn install(bed: &Bed) {
    let node = &bed.nodes[0];
    let bin = crate::control_plane::built("TENET_NODE_BIN", "node");
    fs::copy(bin.join("multus"), node.path("/opt/cni/bin/multus")).expect("Multus is missing: `make kube` builds it");
    let folder = node.path("/etc/cni/net.d");
    fs::copy(bed.plane.kubeconfig(), folder.join("multus.kubeconfig")).unwrap();
    let first: Value = serde_json::from_slice(&fs::read(folder.join("10-first.conflist")).unwrap()).unwrap();
    let config = json!({"cniVersion": "1.0.0", "name": "multus", "type": "multus", "delegates": [first],
        "kubeconfig": "/etc/cni/net.d/multus.kubeconfig"});
    fs::write(folder.join(".multus"), config.to_string()).unwrap();
    fs::rename(folder.join(".multus"), folder.join("00-multus.conf")).unwrap();
}

#[test]
fn a_definition_of_our_type_is_a_network_or_a_port() {
    let bed = Bed::start(1);
    bed.apply(WORLD);
    bed.apply_yaml(KIND);
    bed.wait("crd --all", "Established");
    for (name, what, of) in [("to-blue", "network", "blue"), ("to-web", "port", "web-0")] {
        let config = json!({"cniVersion": "1.0.0", "name": name, "type": "tenet", what: of}).to_string();
        let object = json!({"apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition",
            "metadata": {"name": name}, "spec": {"config": config}});
        bed.apply_yaml(&object.to_string());
    }
    install(&bed);
    bed.pod("one", 1, "{k8s.v1.cni.cncf.io/networks: 'to-blue, to-web@fix0'}");
    bed.pod("two", 1, "{k8s.v1.cni.cncf.io/networks: to-blue}");
    bed.wait("pod one two", "Ready");
    let one = bed.station("one");
    let shown = one.run("ip addr").out;
    assert!(shown.contains("net1") && shown.contains("fix0") && shown.contains("10.1.0.50/24"), "{shown}");
    let two = bed.get("tport", "two-net1")["status"]["addresses"][0]["ip"].as_str().unwrap().to_owned();
    one.wait_pings(&two);
    let status = &bed.get("pod", "one")["metadata"]["annotations"]["k8s.v1.cni.cncf.io/network-status"];
    let status: Vec<Value> = serde_json::from_str(status.as_str().unwrap()).unwrap();
    let says = |interface: &str, ip: &str| status.iter().any(|s| s["interface"] == interface && s["ips"][0] == ip);
    assert!(says("fix0", "10.1.0.50"), "{status:?}");
    bed.kubectl("delete pod one two --wait --grace-period=1");
    bed.until("their Ports are gone, and the user's own is free", || {
        let left = bed.kubectl("get tport -o name");
        left.trim() == "port.tenet.network/web-0" && bed.get("tport", "web-0")["status"]["binding"].is_null()
    });
}
