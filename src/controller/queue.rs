//! What is being written, and what has to wait: never two writes about one object, never more at once than the server likes.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::width::Width;
use crate::cluster::write::{Target, Write};

/// How long a write that failed waits, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(30));
/// How soon what was made is seen.
const UNSEEN: Duration = Duration::from_secs(2);
/// Counts of subnets and groups change with every port: they are written so much later, and not more often than that.
const COUNTS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// Writes on their way, and when others may follow.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: Vec<Write>,
    /// What is on its way.
    sent: HashMap<Target, Sent>,
    width: Width,
    failed: HashMap<Target, (Instant, Duration)>,
    /// When counts may be written.
    counts: HashMap<Target, Instant>,
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It holds.
    Well,
    /// Somebody was first, and news of that are on their way: however often that happens, the next try is as good.
    Conflict,
    /// It was not taken.
    Failed,
    /// It holds, and what was made is seen a moment later: until then the same would be decided.
    Unseen,
}

/// A write on its way.
#[derive(Debug)]
struct Sent {
    since: Instant,
    /// More about its target was decided meanwhile, and left for the next time.
    more: bool,
}

impl Queue {
    /// Replaces all that waits by what was just decided. What is about a target that a write is on its way to was decided
    /// without the answer: it is left.
    pub fn refill(&mut self, mut writes: Vec<Write>) {
        writes.retain(|write| match self.sent.get_mut(&write.target()) {
            Some(sent) => {
                sent.more = true;
                false
            }
            None => true,
        });
        writes.reverse();
        self.waiting = writes;
    }

    /// The next write that may be sent now.
    pub fn take(&mut self, now: Instant) -> Option<Write> {
        if self.sent.len() >= self.width.get() {
            return None;
        }
        while let Some(write) = self.waiting.pop() {
            let target = write.target();
            let lazy = matches!(&write, Write::Status(status) if status.lazy);
            let early = self.failed.get(&target).is_some_and(|(at, _)| *at > now);
            if early || lazy && *self.counts.entry(target.clone()).or_insert(now + COUNTS.0) > now {
                continue;
            }
            self.sent.insert(target.clone(), Sent { since: now, more: false });
            if lazy {
                self.counts.insert(target, now + COUNTS.1);
            }
            return Some(write);
        }
        None
    }

    /// A write has ended. Whether more about its target was left, so that it is to be decided anew.
    pub fn ended(&mut self, target: &Target, end: End, now: Instant) -> bool {
        let sent = self.sent.remove(target);
        if let Some(sent) = &sent {
            self.width.hear(now.saturating_duration_since(sent.since));
        }
        let more = sent.is_some_and(|sent| sent.more);
        let wait = match end {
            End::Well => {
                self.failed.remove(target);
                return more;
            }
            End::Conflict => RETRY.0,
            End::Unseen => UNSEEN,
            End::Failed => self.failed.get(target).map_or(RETRY.0, |(_, wait)| (*wait * 2).min(RETRY.1)),
        };
        self.failed.insert(target.clone(), (now + wait, wait));
        more
    }

    /// Whether so little is left that it is worth deciding anew.
    #[must_use]
    pub fn is_low(&self) -> bool {
        self.waiting.is_empty() && self.sent.len() * 2 <= self.width.get()
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
        // What is due is on its way within moments, if there is anything to write at all.
        self.counts.retain(|_, at| *at + COUNTS.1 > now);
        // What is not tried any more is not there any more.
        self.failed.retain(|_, (at, _)| *at + RETRY.1 > now);
        self.failed.values().map(|(at, _)| *at).chain(self.counts.values().copied()).filter(|at| *at > now).min()
    }
}

#[cfg(test)]
mod tests;
