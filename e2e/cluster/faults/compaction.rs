//! etcd has forgotten what a stopped agent and a stopped controller would go on from: they read all anew.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::audit;
use super::crowd::{Crowd, port};
use crate::flow::Flow;
use crate::nodes::Cluster;
use crate::support::until;

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/16}
Port a {networkRef: {name: blue}}
Port b {networkRef: {name: blue}}";

/// More than a page of a list has twice over.
const PORTS: usize = 1050;
/// So many of them go, more than half: such a list is not believed before it was read twice.
const GONE: usize = 600;

#[test]
fn what_etcd_has_compacted_is_read_anew_and_nothing_that_is_there_is_taken_away() {
    // Without its cache the API server asks etcd for every watch, and cannot answer from what etcd has forgotten.
    let flags = ["--watch-cache=false", "--etcd-compaction-interval=1s"];
    let mut cluster = Cluster::start_with(1, &flags);
    cluster.apply(WORLD);
    cluster.wait("tport/a tport/b", "Ready");
    let crowd = Crowd::new(&cluster.plane.kubeconfig());
    crowd.run(crowd.create((0..PORTS).map(|n| port(&format!("p{n}"))).collect()));
    let [a, b] = ["a", "b"].map(|name| cluster.guest(1, name));
    let to = cluster.get("tport", "b")["status"]["addresses"][0]["ip"].as_str().unwrap().to_owned();
    a.wait_pings(&to);
    // In one piece: what etcd compacts every second does not last from page to page.
    let locks = |cluster: &Cluster| cluster.kubectl("get allocations --no-headers --chunk-size=0").lines().count();
    until("all is served", || locks(&cluster) == PORTS + 3);
    let flow = Flow::start(&a, &b, &to);
    let pids = [cluster.controller_pid(0), cluster.nodes[0].pid()].map(|pid| Pid::from_raw(pid.cast_signed()));
    let all = |signal| pids.iter().for_each(|pid| kill(*pid, signal).unwrap());
    all(Signal::SIGSTOP);
    // Their watches are cut, so that nothing is on its way to them and they have to ask again.
    cluster.plane.kill("kube-apiserver");
    cluster.plane.revive("kube-apiserver");
    cluster.plane.wait_until_ready();
    crowd.run(crowd.delete((0..GONE).map(|n| format!("p{n}"))));
    std::thread::sleep(Duration::from_secs(4));
    let before = cluster.nodes[0].kernel();
    all(Signal::SIGCONT);
    let took = until("locks of what has gone while nobody looked are opened", || locks(&cluster) == PORTS - GONE + 3);
    println!("caught up within {took:?}");
    let said = cluster.said();
    assert!(said.contains("resourceVersion for the provided watch is too old"), "etcd had forgotten nothing");
    assert!(said.contains("a list lacks more than half"), "so many gone at once are asked for twice");
    assert_eq!(before, cluster.nodes[0].kernel());
    audit::balances(&cluster);
    cluster.apply("Port late {networkRef: {name: blue}}");
    cluster.guest(1, "late").wait_pings(&to);
    flow.whole();
}
