//! Port security and stateful security groups: what a packet and a connection cost, and what a change costs, at two and at a
//! thousand ports in the groups.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tenet::agent::protocol::Plugged;

use crate::guest::{Guest, join};
use crate::lane::{Calls, Lane, Way, costs};
use crate::meter::{self, ms, quantile};
use crate::plug::Client;
use crate::row::{Row, Unit};
use crate::support::traffic::hastened;
use crate::support::{Host, run, until};
use crate::yaml;

const PORTS: usize = 1000;
const ROUNDS: usize = 9;
/// The port that packets of a lane go to.
const LANE: u16 = 7000;
/// A port that nobody is let in at until a rule says so.
const LATER: u16 = 7100;
const EDITS: usize = 15;

struct World {
    host: Host,
    guests: Vec<Guest>,
    plugged: Vec<Plugged>,
}

/// A stateful group that lets its members in at the lane's port, over TCP and UDP, and what `more` says.
fn groups(more: &str) -> String {
    let from = |protocol: &str| {
        format!("{{direction: Ingress, protocol: {protocol}, port: {LANE}, remote: {{groupRef: {{name: g}}}}}}")
    };
    let rules = [from("TCP"), from("UDP"), "{direction: Egress}".into()].join(", ");
    yaml::object("SecurityGroup", "g", &format!("rules: [{rules}{more}]"))
}

impl World {
    fn new() -> Self {
        let mut host = Host::bare();
        host.write("groups.yaml", &groups(""));
        let subnet = yaml::object("Network", "n0", "")
            + &yaml::object("Subnet", "n0", "networkRef: {name: n0}, cidr: 10.0.0.0/16, gatewayIP: None");
        let port = |n| yaml::object("Port", &format!("p{n}"), "networkRef: {name: n0}, securityGroupRefs: [{name: g}]");
        host.write("world.yaml", &(subnet + &(0..PORTS).map(port).collect::<String>()));
        host.start_at("info");
        let mut world = Self { host, guests: vec![], plugged: vec![] };
        world.plug(2);
        world
    }

    /// Plugs ports until so many are.
    fn plug(&mut self, count: usize) {
        let new: Vec<Guest> = (self.guests.len()..count).map(|_| Guest::new()).collect();
        let plug = |(n, guest): (usize, &Guest)| {
            Client::plug(&self.host.socket(), &format!("p{}", self.guests.len() + n), guest)
        };
        let clients: Vec<Client> = new.iter().enumerate().map(plug).collect();
        let plugged: Vec<Plugged> = clients.into_iter().map(Client::plugged).collect();
        new.iter().zip(&plugged).for_each(|(guest, plugged)| guest.take(plugged));
        self.guests.extend(new);
        self.plugged.extend(plugged);
        hastened(run, &self.host.dir.join("filters"), count as u32);
    }

