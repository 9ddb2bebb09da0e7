//! When to try again what failed, and how often to repair what somebody undoes.

use std::io;
use std::time::{Duration, Instant};

use tracing::{error, warn};

/// How long until something that failed is tried again, at first and at most.
pub const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// The shortest time between two repairs: somebody who undoes ours at once must not cost a whole processor.
const CALM: Duration = Duration::from_millis(20);

/// What is due, and when.
#[derive(Debug, Default)]
pub struct Pace {
    /// When what failed is tried again, and after how long.
    retry: Option<(Instant, Duration)>,
    /// The kernel changed under us and was not looked at yet.
    disturbed: bool,
    repaired: Option<Instant>,
}

impl Pace {
    /// When something is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let repair = self.repaired.filter(|_| self.disturbed).map(|at| at + CALM);
        self.retry.map(|(at, _)| at).into_iter().chain(repair).min()
    }

    /// The kernel changed under us.
    pub fn disturbed(&mut self) {
        self.disturbed = true;
    }

    /// Whether nothing is due, now or later.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.retry.is_none() && !self.disturbed
    }

    /// Whether what failed is to be tried again now.
    #[must_use]
    pub fn retries(&self, now: Instant) -> bool {
        self.retry.is_some_and(|(at, _)| at <= now)
    }

    /// Whether the node is to be repaired now; if so, it counts as done.
    pub fn repairs(&mut self, now: Instant) -> bool {
        let due = self.disturbed && self.repaired.is_none_or(|at| at + CALM <= now);
        if due {
            (self.disturbed, self.repaired) = (false, Some(now));
        }
        due
    }

    /// Takes in how a convergence ended: an error, or whether all could be done.
    pub fn ended(&mut self, done: &io::Result<bool>) {
        if let Err(error) = done {
            error!("the state directory cannot be written, so nothing is changed: {error}");
        }
        let now = Instant::now();
        self.retry = match self.retry {
            _ if matches!(done, Ok(true)) => None,
            None => {
                warn!("not everything could be done; it is tried again from time to time");
                Some((now + RETRY.0, RETRY.0))
            }
            Some((at, wait)) if at <= now => Some((now + (wait * 2).min(RETRY.1), (wait * 2).min(RETRY.1))),
            waiting => waiting,
        };
    }
}
