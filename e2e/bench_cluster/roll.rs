//! A rolling update of the agents, to another image: packets lost, and for how long pods are refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use crate::bed::Bed;
use crate::row::{Row, Unit};
use crate::support::traffic::Flow;

const BLUE: &str = "{tenet.network/networks: blue}";
const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
SecurityGroup default {rules: [{direction: Ingress}, {direction: Egress}]}
Port probe {networkRef: {name: blue}}";

pub fn rows() -> Vec<Row> {
    let bed = Bed::start(3);
    bed.apply(WORLD);
    for node in &bed.nodes {
        let image = "docker.io/library/tenet";
        node.ctr(&format!("images tag {image}:0.1.0 {image}:next")).expect_ok();
    }
    let named = [("one", 1), ("near", 1), ("far", 2)];
    named.iter().for_each(|(pod, node)| bed.pod(pod, *node, BLUE));
    bed.wait("pod one near far", "Ready");
    let one = bed.station("one");
    let flows = ["near", "far"].map(|pod| {
        let ip = bed.get("tport", &format!("{pod}-net1"))["status"]["addresses"][0]["ip"].as_str().unwrap().to_owned();
        one.wait_pings(&ip);
        one.stream_to(&bed.station(pod), &ip)
    });
    let stop = Arc::new(AtomicBool::new(false));
    let (refused, asked) = thread::scope(|scope| {
        let asks = scope.spawn(|| refusals(&bed, &stop));
        bed.kubectl("-n tenet-system set image daemonset/tenet-agent cni=tenet:next agent=tenet:next");
        bed.kubectl("-n tenet-system rollout status daemonset/tenet-agent --timeout=300s");
        stop.store(true, Ordering::Relaxed);
        asks.join().unwrap()
    });
    let ends: Vec<(u64, u64)> = flows.into_iter().map(Flow::end).collect();
    let (sent, lost) = ends.iter().fold((0, 0), |sum, flow| (sum.0 + flow.0, sum.1 + flow.1));
    vec![
        Row::new("roll", "rolling update of the agents: packets lost", 0.0, lost as f64, Unit::Count)
            .note(format!("of {sent}")),
        Row::new("roll", "rolling update: how long an ADD is refused", 2.0, refused, Unit::S).note(asked),
    ]
}

/// Has the plugin of node 1 plug and unplug a pod again and again, as a runtime does; for how long it is refused at most, and how
/// long the longest took that was not.
fn refusals(bed: &Bed, stop: &AtomicBool) -> (f64, String) {
    let node = &bed.nodes[0];
    node.run("ip netns add probe").expect_ok();
    let call = |command: &str| {
        let config = r#"{"cniVersion":"1.1.0","name":"probe","type":"tenet","port":"probe"}"#;
        let given = format!(
            "CNI_COMMAND={command} CNI_CONTAINERID=probe CNI_IFNAME=net1 CNI_NETNS=/run/netns/probe CNI_PATH=/opt/cni/bin \
             CNI_ARGS='K8S_POD_NAMESPACE=default;K8S_POD_NAME=probe' /opt/cni/bin/tenet"
        );
        let mut run = node.enter("sh".as_ref());
        run.args(["-c", &format!("echo '{config}' | {given}")]).output().unwrap().status.success()
    };
    let (mut longest, mut since, mut slowest, mut count) = (0.0_f64, None, 0.0_f64, 0);
    while !stop.load(Ordering::Relaxed) {
        let start = Instant::now();
        count += 1;
        if call("ADD") {
            slowest = slowest.max(start.elapsed().as_secs_f64());
            if let Some(since) = since.take() {
                longest = longest.max(start.duration_since(since).as_secs_f64());
            }
        } else {
            since.get_or_insert(start);
        }
        call("DEL");
    }
    longest = longest.max(since.map_or(0.0, |since: Instant| since.elapsed().as_secs_f64()));
    (longest, format!("{count} asked one after the other; the slowest was done after {slowest:.1} s"))
}
