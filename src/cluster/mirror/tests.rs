//! What is believed of what watches tell.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::*;
use crate::api::{AllocationParty, AllocationSpec, Network, NetworkSpec};

fn network(name: &str, version: u64) -> Thing {
    let mut network = Network::new(name, NetworkSpec::default());
    network.metadata.namespace = Some("default".into());
    network.metadata.uid = Some(format!("uid-{name}"));
    network.metadata.resource_version = Some(version.to_string());
    network.metadata.generation = Some(1);
    Thing::Object(Object::Network(Arc::new(network)))
}

fn id(name: &str) -> Id {
    Id::new(Kind::Network, Key::new("default", name))
}

fn gone(name: &str) -> News {
    News::Gone(Name::Object(id(name)))
}

/// Two mirrors: to one other watches may tell of the same, to the other nobody else tells of networks.
fn mirrors() -> [Mirror; 2] {
    [None, Some(Kind::Network)].map(|whole| {
        let mut mirror = Mirror::default();
        mirror.expect(0, whole);
        mirror
    })
}

fn listed(mirror: &mut Mirror, names: impl Iterator<Item = usize>) -> Heard {
    mirror.hear(0, News::Listing);
    for n in names {
        mirror.hear(0, News::Listed(network(&format!("n{n}"), 1)));
    }
    mirror.hear(0, News::Whole)
}

#[test]
fn nothing_is_whole_before_every_first_list_is() {
    let mut mirror = Mirror::default();
    mirror.expect(0, None);
    mirror.expect(1, None);
    assert_eq!(listed(&mut mirror, 0..2), Heard::Different);
    assert!(!mirror.is_whole());
    mirror.hear(1, News::Listing);
    mirror.hear(1, News::Whole);
    assert!(mirror.is_whole());
}

#[test]
fn what_a_new_list_lacks_is_gone_but_half_of_everything_is_asked_for_twice() {
    for mut mirror in mirrors() {
        listed(&mut mirror, 0..100);
        assert_eq!(listed(&mut mirror, 0..90), Heard::Different);
        assert_eq!(mirror.snapshot().networks.len(), 90);
        assert_eq!(listed(&mut mirror, 0..10), Heard::Doubtful);
        assert_eq!(mirror.snapshot().networks.len(), 90);
        assert_eq!(listed(&mut mirror, 0..10), Heard::Different);
        assert_eq!(mirror.snapshot().networks.len(), 10);
    }
}

#[test]
fn an_older_version_and_an_answer_about_something_gone_change_nothing() {
    for mut mirror in mirrors() {
        listed(&mut mirror, 0..1);
        assert_eq!(mirror.answer(network("n0", 9)), Heard::Same, "only the version differs");
        mirror.hear(0, News::Put(network("n0", 5)));
        let key = Key::new("default", "n0");
        assert_eq!(mirror.snapshot().networks[&key].metadata.resource_version.as_deref(), Some("9"));
        mirror.hear(0, gone("n0"));
        assert_eq!(mirror.answer(network("n0", 11)), Heard::Same);
        assert!(mirror.snapshot().networks.is_empty());
    }
}

#[test]
fn an_object_stays_while_another_watch_has_it() {
    let mut mirror = Mirror::default();
    mirror.expect(0, None);
    mirror.expect(1, None);
    mirror.hear(0, News::Put(network("a", 1)));
    mirror.hear(1, News::Put(network("a", 1)));
    assert_eq!(mirror.hear(0, gone("a")), Heard::Same);
    assert_eq!(mirror.snapshot().networks.len(), 1);
    mirror.forget(1);
    assert!(mirror.snapshot().networks.is_empty());
}

#[test]
fn a_first_list_that_is_empty_is_read_twice_where_there_should_be_something() {
    let mut mirror = Mirror::new(true);
    mirror.expect(0, None);
    mirror.expect(1, None);
    assert_eq!(listed(&mut mirror, 0..0), Heard::Empty);
    assert!(!mirror.is_whole_of(0));
    assert_eq!(listed(&mut mirror, 0..0), Heard::Different);
    assert!(mirror.is_whole_of(0));
    mirror.trust();
    mirror.hear(1, News::Listing);
    assert_eq!(mirror.hear(1, News::Whole), Heard::Different);
}

#[test]
fn what_cannot_be_read_is_there_as_it_was_known_until_it_is_gone() {
    for mut mirror in mirrors() {
        listed(&mut mirror, 0..2);
        let unreadable = |mirror: &mut Mirror, name| mirror.hear(0, News::Unreadable(Name::Object(id(name))));
        assert_eq!(unreadable(&mut mirror, "n0"), Heard::Same);
        mirror.hear(0, News::Listing);
        unreadable(&mut mirror, "n0");
        unreadable(&mut mirror, "new");
        assert_eq!(mirror.hear(0, News::Whole), Heard::Different, "n1 is gone");
        let names =
            |mirror: &Mirror| mirror.snapshot().networks.keys().map(|key| key.name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&mirror), ["n0"]);
        assert!(mirror.tells_of(&id("new")) && !mirror.tells_of(&id("n1")));
        assert_eq!(mirror.hear(0, gone("n0")), Heard::Different);
        mirror.hear(0, gone("new"));
        assert!(names(&mirror).is_empty() && !mirror.tells_of(&id("new")));
    }
}

#[test]
fn a_value_is_freed_once_when_its_lock_is_gone() {
    let lock = |number: u32| {
        let party = AllocationParty { kind: "VNI".into(), namespace: None, name: "vni".into(), uid: None };
        let spec = AllocationSpec { pool: party.clone(), value: number.to_string(), owner: party };
        Thing::Allocation(Arc::new(Allocation::new(&Slot::Segment(number).name(), spec)))
    };
    let gone = |number| News::Gone(Name::Slot(Slot::Segment(number)));
    let mut mirror = Mirror::default();
    mirror.expect(0, None);
    for number in 1..4 {
        mirror.hear(0, News::Put(lock(number)));
    }
    mirror.hear(0, gone(1));
    mirror.hear(0, gone(1));
    mirror.hear(0, gone(9));
    assert_eq!(mirror.freed().collect::<Vec<_>>(), [Slot::Segment(1)]);
    // Also what only a list lacks.
    for news in [News::Listing, News::Listed(lock(2)), News::Whole] {
        mirror.hear(0, news);
    }
    assert_eq!(mirror.freed().collect::<Vec<_>>(), [Slot::Segment(3)]);
    assert_eq!(mirror.freed().count(), 0);
}

#[test]
fn who_is_the_only_one_to_tell_of_a_kind_is_heard_as_one_of_several() {
    let mut dice = 7_u64;
    let mut roll = |sides: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    let [mut one, mut other] = mirrors();
    for round in 1..20_000 {
        let name = format!("n{}", roll(30));
        let news = match roll(80) {
            0 => News::Listing,
            1 | 2 => News::Whole,
            3..20 => gone(&name),
            20..30 => News::Unreadable(Name::Object(id(&name))),
            _ => News::Put(network(&name, round)),
        };
        let heard = one.hear(0, news.clone());
        assert_eq!(other.hear(0, news.clone()), heard, "{round}: {news:?}");
        assert_eq!(one.snapshot().networks, other.snapshot().networks);
        assert_eq!(
            (one.tells_of(&id(&name)), one.has(0, &id(&name))),
            (other.tells_of(&id(&name)), other.has(0, &id(&name)))
        );
    }
}
