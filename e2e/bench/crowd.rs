//! One port more in a world of ten thousand, a hundred of them plugged here.

use std::time::Duration;

use crate::guest::Guest;
use crate::meter::{self, ms, quantile};
use crate::plug::Client;
use crate::row::{Row, Unit};
use crate::support::Host;
use crate::yaml;

const NETWORKS: usize = 50;
const ROUTERS: usize = 20;
const PORTS: usize = 10_000;
const HERE: usize = 100;
const ROUNDS: usize = 20;
/// What is done after the answer counts as well.
const AFTER: Duration = Duration::from_millis(300);

pub fn rows() -> Vec<Row> {
    let mut host = Host::bare();
    host.bridge("br-ext", "203.0.113.1/24");
    host.write("a.yaml", &yaml::world(NETWORKS, ROUTERS));
    for network in 0..NETWORKS {
        let ports = (network..PORTS).step_by(NETWORKS).map(|n| yaml::port(&format!("p{n}"), &format!("n{network}")));
        host.write(&format!("n{network}.yaml"), &ports.collect::<String>());
    }
    host.start_at("info");
    let mut guests: Vec<Guest> = (0..HERE).map(|_| Guest::new()).collect();
    let plug = |(n, guest): (usize, &Guest)| Client::plug(&host.socket(), &format!("p{n}"), guest);
    let clients: Vec<_> = guests.iter().enumerate().map(plug).collect();
    clients.into_iter().for_each(|client| drop(client.plugged()));
    let pid = host.pid().unwrap();
    std::thread::sleep(AFTER);
    let mut costs = Vec::new();
    for round in 0..ROUNDS {
        let (guest, name) = (Guest::new(), format!("one-more-{round}"));
        let client = Client::plug(&host.socket(), &name, &guest).waits();
        std::thread::sleep(AFTER);
        let before = meter::process(pid);
        host.write(&format!("{name}.yaml"), &yaml::port(&name, &format!("n{}", round % NETWORKS)));
        client.plugged();
        std::thread::sleep(AFTER);
        costs.push(ms(meter::process(pid) - before));
        guests.push(guest);
    }
    let note = format!("least {:.1} ms, RSS {:.0} MiB", quantile(costs.clone(), 0.0), meter::resident(pid));
    let what = "CPU of one port added and plugged among 10 000, 100 here, p50";
    vec![Row::new("add", what, 15.0, quantile(costs, 0.5), Unit::Ms).note(note)]
}
