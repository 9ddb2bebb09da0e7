//! What ports remember: flows, and first fragments.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::fragments::Fragments;
use super::packet::{Flags, Ports, TCP};
use super::place::Place;
use super::reason::Reason;
use super::tables::Question;
use crate::model::security::{Direction, Number};

/// All that a node's ports remember.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub(super) flows: Flows,
    pub(super) fragments: Fragments,
    /// How much older all is than its times say.
    older: Duration,
}

impl State {
    /// Makes everything older, as if so much time had passed.
    pub fn age(&mut self, time: Duration) {
        self.older += time;
    }

    /// What to compare times with.
    pub(super) fn time(&self, now: Duration) -> Duration {
        now + self.older
    }
}

/// What a flow goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    port: Number,
    protocol: u8,
    /// Address and port, or identifier of a query.
    local: (IpAddr, u16),
    /// Address and port, or type of a query.
    remote: (IpAddr, u16),
    /// Of ICMP queries, who asks.
    asks: Option<Direction>,
}

/// How far a flow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nobody answered yet.
    Pending,
    Established,
    /// TCP, after a FIN.
    Closing,
    /// TCP, after an RST.
    Closed,
    /// Not TCP: new tables forbid it, and it is none any more. Answers that were under way begin no other.
    Cut,
}

impl Stage {
    /// How long a flow is remembered that nobody uses. `query`: it is ICMP.
    pub fn lasts(self, protocol: u8, query: bool) -> Duration {
        Duration::from_secs(match self {
            Self::Pending if protocol == TCP => 60,
            Self::Pending => 30,
            Self::Established if protocol == TCP => 432_000,
            Self::Established if query => 30,
            Self::Established => 180,
            Self::Closing => 120,
            Self::Closed | Self::Cut => 10,
        })
    }
}

/// A flow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    /// The guest, if the first packet was egress.
    beginner: Direction,
    pub stage: Stage,
    seen: Duration,
    epoch: u32,
}

/// The other way.
pub(super) fn back(direction: Direction) -> Direction {
    match direction {
        Direction::Ingress => Direction::Egress,
        Direction::Egress => Direction::Ingress,
    }
}

impl Key {
    /// The flow of a packet between source and destination.
    pub fn new(
        port: Number,
        direction: Direction,
        (source, destination): (IpAddr, IpAddr),
        protocol: u8,
        ports: Ports,
    ) -> Self {
        let (at_source, at_destination, asks) = match ports {
            Ports::Pair { source, destination } => (source, destination, None),
            Ports::Query { kind, identifier, answer } => {
                let asks = if answer { back(direction) } else { direction };
                // The type stands at the remote end, whichever way the packet goes.
                let (source, destination) =
                    if direction == Direction::Egress { (identifier, kind.into()) } else { (kind.into(), identifier) };
                (source, destination, Some(asks))
            }
        };
        let (source, destination) = ((source, at_source), (destination, at_destination));
        let (local, remote) =
            if direction == Direction::Egress { (source, destination) } else { (destination, source) };
        Self { port, protocol, local, remote, asks }
    }

    /// What the rules are asked if the flow begins now.
    fn question(&self, beginner: Direction) -> Question {
        let first = match (self.asks, beginner) {
            (Some(_), _) | (None, Direction::Egress) => self.remote.1,
            (None, Direction::Ingress) => self.local.1,
        };
        Question { direction: beginner, remote: self.remote.0, protocol: self.protocol, numbers: (first, 0) }
    }

    /// Whether an answer, where there is no flow, could be the first packet of one.
    fn answers_begin(&self) -> bool {
        self.protocol != TCP && self.asks.is_none()
    }

    /// How long a flow is remembered that nobody uses.
    fn time(&self, stage: Stage) -> Duration {
        stage.lasts(self.protocol, self.asks.is_some())
    }
}

/// The flows of a node's ports.
#[derive(Clone, Debug, Default)]
pub(super) struct Flows(BTreeMap<Key, Flow>);

impl Flows {
    /// A flow that is not too old and, if the tables have changed, that they still allow. Another one is forgotten or cut.
    pub fn live(&mut self, place: &Place<'_>, key: &Key, now: Duration) -> Option<&mut Flow> {
        let flow = self.0.get_mut(key)?;
        let epoch = place.tables.epoch;
        if now.saturating_sub(flow.seen) > key.time(flow.stage) {
            self.0.remove(key);
            return None;
        }
        if flow.stage == Stage::Cut {
            return None;
        }
        if flow.epoch != epoch && place.tables.rule(place.security, &key.question(flow.beginner)).is_none() {
            if key.answers_begin() {
                flow.goes_on(Stage::Cut, now);
            } else {
                self.0.remove(key);
            }
            return None;
        }
        // Looked up once more, for what was looked up may have been removed.
        let flow = self.0.get_mut(key)?;
        flow.epoch = epoch;
        Some(flow)
    }

    /// Whether there was a flow that was cut, begun by the other side than sends in `direction`. After [`Self::live`].
    pub fn answers_what_was_cut(&self, key: &Key, direction: Direction) -> bool {
        self.0.get(key).is_some_and(|flow| flow.stage == Stage::Cut && flow.beginner != direction)
    }

    /// A rule allowed it: it begins.
    pub fn begin(&mut self, place: &Place<'_>, key: Key, now: Duration) {
        let (beginner, epoch) = (place.direction, place.tables.epoch);
        self.0.insert(key, Flow { beginner, stage: Stage::Pending, seen: now, epoch });
    }

    /// It never was.
    pub fn forget(&mut self, key: &Key) {
        self.0.remove(key);
    }
}

impl Flow {
    /// A packet of it passes, and says how far it is.
    pub fn goes_on(&mut self, stage: Stage, now: Duration) {
        (self.stage, self.seen) = (stage, now);
    }

    /// How far it is after a packet that goes in `direction`; `flags` are TCP's. None: the packet ends it.
    pub fn next(&self, direction: Direction, flags: Option<Flags>) -> Result<Option<Stage>, Reason> {
        let by_beginner = direction == self.beginner;
        let Some(flags) = flags else {
            let pending = self.stage == Stage::Pending && by_beginner;
            return Ok(Some(if pending { Stage::Pending } else { Stage::Established }));
        };
        match self.stage {
            Stage::Pending if flags.rst() => Ok(None),
            Stage::Pending if by_beginner && flags.syn() && !flags.ack() => Ok(Some(Stage::Pending)),
            Stage::Pending if !by_beginner && (flags.syn() || flags.ack()) => Ok(Some(Stage::Established)),
            Stage::Pending => Err(Reason::OutOfTurn),
            _ if flags.rst() => Ok(Some(Stage::Closed)),
            Stage::Closed => Ok(Some(Stage::Closed)),
            _ if flags.fin() => Ok(Some(Stage::Closing)),
            stage => Ok(Some(stage)),
        }
    }
}
