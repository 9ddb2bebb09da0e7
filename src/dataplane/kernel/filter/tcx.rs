//! The short way to the filters (Linux 6.6): the programs hang in front of `clsact`, too, and say what becomes of a packet
//! before it is asked for there.
//!
//! It saves some 2 % of a packet between two guests, and nothing depends on it: a port whose entry here is gone is judged by the
//! same programs at `clsact`, which nobody takes away unheard. To make an entry the kernel waits for all its readers, 10 ms
//! and more with all other changes of links behind it. So ports get theirs at rest, when nobody is being plugged.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aya::programs::links::{FdLink, LinkOrder};
use aya::programs::tc::TcAttachOptions;
use aya::programs::{SchedClassifier, TcAttachType};

use super::failed;
use crate::dataplane::filter::PROGRAM;
use crate::dataplane::state::IfName;

/// Where the pins of these entries are, beside the programs: they go with them.
const DIR: &str = "tcx";
/// The hooks, as `PROGRAMS` has them.
const HOOKS: [TcAttachType; 2] = [TcAttachType::Ingress, TcAttachType::Egress];
/// So long after the last port was wired they begin to be made; and so long after the first, however many follow. Many pods at
/// once come for half a minute, and each waits for the same lock of the kernel's.
const REST: (Duration, Duration) = (Duration::from_millis(200), Duration::from_mins(1));

/// The entries of one namespace. They are pinned, so they outlive the agent.
#[derive(Debug)]
pub struct Short {
    dir: PathBuf,
    /// Interfaces that are to get theirs, and since when the first and the last of them wait.
    waiting: VecDeque<(IfName, u32)>,
    since: (Instant, Instant),
}

impl Short {
    /// Entries that are pinned beside the tables in `tables`.
    pub fn below(tables: &Path) -> Self {
        let now = Instant::now();
        Self { dir: tables.join(PROGRAM).join(DIR), waiting: VecDeque::new(), since: (now, now) }
    }

    /// Interfaces of these that have no entry of this version wait for one.
    pub fn lack(&mut self, links: impl Iterator<Item = (IfName, u32)>) {
        let lacking: Vec<_> = links.filter(|(_, index)| !self.of(*index).iter().all(|pin| pin.exists())).collect();
        self.wait(lacking);
    }

    /// These interfaces wait for an entry.
    pub fn wait(&mut self, links: Vec<(IfName, u32)>) {
        let now = Instant::now();
        let first = if self.waiting.is_empty() { now } else { self.since.0 };
        self.since = (first, now);
        self.waiting.extend(links);
    }

    /// When the next entry is to be made.
    pub fn deadline(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then(|| (self.since.1 + REST.0).min(self.since.0 + REST.1))
    }

    /// The interface that waits longest waits no more.
    pub fn next(&mut self) -> Option<(IfName, u32)> {
        self.waiting.pop_front()
    }

    fn of(&self, index: u32) -> [PathBuf; 2] {
        ["from", "to"].map(|hook| self.dir.join(format!("{index}-{hook}")))
    }

    /// Takes the entries of an interface away.
    pub fn forget(&mut self, index: u32) {
        self.waiting.retain(|(_, other)| *other != index);
        for pin in self.of(index) {
            if let Err(error) = std::fs::remove_file(&pin)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(%error, pin = %pin.display(), "a pin stays");
            }
        }
    }

    /// Puts the programs on an interface of the namespace that the calling thread is in. What was there before of ours goes when
    /// they are in place.
    ///
    /// # Errors
    /// The kernel does not take them, or has no such interface any more.
    pub fn attach(&self, programs: &mut [SchedClassifier; 2], name: &IfName, index: u32) -> io::Result<()> {
        std::fs::create_dir_all(&self.dir)?;
        for ((program, hook), pin) in programs.iter_mut().zip(HOOKS).zip(self.of(index)) {
            let first = TcAttachOptions::TcxOrder(LinkOrder::first());
            let id = program.attach_with_options(name, hook, first).map_err(failed)?;
            let link = program.take_link(id).map_err(failed)?;
            let link = FdLink::try_from(link).map_err(|error| io::Error::other(error.to_string()))?;
            match std::fs::remove_file(&pin) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            link.pin(&pin).map_err(|error| io::Error::other(error.to_string()))?;
        }
        Ok(())
    }
}
