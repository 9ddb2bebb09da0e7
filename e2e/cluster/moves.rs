//! A port moves from node to node: by whoever may edit it, also past the death of the node that had it.

use crate::nodes::Cluster;
use crate::support::{Guest, ip, until};

const WORLD: &str = "
Network blue {}
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port a {networkRef: {name: blue}}
Port b {networkRef: {name: blue}}";

/// Says where a port belongs.
fn belongs(cluster: &Cluster, port: &str, node: &str) {
    cluster.kubectl(&format!("patch tport {port} --type=merge -p {{\"spec\":{{\"nodeName\":\"{node}\"}}}}"));
}

fn holder(cluster: &Cluster, port: &str) -> String {
    cluster.get("tport", port)["status"]["binding"]["nodeName"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_port_is_taken_from_another_node_only_where_its_owner_says_that_it_belongs_there() {
    let mut cluster = Cluster::start(2);
    cluster.apply(WORLD);
    cluster.wait("tport/a tport/b", "Ready");
    let (_a, b) = (cluster.guest(1, "a"), cluster.guest(2, "b"));
    ip("netns add again\n-n again link set lo up");

    // The word of a node is not enough, whoever types it there.
    let said = cluster.nodes[1].tenet("plug a --netns again --force");
    assert!(!said.ok() && said.err.contains("plugged into eth0 on node node-1"), "{said:?}");
    assert!(said.err.contains("set the port's spec.nodeName to node-2"), "{said:?}");
    assert_eq!(holder(&cluster, "a"), "node-1");

    // The node that has it is dead: it is taken over.
    cluster.nodes[0].kill_agent();
    belongs(&cluster, "a", "node-2");
    let plug = |line: &str| cluster.nodes[1].tenet(line);
    until("without force its holder is named", || {
        let said = plug("plug a --netns again --timeout 1s");
        assert!(!said.ok(), "{said:?}");
        said.err.contains("take it over with --force")
    });
    plug("plug a --netns again --force").expect_ok();
    assert_eq!(holder(&cluster, "a"), "node-2");
    let again = Guest::named("again");
    again.ip("addr add 10.0.0.2/24 dev eth0");
    b.wait_pings("10.0.0.2");

    // It comes back, and lets go.
    cluster.nodes[0].start_agent();
    until("the guest on the first node has lost its interface", || !Guest::named("a").run("ip link show eth0").ok());
    assert_eq!(holder(&cluster, "a"), "node-2");

    // A living holder lets go by itself, and another plugs.
    belongs(&cluster, "a", "node-1");
    let took = until("the second node lets go", || holder(&cluster, "a").is_empty());
    println!("let go after {took:?}");
    ip("netns add third\n-n third link set lo up");
    cluster.nodes[0].tenet("plug a --netns third").expect_ok();
    assert_eq!(holder(&cluster, "a"), "node-1");
    let third = Guest::named("third");
    third.ip("addr add 10.0.0.2/24 dev eth0");
    b.wait_pings("10.0.0.2");
}
