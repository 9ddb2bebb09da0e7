//! Packet filters: random worlds and traffic. The same seed makes the same events.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod announcements;
mod dice;
#[allow(dead_code, reason = "unit tests use them, too")]
mod frames;
mod kernel;
mod noise;
mod packets;
mod replies;
mod room;
mod traffic;
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use tenet::dataplane::filter::{By, Reason, State, Tables, Verdict, verdict};
use tenet::model::security::Number;
use traffic::{Event, Traffic};

/// Worlds that are tried, and frames in each.
const SEEDS: u64 = 20;
const FRAMES: usize = 1000;

/// Runs a world by the oracle until so many frames have come; shows each verdict.
fn judge(seed: u64, frames: usize, mut see: impl FnMut(Verdict)) {
    let (mut tables, mut state) = (Tables::default(), State::default());
    let mut count = 0;
    for event in Traffic::new(seed) {
        match event {
            Event::Tables(new) => tables = new,
            Event::Age(time) => state.age(time),
            Event::Frame { port, direction, bytes } => {
                see(verdict(&tables, &mut state, port, direction, &bytes, Duration::ZERO));
                count += 1;
            }
        }
        if count == frames {
            break;
        }
    }
}

/// Every way to pass; which rule it is does not count.
fn ways() -> [By; 10] {
    let rule = By::Rule { group: Number(0), index: 0 };
    let [open, arp, rarp, dhcp] = [By::Open, By::Arp, By::Rarp, By::Dhcp];
    [open, arp, rarp, dhcp, By::Discovery, By::Listener, rule, By::Flow, By::Error, By::Fragment]
}

#[test]
fn traffic_meets_every_verdict() {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let name = |by: By| match by {
        By::Rule { .. } => "pass Rule".to_owned(),
        by => format!("pass {by:?}"),
    };
    for seed in 0..SEEDS {
        judge(seed, FRAMES, |verdict| {
            let what = match verdict {
                Verdict::Pass(by) => name(by),
                Verdict::Drop(reason) => format!("drop {reason:?}"),
            };
            *counts.entry(what).or_default() += 1;
        });
    }
    for (what, count) in &counts {
        println!("{count:6} {what}");
    }
    let all = ways().map(name).into_iter().chain(Reason::ALL.iter().map(|reason| format!("drop {reason:?}")));
    let never: Vec<_> = all.filter(|what| !counts.contains_key(what)).collect();
    assert!(never.is_empty(), "never met: {never:?}");
    let passed: usize = counts.iter().filter(|(what, _)| what.starts_with("pass")).map(|(_, count)| count).sum();
    let all: usize = counts.values().sum();
    println!("{passed} of {all} pass");
    assert!(passed * 10 > all * 3 && passed * 10 < all * 7, "{passed} of {all} pass: neither few nor most should");
}

#[test]
fn the_same_seed_makes_the_same_events() {
    let events = |seed| Traffic::new(seed).take(500).collect::<Vec<_>>();
    assert_eq!(events(1), events(1));
    assert_ne!(events(1), events(2));
}

/// Whoever runs the events beside the oracle has that long for a world.
#[test]
fn no_packet_is_nearly_as_old_as_something_lasts() {
    for seed in 0..SEEDS {
        let (mut now, mut moments) = (0, vec![]);
        for event in Traffic::new(seed).take(5000) {
            match event {
                Event::Age(time) => now += time.as_secs(),
                Event::Frame { .. } if moments.last() != Some(&now) => {
                    let near = |age: u64| {
                        [10_u64, 30, 60, 120, 180, 432_000].iter().any(|time| time.abs_diff(age) <= traffic::MARGIN)
                    };
                    let old = moments.iter().find(|moment| near(now - **moment));
                    assert_eq!(old, None, "seed {seed} at {now}");
                    moments.push(now);
                }
                _ => {}
            }
        }
        assert!(moments.len() > 5, "time goes by");
    }
}
