//! How many writes are on their way at once: as many as the API server answers quickly, so that people who write at the
//! same time do not wait behind a backlog of ours.

use std::time::Duration;

/// The fewest and the most.
const BOUNDS: (usize, usize) = (4, 16);
/// An answer that takes this many times as long as the fastest one lately has waited for others.
const SLOW: u32 = 3;
/// After so many answers the fastest one is forgotten by half: the server may have become another.
const MEMORY: u32 = 256;

/// Grows by one for each width of quick answers, shrinks by one for each slow one, as TCP Vegas does with segments.
#[derive(Debug)]
pub struct Width {
    now: usize,
    quick: usize,
    fastest: Option<Duration>,
    heard: u32,
}

impl Default for Width {
    fn default() -> Self {
        Self { now: BOUNDS.1, quick: 0, fastest: None, heard: 0 }
    }
}

impl Width {
    /// How many writes may be on their way now.
    #[must_use]
    pub fn get(&self) -> usize {
        self.now
    }

    /// An answer has come after this time.
    pub fn hear(&mut self, took: Duration) {
        self.heard += 1;
        if self.heard >= MEMORY {
            self.heard = 0;
            self.fastest = self.fastest.map(|fastest| fastest * 2);
        }
        let fastest = self.fastest.map_or(took, |fastest| fastest.min(took));
        self.fastest = Some(fastest);
        if took > fastest * SLOW {
            self.quick = 0;
            self.now = (self.now - 1).max(BOUNDS.0);
            return;
        }
        self.quick += 1;
        if self.quick >= self.now {
            self.quick = 0;
            self.now = (self.now + 1).min(BOUNDS.1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_becomes_slow_gets_fewer_writes_at_once_and_one_that_recovers_more() {
        let mut width = Width::default();
        let ms = Duration::from_millis;
        (0..50).for_each(|_| width.hear(ms(5)));
        assert_eq!(width.get(), BOUNDS.1);
        (0..50).for_each(|_| width.hear(ms(40)));
        assert_eq!(width.get(), BOUNDS.0);
        (0..150).for_each(|_| width.hear(ms(6)));
        assert_eq!(width.get(), BOUNDS.1);
    }

    #[test]
    fn a_server_that_is_always_slow_is_not_a_busy_one() {
        let mut width = Width::default();
        (0..2000).for_each(|_| width.hear(Duration::from_millis(80)));
        assert_eq!(width.get(), BOUNDS.1);
    }
}
