//! Pods are deleted by force, a node is drained, a node reboots.

use super::traces::{traces, wait_same};
use super::{BLUE, Talk, address, can_begin};
use crate::bed::Bed;

/// What moves to another node when its own is drained: a pod of a Deployment, and one of a `StatefulSet` whose Port is its own.
/// They are on node 3 while they can be.
const WORKLOADS: &str = "
apiVersion: v1
kind: List
items:
- apiVersion: tenet.network/v1alpha1
  kind: Port
  metadata: {name: db-0}
  spec: {networkRef: {name: blue}, addresses: [{ip: 10.0.0.50}]}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web}
  spec:
    selector: {matchLabels: {app: web}}
    template: {metadata: {labels: {app: web}, annotations: {tenet.network/networks: blue}}, spec: SPEC}
- apiVersion: apps/v1
  kind: StatefulSet
  metadata: {name: db}
  spec:
    selector: {matchLabels: {app: db}}
    template: {metadata: {labels: {app: db}, annotations: {tenet.network/ports: db-0}}, spec: SPEC}
";

const SPEC: &str =
    "{terminationGracePeriodSeconds: 0, containers: [{name: guest, image: 'guest:1', imagePullPolicy: Never}],
      affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, preference:
        {matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [node-3]}]}}]}}}";

/// The node of a workload's only pod, and the pod.
fn place(bed: &Bed, app: &str) -> (String, String) {
    let form = "jsonpath={.items[0].spec.nodeName},{.items[0].metadata.name}";
    let said = bed.kubectl(&format!("get pods -l app={app} -o {form}"));
    let (node, pod) = said.split_once(',').unwrap();
    (node.to_owned(), pod.to_owned())
}

#[test]
fn pods_of_other_nodes_lose_nothing_when_pods_are_killed_and_a_node_is_drained_or_reboots() {
    let mut bed = Bed::start(3);
    let talk = Talk::begin(&bed);

    let before = traces(&bed);
    let names: Vec<String> = (0..8).map(|n| format!("forced-{n}")).collect();
    let all = names.join(" ");
    let make = || names.iter().zip([1, 2].into_iter().cycle()).for_each(|(name, node)| bed.pod(name, node, BLUE));
    talk.outlives("pods deleted by force", || {
        make();
        bed.wait(&format!("pod {all}"), "Ready");
        bed.kubectl(&format!("delete pod {all} --force --grace-period=0"));
        // At once, by the same names.
        make();
        bed.wait(&format!("pod {all}"), "Ready");
        talk.wait_pings(&address(&bed, "forced-7-net1"));
        bed.kubectl(&format!("delete pod {all} --force --grace-period=0"));
        println!("nothing is left of them after {:.1?}", wait_same(&bed, &before));
    });

    bed.apply_yaml(&WORKLOADS.replace("SPEC", SPEC));
    bed.kubectl("rollout status deployment/web --timeout=60s");
    bed.kubectl("rollout status statefulset/db --timeout=60s");
    talk.wait_pings("10.0.0.50");
    assert_eq!([place(&bed, "web").0, place(&bed, "db").0], ["node-3", "node-3"]);
    let mac = bed.get("tport", "db-0")["status"]["macAddress"].clone();
    talk.outlives("a node is drained", || {
        bed.kubectl("drain node-3 --ignore-daemonsets --delete-emptydir-data --timeout=60s");
        bed.kubectl("rollout status deployment/web --timeout=60s");
        bed.kubectl("rollout status statefulset/db --timeout=60s");
        let (node, pod) = place(&bed, "web");
        assert_ne!(node, "node-3");
        talk.wait_pings(&address(&bed, &format!("{pod}-net1")));
        talk.wait_pings("10.0.0.50");
        assert_eq!(bed.get("tport", "db-0")["status"]["macAddress"], mac, "its MAC moves with it");
        bed.kubectl("uncordon node-3");
    });

    bed.pod("back", 3, BLUE);
    bed.wait("pod back", "Ready");
    let ip = address(&bed, "back-net1");
    talk.outlives("a node reboots", || {
        bed.reboot(3);
        bed.until("the pod is started again", || {
            bed.get("pod", "back")["status"]["containerStatuses"][0]["restartCount"] == 1
        });
        bed.wait("pod back", "Ready");
        assert_eq!(address(&bed, "back-net1"), ip);
        talk.wait_pings(&ip);
        bed.kubectl("-n tenet-system rollout status daemonset/tenet-agent --timeout=120s");
    });
    can_begin(&bed, 3, &ip);
    bed.kubectl("delete pod back --wait --grace-period=1");
    bed.kubectl("delete deployment/web statefulset/db tport/db-0 --wait --cascade=foreground");
    bed.until("its Port is gone", || !bed.try_kubectl("get tport back-net1").ok());
}
