//! What moves: a port to another node, a router from a node that is cut off.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use tenet::agent::protocol::{Answer, Request};

use crate::guest::Guest;
use crate::lane::PORT;
use crate::meter::{ms, quantile};
use crate::nodes::Cluster;
use crate::plug::Client;
use crate::row::{Row, Unit};
use crate::support::until;

const MOVES: usize = 20;
/// Packets that are sent after a switch.
const FLOW: u64 = 200;
const FALLS: usize = 3;
const MOVED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 12);
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

/// The port moves to and fro with its guest; how long each switch took, and how many packets were lost after it.
fn migrate(cluster: &Cluster, (peer, way): (&Guest, &UdpSocket), mut there: Guest) -> (Vec<f64>, f64) {
    let (mut took, mut lost) = (Vec::new(), 0);
    for round in 0..MOVES {
        peer.ping(MOVED);
        let to = (round + 1) % 2;
        let (socket, node) = (cluster.nodes[to].socket(), &cluster.nodes[to].name);
        cluster.kubectl(&format!("patch tport b --type=merge -p {{\"spec\":{{\"migrationNodeName\":\"{node}\"}}}}"));
        let (guest, namespace, name) = (Guest::new(), "default".to_owned(), "b".to_owned());
        let (target, timeout_ms) = (guest.target(), 60_000);
        let prepare = Request::Prepare { namespace: namespace.clone(), name: name.clone(), target, timeout_ms };
        guest.take(&Client::ask(&socket, &prepare).plugged());
        let at = guest.udp(PORT);
        at.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let start = Instant::now();
        Client::ask(&socket, &Request::Switch { namespace, name, timeout_ms }).plugged();
        took.push(ms(start.elapsed()));
        let flow = Instant::now();
        for number in 0..FLOW {
            way.send_to(&number.to_be_bytes(), (MOVED, PORT)).unwrap();
            std::thread::sleep(Duration::from_millis(number + 1).saturating_sub(flow.elapsed()));
        }
        let mut octets = [0; 8];
        lost += FLOW - std::iter::from_fn(|| at.recv(&mut octets).ok()).count() as u64;
        there = guest;
    }
    drop(there);
    #[allow(clippy::cast_precision_loss, reason = "few")]
    (took, lost as f64)
}

pub fn rows() -> Vec<Row> {
    let cluster = Cluster::bare(3);
    let _outside = cluster.wire(&[1, 2]);
    cluster.apply(
        "Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}]}
PhysicalNetwork wire {attachments: [{interface: br-ext}]}
Network public {external: true, provider: {physicalNetwork: wire, type: Flat}}
Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/24, gatewayIP: 203.0.113.1, allocationPools: [{start: 203.0.113.10, end: 203.0.113.99}]}
Router r {interfaces: [{subnetRef: {name: web}}], externalGateway: {networkRef: {name: public}}}",
    );
    let socket = |node: usize| cluster.nodes[node].socket();
    let plug = |node: usize, port: &str| {
        let guest = Guest::new();
        guest.take(&Client::plug(&socket(node), port, &guest).plugged());
        guest
    };
    let peer = plug(2, "a");
    let way = peer.udp(0);
    let mut moved = Vec::new();
    let mut there = plug(0, "b");
    for round in 0..MOVES {
        peer.ping(MOVED);
        let (from, to) = (round % 2, (round + 1) % 2);
        let unplug = Request::Unplug { namespace: "default".into(), name: "b".into() };
        let said = Client::ask(&socket(from), &unplug).answer();
        assert!(matches!(said, Answer::Done(_)), "{said:?}");
        there = plug(to, "b");
        let at = there.udp(PORT);
        at.set_nonblocking(true).unwrap();
        let start = Instant::now();
        while at.recv(&mut [0; 8]).is_err() {
            let _ = way.send_to(&[0; 8], (MOVED, PORT));
            std::thread::sleep(Duration::from_micros(200));
            assert!(start.elapsed() < Duration::from_secs(30), "the peer does not follow");
        }
        moved.push(ms(start.elapsed()));
    }
    let (switched, lost) = migrate(&cluster, (&peer, &way), there);

    cluster.wait("trtr/r", "Ready");
    let mut followed = Vec::new();
    for _ in 0..FALLS {
        peer.ping(OUTSIDE);
        let gateway = cluster.get("trtr", "r")["status"]["gatewayNode"].as_str().unwrap().to_owned();
        let node = cluster.nodes.iter().find(|node| node.name == gateway).unwrap();
        let start = Instant::now();
        node.cut();
        // What is under way still.
        std::thread::sleep(Duration::from_millis(50));
        peer.ping(OUTSIDE);
        followed.push(start.elapsed().as_secs_f64());
        node.heal();
        until("it is heard again", || cluster.kubectl(&format!("get tagent {gateway} --no-headers")).contains("True"));
    }
    let p90 = format!("p90 {:.1} ms", quantile(moved.clone(), 0.9));
    let also = format!("p90 {:.1} ms, until it is said to be done", quantile(switched.clone(), 0.9));
    let most = format!("at most {:.2} s", quantile(followed.clone(), 1.0));
    vec![
        Row::new(
            "move",
            "port plugged on another node to its peer's first packet there, p50",
            100.0,
            quantile(moved, 0.5),
            Unit::Ms,
        )
        .note(p90),
        Row::new(
            "migrate",
            "prepared port switched: from the order to all of it done, p50",
            100.0,
            quantile(switched, 0.5),
            Unit::Ms,
        )
        .note(also),
        Row::new("migrate-lost", "packets lost of a 1 kHz flow after a switch, in 20 of them", 1.0, lost, Unit::Count),
        Row::new(
            "takeover",
            "gateway node cut off to first SNAT ping through another, p50",
            3.0,
            quantile(followed, 0.5),
            Unit::S,
        )
        .note(most),
    ]
}
