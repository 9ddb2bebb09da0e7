//! The thinnest path: YAML to the API server, a status, a guest that pings.

use crate::nodes::Cluster;

const NETWORK: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port a {networkRef: {name: blue}}
Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.0.77}]}";

#[test]
fn what_is_applied_becomes_ready_and_guests_of_one_node_reach_each_other() {
    let cluster = Cluster::start(1);
    cluster.apply(NETWORK);
    cluster.wait("tport/a tport/b", "Ready");
    let a = cluster.get("tport", "a");
    assert_eq!(a["status"]["addresses"][0]["ip"], "10.0.0.2", "{a}");
    assert!(a["status"]["binding"].is_null(), "{a}");
    let (one, _two) = (cluster.guest(1, "a"), cluster.guest(1, "b"));
    cluster.wait("tport/a tport/b", "Programmed");
    one.wait_pings("10.0.0.77");
    let a = cluster.get("tport", "a");
    assert_eq!(a["status"]["binding"]["nodeName"], "node-1", "{a}");
    let kernel = cluster.get("tagent", "node-1")["status"]["kernel"].clone();
    let found: Vec<&str> = kernel["features"].as_array().unwrap().iter().filter_map(|f| f.as_str()).collect();
    assert!(
        ["vxlan", "neigh-suppress", "nft-nat", "conntrack"].iter().all(|needed| found.contains(needed)),
        "{kernel}"
    );
    println!("{}", cluster.kubectl("get tenet -A"));
}
