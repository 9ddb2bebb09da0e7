//! Many ports elsewhere.

use std::time::Instant;

use tenet::model::{Key, NodeView};

use crate::world::World;

/// Ports on another node.
const MANY: u32 = 10_000;

#[test]
fn ten_thousand_ports_elsewhere_are_loaded_at_once_and_one_more_costs_a_few_messages() {
    let mut world = World::new(2, 0);
    world.declare(
        "Network blue
         Subnet blue {networkRef: {name: blue}, cidr: 10.0.0.0/16}
         Port a {networkRef: {name: blue}}
         Port b {networkRef: {name: blue}}",
    );
    let guests = world.guests(&[("a", 0), ("b", 1)]);
    // As a view would have them: what a snapshot of that many ports costs is measured elsewhere.
    let with = |view: &NodeView, many: u32| {
        let mut view = view.clone();
        let overlay = view.networks.get_mut(&Key::new("default", "blue")).unwrap().overlay.as_mut().unwrap();
        for n in 0..many {
            let [_, _, high, low] = n.to_be_bytes();
            let mac = tenet::api::MacAddr([2, 0xff, 0xff, 0, high, low]);
            overlay.stations.insert(mac, "172.31.0.2".parse().unwrap());
            overlay.neighbours.insert([10, 0, 64 + high, low].into(), mac);
        }
        view
    };
    let view = world.view(0);
    let start = Instant::now();
    assert_eq!(world.nodes[0].converge(with(&view, MANY)).changes, 3 * MANY as usize);
    let loaded = start.elapsed();
    let start = Instant::now();
    assert_eq!(world.nodes[0].converge(with(&view, MANY + 1)).changes, 3);
    let one_more = start.elapsed();
    eprintln!("{MANY} ports in {loaded:?}, one more in {one_more:?}");
    assert!(guests["a"].pings(&world.address("b")));
    assert_eq!(world.nodes[0].converge(view).changes, 3 * (MANY as usize + 1));
    assert!(guests["a"].pings(&world.address("b")));
}
