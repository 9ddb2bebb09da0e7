//! A port moves with its guest while it runs: prepared on a second node, switched by one write.

mod moving;

use std::time::Duration;

use crate::faults::sized;
use crate::support::{Said, until};
use moving::World;

#[test]
fn a_guest_that_moves_loses_at_most_a_packet_beyond_its_pause_and_no_connection() {
    let world = World::start();
    let mut calls = world.calls();
    let talks = world.talks();
    std::thread::sleep(Duration::from_millis(500));
    let (mut from, moves) = (0, sized(10, 40));
    for _ in 0..moves {
        let to = 1 - from;
        world.prepare(to);
        let pause = world.switch(from, to);
        println!("node-{} to node-{}: paused for {pause:?}", from + 1, to + 1);
        World::everybody_is_answered(&mut calls);
        from = to;
        std::thread::sleep(Duration::from_millis(300));
    }
    world.count(talks);
}

#[test]
fn a_move_that_is_given_up_or_whose_agents_are_killed_ends_on_one_node() {
    let mut world = World::start();
    let mut calls = world.calls();

    // Without its owner's word no node may prepare it, and what is not prepared is not switched.
    let plug = |world: &World, line: &str| world.cluster.nodes[1].tenet(&format!("plug m {line} --timeout 5s"));
    let said = plug(&world, "--netns hypervisor --ifname n1 --prepare");
    assert!(!said.ok() && said.err.contains("sets spec.migrationNodeName to node-2"), "{said:?}");
    let said = plug(&world, "--switch");
    assert!(!said.ok() && said.err.contains("plug it with --prepare first"), "{said:?}");

    // It is given up: by who prepared it, and by its owner.
    world.prepare(1);
    assert_eq!(world.recorded(), ["node-1", "node-2"]);
    world.cluster.nodes[1].tenet("unplug m").expect_ok();
    world.is_recorded("it is not prepared any more", ["node-1", "-"]);
    world.prepare(1);
    world.cluster.kubectl("patch tport m --type=merge -p {\"spec\":{\"migrationNodeName\":null}}");
    world.is_recorded("it may not move any more", ["node-1", "-"]);
    until("it is unplugged there", || !world.has(1));

    // An agent that starts anew finds what it has prepared, and nothing passes there meanwhile.
    world.prepare(1);
    world.cluster.nodes[1].kill_agent();
    World::everybody_is_answered(&mut calls);
    world.cluster.nodes[1].start_agent();
    until("it listens", || world.cluster.nodes[1].listens());
    assert_eq!(world.recorded(), ["node-1", "node-2"]);
    world.switch(0, 1);
    assert_eq!(world.recorded(), ["node-2", "-"]);
    World::everybody_is_answered(&mut calls);

    // Agents are killed while it is switched: which, and how long after that began.
    let mut from = 1;
    for (new, after) in [(true, 0), (false, 0), (true, 15), (false, 15), (true, 40), (false, 40)] {
        let to = 1 - from;
        world.prepare(to);
        let pause = world.pause();
        let killed = if new { to } else { from };
        let switch = world.cluster.nodes[to].spawn_tenet("plug m --switch --timeout 10s");
        std::thread::sleep(Duration::from_millis(after));
        world.cluster.nodes[killed].kill_agent();
        println!("node-{} killed, to node-{}: {:?}", killed + 1, to + 1, world.recorded());
        world.cluster.nodes[killed].start_agent();
        let said = Said::of(&switch.wait_with_output().unwrap());
        println!("{said:?}");
        until("it listens", || world.cluster.nodes[killed].listens());
        if !said.ok() {
            world.cluster.nodes[to].tenet("plug m --switch").expect_ok();
        }
        world.go_on(pause, to);
        until("the first has let go", || !world.has(from));
        assert_eq!(world.recorded(), [&*world.cluster.nodes[to].name, "-"]);
        World::everybody_is_answered(&mut calls);
        from = to;
    }

    // The node that it leaves is dead.
    let to = 1 - from;
    world.prepare(to);
    world.cluster.nodes[from].kill_agent();
    let pause = world.pause();
    world.cluster.nodes[to].tenet("plug m --switch").expect_ok();
    world.go_on(pause, to);
    println!("without the other: paused for {:?}", pause.elapsed());
    assert_eq!(world.recorded(), [&*world.cluster.nodes[to].name, "-"]);
    world.cluster.nodes[from].start_agent();
    until("the first has let go", || !world.has(from));
    World::everybody_is_answered(&mut calls);
}
