//! Many pods on real nodes: what Tenet adds to their start, and what agents weigh then.

use std::thread;
use std::time::{Duration, Instant};

use crate::bed::Bed;
use crate::meter::quantile;
use crate::row::{Row, Unit};
use crate::support::until;

const NODES: usize = 3;
const PODS: usize = 100;
/// Crowds without Tenet, and as many with it: the times of one and the same vary by a tenth.
const ROUNDS: usize = 3;
const BLUE: &str = "{tenet.network/networks: blue}";
const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/22}
SecurityGroup default {rules: [{direction: Ingress}, {direction: Egress}]}";

pub fn rows() -> Vec<Row> {
    let bed = Bed::bare(NODES);
    // What is read from disk for the first time is read before.
    start(&bed, "warm", NODES, "{}", spread);
    end(&bed, "warm");
    let plain = |round| {
        let took = start(&bed, &format!("plain{round}"), PODS, "{}", spread);
        end(&bed, &format!("plain{round}"));
        took
    };
    let without: Vec<f64> = (0..ROUNDS).map(plain).collect();
    bed.install();
    bed.apply(WORLD);
    let ports = || bed.kubectl("get tport -o jsonpath={.items[*].status.addresses[0].ip}").split_whitespace().count();
    let blue = |round| {
        let took = start(&bed, &format!("blue{round}"), PODS, BLUE, spread);
        assert_eq!(ports(), PODS, "each has its address");
        end(&bed, &format!("blue{round}"));
        until("their ports go with them", || ports() == 0);
        took
    };
    let with: Vec<f64> = (0..ROUNDS).map(blue).collect();
    let all = |took: &[f64]| took.iter().map(|s| format!("{s:.1}")).collect::<Vec<_>>().join(", ");
    let note = format!("{} s, {} s without", all(&with), all(&without));
    let mut rows = vec![
        Row::new(
            "crowd",
            "100 pods on 3 nodes, all Running: time with Tenet by time without, median of three",
            1.1,
            quantile(with, 0.5) / quantile(without, 0.5),
            Unit::Ratio,
        )
        .note(note),
    ];
    start(&bed, "all", PODS, BLUE, |_| 1);
    rows.push(
        Row::new("crowd", "memory of an agent whose node has 100 pods", 40.0, memory(&bed), Unit::MiB)
            .note("resident, with what it shares".into()),
    );
    rows
}

fn spread(pod: usize) -> usize {
    1 + pod % NODES
}

/// Makes pods and waits until all run with an address of the first network; after how long, seconds.
fn start(bed: &Bed, name: &str, count: usize, annotations: &str, node: fn(usize) -> usize) -> f64 {
    let pod = |n: usize| {
        format!(
            "---
apiVersion: v1
kind: Pod
metadata: {{name: {name}-{n}, labels: {{crowd: {name}}}, annotations: {annotations}}}
spec:
  nodeName: node-{}
  terminationGracePeriodSeconds: 0
  automountServiceAccountToken: false
  containers: [{{name: guest, image: 'guest:1', imagePullPolicy: Never}}]
",
            node(n)
        )
    };
    let all: String = (0..count).map(pod).collect();
    let start = Instant::now();
    bed.apply_yaml(&all);
    let form = "jsonpath={range.items[*]}{.status.phase}/{.status.podIP},{end}";
    let running = || {
        let said = bed.kubectl(&format!("get pods -l crowd={name} -o {form}"));
        said.split(',').filter(|pod| pod.starts_with("Running/1")).count()
    };
    while running() < count {
        assert!(start.elapsed() < Duration::from_mins(15), "they do not all run: {}", bed.logs());
        thread::sleep(Duration::from_millis(200));
    }
    start.elapsed().as_secs_f64()
}

fn end(bed: &Bed, name: &str) {
    bed.kubectl(&format!("delete pods -l crowd={name} --timeout=600s"));
}

/// Resident memory of the agent on node 1, MiB.
fn memory(bed: &Bed) -> f64 {
    let listed = bed.nodes[0].run("ps -e -o rss=,args=").expect_ok();
    let agent = listed.lines().map(str::trim).find(|line| line.contains(" tenet agent ")).expect("the agent runs");
    agent.split(' ').next().unwrap().parse::<f64>().unwrap() / 1024.0
}
