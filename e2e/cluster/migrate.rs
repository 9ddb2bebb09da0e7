//! A port moves with its guest while it runs: prepared on a second node, switched by one write.

mod moving;

use std::time::Duration;

use crate::faults::sized;
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
        for (name, call) in &mut calls {
            assert!(call.ask(Duration::from_secs(3)).is_some(), "{name}: the connection is cut");
        }
        from = to;
        std::thread::sleep(Duration::from_millis(300));
    }
    world.count(talks);
}
