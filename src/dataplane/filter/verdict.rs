//! Whether a packet passes a port: the rules of [`filter`](super) as a function.

use std::time::Duration;

use super::flow::State;
use super::packet::{self, Frame, Packet, Part};
use super::place::Place;
pub use super::reason::{By, Reason};
use super::tables::{Policy, Tables};
use super::{groups, spoof};
use crate::model::security::{Direction, Number};

/// What becomes of a packet, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Pass(By),
    /// It goes nowhere, and nobody is told.
    Drop(Reason),
}

impl Verdict {
    /// Whether the packet goes on.
    #[must_use]
    pub fn passes(self) -> bool {
        matches!(self, Self::Pass(_))
    }
}

/// Judges a frame at a port, and remembers in `state` what it has to. `now` is the time since any moment, the same for all
/// calls with one `state`.
pub fn verdict(
    tables: &Tables,
    state: &mut State,
    port: Number,
    direction: Direction,
    frame: &[u8],
    now: Duration,
) -> Verdict {
    let security = match tables.ports.get(&port) {
        None => return Verdict::Drop(Reason::NoPort),
        Some(Policy::Open) => return Verdict::Pass(By::Open),
        Some(Policy::Guarded(security)) => security,
    };
    let place = Place { tables, security, port, direction };
    match judge(&place, state, frame, now) {
        Ok(by) => Verdict::Pass(by),
        Err(reason) => Verdict::Drop(reason),
    }
}

fn judge(place: &Place<'_>, state: &mut State, bytes: &[u8], now: Duration) -> Result<By, Reason> {
    let frame = Frame::read(bytes)?;
    if place.direction == Direction::Egress && !spoof::is_own_mac(place.security, frame.source) {
        return Err(Reason::Mac);
    }
    let (packet, always) = match (frame.ethertype, place.direction) {
        (packet::ARP, Direction::Ingress) => return Ok(By::Arp),
        (packet::ARP, Direction::Egress) => return spoof::arp(place.security, &frame),
        (packet::RARP, Direction::Ingress) => return Err(Reason::RarpIn),
        (packet::RARP, Direction::Egress) => return Ok(By::Rarp),
        (packet::IPV4, _) => {
            let packet = packet::ipv4(frame.payload)?;
            (packet, spoof::ipv4(place, frame.source, &packet)?)
        }
        (packet::IPV6, _) => {
            let packet = packet::ipv6(frame.payload)?;
            (packet, spoof::ipv6(place, frame.source, &packet)?)
        }
        _ => return Err(Reason::EtherType),
    };
    match always {
        Some(by) => Ok(by),
        None => fragment(place, state, &packet, now),
    }
}

/// What is left for the groups; they see no later fragment.
fn fragment(place: &Place<'_>, state: &mut State, packet: &Packet<'_>, now: Duration) -> Result<By, Reason> {
    let now = state.time(now);
    match packet.part {
        Part::Whole => groups::judge(place, &mut state.flows, packet, now),
        Part::First { identification, held } => {
            let key = place.datagram(packet, identification);
            state.fragments.may_begin(&key, held, place.tables.epoch, now)?;
            let by = groups::judge(place, &mut state.flows, packet, now)?;
            state.fragments.begin(key, held, place.tables.epoch, now);
            Ok(by)
        }
        Part::Later { identification, offset } => {
            let key = place.datagram(packet, identification);
            state.fragments.goes_on(&key, offset, place.tables.epoch, now)
        }
    }
}
