//! What a pod is told, and when.

use serde_json::{Value, json};

use super::{WORLD, pod};
use crate::nodes::Cluster;
use crate::support::until;

const INFRA: &str = "
Network infra/public
Subnet infra/outside {networkRef: {name: public}, cidr: 10.9.0.0/24}";
const GRANT: &str = "ReferenceGrant infra/all {from: [{namespace: default}], to: [{kind: Network}]}";

/// Events about a pod: reason and sentence, in the order of time.
fn told(cluster: &Cluster, pod: &str) -> Vec<(String, String)> {
    let all = cluster.kubectl("get events.events.k8s.io -o json");
    let all: Value = serde_json::from_str(&all).unwrap();
    let about = all["items"].as_array().unwrap().iter().filter(|event| {
        event["regarding"]["kind"] == "Pod" && event["regarding"]["name"] == pod && event["type"] == "Warning"
    });
    let mut about: Vec<(String, String, String)> = about
        .map(|event| ["eventTime", "reason", "note"].map(|field| event[field].as_str().unwrap().to_owned()).into())
        .collect();
    about.sort();
    about.into_iter().map(|(_, reason, note)| (reason, note)).collect()
}

#[test]
fn what_keeps_a_pod_from_its_networks_is_told_once_and_heals_by_itself() {
    let mut cluster = Cluster::start(0);
    cluster.kubectl("create namespace infra");
    cluster.apply(WORLD);
    cluster.apply(INFRA);
    cluster.apply("Port taken-net1 {networkRef: {name: blue}}");
    cluster.pods(&[
        pod("bad", &[("networks", "blue, Red")]),
        pod("far", &[("networks", "infra/public")]),
        pod("lost", &[("networks", "green")]),
        pod("portless", &[("ports", "none")]),
        pod("taken", &[("networks", "blue")]),
        pod("twice", &[("networks", "blue"), ("ports", "twice-net1")]),
        pod("fine", &[("networks", "blue")]),
    ]);
    let expected = [
        ("bad", "Invalid", "tenet.network/networks: `Red`: write the name of an object"),
        ("far", "RefNotPermitted", "ask its owner for a ReferenceGrant"),
        ("lost", "NotFound", "Network default/green does not exist: create it"),
        ("portless", "NotFound", "Port default/none does not exist: create it"),
        ("taken", "NameInUse", "Port default/taken-net1, which is to be made for the pod, is somebody else's"),
        ("twice", "Invalid", "remove one of the entries"),
    ];
    for (name, reason, sentence) in expected {
        until(&format!("{name} is told"), || !told(&cluster, name).is_empty());
        let said = told(&cluster, name);
        println!("{name}: {said:?}");
        assert_eq!(said[0].0, reason, "{name}: {said:?}");
        assert!(said[0].1.contains(sentence), "{name}: {said:?}");
    }
    assert!(told(&cluster, "fine").is_empty());
    // What is somebody's stays so.
    assert_eq!(cluster.field("tport/taken-net1", "{.metadata.ownerReferences}"), "");

    // Not again, whatever else happens, nor by the next controller.
    cluster.apply("Network more\nPort other {networkRef: {name: blue}}");
    cluster.wait("tport/other", "Ready");
    cluster.kill_controller(0);
    cluster.revive_controller();
    cluster.apply("Port another {networkRef: {name: blue}}");
    cluster.wait("tport/another", "Ready");
    for (name, ..) in expected {
        assert_eq!(told(&cluster, name).len(), 1, "{name}");
    }

    // What was missing comes, goes, and is told anew where that says something new.
    cluster.apply(GRANT);
    cluster.apply("Network green\nSubnet meadow {networkRef: {name: green}, cidr: 10.8.0.0/24}");
    cluster.wait("tport/far-net1 tport/lost-net1", "Ready");
    cluster.kubectl("delete tport taken-net1");
    until("the name is free", || cluster.owned().iter().any(|(name, _)| name == "taken-net1"));
    cluster.pods(&[pod("far-2", &[("networks", "infra/public")])]);
    cluster.wait("tport/far-2-net1", "Ready");
    cluster.kubectl("delete -n infra referencegrant all");
    until("the grant is missed", || !told(&cluster, "far-2").is_empty());
    assert_eq!(told(&cluster, "far-2")[0].0, "RefNotPermitted");
    // A pod goes, and what was made for it with no hope, too.
    cluster.kubectl("delete pod far far-2 --force --grace-period=0");
    until("nothing is left", || !cluster.owned().iter().any(|(name, _)| name.starts_with("far")));
}

#[test]
fn a_quota_that_is_full_is_told_to_the_pod_and_room_helps() {
    let cluster = Cluster::start(0);
    cluster.apply(WORLD);
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "few" },
        "spec": { "hard": { "count/ports.tenet.network": "1" } },
    });
    cluster.plane.expect(&["create", "-f", "-"], &quota.to_string());
    until("the quota counts", || cluster.field("resourcequota/few", "{.status.used}").contains('1'));
    cluster.pods(&[pod("web", &[("networks", "blue")])]);
    until("the pod is told", || !told(&cluster, "web").is_empty());
    let (reason, note) = told(&cluster, "web").remove(0);
    assert!(reason == "Forbidden" && note.contains("default/web-net1") && note.contains("exceeded quota"), "{note}");
    cluster.kubectl("delete quota few");
    until("the Port is made", || cluster.owned().len() == 1);
    cluster.wait("tport/web-net1", "Ready");
    assert_eq!(told(&cluster, "web").len(), 1);
}
