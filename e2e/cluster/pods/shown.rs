//! What is written on a pod, and how often.

use serde_json::{Value, json};

use super::{WORLD, pod};
use crate::nodes::Cluster;
use crate::page::writes;
use crate::support::until;

const STATUS: &str = "k8s.v1.cni.cncf.io/network-status";

fn shown(cluster: &Cluster, pod: &str) -> Value {
    let text = cluster.get("pod", pod)["metadata"]["annotations"][STATUS].clone();
    text.as_str().map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
}

#[test]
fn once_packets_pass_on_all_its_interfaces_a_pod_says_so_in_one_write_and_what_others_wrote_stays() {
    let cluster = Cluster::start(1);
    cluster.apply(WORLD);
    let mut web = pod("web", &[("networks", "red@eth2"), ("ports", "kept")]);
    // As Multus does.
    let others = json!([{ "name": "cluster", "interface": "eth0", "ips": ["10.244.0.7"], "default": true, "dns": {} }]);
    web["metadata"]["annotations"][STATUS] = others.to_string().into();
    cluster.pods(&[web]);
    until("its Port is made", || cluster.owned().len() == 1);
    cluster.wait("tport/web-eth2 tport/kept", "Ready");
    let version = |_: &str| cluster.field("pod/web", "{.metadata.resourceVersion}");
    let created = version("created");
    let _red = cluster.guest(1, "web-eth2");
    cluster.wait("tport/web-eth2", "Programmed");
    assert_eq!(shown(&cluster, "web"), others, "one interface is missing yet");
    let _kept = cluster.guest(1, "kept");
    until("the pod says what it has", || shown(&cluster, "web").as_array().is_some_and(|all| all.len() == 3));
    assert_ne!(version("now"), created);
    let [red, kept] = ["web-eth2", "kept"].map(|port| cluster.get("tport", port)["status"].clone());
    let expected = json!([
        others[0],
        {
            "name": "default/red", "interface": "eth2", "ips": ["10.0.4.2"], "mac": red["macAddress"], "mtu": red["mtu"],
            "default": false, "dns": {},
        },
        {
            "name": "default/blue", "interface": "net2", "ips": ["10.0.0.77"], "mac": kept["macAddress"],
            "mtu": kept["mtu"], "default": false, "dns": {},
        },
    ]);
    assert_eq!(shown(&cluster, "web"), expected);

    // Counts of what has ports are written a second later, at most.
    until("all is written", || {
        let before = writes(&cluster)[0];
        std::thread::sleep(std::time::Duration::from_millis(1500));
        writes(&cluster)[0] == before
    });

    // Nothing is written again, whatever else happens to the pod.
    let (before, at) = (writes(&cluster)[0], version("shown"));
    cluster.kubectl("label pod web a=b");
    cluster.kubectl("patch pod web --subresource=status --type=merge -p {\"status\":{\"phase\":\"Running\"}}");
    std::thread::sleep(std::time::Duration::from_millis(500));
    let managers =
        cluster.kubectl("get pod web --show-managed-fields -o jsonpath={.metadata.managedFields[*].manager}");
    println!("{at} {managers}");
    assert_eq!(writes(&cluster)[0], before);

    // Who overwrites it, as Multus does, gets ours added again, once.
    cluster.plane.expect(&["annotate", "--overwrite", "pod", "web", &format!("{STATUS}={others}")], "");
    until("it is said again", || shown(&cluster, "web") == expected);
    assert_eq!(writes(&cluster)[0], before + 1);
}
