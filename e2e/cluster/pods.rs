//! Pods that ask for networks: the Ports that are made for them, and what they are told. No kubelet runs here: a Pod is an
//! object, and who plugs its Ports is a guest.

mod crowd;
mod freed;
mod killed;
mod multus;
mod shown;
mod storm;
mod told;

use std::time::Duration;

use serde_json::{Value, json};

use crate::nodes::{Cluster, quickly};
use crate::support::until;

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/22}
Network red
Subnet db {networkRef: {name: red}, cidr: 10.0.4.0/24}
Port kept {networkRef: {name: blue}, addresses: [{ip: 10.0.0.77}]}";

/// A Pod with annotations of ours, bound to a node by hand.
fn pod(name: &str, annotations: &[(&str, &str)]) -> Value {
    let all = annotations.iter().map(|(key, value)| (format!("tenet.network/{key}"), json!(value)));
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "annotations": all.collect::<serde_json::Map<_, _>>() },
        "spec": {
            "nodeName": "node-1", "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": false,
            "containers": [{ "name": "c", "image": "none" }],
        },
    })
}

impl Cluster {
    /// Creates Pods; their UIDs.
    fn pods(&self, pods: &[Value]) -> Vec<String> {
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": pods }).to_string();
        let made = self.plane.expect(&["create", "-f", "-", "-o", "jsonpath={.metadata.uid},"], &list);
        let uids: Vec<String> =
            made.split(',').map(str::trim).filter(|uid| !uid.is_empty()).map(str::to_owned).collect();
        assert_eq!(uids.len(), pods.len(), "{made}");
        uids
    }

    /// Something of an object; nothing where there is none.
    fn field(&self, what: &str, path: &str) -> String {
        self.kubectl(&format!("get {what} --ignore-not-found -o jsonpath={path}")).trim().to_owned()
    }

    /// Every Port by name, with the UID of its owner.
    fn owned(&self) -> Vec<(String, String)> {
        let all = self
            .kubectl("get tport -o jsonpath={range.items[*]}{.metadata.name}={.metadata.ownerReferences[0].uid},{end}");
        let all = all.trim().split(',').filter_map(|line| line.split_once('='));
        all.filter(|(_, owner)| !owner.is_empty()).map(|(name, owner)| (name.into(), owner.into())).collect()
    }
}

#[test]
fn a_pod_gets_a_port_on_each_network_that_goes_with_it_and_a_pod_of_the_same_name_gets_another() {
    let cluster = Cluster::start(0);
    cluster.apply(WORLD);
    cluster.wait("tport/kept", "Ready");
    let web = pod("web-0", &[("networks", "blue, red@eth2"), ("ports", "kept")]);
    let uid = cluster.pods(std::slice::from_ref(&web)).remove(0);
    let took = quickly(|| cluster.owned().len() == 2);
    println!("a pod was there for {took:?} when its Ports were");
    cluster.wait("tport/web-0-net1 tport/web-0-eth2", "Ready");
    let made = cluster.get("tport", "web-0-net1");
    let owner = json!([{
        "apiVersion": "v1", "kind": "Pod", "name": "web-0", "uid": uid, "controller": true, "blockOwnerDeletion": false,
    }]);
    assert_eq!(made["metadata"]["ownerReferences"], owner);
    assert_eq!(made["spec"], json!({ "networkRef": { "name": "blue" } }));
    assert_eq!(cluster.field("tport/web-0-eth2", "{.status.addresses[0].ip}"), "10.0.4.2");

    // As a StatefulSet does: the name is another pod's at once.
    let before = cluster.field("tport/web-0-net1", "{.metadata.uid}");
    cluster.kubectl("delete pod web-0 --force --grace-period=0 --wait=true");
    let second = cluster.pods(std::slice::from_ref(&web)).remove(0);
    let took = quickly(|| cluster.owned().iter().filter(|(_, owner)| *owner == second).count() == 2);
    println!("another pod of the name was there for {took:?} when its Ports were");
    assert_ne!(cluster.field("tport/web-0-net1", "{.metadata.uid}"), before);
    cluster.wait("tport/web-0-net1 tport/web-0-eth2", "Ready");

    // A pod that has finished needs none, though it is there still.
    cluster.kubectl("patch pod web-0 --subresource=status --type=merge -p {\"status\":{\"phase\":\"Succeeded\"}}");
    until("the Ports of a finished pod are gone", || cluster.owned().is_empty());
    until("so are their addresses", || cluster.kubectl("get allocations -o name").matches("allocation").count() == 3);
    assert!(cluster.field("tport/kept", "{.metadata.name}") == "kept");
    std::thread::sleep(Duration::from_millis(300));
    assert!(cluster.owned().is_empty());
}
