//! An address that was given back a moment ago goes to nobody else, unless there is no other, or it is asked for by name.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use kube::api::{DeleteParams, PostParams};
use serde_json::json;
use tenet::model::cold::QUARANTINE;

use super::crowd::{Crowd, object};
use super::{audit, sized};
use crate::nodes::Cluster;
use crate::support::{until, within};

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/23}
Network narrow
Subnet few {networkRef: {name: narrow}, cidr: 10.1.0.0/29}";

struct Ports<'c> {
    cluster: &'c Cluster,
    crowd: Crowd,
    /// When an address was given back last, before the controller can have seen that.
    back: HashMap<String, Instant>,
}

impl Ports<'_> {
    fn of(cluster: &Cluster) -> Ports<'_> {
        cluster.apply(WORLD);
        cluster.wait("tsub/web tsub/few", "Ready");
        Ports { cluster, crowd: Crowd::new(&cluster.plane.kubeconfig()), back: HashMap::new() }
    }

    /// Makes a port; its address.
    fn make(&self, name: &str, network: &str) -> String {
        let port = object("Port", "default", name, json!({ "networkRef": { "name": network } }));
        let port = serde_json::from_value(port).unwrap();
        self.crowd.run(self.crowd.ports().create(&PostParams::default(), &port)).unwrap();
        let mut ip = None;
        within(Duration::from_secs(30), &format!("{name} has an address"), || {
            let status = self.crowd.run(self.crowd.ports().get(name)).unwrap().status;
            ip = status.and_then(|status| status.addresses.first().map(|address| address.ip.to_string()));
            ip.is_some()
        });
        ip.unwrap()
    }

    fn delete(&mut self, name: &str, ip: &str) {
        self.crowd.run(self.crowd.ports().delete(name, &DeleteParams::default())).unwrap();
        self.back.insert(ip.to_owned(), Instant::now());
    }

    /// As [`Self::delete`], and waits until the address is nobody's.
    fn free(&mut self, name: &str, ip: &str) {
        self.delete(name, ip);
        until(&format!("{ip} is free"), || !self.locked().contains(&ip.to_owned()));
    }

    fn locked(&self) -> Vec<String> {
        let values = self.cluster.kubectl("get allocations -o jsonpath={.items[*].spec.value}");
        values.split_whitespace().map(str::to_owned).collect()
    }

    /// Whether an address is cold for sure.
    fn is_cold(&self, ip: &str) -> bool {
        self.back.get(ip).is_some_and(|at| at.elapsed() < QUARANTINE)
    }
}

#[test]
fn what_a_port_gave_back_goes_to_no_other_for_half_a_minute_also_when_another_controller_leads() {
    let mut cluster = Cluster::start(0);
    cluster.start_controller();
    let (rounds, start) = (sized(200, 480), Instant::now());
    let (first, back) = {
        let mut ports = Ports::of(&cluster);
        let kept: Vec<String> = (0..8).map(|n| ports.make(&format!("kept{n}"), "blue")).collect();
        let mut first = None;
        for round in 0..rounds {
            let name = format!("p{round}");
            let ip = ports.make(&name, "blue");
            assert!(!kept.contains(&ip) && !ports.is_cold(&ip), "round {round}: {ip}");
            // Some are seen to be free before the next one is made.
            if round % 20 == 0 {
                ports.free(&name, &ip);
            } else {
                ports.delete(&name, &ip);
            }
            first.get_or_insert(ip);
        }
        println!("{rounds} ports in {:?}, {} addresses", start.elapsed(), ports.back.len());
        let last = ports.make("last", "blue");
        ports.free("last", &last);
        (first.unwrap(), ports.back)
    };
    // Whoever follows has seen it, too.
    let holder =
        |cluster: &Cluster| cluster.kubectl("get lease -n tenet-system -o jsonpath={.items[*].spec.holderIdentity}");
    let before = holder(&cluster);
    cluster.stop_controller(0);
    until("another leads", || ![String::new(), before.clone()].contains(&holder(&cluster)));
    let mut ports = Ports { cluster: &cluster, crowd: Crowd::new(&cluster.plane.kubeconfig()), back };
    let ip = ports.make("follower", "blue");
    assert!(!ports.is_cold(&ip), "{ip}");
    // Nothing is held back for longer than that.
    let mut round = 0;
    within(QUARANTINE * 2, "what is warm again is given", || {
        round += 1;
        let name = format!("again{round}");
        let ip = ports.make(&name, "blue");
        assert!(!ports.is_cold(&ip), "{ip}");
        ip == first || {
            std::thread::sleep(Duration::from_secs(1));
            ports.delete(&name, &ip);
            false
        }
    });
    audit::balances(&cluster);
}

