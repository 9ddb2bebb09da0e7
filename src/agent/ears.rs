//! What guests announce, as fast as it may change something: who announces again and again is heard only so often.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::model::active::{ACTIVE_MAX, Announcement};
use crate::model::security::Number;

/// Something may come to a port so often at once; and for each more time so long has to pass.
const AT_ONCE: u32 = 8;
const EACH: Duration = Duration::from_secs(1);

/// Announcements that wait, and what ports have had.
#[derive(Debug, Default)]
pub struct Ears {
    /// The newest last, and one of each address of a port.
    waiting: Vec<Announcement>,
    /// When ports will have had nothing.
    rested: HashMap<Number, Instant>,
}

impl Ears {
    /// Takes in what was announced, the newest last.
    pub fn hear(&mut self, all: Vec<Announcement>) {
        for heard in all {
            let same = |other: &Announcement| (other.port, other.ip) == (heard.port, heard.ip);
            self.waiting.retain(|other| !same(other));
            let of_port = || self.waiting.iter().filter(|other| other.port == heard.port);
            if of_port().count() >= ACTIVE_MAX
                && let Some(oldest) = self.waiting.iter().position(|other| other.port == heard.port)
            {
                self.waiting.remove(oldest);
            }
            self.waiting.push(heard);
        }
    }

    /// Takes out what may be looked at now.
    pub fn ready(&mut self, now: Instant) -> Vec<Announcement> {
        self.rested.retain(|_, at| *at > now);
        let rested = &self.rested;
        let is_rested = |heard: &mut Announcement| rested.get(&heard.port).is_none_or(|at| *at <= now + limit());
        self.waiting.extract_if(.., is_rested).collect()
    }

    /// Something came to these ports.
    pub fn moved(&mut self, ports: impl IntoIterator<Item = Number>, now: Instant) {
        for port in ports {
            let at = self.rested.entry(port).or_insert(now);
            *at = (*at).max(now) + EACH;
        }
    }

    /// When something that waits may be looked at.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let at = |heard: &Announcement| self.rested.get(&heard.port).and_then(|at| at.checked_sub(limit()));
        self.waiting.iter().filter_map(at).min()
    }
}

fn limit() -> Duration {
    EACH * (AT_ONCE - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::MacAddr;

    fn says(port: u64, last: u8, ip: [u8; 4]) -> Announcement {
        Announcement { port: Number(port), ip: ip.into(), mac: MacAddr([2, 0, 0, 0, 0, last]), late: false }
    }

    #[test]
    fn the_newest_of_an_address_is_heard_and_no_more_of_a_port_than_it_can_have() {
        let (mut ears, now) = (Ears::default(), Instant::now());
        ears.hear(vec![says(1, 1, [10, 0, 0, 1]), says(2, 1, [10, 0, 0, 1]), says(1, 2, [10, 0, 0, 1])]);
        assert_eq!(ears.ready(now), [says(2, 1, [10, 0, 0, 1]), says(1, 2, [10, 0, 0, 1])]);
        assert!(ears.ready(now).is_empty());
        ears.hear((0..100).map(|n| says(1, 1, [10, 0, 0, n])).collect());
        let ready = ears.ready(now);
        assert_eq!((ready.len(), ready.last()), (ACTIVE_MAX, Some(&says(1, 1, [10, 0, 0, 99]))));
    }

    #[test]
    fn a_port_that_takes_again_and_again_waits_and_others_do_not() {
        let (mut ears, now, ip) = (Ears::default(), Instant::now(), [10, 0, 0, 1]);
        for _ in 0..AT_ONCE {
            ears.hear(vec![says(1, 1, ip)]);
            assert_eq!(ears.ready(now).len(), 1);
            ears.moved([Number(1)], now);
        }
        ears.hear(vec![says(1, 1, ip), says(2, 1, ip)]);
        assert_eq!(ears.ready(now), [says(2, 1, ip)]);
        let later = ears.deadline();
        assert_eq!(later, Some(now + EACH));
        assert_eq!(ears.ready(now + EACH), [says(1, 1, ip)]);
        assert_eq!(ears.deadline(), None);
    }
}
