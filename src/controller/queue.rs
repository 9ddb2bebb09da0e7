//! What is being written, and what has to wait: never two writes about one object, never more at once than the server likes.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::cluster::write::{Target, Write};

/// So many writes are on their way at once. More only wait inside the server.
pub const WIDTH: usize = 16;
/// How long a write that failed waits, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(30));
/// A subnet's counts change with every port; nobody needs them more often.
const COUNTS: Duration = Duration::from_secs(1);

/// Writes on their way, and when others may follow.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: Vec<Write>,
    /// What is on its way; true: more about it was decided meanwhile, and left for the next time.
    sent: HashMap<Target, bool>,
    failed: HashMap<Target, (Instant, Duration)>,
    counted: HashMap<Target, Instant>,
}

impl Queue {
    /// Replaces all that waits by what was just decided.
    pub fn refill(&mut self, mut writes: Vec<Write>) {
        writes.reverse();
        self.waiting = writes;
    }

    /// The next write that may be sent now.
    pub fn take(&mut self, now: Instant) -> Option<Write> {
        if self.sent.len() >= WIDTH {
            return None;
        }
        while let Some(write) = self.waiting.pop() {
            let target = write.target();
            let lazy = matches!(&write, Write::Status(status) if status.lazy);
            let early = self.failed.get(&target).is_some_and(|(at, _)| *at > now)
                || lazy && self.counted.get(&target).is_some_and(|at| *at + COUNTS > now);
            if early {
                continue;
            }
            if let Some(more) = self.sent.get_mut(&target) {
                *more = true;
                continue;
            }
            self.sent.insert(target.clone(), false);
            if lazy {
                self.counted.insert(target, now);
            }
            return Some(write);
        }
        None
    }

    /// A write has ended, well or not. Whether more about its target was left, so that it is to be decided anew.
    pub fn ended(&mut self, target: &Target, well: bool, now: Instant) -> bool {
        let more = self.sent.remove(target) == Some(true);
        if well {
            self.failed.remove(target);
            return more;
        }
        let wait = self.failed.get(target).map_or(RETRY.0, |(_, wait)| (*wait * 2).min(RETRY.1));
        self.failed.insert(target.clone(), (now + wait, wait));
        more
    }

    /// Whether so little is left that it is worth deciding anew.
    #[must_use]
    pub fn is_low(&self) -> bool {
        self.waiting.is_empty() && self.sent.len() * 2 <= WIDTH
    }

    /// How many writes wait or are on their way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len() + self.sent.len()
    }

    /// Whether nothing is to be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When something that had to wait may go on.
    pub fn deadline(&mut self, now: Instant) -> Option<Instant> {
        self.counted.retain(|_, at| *at + COUNTS > now);
        let counted = self.counted.values().map(|at| *at + COUNTS);
        self.failed.values().map(|(at, _)| *at).filter(|at| *at > now).chain(counted).min()
    }
}

#[cfg(test)]
mod tests;
