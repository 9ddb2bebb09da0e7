#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;
use crate::api::PortStatus;
use crate::local::scratch::{Scratch, network, object};
use crate::local::yaml;

fn now() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

fn parse(text: &str) -> Object {
    yaml::read(text, &[]).into_iter().flat_map(|d| d.objects).next().unwrap()
}

fn port(name: &str) -> Object {
    parse(&object("Port", name, "{networkRef: {name: blue}}"))
}

fn statuses(name: &str, mtu: u32) -> Statuses {
    let status = PortStatus { mtu: Some(mtu), ..PortStatus::default() };
    Statuses { ports: [(Key::new("default", name), status)].into(), ..Statuses::default() }
}

/// All that a store holds, as text.
fn contents(store: &Store) -> String {
    let all = Kind::ALL.into_iter().flat_map(|kind| Object::all(store.snapshot(), kind));
    all.map(|o| format!("{} {}", store.source(&o.id()).unwrap(), o.json().unwrap())).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_was_committed_is_there_again() {
    let dir = Scratch::new();
    let mut store = Store::open(dir.path()).unwrap();
    assert_eq!(store.declare(&port("a"), "f.yaml", now()), Declared::Changed);
    store.record(statuses("a", 1450));
    store.commit(true).unwrap();
    assert!(!store.record(statuses("a", 1450)), "the same status is no change");
    let before = contents(&store);
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(contents(&store), before);
    assert_eq!(contents(&Store::read(dir.path()).unwrap()), before);
}

#[test]
fn metadata_are_what_an_api_server_would_keep() {
    let dir = Scratch::new();
    let mut store = Store::open(dir.path()).unwrap();
    let id = port("a").id();
    store.declare(&port("a"), "f.yaml", now());
    let first = store.get(&id).unwrap().meta().clone();
    assert_eq!((first.generation, first.creation_timestamp.unwrap().0), (Some(1), now()));
    assert_eq!(store.declare(&port("a"), "f.yaml", now()), Declared::Same);
    let edited = parse(&object("Port", "a", "{networkRef: {name: blue}, hostname: web}"));
    assert_eq!(store.declare(&edited, "g.yaml", now()), Declared::Changed);
    let second = store.get(&id).unwrap().meta().clone();
    assert_eq!((second.generation, &second.uid), (Some(2), &first.uid));
    assert_ne!(second.resource_version, first.resource_version);
    assert_eq!(store.source(&id), Some("g.yaml"));
    store.record(statuses("a", 1450));
    assert_eq!(store.get(&id).unwrap().meta().generation, Some(2), "a status is no edit");
    store.remove(&id);
    store.declare(&port("a"), "f.yaml", now());
    assert_ne!(store.get(&id).unwrap().meta().uid, first.uid, "made again, it is another one");
}

#[test]
fn one_that_was_about_to_go_stays_when_it_is_declared_again() {
    let mut store = Store::default();
    let id = port("a").id();
    store.declare(&port("a"), "f.yaml", now());
    store.delete(&id, now());
    assert!(store.get(&id).unwrap().meta().deletion_timestamp.is_some());
    store.declare(&port("a"), "f.yaml", now());
    assert!(store.get(&id).unwrap().meta().deletion_timestamp.is_none());
}

#[test]
fn a_journal_cut_anywhere_is_a_moment_that_was() {
    let dir = Scratch::new();
    let mut store = Store::open(dir.path()).unwrap();
    let mut moments = vec![String::new()];
    let mut commit = |store: &mut Store| {
        store.commit(true).unwrap();
        moments.push(contents(store));
    };
    store.declare(&parse(&network("blue")), "n.yaml", now());
    store.declare(&port("a"), "f.yaml", now());
    commit(&mut store);
    store.record(statuses("a", 1450));
    store.declare(&port("b"), "f.yaml", now());
    commit(&mut store);
    store.remove(&port("a").id());
    store.record(statuses("b", 1400));
    commit(&mut store);
    drop(store);
    let whole = std::fs::read(dir.path().join(FILE)).unwrap();
    for cut in 0..=whole.len() {
        let torn = Scratch::new();
        std::fs::write(torn.path().join(FILE), &whole[..cut]).unwrap();
        let read = contents(&Store::read(torn.path()).unwrap());
        assert!(moments.contains(&read), "cut at {cut}: {read}");
        // Opened and written to again, the torn end must not spoil what follows.
        let mut store = Store::open(torn.path()).unwrap();
        assert_eq!(contents(&store), read);
        store.declare(&port("c"), "f.yaml", now());
        store.commit(false).unwrap();
        assert_eq!(contents(&Store::open(torn.path()).unwrap()), contents(&store), "cut at {cut}");
    }
}

#[test]
fn a_damaged_line_in_the_middle_is_refused_and_named() {
    let dir = Scratch::new();
    let mut store = Store::open(dir.path()).unwrap();
    for name in ["a", "b"] {
        store.declare(&port(name), "f.yaml", now());
        store.commit(true).unwrap();
    }
    let mut bytes = std::fs::read(dir.path().join(FILE)).unwrap();
    bytes[3] = 0;
    std::fs::write(dir.path().join(FILE), bytes).unwrap();
    let error = Store::open(dir.path()).unwrap_err().to_string();
    assert!(error.starts_with("line 1 of ") && error.contains("move it away"), "{error}");
}

#[test]
fn a_journal_that_has_grown_is_written_anew_and_says_the_same() {
    let dir = Scratch::new();
    let mut store = Store::open(dir.path()).unwrap();
    for n in 0..200 {
        store.declare(&port(&format!("p{n}")), "f.yaml", now());
    }
    let (mut largest, mut shrunk, mut mtu) = (0, false, 0);
    while !shrunk && mtu < 200 {
        mtu += 1;
        for n in 0..200 {
            store.record(statuses(&format!("p{n}"), mtu));
        }
        store.commit(false).unwrap();
        let size = std::fs::metadata(dir.path().join(FILE)).unwrap().len();
        shrunk = size < largest;
        largest = largest.max(size);
    }
    assert!(shrunk, "{largest} bytes");
    assert!(largest < 8 << 20, "{largest} bytes");
    store.record(statuses("p7", 1));
    store.commit(true).unwrap();
    // A crash while writing anew leaves a file behind.
    std::fs::write(dir.path().join("journal.new"), "half").unwrap();
    assert_eq!(contents(&Store::open(dir.path()).unwrap()), contents(&store));
    assert!(!dir.path().join("journal.new").exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_history_reads_back_as_it_ended(steps in proptest::collection::vec((0..5_u8, 0..4_u8, any::<bool>()), 0..40)) {
        let dir = Scratch::new();
        let mut store = Store::open(dir.path()).unwrap();
        for (what, which, reopen) in steps {
            let name = format!("p{which}");
            match what {
                0 | 1 => { store.declare(&port(&name), if what == 0 { "f" } else { "g" }, now()); }
                2 => store.remove(&port(&name).id()),
                3 => store.delete(&port(&name).id(), now()),
                _ => { store.record(statuses(&name, 1000 + u32::from(which))); }
            }
            store.commit(false).unwrap();
            if reopen {
                let before = contents(&store);
                drop(store);
                store = Store::open(dir.path()).unwrap();
                prop_assert_eq!(contents(&store), before);
            }
        }
    }
}
