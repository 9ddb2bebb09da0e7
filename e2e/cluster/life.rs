//! What becomes of objects: in use, deleted in any order, with their namespace; two controllers; statuses that do not lie.

use crate::nodes::Cluster;
use crate::support::until;

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port a {networkRef: {name: blue}}
Port b {networkRef: {name: blue}}";

fn ready(cluster: &Cluster, kind: &str, name: &str) -> (String, String) {
    let object = cluster.get(kind, name);
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let ready = conditions.iter().find(|c| c["type"] == "Ready").cloned().unwrap_or_default();
    let text = |field: &str| ready[field].as_str().unwrap_or_default().to_owned();
    (text("status"), format!("{}: {}", text("reason"), text("message")))
}

#[test]
fn what_is_used_stays_until_it_is_not_and_locks_go_with_their_owners() {
    let cluster = Cluster::bare(1);
    cluster.apply(WORLD);
    cluster.wait("tport/a tport/b tnet/blue tsub/web", "Ready");
    let locks = |cluster: &Cluster| cluster.kubectl("get allocations --no-headers").lines().count();
    until("b has an address", || cluster.get("tport", "b")["status"]["addresses"][0]["ip"].is_string());
    until("two addresses and a segment are locked", || locks(&cluster) == 3);
    cluster.kubectl("delete tnet/blue tsub/web --wait=false");
    until("the network says who uses it", || ready(&cluster, "tnet", "blue").1.contains("Subnet default/web"));
    until("the subnet says so, too", || {
        let (status, why) = ready(&cluster, "tsub", "web");
        status == "False" && why.contains("InUse") && why.contains("Port default/a")
    });
    cluster.kubectl("delete tport/a tport/b");
    until("all of it goes", || {
        cluster
            .kubectl("get tenet -A")
            .lines()
            .all(|line| line.contains("agent") || line.starts_with("NAME") || line.is_empty())
    });
    until("nothing is locked any more", || {
        cluster.plane.kubectl(&["get", "allocations", "--no-headers"], "").stdout.is_empty()
    });
}

#[test]
fn a_namespace_goes_with_everything_in_it() {
    let cluster = Cluster::start(0);
    cluster.kubectl("create namespace team-a");
    let there: String = WORLD.lines().map(|l| l.replacen(' ', " team-a/", 1) + "\n").collect();
    cluster.apply(&there);
    cluster.kubectl("wait -n team-a tport/a tport/b --for=condition=Ready --timeout=30s");
    cluster.kubectl("delete namespace team-a --timeout=40s");
    until("nothing is locked any more", || {
        cluster.plane.kubectl(&["get", "allocations", "--no-headers"], "").stdout.is_empty()
    });
}

#[test]
fn more_objects_than_a_page_has_are_all_served_and_a_second_controller_takes_over() {
    let mut cluster = Cluster::start(0);
    let ports: Vec<String> = (0..1200).map(|n| format!("Port p{n} {{networkRef: {{name: blue}}}}")).collect();
    let ports = ports.join("\n");
    cluster.apply(&format!("Network blue\nSubnet web {{networkRef: {{name: blue}}, cidr: 10.0.0.0/16}}\n{ports}"));
    let served = |cluster: &Cluster| {
        let table = cluster.kubectl("get tport --no-headers");
        let addresses: std::collections::BTreeSet<&str> =
            table.lines().filter_map(|line| line.split_whitespace().nth(2)).filter(|a| a.starts_with("10.")).collect();
        addresses.len()
    };
    until("every port has an address of its own", || served(&cluster) == 1200);
    cluster.start_controller();
    cluster.kill_controller(0);
    cluster.apply("Port late {networkRef: {name: blue}}");
    cluster.wait("tport/late", "Ready");
    assert_eq!(served(&cluster), 1201);
    // Nothing is written in a world where all is said.
    let version = |cluster: &Cluster| cluster.get("tport", "p7")["metadata"]["resourceVersion"].clone();
    let before = version(&cluster);
    cluster.start_controller();
    cluster.kill_controller(1);
    cluster.apply("Port later {networkRef: {name: blue}}");
    cluster.wait("tport/later", "Ready");
    assert_eq!(version(&cluster), before, "a new leader writes nothing that is said already");
}

#[test]
fn a_reference_into_another_namespace_needs_a_grant_in_a_cluster_too() {
    let cluster = Cluster::start(1);
    cluster.kubectl("create namespace infra");
    cluster.apply(
        "
Network infra/shared
Subnet infra/web {networkRef: {name: shared}, cidr: 10.9.0.0/24}
Port a {networkRef: {name: shared, namespace: infra}}
Port lost {networkRef: {name: nothing, namespace: infra}}
ReferenceGrant infra/to-default {from: [{namespace: default}], to: [{kind: Network, name: shared}]}",
    );
    cluster.wait("tport/a", "Ready");
    let guest = cluster.guest(1, "a");
    let (status, why) = ready(&cluster, "tport", "lost");
    assert!(status == "False" && why.contains("RefNotPermitted") && !why.contains("exist"), "{status} {why}");
    assert!(guest.run("ip -br link show eth0").out.contains("UP"));
    let events = cluster.kubectl("get events");
    assert!(events.contains("RefNotPermitted") && events.contains("port/lost"), "{events}");
    cluster.kubectl("delete -n infra tgrant/to-default");
    until("the port is cut off", || guest.run("ip -br link show eth0").out.trim().is_empty());
    until("and says why", || ready(&cluster, "tport", "a").1.contains("RefNotPermitted"));
}

#[test]
fn an_agent_that_is_killed_comes_back_and_changes_nothing() {
    let mut cluster = Cluster::start(1);
    cluster.apply(WORLD);
    let (a, _b) = (cluster.guest(1, "a"), cluster.guest(1, "b"));
    a.wait_pings("10.0.0.3");
    let version = |cluster: &Cluster| cluster.get("tport", "a")["metadata"]["resourceVersion"].clone();
    let before = version(&cluster);
    cluster.nodes[0].kill_agent();
    assert!(a.pings("10.0.0.3"));
    cluster.nodes[0].start_agent();
    cluster.apply("Port c {networkRef: {name: blue}}");
    let c = cluster.guest(1, "c");
    assert!(a.pings("10.0.0.3") && c.pings("10.0.0.2"));
    assert_eq!(version(&cluster), before, "nothing is said again");
    assert!(cluster.nodes[0].tenet("unplug c").ok());
    until("the port is free", || cluster.get("tport", "c")["status"]["binding"].is_null());
    until("and says so", || ready(&cluster, "tport", "c").1.starts_with("Unbound"));
    cluster.kubectl("delete tport/b");
    until("its guest is unplugged", || cluster.nodes[0].tenet("unplug b").out.contains("nothing was plugged"));
}
