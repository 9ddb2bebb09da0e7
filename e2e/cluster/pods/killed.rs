//! The controller dies at each write it makes for pods, three ways each; the next one finishes what it began.

use serde_json::json;

use super::{WORLD, pod};
use crate::faults::audit::{balances, items};
use crate::faults::proxy::FORMS;
use crate::faults::sized;
use crate::faults::writes::Trial;
use crate::nodes::Cluster;

const NAMES: [&str; 3] = ["a", "b", "c"];

fn come(cluster: &Cluster) {
    cluster.pods(&[
        pod("a", &[("networks", "blue")]),
        pod("b", &[("networks", "blue, red")]),
        pod("c", &[("networks", "green")]),
    ]);
}

/// A node that nobody hears speaks for a's Port: packets pass.
fn speak(cluster: &Cluster) {
    let condition = |kind: &str| json!({ "type": kind, "status": "True", "reason": "Programmed", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z" });
    let status = json!({
        "apiVersion": "tenet.network/v1alpha1", "kind": "Port", "metadata": { "name": "a-net1", "namespace": "default" },
        "status": {
            "binding": { "nodeName": "far", "device": "net1" }, "conditions": [condition("Programmed"), condition("Ready")],
        },
    });
    let how = ["apply", "--server-side", "--force-conflicts", "--field-manager=far", "--subresource=status", "-f", "-"];
    cluster.plane.kubectl(&how, &status.to_string());
}

fn served(cluster: &Cluster) -> bool {
    let owned: Vec<String> = cluster.owned().into_iter().map(|(name, _)| name).collect();
    let accepted = "{.status.conditions[?(@.type==\"Accepted\")]}";
    let settled = |port: &str| !cluster.field(&format!("tport/{port}"), accepted).is_empty();
    if owned != ["a-net1", "b-net1", "b-net2", "c-net1"] || !owned.iter().all(|port| settled(port)) {
        return false;
    }
    speak(cluster);
    let shown = cluster.field("pod/a", "{.metadata.annotations.k8s\\.v1\\.cni\\.cncf\\.io/network-status}");
    let told = items(cluster, "events").iter().filter(|event| event["involvedObject"]["kind"] == "Pod").count();
    let uid = cluster.field("pod/c", "{.metadata.uid}");
    let about_c = items(cluster, "events").iter().filter(|event| event["involvedObject"]["uid"] == *uid).count();
    assert!(about_c < 2, "what c lacks was told {about_c} times, {told} Events of Pods");
    shown.contains("default/blue") && about_c == 1
}

fn gone(cluster: &Cluster) -> bool {
    cluster.owned().is_empty() && items(cluster, "allocations").len() == 3
}

#[test]
fn a_controller_that_is_killed_at_any_write_makes_each_port_once_tells_once_and_leaves_nothing_behind() {
    let cluster = Cluster::start(0);
    cluster.plane.expect(&["create", "-f", "-"], "{apiVersion: v1, kind: Node, metadata: {name: far}}");
    cluster.apply(WORLD);
    cluster.wait("tport/kept", "Ready");
    let mut trial = Trial::start(cluster);
    let all: Vec<usize> = (1..).take(sized(0, 40)).collect();
    let nths = if all.is_empty() { vec![1, 2, 3, 4, 6, 9, 12, 60] } else { all };
    for (round, nth) in nths.into_iter().enumerate() {
        let mut died = false;
        // Quickly, each write dies one way, and another one when all is deleted.
        for form in sized(FORMS[round % 3..=round % 3].to_vec(), FORMS.to_vec()) {
            let delete = |cluster: &Cluster| {
                let names = NAMES.map(|name| format!("pod/{name}")).join(" ");
                cluster.kubectl(&format!("delete --force --grace-period=0 --wait=false {names}"));
            };
            died |= trial.dies(nth, form, come, served);
            died |= trial.dies(nth, FORMS[(round + 1) % 3], delete, gone);
            balances(&trial.cluster);
        }
        if !died {
            assert!(nth > 8, "three pods take more writes than that");
            return;
        }
    }
    panic!("it still dies: more writes than anybody would have thought");
}
