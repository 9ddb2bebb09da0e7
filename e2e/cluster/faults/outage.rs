//! The API server and etcd are away: nothing that forwards notices, and all goes on when they are back.

use std::time::{Duration, Instant};

use super::{World, disturb, sized};

/// How long they are away.
fn away() -> Duration {
    Duration::from_secs(sized(5, 60))
}

#[test]
fn while_the_api_server_or_etcd_is_away_nothing_is_lost_and_nobody_counts_as_dead() {
    let mut world = World::start(&[]);
    for (number, fallen) in ["kube-apiserver", "etcd"].into_iter().enumerate() {
        outage(&mut world, fallen, number);
    }
}

fn outage(world: &mut World, fallen: &str, number: usize) {
    let (gateway, before, flows) = (world.gateway(), world.kernel(), world.flows());
    let start = Instant::now();
    world.cluster.plane.kill(fallen);
    for node in &mut world.cluster.nodes {
        node.kill_agent();
        node.start_agent();
    }
    std::thread::sleep(away() / 2);
    for node in &world.cluster.nodes {
        disturb(node, "foreign");
    }
    std::thread::sleep((away() / 2).saturating_sub(start.elapsed() / 2));
    for (before, now) in before.iter().zip(world.kernel()) {
        assert_eq!(*before, now, "an agent without an API server changes nothing");
    }
    world.cluster.plane.revive(fallen);
    world.cluster.plane.wait_until_ready();
    let back = Instant::now();
    // Longer than any heartbeat of a gateway promises.
    while back.elapsed() < Duration::from_secs(6) {
        let agents = world.cluster.kubectl("get tagent -o json");
        assert!(!agents.contains("\"Silent\"") && !agents.contains("\"Unreachable\""), "{fallen}: {agents}");
        assert_eq!(world.gateway(), gateway, "{fallen}");
        std::thread::sleep(Duration::from_millis(200));
    }
    world.serves(&format!("late{number}"));
    println!("{fallen}: a port made after it came back is served {:?} after", back.elapsed());
    flows.hold();
    world.passes();
}
