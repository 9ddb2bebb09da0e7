//! Ports: one by one, many at once, created faster than they are served, and an agent that starts again among them.

use std::time::{Duration, Instant};

use tenet::agent::protocol::Plugged;

use crate::api::{User, listen};
use crate::groups::settle;
use crate::guest::Guest;
use crate::lane::{self, Lane, PORT};
use crate::meter::{self, ms, quantile};
use crate::nodes::Cluster;
use crate::plug::Client;
use crate::row::{Row, Unit};

const NODES: usize = 3;
const ROUNDS: usize = 40;
const MANY: usize = 500;
const FLOOD: usize = 2000;
const NETWORKS: usize = 10;

fn network(n: usize) -> String {
    format!("Network n{n}\nSubnet n{n} {{networkRef: {{name: n{n}}}, cidr: 10.{n}.0.0/16}}\n")
}

pub fn rows() -> Vec<Row> {
    let mut cluster = Cluster::bare(NODES);
    cluster.apply(&(0..NETWORKS).map(network).collect::<String>());
    cluster.wait("tnet --all", "Ready");
    let user = User::new(&cluster.plane.kubeconfig());
    let heard = listen(&cluster.plane.kubeconfig(), "Port");
    let mut guests = Vec::new();
    let plug = |cluster: &Cluster, name: &str, at: usize, guest: &Guest| {
        Client::plug(&cluster.nodes[at % NODES].socket(), name, guest)
    };

    let mut one = Vec::new();
    for round in 0..ROUNDS {
        let (guest, name) = (Guest::new(), format!("one-{round}"));
        let client = plug(&cluster, &name, round, &guest).waits();
        std::thread::sleep(Duration::from_millis(50));
        let start = Instant::now();
        user.create([(name.clone(), format!("n{}", round % NETWORKS))].into_iter(), 1);
        one.push(ms(heard.all(&[name], "Programmed") - start));
        client.plugged();
        guests.push(guest);
    }
    let mut offers = Vec::new();
    for round in 0..10 {
        let (guest, name) = (Guest::new(), format!("offer-{round}"));
        let client = plug(&cluster, &name, round, &guest).waits();
        let (world, n) = (network(NETWORKS + round), NETWORKS + round);
        let text = crate::support::yaml(&format!("{world}Port {name} {{networkRef: {{name: n{n}}}}}"));
        let start = Instant::now();
        user.apply(&text);
        let plugged = client.plugged();
        guest.offer(plugged.mac_address.0);
        offers.push(ms(start.elapsed()));
        guests.push(guest);
    }

    let cpu = |cluster: &Cluster| cluster.pids().into_iter().map(meter::process).sum::<Duration>();
    let names: Vec<String> = (0..MANY).map(|n| format!("many-{n}")).collect();
    let more: Vec<Guest> = (0..MANY).map(|_| Guest::new()).collect();
    let clients: Vec<Client> = names
        .iter()
        .enumerate()
        .zip(&more)
        .map(|((at, name), guest)| plug(&cluster, name, at, guest).waits())
        .collect();
    let (before, start) = (cpu(&cluster), Instant::now());
    user.create(names.iter().enumerate().map(|(n, name)| (name.clone(), format!("n{}", n % NETWORKS))), 8);
    let burst = heard.all(&names, "Programmed") - start;
    let burst_cpu = cpu(&cluster) - before;
    let plugged: Vec<Plugged> = clients.into_iter().map(Client::plugged).collect();

    let [controller, agent] = [cluster.controller_pid(0), cluster.nodes[0].pid()];
    let memory = [controller, agent].map(meter::resident);
    let (from, to) = (&more[0], &more[NODES * NETWORKS]);
    let port = cluster.get("tport", &names[NODES * NETWORKS]);
    let address = port["status"]["addresses"][0]["ip"].as_str().unwrap().parse().unwrap();
    let own = [&plugged[0], &plugged[NODES * NETWORKS]];
    [from, to].into_iter().zip(own).for_each(|(guest, plugged)| guest.take(plugged));
    let lanes = [Lane::new(from, to, address, PORT)];
    cluster.nodes.iter().for_each(|node| settle(node.pid()));
    let (restart, flows) = lane::counted(&lanes, || {
        std::thread::sleep(Duration::from_millis(500));
        cluster.nodes[0].kill_agent();
        let start = Instant::now();
        cluster.nodes[0].start_agent();
        plug_again(&cluster, &names[0], from);
        let took = start.elapsed();
        std::thread::sleep(Duration::from_secs(1));
        took
    });

    let flood: Vec<String> = (0..FLOOD).map(|n| format!("flood-{n}")).collect();
    let start = Instant::now();
    let created =
        user.create(flood.iter().enumerate().map(|(n, name)| (name.clone(), format!("n{}", n % NETWORKS))), 8);
    let ready = heard.all(&flood, "Ready") - start;

    let p90 = |all: &[f64]| format!("p90 {:.1} ms", quantile(all.to_vec(), 0.9));
    let each = |took: Duration| took.as_secs_f64() * 1e3 / FLOOD as f64;
    vec![
        Row::new("one", "port created to Programmed, one by one, p50", 50.0, quantile(one.clone(), 0.5), Unit::Ms)
            .note(p90(&one)),
        Row::new(
            "offer",
            "network, subnet and port created to DHCP offer, p50",
            150.0,
            quantile(offers.clone(), 0.5),
            Unit::Ms,
        )
        .note(p90(&offers)),
        Row::new("burst", "500 ports at once, all Programmed", 6.0, burst.as_secs_f64(), Unit::S),
        Row::new("burst", "CPU of that, controller and agents", 5.0, burst_cpu.as_secs_f64(), Unit::S),
        Row::new("memory", "controller and an agent with 500 ports", 80.0, memory.iter().sum(), Unit::MiB)
            .note(format!("controller {:.0}, agent {:.0} MiB", memory[0], memory[1])),
        Row::new("restart", "agent restarted with 500 ports to converged", 1.0, restart.as_secs_f64(), Unit::S),
        Row::new("restart", "packets lost meanwhile, 1000 a second", 0.0, flows[0].lost as f64, Unit::Count)
            .note(format!("of {}", flows[0].sent)),
        Row::new(
            "rates",
            "time of a create, 8 clients, a backlog allowed (250 a second)",
            4.0,
            each(created),
            Unit::Ms,
        )
        .note(format!("{:.0} a second", 1e3 / each(created))),
        Row::new("rates", "time of a create that is served, sustained (100 a second)", 10.0, each(ready), Unit::Ms)
            .note(format!("{:.0} a second", 1e3 / each(ready))),
    ]
}

/// Asks for what is plugged already until the agent answers: it has converged.
fn plug_again(cluster: &Cluster, name: &str, guest: &Guest) {
    let socket = cluster.nodes[0].socket();
    let start = Instant::now();
    while std::os::unix::net::UnixStream::connect(&socket).is_err() {
        assert!(start.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(2));
    }
    Client::plug(&socket, name, guest).plugged();
}
