//! What a change of a security group costs the agent of a node with a thousand ports in it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenet::agent::protocol::Plugged;

use crate::api::{User, ipv4, listen};
use crate::guest::Guest;
use crate::meter::{self, ms, quantile};
use crate::nodes::Cluster;
use crate::plug::Client;
use crate::row::{Row, Unit};
use crate::support::{until, within, yaml};

const PORTS: usize = 1000;
const ROUNDS: usize = 15;
/// What nobody is let in at until a rule says so.
const LATER: u16 = 7100;
/// What members of the other group alone are let in at.
const MEMBERS: u16 = 7101;
/// How long after a change all of it is done.
const AFTER: Duration = Duration::from_millis(500);

/// A group that lets in members of another one, and whom `more` says.
fn group(more: &[Value]) -> Value {
    let clients = json!({"direction": "Ingress", "remote": {"groupRef": {"name": "clients"}}});
    let rules = [&[clients, json!({"direction": "Egress"})], more].concat();
    json!({ "rules": rules })
}

/// CPU of a process from a change on, beyond what it takes when nothing changes.
fn cpu(pid: u32, change: impl FnOnce()) -> f64 {
    let spent = |work: Box<dyn FnOnce() + '_>| {
        let (before, start) = (meter::process(pid), Instant::now());
        work();
        (ms(meter::process(pid) - before), start.elapsed())
    };
    let (work, took) = spent(Box::new(|| {
        change();
        std::thread::sleep(AFTER);
    }));
    let (rest, _) = spent(Box::new(|| std::thread::sleep(took)));
    work - rest
}

/// Waits until an agent has nothing to do: after many ports were plugged it gives each of them a shorter way to its filters, and the
/// kernel, which all nodes here share, lets nobody else change links meanwhile.
pub fn settle(pid: u32) {
    within(Duration::from_secs(120), "the agent rests", || {
        let before = meter::process(pid);
        std::thread::sleep(Duration::from_secs(1));
        meter::process(pid) - before < Duration::from_millis(5)
    });
}

pub fn rows() -> Vec<Row> {
    let cluster = Cluster::bare(2);
    let user = User::new(&cluster.plane.kubeconfig());
    let heard = listen(&cluster.plane.kubeconfig(), "Port");
    cluster.apply("Network lan\nSubnet lan {networkRef: {name: lan}, cidr: 10.0.0.0/16}\nSecurityGroup clients");
    user.apply(&yaml(&format!("SecurityGroup g {}", group(&[]))));
    let port = |kind: &str, n| {
        format!("Port {kind}{n} {{networkRef: {{name: lan}}, securityGroupRefs: [{{name: {kind}}}]}}\n")
    };
    let ports = |kind| yaml(&(0..PORTS).map(|n| port(kind, n)).collect::<String>());
    user.apply_wide(&(ports("g") + &ports("clients")), 8);
    let names = ["g", "clients"].iter().flat_map(|kind| (0..PORTS).map(move |n| format!("{kind}{n}")));
    heard.all(&names.collect::<Vec<_>>(), "Ready");

    let guests: Vec<Guest> = (0..PORTS).map(|_| Guest::new()).collect();
    let socket = cluster.nodes[0].socket();
    let plug = |(n, guest)| Client::plug(&socket, &format!("g{n}"), guest);
    let clients: Vec<Client> = guests.iter().enumerate().map(plug).collect();
    let plugged: Vec<Plugged> = clients.into_iter().map(Client::plugged).collect();
    let (first, second, last) = (&guests[0], &guests[1], &guests[PORTS - 1]);
    let [first_ip, second_ip, last_ip] = [0, 1, PORTS - 1].map(|n| ipv4(plugged[n].addresses[0].ip));
    [0, 1, PORTS - 1].into_iter().for_each(|n| guests[n].take(&plugged[n]));
    let in_force = || first.reaches(second, second_ip, LATER) && second.reaches(last, last_ip, LATER);
    let pid = cluster.nodes[0].pid();

    let (late, more): (Vec<Guest>, Vec<Guest>) = (0..ROUNDS).map(|_| (Guest::new(), Guest::new())).unzip();
    let elsewhere = cluster.nodes[1].socket();
    cluster.apply("SecurityGroup others {rules: [{direction: Egress}]}");
    user.apply_wide(&yaml(&(0..ROUNDS).map(|n| port("others", n)).collect::<String>()), 8);
    for (n, guest) in late.iter().enumerate() {
        guest.take(&Client::plug(&elsewhere, &format!("others{n}"), guest).plugged());
    }
    settle(pid);
    let (mut took, mut rule, mut member, mut plug) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (round, guest) in more.iter().enumerate() {
        user.edit("SecurityGroup", "g", &group(&[]));
        until("nobody is let in", || !first.reaches(second, second_ip, LATER) && !second.reaches(last, last_ip, LATER));
        std::thread::sleep(AFTER);
        rule.push(cpu(pid, || {
            let start = Instant::now();
            user.edit(
                "SecurityGroup",
                "g",
                &group(&[json!({"direction": "Ingress", "protocol": "UDP", "port": LATER})]),
            );
            while !in_force() {}
            took.push(ms(start.elapsed()));
        }));
        let joins = || late[round].reaches(first, first_ip, MEMBERS);
        assert!(!joins(), "it is no member yet");
        member.push(cpu(pid, || {
            let spec =
                json!({"networkRef": {"name": "lan"}, "securityGroupRefs": [{"name": "others"}, {"name": "clients"}]});
            user.edit("Port", &format!("others{round}"), &spec);
            while !joins() {}
        }));
        plug.push(cpu(pid, || {
            user.apply(&yaml(&port("clients", PORTS + round)));
            Client::plug(&elsewhere, &format!("clients{}", PORTS + round), guest).plugged();
        }));
    }
    vec![
        Row::new(
            "rule",
            "a rule added to a group of 1000 ports of a node, until it is in force, p50",
            100.0,
            quantile(took, 0.5),
            Unit::Ms,
        ),
        Row::new("rule", "CPU of its agent for that, p50", 5.0, quantile(rule, 0.5), Unit::Ms),
        Row::new(
            "member",
            "CPU of an agent when a port of another node joins a remote group of 1000, p50",
            1.0,
            quantile(member, 0.5),
            Unit::Ms,
        ),
        Row::new(
            "member",
            "the same when one more port of that group is made, and plugged there, p50",
            2.0,
            quantile(plug, 0.5),
            Unit::Ms,
        ),
    ]
}
