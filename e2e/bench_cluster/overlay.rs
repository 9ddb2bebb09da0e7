//! What a packet costs between two nodes, beside a raw veth pair.

use std::net::Ipv4Addr;

use crate::guest::{Guest, join};
use crate::lane::{Lane, PORT, Way, costs};
use crate::nodes::Cluster;
use crate::plug::Client;
use crate::row::{Row, Unit};
use crate::support::traffic::hastened;

const ROUNDS: usize = 9;

pub fn rows() -> Vec<Row> {
    let cluster = Cluster::bare(2);
    cluster.apply(
        "Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}]}",
    );
    let guests: [Guest; 4] = std::array::from_fn(|_| Guest::new());
    let [a, b, left, right] = &guests;
    for (node, (name, guest)) in cluster.nodes.iter().zip([("a", a), ("b", b)]) {
        guest.take(&Client::plug(&node.socket(), name, guest).plugged());
    }
    cluster.wait("tport/a tport/b", "Programmed");
    cluster.nodes.iter().for_each(|node| hastened(|line| node.run(line), &node.run_dir().join("filters"), 1));
    join((left, "eth0", "10.9.0.1/24"), (right, "eth0", "10.9.0.2/24"));
    let raw = Lane::new(left, right, Ipv4Addr::new(10, 9, 0, 2), PORT);
    let ours = Lane::new(a, b, Ipv4Addr::new(10, 0, 0, 12), PORT);
    let costs = costs(&[Way::Packets(&raw), Way::Packets(&ours)], ROUNDS);
    let note = format!("{:.0} ns a packet, {:.0} plain", costs[1], costs[0]);
    vec![
        Row::new(
            "overlay",
            "UDP between two nodes, with security groups, to a raw veth pair",
            2.2,
            costs[1] / costs[0],
            Unit::Ratio,
        )
        .note(note),
    ]
}
