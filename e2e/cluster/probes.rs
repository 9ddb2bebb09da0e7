//! What kubelet and Prometheus are told, by the controller and by an agent.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::nodes::{CONTROLLER_METRICS, Cluster, METRICS, SERVER};
use crate::support::until;

/// The status line's number and the body.
pub fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The value of a figure, with its labels as they stand.
#[track_caller]
fn figure(page: &str, name: &str) -> u64 {
    let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name}:\n{page}")).parse().unwrap()
}

/// How often the controller and each agent wrote.
pub fn writes(cluster: &Cluster) -> Vec<u64> {
    let agents = cluster.nodes.iter().map(|node| format!("{}:{METRICS}", node.address));
    let all = [format!("{SERVER}:{CONTROLLER_METRICS}")].into_iter().chain(agents);
    all.map(|address| figure(&get(&address, "/metrics").1, "tenet_api_writes_total{result=\"written\"}")).collect()
}

#[test]
fn probes_answer_and_figures_tell_what_there_is() {
    let mut cluster = Cluster::start(1);
    let controller = format!("{SERVER}:{CONTROLLER_METRICS}");
    let agent = format!("{}:{METRICS}", cluster.nodes[0].address);
    cluster.apply(
        "Network blue {}
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port a {networkRef: {name: blue}}
Port b {networkRef: {name: blue}}",
    );
    cluster.wait("tport/a tport/b", "Ready");
    let _a = cluster.guest(1, "a");
    for address in [&controller, &agent] {
        until("it is ready", || get(address, "/readyz") == (200, "ok\n".into()));
        assert_eq!(get(address, "/healthz"), (200, "ok\n".into()));
        assert_eq!(get(address, "/").0, 404);
    }
    until("counts are written", || {
        let page = get(&controller, "/metrics").1;
        page.contains("tenet_subnet_addresses{namespace=\"default\",subnet=\"web\",state=\"allocated\"} 2\n")
            && page.contains("tenet_ports{state=\"programmed\"} 1\n")
    });
    let page = get(&controller, "/metrics").1;
    assert_eq!(figure(&page, "tenet_ports{state=\"unbound\"}"), 1);
    assert_eq!(figure(&page, "tenet_controller_leader"), 1);
    assert!(figure(&page, "tenet_reconcile_duration_seconds_count") > 0);
    assert!(figure(&page, "tenet_api_writes_total{result=\"written\"}") >= 4);
    assert!(figure(&page, "tenet_subnet_addresses{namespace=\"default\",subnet=\"web\",state=\"free\"}") > 200);
    let page = get(&agent, "/metrics").1;
    assert_eq!(figure(&page, "tenet_node_ports{state=\"programmed\"}"), 1);
    assert_eq!(figure(&page, "tenet_kernel_notifications_lost_total"), 0);
    assert!(figure(&page, "tenet_kernel_changes_total") > 3);

    // Without an API server a process that starts is healthy and not ready; one that runs stays ready.
    let ready = get(&agent, "/readyz");
    cluster.plane.kill("kube-apiserver");
    assert_eq!((ready.0, get(&agent, "/readyz").0), (200, 200));
    cluster.nodes[0].kill_agent();
    cluster.nodes[0].start_agent();
    until("it listens", || TcpStream::connect(&agent).is_ok());
    assert_eq!(get(&agent, "/healthz").0, 200);
    let (status, why) = get(&agent, "/readyz");
    assert_eq!((status, &*why), (503, "not all objects have been read from the API server yet\n"));
}

#[test]
fn an_agent_that_only_rehearses_says_what_it_would_do_and_does_nothing() {
    let mut cluster = Cluster::start(1);
    cluster.apply(
        "Network blue {}
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port a {networkRef: {name: blue}}",
    );
    cluster.wait("tport/a", "Ready");
    let _a = cluster.guest(1, "a");
    cluster.wait("tport/a", "Programmed");
    let rehearse = |cluster: &Cluster| cluster.nodes[0].rehearse("3");
    assert_eq!(rehearse(&cluster), "Nothing to change: this host is as declared.\n");

    cluster.nodes[0].kill_agent();
    cluster.kubectl("delete tport a --wait=false");
    let before = cluster.kubectl("get lease -n tenet-agents -o yaml");
    let said = rehearse(&cluster);
    assert!(said.contains("No longer declared") && said.contains("to delete (-)."), "{said}");
    assert_eq!(said, rehearse(&cluster), "it has done what it said");
    assert_eq!(before, cluster.kubectl("get lease -n tenet-agents -o yaml"), "it has spoken");
}
