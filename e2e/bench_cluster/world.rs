//! A big world: seen for the first time, found in place by everybody who starts again, and as good as nothing to a node
//! that uses little of it.

use std::time::{Duration, Instant};

use crate::api::{User, listen};
use crate::guest::Guest;
use crate::meter;
use crate::nodes::{CONTROLLER_METRICS, Cluster, SERVER};
use crate::page::{self, figure, writes};
use crate::plug::Client;
use crate::row::{Row, Unit};
use crate::support::until;
use crate::yaml;

const PORTS: usize = 10_000;
const NETWORKS: usize = 1000;
const ROUTERS: usize = 200;
/// What the last node uses: all ports of the first network, which no router connects.
const USED: usize = PORTS / NETWORKS;
/// Changes elsewhere.
const FOREIGN: usize = 1000;

fn network(n: usize) -> String {
    yaml::network(&format!("n{n}"), &format!("10.{}.{}.0/24", n / 250, n % 250))
}

fn port(n: usize) -> (String, String) {
    (format!("p{n}"), format!("n{}", n % NETWORKS))
}

/// Waits for the kernels to be as they are to be, and for the controller.
fn settled(cluster: &Cluster) {
    cluster.nodes.iter().for_each(page::converged);
    decided();
}

/// Waits for the controller to have read and decided all, and to have written it.
fn decided() {
    let page = |address: &str, path: &str| page::try_get(address, path).filter(|(status, _)| *status == 200);
    let controller = format!("{SERVER}:{CONTROLLER_METRICS}");
    until("the controller leads and has nothing left to write", || {
        page(&controller, "/readyz").and_then(|_| page(&controller, "/metrics")).is_some_and(|(_, text)| {
            figure(&text, "tenet_controller_leader") == 1
                && figure(&text, "tenet_reconcile_duration_seconds_count") > 0
                && figure(&text, "tenet_queue_depth") == 0
        })
    });
}

pub fn rows() -> Vec<Row> {
    let mut cluster = Cluster::bare(3);
    let outside = cluster.wire(&[1, 2]);
    let kubeconfig = cluster.plane.kubeconfig();
    let user = User::new(&kubeconfig);
    let last = cluster.nodes.len() - 1;

    // A small world, and what the last node uses of it.
    let external = yaml::outside("br-ext", "203.0.113.0/24", ("203.0.113.10", "203.0.113.250"));
    cluster.plane.expect(&["create", "-f", "-"], &(external + &network(0)));
    user.create((0..USED).map(|n| port(n * NETWORKS)), 8);
    let guests: Vec<Guest> = (0..USED).map(|_| Guest::new()).collect();
    for (n, guest) in guests.iter().enumerate() {
        Client::plug(&cluster.nodes[last].socket(), &port(n * NETWORKS).0, guest).plugged();
    }
    cluster.nodes[last].kill_agent();
    cluster.nodes[last].start_agent();
    settled(&cluster);
    std::thread::sleep(Duration::from_secs(2));
    let small = meter::resident(cluster.nodes[last].pid());

    // All the rest, while nobody decides anything.
    cluster.stop_controller(0);
    user.apply_wide(&(1..NETWORKS).map(network).collect::<String>(), 8);
    let router = |n: usize| yaml::router(&format!("r{n}"), &[format!("n{n}")]);
    user.apply_wide(&(1..=ROUTERS).map(router).collect::<String>(), 8);
    let rest: Vec<_> = (0..PORTS).filter(|n| n % NETWORKS != 0).map(port).collect();
    user.create(rest.iter().cloned(), 8);
    let [ports, routers] = ["Port", "Router"].map(|kind| listen(&kubeconfig, kind));
    let start = Instant::now();
    cluster.revive_controller();
    ports.all(&rest.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), "Ready");
    routers.all(&(1..=ROUTERS).map(|n| format!("r{n}")).collect::<Vec<_>>(), "Programmed");
    settled(&cluster);
    let never_seen = start.elapsed();
    let cpu = meter::process(cluster.controller_pid(0));

    // Everybody starts again.
    std::thread::sleep(Duration::from_secs(3));
    cluster.stop_controller(0);
    cluster.nodes.iter_mut().for_each(crate::nodes::Node::kill_agent);
    let start = Instant::now();
    cluster.revive_controller();
    cluster.nodes.iter_mut().for_each(crate::nodes::Node::start_agent);
    cluster.nodes.iter().for_each(page::converged);
    let agents = start.elapsed();
    decided();
    let in_place = start.elapsed();
    std::thread::sleep(Duration::from_secs(3));
    let written: u64 = writes(&cluster).iter().sum();
    let memory = meter::resident(cluster.controller_pid(0));
    let big = meter::resident(cluster.nodes[last].pid());

    // What happens elsewhere.
    let before = meter::process(cluster.nodes[last].pid());
    let more: Vec<String> = (0..FOREIGN).map(|n| format!("foreign-{n}")).collect();
    user.create(more.iter().enumerate().map(|(n, name)| (name.clone(), format!("n{}", 1 + n % (NETWORKS - 1)))), 8);
    ports.all(&more, "Ready");
    let foreign = meter::process(cluster.nodes[last].pid()) - before;
    drop((guests, outside));
    vec![
        Row::new(
            "never-seen",
            "10 000 ports, 1000 networks, 200 routers, all new",
            60.0,
            never_seen.as_secs_f64(),
            Unit::S,
        )
        .note(format!("controller {:.1} CPU s", cpu.as_secs_f64())),
        Row::new(
            "in-place",
            "that world in place: controller and agents started",
            5.0,
            in_place.as_secs_f64(),
            Unit::S,
        )
        .note(format!("the agents {:.1} s", agents.as_secs_f64())),
        Row::new("in-place", "writes of that", 0.0, written as f64, Unit::Count),
        Row::new("in-place", "memory of the controller", 300.0, memory, Unit::MiB),
        Row::new("foreign", "memory of an agent that uses 10 ports, to a world of 10", 1.2, big / small, Unit::Ratio)
            .note(format!("{big:.1} MiB, {small:.1} in the small world")),
        Row::new(
            "foreign",
            "its CPU for each port created elsewhere",
            0.02,
            meter::ms(foreign) / FOREIGN as f64,
            Unit::Ms,
        ),
    ]
}
