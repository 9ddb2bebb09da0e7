//! What is remembered of flows that ended is forgotten from time to time, so that a port's share is not used up by them.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::dataplane::kernel::filter::tables::Tables;

/// How often: a port without a share left is worse off only when tables are flooded. It costs a look at one number of each port,
/// and more only where a port has many flows.
const EVERY: Duration = Duration::from_mins(5);

/// A thread that sweeps until this is dropped.
pub struct Sweeper {
    _ends: Sender<()>,
}

impl Sweeper {
    /// Begins to sweep the tables pinned in `dir`.
    #[must_use]
    pub fn start(dir: PathBuf, share: u32) -> Self {
        let (ends, end) = channel();
        std::thread::spawn(move || run(&dir, share, &end));
        Self { _ends: ends }
    }
}

fn run(dir: &Path, share: u32, end: &Receiver<()>) {
    while end.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
        let swept = Tables::open(dir).and_then(|mut tables| tables.sweep(now(), share));
        match swept {
            Ok(0) => {}
            Ok(forgotten) => tracing::debug!(forgotten, "flows that ended are forgotten"),
            Err(error) => tracing::warn!(%error, "flows that ended are not forgotten"),
        }
    }
}

/// Time since the machine started, ns, as the programs have it.
pub fn now() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}