#[test]
fn a_pool_that_is_nearly_full_serves_everybody_and_gives_what_is_cold_the_longest() {
    let cluster = Cluster::start(0);
    let mut ports = Ports::of(&cluster);
    let kept: Vec<String> = (0..4).map(|n| ports.make(&format!("kept{n}"), "narrow")).collect();
    assert_eq!(kept, ["10.1.0.2", "10.1.0.3", "10.1.0.4", "10.1.0.5"]);
    for round in 0..20 {
        let (name, start) = (format!("p{round}"), Instant::now());
        assert_eq!(ports.make(&name, "narrow"), "10.1.0.6");
        assert!(start.elapsed() < QUARANTINE / 2, "round {round}: {:?}", start.elapsed());
        ports.delete(&name, "10.1.0.6");
    }
    assert_eq!(ports.make("fifth", "narrow"), "10.1.0.6");
    let start = Instant::now();
    for (name, ip) in [("kept2", "10.1.0.4"), ("kept0", "10.1.0.2"), ("fifth", "10.1.0.6")] {
        ports.free(name, ip);
    }
    let next: Vec<String> = (0..3).map(|n| ports.make(&format!("next{n}"), "narrow")).collect();
    println!("{next:?} after {:?}", start.elapsed());
    assert_eq!(next, ["10.1.0.4", "10.1.0.2", "10.1.0.6"], "after {:?}", start.elapsed());
    // It is full, and says so.
    cluster.apply("Port toomany {networkRef: {name: narrow}}");
    cluster.kubectl("wait tport/toomany --for=jsonpath={.status.conditions[?(@.type==\"Ready\")].reason}=AddressesExhausted --timeout=30s");
    // Who waits is served by the first that goes, at once.
    ports.delete("next1", "10.1.0.2");
    let start = Instant::now();
    cluster.wait("tport/toomany", "Ready");
    println!("who waited has an address after {:?}", start.elapsed());
    assert!(start.elapsed() < QUARANTINE / 2, "{:?}", start.elapsed());
    audit::balances(&cluster);
}

#[test]
fn who_asks_for_an_address_by_name_waits_for_nothing() {
    let cluster = Cluster::start(0);
    let _ports = Ports::of(&cluster);
    let ip = |port: &str| cluster.kubectl(&format!("get tport/{port} -o jsonpath={{.status.addresses[0].ip}}"));
    for round in 0..10 {
        // Of the same name, as a StatefulSet's; then of another.
        for name in ["web-0".to_owned(), format!("other{round}")] {
            let start = Instant::now();
            cluster.apply(&format!("Port {name} {{networkRef: {{name: blue}}, addresses: [{{ip: 10.0.0.2}}]}}"));
            cluster.wait(&format!("tport/{name}"), "Ready");
            assert_eq!(ip(&name), "10.0.0.2");
            println!("{name} has it again after {:?}", start.elapsed());
            assert!(start.elapsed() < QUARANTINE / 2, "{name}: {:?}", start.elapsed());
            cluster.kubectl(&format!("delete tport/{name}"));
        }
    }
}
