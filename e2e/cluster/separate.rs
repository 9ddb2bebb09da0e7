//! Four networks stay apart: management (API server to agents), guests' (tunnels), external, and API. A tenant reaches none
//! of them but what its router leads to, and none of them is answered as a tenant is.

use tenet::api::Protocol;

use crate::nodes::{Cluster, METRICS, SERVER};
use crate::spy::Spy;
use crate::support::{Guest, ip};

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Network red
Subnet lone {networkRef: {name: red}, cidr: 10.0.0.0/24}
Port b {networkRef: {name: red}, addresses: [{ip: 10.0.0.12}]}
PhysicalNetwork wire {attachments: [{interface: br-ext}]}
Network public {external: true, provider: {physicalNetwork: wire, type: Flat}}
Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/24, gatewayIP: 203.0.113.1, allocationPools: [{start: 203.0.113.10, end: 203.0.113.99}]}
Router r {interfaces: [{subnetRef: {name: web}}], externalGateway: {networkRef: {name: public}, addresses: [{ip: 203.0.113.9}]}}";

/// A station on a bridge of the host, which nobody knows.
fn stranger(name: &str, bridge: &str) -> Guest {
    ip(&format!(
        "netns add {name}\nlink add {name}0 type veth peer name eth0 netns {name}\nlink set {name}0 master {bridge} up\n-n {name} link set eth0 up"
    ));
    Guest::named(name)
}

#[test]
fn a_tenant_reaches_no_network_of_the_nodes_and_no_such_network_reaches_a_tenant() {
    let cluster = Cluster::start(2);
    let outside = cluster.wire(&[1, 2]);
    // The bridge is the host's, and Linux answers on it for all of the host's addresses, unless told otherwise.
    for node in &cluster.nodes {
        node.run("sysctl -qw net.ipv4.conf.br-ext.arp_ignore=1").expect_ok();
    }
    cluster.apply(WORLD);
    cluster.wait("trtr/r", "Ready");
    let (a, b) = (cluster.guest(1, "a"), cluster.guest(2, "b"));
    a.wait_pings("203.0.113.1");

    // Whoever would be reached would answer: the host does.
    let nodes: Vec<String> = cluster.nodes.iter().map(|node| node.address.clone()).collect();
    let doors: Vec<String> =
        nodes.iter().map(|node| format!("{node}:{METRICS}")).chain([format!("{SERVER}:6443")]).collect();
    for door in &doors {
        assert!(Guest::here("host").call(Protocol::TCP, door).is_some(), "{door}");
    }
    for guest in [&a, &b] {
        for address in nodes.iter().map(String::as_str).chain([SERVER]) {
            assert!(!guest.pings(address), "{} reaches {address}", guest.name);
        }
        for door in &doors {
            assert!(guest.silent(door), "{} reaches {door}", guest.name);
        }
    }
    assert!(!b.pings("203.0.113.1"), "what has no router leaves nowhere");

    // From the outside and from the underlay to a tenant, by whatever way the router's legs may be.
    outside.ip("route add 10.0.0.0/24 via 203.0.113.9");
    assert!(outside.pings("203.0.113.9") && !outside.pings("10.0.0.11") && outside.silent("10.0.0.11:22"));
    let strangers = [stranger("mallory", "wire"), stranger("trudy", "underlay")];
    let spies = [
        Spy::start_on("wire", &["10.0.0.1", "10.0.0.11", &nodes[0], "203.0.113.9"]),
        Spy::start_on("underlay", &["10.0.0.1", "10.0.0.11", "203.0.113.9", &nodes[0]]),
    ];
    for stranger in &strangers {
        // Nobody leases there, whatever is asked.
        let said = stranger.run("udhcpc -i eth0 -n -q -t 3 -T 1 -s /bin/true");
        assert!(!said.ok(), "{} is leased something: {said:?}", stranger.name);
    }
    // Each bridge knows its own addresses and no others.
    let own = ["203.0.113.9", &nodes[0]];
    for (spy, own) in spies.into_iter().zip(own) {
        assert_eq!(spy.heard().into_keys().map(|ip| ip.to_string()).collect::<Vec<_>>(), [own]);
    }
    assert!(a.pings("203.0.113.1"), "and all that time a tenant's own way out works");
}