    fn restart(&mut self, arguments: &[&'static str]) {
        self.host.stop(Signal::SIGTERM);
        self.host.arguments = arguments.to_vec();
        self.host.start_at("info");
        // A guest that is plugged already is told so after the first convergence.
        Client::plug(&self.host.socket(), "p0", &self.guests[0]).plugged();
    }

    fn address(&self, n: usize) -> Ipv4Addr {
        match self.plugged[n].addresses[0].ip {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(ip) => panic!("{ip}"),
        }
    }

    /// Costs of a packet and of a connection, each by what it costs on a raw veth pair.
    fn ratios(&self, raw: &[Guest; 2]) -> [f64; 2] {
        let [a, b] = raw;
        let lanes = [
            Lane::new(a, b, [10, 9, 0, 2].into(), LANE),
            Lane::new(&self.guests[0], &self.guests[1], self.address(1), LANE),
        ];
        let calls =
            [Calls::new(a, b, [10, 9, 0, 2].into()), Calls::new(&self.guests[0], &self.guests[1], self.address(1))];
        let ways = [Way::Packets(&lanes[0]), Way::Packets(&lanes[1]), Way::Calls(&calls[0]), Way::Calls(&calls[1])];
        let costs = costs(&ways, ROUNDS);
        [costs[1] / costs[0], costs[3] / costs[2]]
    }

    /// Whether a packet to the port that is opened later passes, from one guest to another.
    fn passes(&self, from: usize, to: usize) -> bool {
        self.guests[from].reaches(&self.guests[to], self.address(to), LATER)
    }

    /// One rule more, and one less: time until it is in force at the first and the last port, and CPU of the agent.
    fn rule(&self) -> [f64; 2] {
        let pid = self.host.pid().unwrap();
        let last = PORTS - 1;
        let (mut took, mut cpu) = (Vec::new(), Vec::new());
        let rule = format!(", {{direction: Ingress, protocol: UDP, port: {LATER}}}");
        for _ in 0..EDITS {
            until("nobody is let in", || !self.passes(0, 1) && !self.passes(1, last));
            std::thread::sleep(Duration::from_millis(200));
            let (before, start) = (meter::process(pid), Instant::now());
            self.host.write("groups.yaml", &groups(&rule));
            while !(self.passes(0, 1) && self.passes(1, last)) {}
            took.push(ms(start.elapsed()));
            std::thread::sleep(Duration::from_millis(200));
            cpu.push(ms(meter::process(pid) - before));
            self.host.write("groups.yaml", &groups(""));
        }
        [quantile(took, 0.5), quantile(cpu, 0.5)]
    }
}

/// The highest number of a program that was ever loaded on this machine.
fn programs() -> u32 {
    aya::programs::loaded_programs().filter_map(|program| Some(program.ok()?.id())).max().unwrap_or_default()
}

/// Memory of all tables, MiB, as the kernel accounts for it.
fn tables(host: &Host) -> f64 {
    let mut bytes = 0;
    let filters = host.dir.join("filters");
    let dirs = fs::read_dir(filters).unwrap().map(|entry| entry.unwrap().path());
    for dir in dirs.filter(|dir| dir.file_name().is_some_and(|name| name.to_string_lossy().starts_with("tables-"))) {
        for pin in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
            let map = aya::maps::MapData::from_pin(&pin).unwrap();
            let fd = std::os::fd::AsRawFd::as_raw_fd(&std::os::fd::AsFd::as_fd(map.fd()));
            let text = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap();
            let memory = text.lines().find_map(|line| line.strip_prefix("memlock:")).unwrap();
            bytes += memory.trim().parse::<u64>().unwrap();
        }
    }
    bytes as f64 / f64::from(1 << 20)
}

pub fn rows() -> Vec<Row> {
    let mut world = World::new();
    let raw = [Guest::new(), Guest::new()];
    join((&raw[0], "eth0", "10.9.0.1/24"), (&raw[1], "eth0", "10.9.0.2/24"));
    let few = world.ratios(&raw);
    world.restart(&["--no-fast-path"]);
    let few_bridged = world.ratios(&raw);
    world.plug(PORTS);
    let many_bridged = world.ratios(&raw);
    world.restart(&[]);
    let many = world.ratios(&raw);
    let ratio = |name, what: &str, target, figure| Row::new(name, what, target, figure, Unit::Ratio);
    let mut rows = vec![
        ratio(
            "filtered",
            "UDP between guests with port security and groups, 2 ports, to a raw veth pair",
            1.15,
            few[0],
        ),
        ratio("filtered", "the same at 1000 ports", 1.15, many[0]),
        ratio("filtered", "1000 ports to 2", 1.03, many[0] / few[0]),
        ratio("filtered", "over the bridge, 2 ports, to a raw veth pair", 1.40, few_bridged[0]),
        ratio("filtered", "the same at 1000 ports", 1.40, many_bridged[0]),
        ratio("filtered", "1000 ports to 2, over the bridge", 1.03, many_bridged[0] / few_bridged[0]),
        ratio("filtered", "TCP connect and close, 2 ports, to a raw veth pair", 1.35, few[1]),
        ratio("filtered", "the same at 1000 ports", 1.35, many[1]),
    ];
    let [took, cpu] = world.rule();
    rows.push(Row::new(
        "rule",
        "a rule added to a group of 1000 ports, until it is in force, p50",
        100.0,
        took,
        Unit::Ms,
    ));
    rows.push(Row::new("rule", "CPU of that, p50", 5.0, cpu, Unit::Ms));
    world.host.stop(Signal::SIGKILL);
    let (before, start) = (programs(), Instant::now());
    world.host.start_at("info");
    Client::plug(&world.host.socket(), "p0", &world.guests[0]).plugged();
    let took = start.elapsed().as_secs_f64();
    rows.push(Row::new(
        "filtered-start",
        "agent start with 1000 filtered ports, nothing to change",
        0.7,
        took,
        Unit::S,
    ));
    let loads = f64::from(programs() - before);
    rows.push(Row::new("filtered-start", "programs loaded meanwhile on this machine", 0.0, loads, Unit::Count));
    let what = "memory of the filters' tables, 1000 ports, room for 131 072 flows";
    rows.push(Row::new("tables", what, 40.0, tables(&world.host), Unit::MiB));
    rows
}
