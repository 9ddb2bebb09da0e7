//! Rules of policy routing as netlink messages. `FRA_PROTOCOL` tells ours.

use netlink_packet_route::AddressFamily;
use netlink_packet_route::route::RouteProtocol;
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};

use crate::dataplane::kernel::route;
use crate::dataplane::names::PROTOCOL;
use crate::dataplane::state::{Packets, Rule};

/// What the kernel calls the namespace's own packets: those that come in by the loopback.
const OWN: &str = "lo";

/// A rule.
#[must_use]
pub fn rule(priority: u32, rule: &Rule) -> RuleMessage {
    let mut message = all();
    message.header.action = RuleAction::ToTable;
    message.header.table = route::number(rule.table);
    let out = &mut message.attributes;
    out.push(RuleAttribute::Priority(priority));
    out.push(RuleAttribute::Table(route::number(rule.table).into()));
    out.push(RuleAttribute::Protocol(RouteProtocol::from(PROTOCOL)));
    match rule.packets {
        Packets::Marked(mark) => out.push(RuleAttribute::FwMark(mark)),
        Packets::Own => out.push(RuleAttribute::Iifname(OWN.to_owned())),
        Packets::Unknown => {}
    }
    if rule.specific {
        out.push(RuleAttribute::SuppressPrefixLen(0));
    }
    message
}

/// Priority and rule, if it is ours.
#[must_use]
pub fn rule_of(message: &RuleMessage) -> Option<(u32, Rule)> {
    let (mut priority, mut ours, mut packets, mut specific) = (0, false, Packets::Unknown, false);
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Priority(number) => priority = *number,
            RuleAttribute::Protocol(protocol) => ours = *protocol == RouteProtocol::from(PROTOCOL),
            RuleAttribute::FwMark(mark) => packets = Packets::Marked(*mark),
            RuleAttribute::Iifname(name) if name == OWN => packets = Packets::Own,
            // The kernel says -1 where there is none.
            RuleAttribute::SuppressPrefixLen(length) => specific = *length == 0,
            _ => {}
        }
    }
    let table = route::table_of(message.header.table)?;
    ours.then_some((priority, Rule { packets, table, specific }))
}

/// All rules of IPv4.
#[must_use]
pub fn all() -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = AddressFamily::Inet;
    message
}
