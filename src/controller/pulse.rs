//! Who is alive: each agent's Lease is watched, and one that has not changed for as long as it promises means a silent node.
//!
//! Times in a Lease are never believed, only when we saw it change. After we were blind ourselves (the API server was away)
//! nobody counts as dead before a full period was seen again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cluster::lease::Beat;

/// Heartbeats of all agents.
#[derive(Debug, Default)]
pub struct Pulse {
    beats: BTreeMap<Arc<str>, (Beat, Instant)>,
}

/// What a Lease promises at least, whatever it says: a busy API server is late by that much.
const LEAST: Duration = Duration::from_secs(2);

/// How long after an outage agents may need to be heard again, beyond what their Leases promise: their questions that were
/// under way have to time out first.
const AGAIN: Duration = Duration::from_secs(15);

impl Pulse {
    /// A heartbeat was heard, at `now`.
    pub fn hear(&mut self, beat: Beat, now: Instant) {
        let same = self.beats.get(&beat.node).is_some_and(|(known, _)| known.version == beat.version);
        if !same {
            self.beats.insert(beat.node.clone(), (beat, now));
        }
    }

    /// Nodes that should be heard: of one that has no Lease (any more) the first heartbeat is due within a term from `now`.
    pub fn expect<'a>(&mut self, nodes: impl Iterator<Item = &'a str>, now: Instant) {
        for node in nodes {
            if !self.beats.contains_key(node) {
                let beat = Beat { node: node.into(), version: String::new(), term: AGAIN };
                self.beats.insert(beat.node.clone(), (beat, now));
            }
        }
    }

    /// We were blind until `now`: every period begins anew, once all have had the time to find the server again.
    pub fn blinded(&mut self, now: Instant) {
        for (_, since) in self.beats.values_mut() {
            *since = now + AGAIN;
        }
    }

    /// Nodes that are silent at `now`.
    pub fn silent(&self, now: Instant) -> impl Iterator<Item = &Arc<str>> {
        let late = move |(_, (beat, since)): &(&Arc<str>, &(Beat, Instant))| {
            now.saturating_duration_since(*since) > term(beat)
        };
        self.beats.iter().filter(late).map(|(node, _)| node)
    }

    /// When the next node falls silent, if it is not heard.
    #[must_use]
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        self.beats.values().map(|(beat, since)| *since + term(beat)).filter(|at| *at > now).min()
    }
}

fn term(beat: &Beat) -> Duration {
    beat.term.max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat(version: u64, seconds: u64) -> Beat {
        Beat { node: "n".into(), version: version.to_string(), term: Duration::from_secs(seconds) }
    }

    fn is_silent(pulse: &Pulse, now: Instant) -> bool {
        pulse.silent(now).any(|node| &**node == "n")
    }

    #[test]
    fn a_node_is_silent_when_its_lease_has_not_changed_for_its_term() {
        let (mut pulse, start) = (Pulse::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        pulse.hear(beat(1, 3), start);
        assert!(!is_silent(&pulse, at(3)));
        assert!(is_silent(&pulse, at(4)));
        pulse.hear(beat(1, 3), at(4));
        assert!(is_silent(&pulse, at(5)), "the same version said again is no heartbeat");
        pulse.hear(beat(2, 3), at(5));
        assert!(!is_silent(&pulse, at(8)));
        assert_eq!(pulse.deadline(at(6)), Some(at(8)));
    }

    #[test]
    fn a_node_without_a_lease_is_silent_too_after_a_while() {
        let (mut pulse, start) = (Pulse::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        pulse.expect(["n"].into_iter(), start);
        pulse.expect(["n"].into_iter(), at(10));
        assert!(!is_silent(&pulse, at(15)));
        assert!(is_silent(&pulse, at(16)));
        pulse.hear(beat(1, 3), at(17));
        assert!(!is_silent(&pulse, at(18)));
    }

    #[test]
    fn after_being_blind_nobody_is_dead_before_a_full_term() {
        let (mut pulse, start) = (Pulse::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        pulse.hear(beat(1, 3), start);
        pulse.blinded(at(60));
        assert!(!is_silent(&pulse, at(78)));
        assert!(is_silent(&pulse, at(79)));
        assert!(!pulse.silent(at(64)).any(|node| &**node == "unheard of"));
    }
}
