//! Routers: to the outside, floating IPs, many at once.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use crate::api::{User, listen};
use crate::guest::Guest;
use crate::meter::{ms, quantile};
use crate::nodes::Cluster;
use crate::page::converged;
use crate::plug::Client;
use crate::row::{Row, Unit};
use crate::support::yaml;

const ROUNDS: usize = 10;
const ROUTERS: usize = 50;
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

pub fn rows() -> Vec<Row> {
    let mut cluster = Cluster::start(3);
    let outside = cluster.wire(&[1, 2]);
    cluster.apply(
        "PhysicalNetwork wire {attachments: [{interface: br-ext}]}
Network public {external: true, provider: {physicalNetwork: wire, type: Flat}}
Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/24, gatewayIP: 203.0.113.1, allocationPools: [{start: 203.0.113.10, end: 203.0.113.250}]}",
    );
    cluster.wait("tphys/wire", "Ready");
    let user = User::new(&cluster.plane.kubeconfig());
    let (mut gateways, mut floats, mut guests) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..ROUNDS {
        let guest = Guest::new();
        let client = Client::plug(&cluster.nodes[2].socket(), &format!("p{n}"), &guest).waits();
        user.apply(&yaml(&format!(
            "Network n{n}\nSubnet n{n} {{networkRef: {{name: n{n}}}, cidr: 10.{n}.0.0/24}}\nPort p{n} {{networkRef: {{name: n{n}}}}}"
        )));
        let plugged = client.plugged();
        guest.take(&plugged);
        std::thread::sleep(Duration::from_millis(200));
        let start = Instant::now();
        user.apply(&yaml(&format!(
            "Router r{n} {{interfaces: [{{subnetRef: {{name: n{n}}}}}], externalGateway: {{networkRef: {{name: public}}}}}}"
        )));
        guest.ping(OUTSIDE);
        gateways.push(ms(start.elapsed()));
        let ip = format!("203.0.113.{}", 150 + n);
        let start = Instant::now();
        user.apply(&yaml(&format!(
            "FloatingIP f{n} {{networkRef: {{name: public}}, ip: {ip}, portRef: {{name: p{n}}}}}"
        )));
        while !outside.run(&format!("ping -c 1 -W 0.02 {ip}")).ok() {
            assert!(start.elapsed() < Duration::from_secs(30));
        }
        floats.push(ms(start.elapsed()));
        guests.push(guest);
    }
    let routers: String = (0..ROUTERS)
        .map(|n| {
            format!(
                "Network m{n}\nSubnet m{n} {{networkRef: {{name: m{n}}}, cidr: 10.0.{n}.0/24}}\nRouter m{n} {{interfaces: [{{subnetRef: {{name: m{n}}}}}], externalGateway: {{networkRef: {{name: public}}}}}}\n"
            )
        })
        .collect();
    let text = yaml(&routers);
    let heard = listen(&cluster.plane.kubeconfig(), "Router");
    let start = Instant::now();
    user.apply(&text);
    let names: Vec<String> = (0..ROUTERS).map(|n| format!("m{n}")).collect();
    let routers = heard.all(&names, "Programmed") - start;
    let translates = |name: &str| {
        cluster.kubectl("get trtr --no-headers -o custom-columns=N:.status.gatewayNode").matches(name).count()
    };
    let (busiest, count) =
        (0..2).map(|n| (n, translates(&cluster.nodes[n].name))).max_by_key(|(_, count)| *count).unwrap();
    cluster.nodes[busiest].kill_agent();
    let start = Instant::now();
    cluster.nodes[busiest].start_agent();
    converged(&cluster.nodes[busiest]);
    let resync = start.elapsed();
    let p90 = |all: &[f64]| format!("p90 {:.1} ms", quantile(all.to_vec(), 0.9));
    let gateway = quantile(gateways.clone(), 0.5);
    vec![
        Row::new("gateway", "router with gateway created to first SNAT ping, p50", 200.0, gateway, Unit::Ms)
            .note(p90(&gateways)),
        Row::new(
            "floating-ip",
            "floating IP created to first ping, p50",
            100.0,
            quantile(floats.clone(), 0.5),
            Unit::Ms,
        )
        .note(p90(&floats)),
        Row::new("routers", "50 networks, subnets and routers created to wired", 3.0, routers.as_secs_f64(), Unit::S),
        Row::new("resync", "agent of their gateway restarted to converged", 1.0, resync.as_secs_f64(), Unit::S)
            .note(format!("translates for {count} routers")),
    ]
}
