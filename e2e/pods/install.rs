//! What `manifests/` installs runs on real kubelets, and what it made outlives it.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Instant;

use crate::bed::Bed;
use crate::support::{Said, binary, run};

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
SecurityGroup default {rules: [{direction: Ingress}, {direction: Egress}]}
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}]}";

/// What of a node's outlives an agent: namespaces and file systems below the socket's folder, by what they are.
fn pins(bed: &Bed, node: usize) -> BTreeMap<String, String> {
    let said = bed.nodes[node - 1].run("find /run/tenet -not -type s -printf %P=%i\\n").expect_ok();
    said.lines().filter_map(|line| line.split_once('=')).map(|(path, inode)| (path.into(), inode.into())).collect()
}

#[test]
fn ports_are_plugged_into_pods_and_outlive_agent_kubelet_and_containerd() {
    let start = Instant::now();
    let mut bed = Bed::start(3);
    println!("Tenet is Ready on all nodes after {:.1} s", start.elapsed().as_secs_f64());
    bed.apply(WORLD);
    bed.pod("one", 1, "{}");
    bed.pod("two", 2, "{}");
    bed.wait("pod one two", "Ready");
    println!("pods run after {:.1} s", start.elapsed().as_secs_f64());
    for (pod, port, node, address) in [("one", "a", 1, "10.0.0.11"), ("two", "b", 2, "10.0.0.12")] {
        let netns = bed.netns(pod);
        bed.agent(node, &format!("tenet plug {port} --netns {netns} --ifname net1")).expect_ok();
        bed.station(pod).ip(&format!("addr add {address}/24 dev net1"));
    }
    let (one, two) = (bed.station("one"), bed.station("two"));
    one.wait_pings("10.0.0.12");
    let said = bed.kubectl("exec one -- ping -c 1 -W 2 10.0.0.12");
    assert!(said.contains(" 0% packet loss"), "{said}");
    // The first network is as it was.
    one.wait_pings(bed.get("pod", "two")["status"]["podIP"].as_str().unwrap());
    for (name, octets) in bed.memory() {
        println!("{name:32} {:5} MiB", octets >> 20);
    }

    let (flow, before) = (one.stream_to(&two, "10.0.0.12"), [pins(&bed, 1), pins(&bed, 2)]);
    assert!(before[0].contains_key("vswitch"), "{before:?}");
    let (old, agents) = (bed.agent_pod(1), bed.kubectl("-n tenet-system get pods -o name"));
    for node in [1, 2] {
        bed.kubectl(&format!("-n tenet-system delete --wait {}", bed.agent_pod(node)));
    }
    bed.kubectl("-n tenet-system rollout status daemonset/tenet-agent --timeout=120s");
    assert_ne!(old, bed.agent_pod(1), "{agents}");
    bed.wait("tagent --all", "Ready");
    assert_eq!(before, [pins(&bed, 1), pins(&bed, 2)], "what is pinned is what was");

    for node in &mut bed.nodes {
        node.kill_kubelet();
        node.kill_containerd();
        node.start_containerd();
        node.start_kubelet();
    }
    bed.until("kubelets are back", || bed.agent(1, "tenet --version").ok() && bed.agent(2, "tenet --version").ok());
    bed.wait("nodes --all", "Ready");
    let (sent, lost) = flow.end();
    println!("{sent} packets across agents, kubelets and containerds that were replaced: {lost} lost");
    assert_eq!(lost, 0);
    bundle(&bed);
}

/// A bug report has what every container of ours has said.
fn bundle(bed: &Bed) {
    let file = bed.folder().join("bundle.tar.gz");
    let mut tenet = Command::new(binary());
    tenet.args(["bundle", "-A", "--file"]).arg(&file).arg("--kubeconfig").arg(bed.plane.kubeconfig());
    Said::of(&tenet.output().unwrap()).expect_ok();
    let paths = run(&format!("tar tzf {}", file.display())).expect_ok();
    let listed = bed.kubectl("-n tenet-system get pods -o jsonpath={.items[*].metadata.name}");
    for pod in listed.split_whitespace() {
        assert!(paths.contains(&format!("/logs/{pod}-")), "{pod}: {paths}");
    }
    let logs = run(&format!("tar xzOf {} --wildcards */logs/*", file.display())).expect_ok();
    assert!(logs.contains("agent started") && logs.contains("controller started"), "{logs}");
}
