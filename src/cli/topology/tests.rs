use super::text::draw;
use super::words::Names;
use crate::model::fixtures::{EVERY_KIND, plug, settle, world};

#[test]
fn a_world_is_drawn_from_the_outside_in() {
    let mut snapshot = world(EVERY_KIND);
    settle(&mut snapshot);
    plug(&mut snapshot, "p");
    let (topology, _) = settle(&mut snapshot);
    let text = draw(&topology.chart(), 80, Names { home: Some("default") });
    println!("{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}
