//! What a packet costs between two nodes, beside a raw veth pair.

use std::net::Ipv4Addr;

use crate::guest::{Guest, join};
use crate::lane::{Lane, PORT, Way, costs};
use crate::nodes::Cluster;
use crate::plug::Client;
use crate::row::{Row, Unit};
use crate::support::traffic::hastened;
use crate::support::wire::switch;

const ROUNDS: usize = 9;

pub fn rows() -> Vec<Row> {
    let cluster = Cluster::bare(2);
    // Of the underlay, which is no part of a node.
    switch();
    cluster.apply(
        "Network blue
Network open {portSecurity: false}
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Subnet lab {networkRef: {name: open}, cidr: 10.0.1.0/24}
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}]}
Port c {networkRef: {name: open}, addresses: [{ip: 10.0.1.11}]}
Port d {networkRef: {name: open}, addresses: [{ip: 10.0.1.12}]}",
    );
    let guests: [Guest; 6] = std::array::from_fn(|_| Guest::new());
    let [a, b, c, d, left, right] = &guests;
    for (node, (name, guest)) in [0, 1, 0, 1].into_iter().zip([("a", a), ("b", b), ("c", c), ("d", d)]) {
        guest.take(&Client::plug(&cluster.nodes[node].socket(), name, guest).plugged());
    }
    cluster.wait("tport/a tport/b tport/c tport/d", "Programmed");
    cluster.nodes.iter().for_each(|node| hastened(|line| node.run(line), &node.run_dir().join("filters"), 1));
    join((left, "eth0", "10.9.0.1/24"), (right, "eth0", "10.9.0.2/24"));
    let raw = Lane::new(left, right, Ipv4Addr::new(10, 9, 0, 2), PORT);
    let open = Lane::new(c, d, Ipv4Addr::new(10, 0, 1, 12), PORT);
    let guarded = Lane::new(a, b, Ipv4Addr::new(10, 0, 0, 12), PORT);
    let costs = costs(&[Way::Packets(&raw), Way::Packets(&open), Way::Packets(&guarded)], ROUNDS);
    let row = |what, target, cost: f64| {
        Row::new("overlay", what, target, cost / costs[0], Unit::Ratio)
            .note(format!("{cost:.0} ns a packet, {:.0} plain", costs[0]))
    };
    vec![
        row("UDP between two nodes, without port security, to a raw veth pair", 2.2, costs[1]),
        row("the same with security groups", 2.4, costs[2]),
    ]
}
