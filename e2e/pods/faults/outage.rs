//! The API server is away while pods come and go.

use std::fs;

use super::traces::{traces, wait_same};
use super::{BLUE, Talk, address};
use crate::bed::{Bed, Node};

/// What is plugged on a node, as the agent wrote it: the names of the Ports, and for which containers.
fn plugged(node: &Node) -> Vec<(String, String)> {
    let record = fs::read_to_string(node.path("/var/lib/tenet/plugged.json")).unwrap();
    let lines: Vec<serde_json::Value> = serde_json::from_str(&record).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    lines.iter().map(|line| (text(&line["name"]), text(&line["pod"]["container"]))).collect()
}

fn container(node: &Node, port: &str) -> Option<String> {
    plugged(node).into_iter().find_map(|(name, container)| (name == port).then_some(container))
}

#[test]
fn pods_come_and_go_without_the_api_server_and_what_could_not_be_done_is_done_once_it_is_back() {
    let mut bed = Bed::start(2);
    let talk = Talk::begin(&bed);
    let before = traces(&bed);
    for pod in ["again", "doomed"] {
        bed.pod(pod, 2, BLUE);
    }
    bed.wait("pod again doomed", "Ready");
    let (ip, first) = (address(&bed, "again-net1"), container(&bed.nodes[1], "again-net1").unwrap());

    // A pod whose Port nobody makes.
    bed.kubectl("-n tenet-system scale deployment/tenet-controller --replicas=0");
    let controllers = || bed.kubectl("-n tenet-system get pods -l app.kubernetes.io/component=controller -o name");
    bed.until("no controller runs", || controllers().trim().is_empty());
    bed.pod("late", 2, BLUE);
    let words = "Port default/late-net1 was not plugged in time: Port default/late-net1 does not exist yet: the controller makes it for the pod";
    let told = "get events --field-selector involvedObject.name=late -o jsonpath={.items[*].message}";
    bed.until("an Event says why it does not start", || bed.kubectl(told).contains(words));

    let refused = |bed: &Bed| bed.nodes[1].log("kubelet").matches(words).count();
    talk.outlives("no API server", || {
        bed.kubectl("delete pod doomed --wait=false --grace-period=3");
        bed.plane.kill("kube-apiserver");
        let so_far = refused(&bed);
        bed.until("a pod is taken away", || container(&bed.nodes[1], "doomed-net1").is_none());
        // Its sandbox is made anew: a DEL and an ADD.
        bed.nodes[1].ctr(&format!("task kill --signal SIGKILL {first}")).expect_ok();
        bed.until("a pod is plugged again", || container(&bed.nodes[1], "again-net1").is_some_and(|now| now != first));
        bed.until("an ADD fails meanwhile, with the same words", || refused(&bed) > so_far);
        bed.plane.revive("kube-apiserver");
        bed.plane.wait_until_ready();
        bed.wait("pod again", "Ready");
        talk.wait_pings(&ip);
    });
    bed.kubectl("-n tenet-system scale deployment/tenet-controller --replicas=2");
    bed.wait("pod late", "Ready");
    talk.wait_pings(&address(&bed, "late-net1"));
    bed.kubectl("-n tenet-system rollout status deployment/tenet-controller --timeout=120s");
    assert!(!bed.try_kubectl("get pod doomed").ok());
    bed.kubectl("delete pod again late --wait --grace-period=1");
    wait_same(&bed, &before);
}
