//! What security groups say of a packet that may be its sender's (6).

use std::time::Duration;

use super::flow::{Flows, Key, Stage, back};
use super::packet::{Packet, Ports, Transport, quoted};
use super::place::Place;
use super::reason::{By, Reason};
use crate::model::security::Family;

/// Judges a whole packet, or a first fragment.
pub(super) fn judge(place: &Place<'_>, flows: &mut Flows, packet: &Packet<'_>, now: Duration) -> Result<By, Reason> {
    if !place.security.stateful {
        return place.allowed(packet);
    }
    let family = if packet.source.is_ipv4() { Family::V4 } else { Family::V6 };
    let Some(ports) = packet.transport.ports(family) else {
        return if is_about_a_flow(place, flows, family, packet, now) { Ok(By::Error) } else { place.allowed(packet) };
    };
    let flags = match packet.transport {
        Transport::Tcp(_, _, flags) => Some(flags),
        _ => None,
    };
    let key = place.flow(packet, ports);
    if let Some(flow) = flows.live(place, &key, now) {
        let over = matches!(flow.stage, Stage::Closing | Stage::Closed);
        if !(over && flags.is_some_and(super::packet::Flags::begins)) {
            match flow.next(place.direction, flags)? {
                Some(stage) => flow.goes_on(stage, now),
                None => flows.forget(&key),
            }
            return Ok(By::Flow);
        }
        flows.forget(&key);
    }
    if flows.answers_what_was_cut(&key, place.direction) {
        return Err(Reason::Cut);
    }
    if flags.is_some_and(|flags| !flags.begins()) {
        return Err(Reason::NoConnection);
    }
    if matches!(ports, Ports::Query { answer: true, .. }) {
        return Err(Reason::NoQuery);
    }
    let by = place.allowed(packet)?;
    flows.begin(place, key, now);
    Ok(by)
}

/// Whether it is an ICMP error that goes to the sender of a packet of a live flow.
fn is_about_a_flow(place: &Place<'_>, flows: &mut Flows, family: Family, packet: &Packet<'_>, now: Duration) -> bool {
    let Transport::Icmp(icmp) = packet.transport else { return false };
    let Some(quoted) = quoted(family, &icmp) else { return false };
    let ends = (quoted.source, quoted.destination);
    let key = Key::new(place.port, back(place.direction), ends, quoted.protocol, quoted.ports);
    quoted.source == packet.destination && flows.live(place, &key, now).is_some()
}
