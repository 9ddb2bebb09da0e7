//! A whole Kubernetes cluster: kubelets, containerd, pods; Tenet as `manifests/` installs it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../bed/mod.rs"]
mod bed;
#[path = "../control_plane.rs"]
mod control_plane;
#[path = "../support/mod.rs"]
mod support;

use bed::Bed;

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
SecurityGroup default {rules: [{direction: Ingress}, {direction: Egress}]}
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}]}";

#[test]
fn nodes_get_ready_and_tenet_runs_on_them() {
    let start = std::time::Instant::now();
    let bed = Bed::start(3);
    println!("ready after {:?}", start.elapsed());
    println!("{}", bed.kubectl("get pods,nodes -A -o wide"));
    bed.apply(WORLD);
    bed.pod("one", 1, "{}");
    bed.pod("two", 2, "{}");
    bed.wait("pod one two", "Ready");
    println!("pods after {:?}", start.elapsed());
    for (pod, port, node, address) in [("one", "a", 1, "10.0.0.11"), ("two", "b", 2, "10.0.0.12")] {
        let netns = bed.netns(pod);
        println!("{:?}", bed.agent(node, &format!("tenet plug {port} --netns {netns} --ifname net1")));
        bed.station(pod).ip(&format!("addr add {address}/24 dev net1"));
    }
    let (one, two) = (bed.station("one"), bed.station("two"));
    one.wait_pings("10.0.0.12");
    one.wait_pings(bed.get("pod", "two")["status"]["podIP"].as_str().unwrap());
    let flow = one.stream_to(&two, "10.0.0.12");
    let before = bed.agent_pod(1);
    for node in [1, 2] {
        bed.kubectl(&format!("-n tenet-system delete {}", bed.agent_pod(node)));
    }
    bed.kubectl("-n tenet-system rollout status daemonset/tenet-agent --timeout=120s");
    println!("{before} became {}", bed.agent_pod(1));
    println!("lost {:?}", flow.end());
}
