//! What was given back a moment ago, and who gets it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;

use crate::model::allocation::Slot;
use crate::model::cold::{Cold, QUARANTINE};
use crate::model::fixtures::{add, id, key, world};
use crate::model::ipam::number;
use crate::model::{Linker, Role, Snapshot, Topology, Uid};

const BASE: &str = "
    Network blue
    Subnet one {networkRef: {name: blue}, cidr: 10.0.0.0/29}
    Subnet two {networkRef: {name: blue}, cidr: 10.0.1.0/29}";

/// What automatic addresses are taken from, in order.
fn pools() -> Vec<IpAddr> {
    let of = |subnet: u8| (2..7).map(move |last| IpAddr::from([10, 0, subnet, last]));
    of(0).chain(of(1)).collect()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Gives an address of a subnet back.
fn give_back(cold: &mut Cold, snapshot: &Snapshot, subnet: &str, ip: IpAddr, at: Duration) {
    let uid = Uid::parse(snapshot.subnets[&key(subnet)].metadata.uid.as_deref().unwrap());
    cold.give_back(Slot::Address(uid, number(ip)), at);
}

fn link(snapshot: &Snapshot, cold: &Cold) -> Topology {
    Linker::new(Role::Controller).link_with(snapshot, cold).0
}

fn given(topology: &Topology, port: &str) -> Option<IpAddr> {
    let index = topology.entries.iter().position(|entry| entry.key == key(port)).unwrap();
    topology.ports[index].addresses.iter().map(|(_, ip)| *ip).next()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nobody_gets_a_cold_address_while_a_warm_one_is_free_and_then_the_one_that_is_cold_the_longest(
        held in prop::collection::btree_set(0..10_usize, 0..10),
        back in prop::collection::vec((0..10_usize, 0..3_u64), 0..16),
        ports in 0..12_usize,
    ) {
        let all = pools();
        let mut snapshot = world(BASE);
        for ip in held.iter().map(|place| all[*place]) {
            add(&mut snapshot, 1, &format!("Port held-{} {{networkRef: {{name: blue}}, addresses: [{{ip: {ip}}}]}}", number(ip)));
        }
        (0..ports).for_each(|port| add(&mut snapshot, 10 + port, &format!("Port p{port} {{networkRef: {{name: blue}}}}")));
        let (mut cold, mut at, mut since) = (Cold::default(), seconds(0), BTreeMap::new());
        for (place, later) in back {
            at += seconds(later);
            give_back(&mut cold, &snapshot, if place < 5 { "one" } else { "two" }, all[place], at);
            since.insert(all[place], at);
        }
        let topology = link(&snapshot, &cold);
        let mut free: BTreeSet<IpAddr> = all.iter().enumerate().filter(|(place, _)| !held.contains(place)).map(|(_, ip)| *ip).collect();
        for port in 0..ports {
            let warm = free.iter().find(|ip| !since.contains_key(ip)).copied();
            let got = given(&topology, &format!("p{port}"));
            let Some(ip) = got else {
                prop_assert!(free.is_empty(), "a port has none, and these are free: {:?}", free);
                continue;
            };
            prop_assert!(free.remove(&ip), "{} is not free", ip);
            match warm {
                Some(warm) => prop_assert_eq!(ip, warm),
                None => prop_assert!(free.iter().all(|other| since[&ip] <= since[other]), "{} of {:?}", ip, since),
            }
        }
    }
}

#[test]
fn who_asks_for_a_cold_address_by_name_gets_it_and_who_has_it_recorded_keeps_it() {
    let mut snapshot = world(BASE);
    let mut cold = Cold::default();
    let all = pools();
    all[..5].iter().for_each(|ip| give_back(&mut cold, &snapshot, "one", *ip, seconds(1)));
    add(&mut snapshot, 1, "Port any {networkRef: {name: blue}}");
    add(&mut snapshot, 2, "Port named {networkRef: {name: blue}, addresses: [{ip: 10.0.0.3}]}");
    add(&mut snapshot, 3, "Port here {networkRef: {name: blue}, addresses: [{subnetRef: {name: one}}]}");
    add(&mut snapshot, 4, "Port kept {networkRef: {name: blue}}");
    let kept = std::sync::Arc::make_mut(snapshot.ports.get_mut(&key("kept")).unwrap());
    let status = r#"{"addresses": [{"subnetRef": {"name": "one"}, "ip": "10.0.0.5"}]}"#;
    kept.status = serde_json::from_str(status).unwrap();
    let topology = link(&snapshot, &cold);
    let got = ["any", "named", "here", "kept"].map(|port| given(&topology, port).unwrap().to_string());
    assert_eq!(got, ["10.0.1.2", "10.0.0.3", "10.0.0.2", "10.0.0.5"]);
}

#[test]
fn routers_and_floating_ips_get_no_cold_address_either() {
    let mut snapshot = world(
        "PhysicalNetwork wire {attachments: [{interface: br0}]}
         Network public {external: true, provider: {physicalNetwork: wire, type: Flat}}
         Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/24}
         Router r {externalGateway: {networkRef: {name: public}}}",
    );
    let mut cold = Cold::default();
    for last in [2, 4] {
        give_back(&mut cold, &snapshot, "outside", IpAddr::from([203, 0, 113, last]), seconds(1));
    }
    add(&mut snapshot, 9, "FloatingIP f {networkRef: {name: public}}");
    let locks = link(&snapshot, &cold).locks(&snapshot.allocations).missing;
    let of = |what: &str| locks.iter().find(|lock| lock.owner == id(what) && matches!(lock.slot, Slot::Address(..)));
    let got = ["Router r", "FloatingIP f"].map(|what| of(what).unwrap().spec.value.clone());
    assert_eq!(got, ["203.0.113.3", "203.0.113.5"]);
}

#[test]
fn an_address_is_cold_for_half_a_minute_from_when_it_was_given_back_last() {
    let (mut cold, subnet) = (Cold::default(), Uid(7));
    cold.give_back(Slot::Segment(5), seconds(0));
    assert!(cold.is_empty(), "segments are not");
    for (number, at) in [(1, 1), (2, 2), (1, 20)] {
        cold.give_back(Slot::Address(subnet, number), seconds(at));
    }
    let mut left = |at| {
        cold.warm(at);
        cold.of(subnet).keys().copied().collect::<Vec<_>>()
    };
    assert_eq!(left(seconds(1) + QUARANTINE), [1, 2]);
    assert_eq!(left(seconds(2) + QUARANTINE), [1]);
    assert_eq!(left(seconds(19) + QUARANTINE), [1]);
    assert!(left(seconds(20) + QUARANTINE).is_empty() && cold.is_empty());
}
