//! First fragments that passed, so that the later ones may follow.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::reason::{By, Reason};
use crate::model::security::{Direction, Number};

/// How long the later fragments have.
const TIME: Duration = Duration::from_secs(30);

/// A datagram on its way past a port, in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Datagram {
    pub port: Number,
    pub direction: Direction,
    pub source: IpAddr,
    pub destination: IpAddr,
    pub identification: u32,
    /// IPv4 only.
    pub protocol: Option<u8>,
}

/// The first part of a datagram.
#[derive(Clone, Copy, Debug)]
struct First {
    /// Bytes of the datagram's payload that it holds.
    held: usize,
    seen: Duration,
    epoch: u32,
}

/// The first fragments that passed.
#[derive(Clone, Debug, Default)]
pub(super) struct Fragments(BTreeMap<Datagram, First>);

impl Fragments {
    fn first(&self, key: &Datagram, epoch: u32, now: Duration) -> Option<First> {
        let first = self.0.get(key)?;
        (first.epoch == epoch && now.saturating_sub(first.seen) <= TIME).then_some(*first)
    }

    /// Whether a first fragment may come: another one of another length would overlap what was judged, or be overlapped by
    /// what came after.
    pub fn may_begin(&self, key: &Datagram, held: usize, epoch: u32, now: Duration) -> Result<(), Reason> {
        match self.first(key, epoch, now) {
            Some(first) if first.held != held => Err(Reason::FirstAgain),
            _ => Ok(()),
        }
    }

    /// Remembers a first fragment that passed.
    pub fn begin(&mut self, key: Datagram, held: usize, epoch: u32, now: Duration) {
        self.0.insert(key, First { held, seen: now, epoch });
    }

    /// Judges a later one.
    pub fn goes_on(&self, key: &Datagram, offset: usize, epoch: u32, now: Duration) -> Result<By, Reason> {
        let first = self.first(key, epoch, now).ok_or(Reason::FirstUnknown)?;
        if offset < first.held { Err(Reason::Overlap) } else { Ok(By::Fragment) }
    }
}
