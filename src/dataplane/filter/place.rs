//! Where a packet is judged.

use super::fragments::Datagram;
use super::packet::{Packet, Ports};
use super::reason::{By, Reason};
use super::tables::{Question, Tables};
use crate::dataplane::filter::flow::Key;
use crate::model::security::{Direction, Number, SecurityView};

/// A guarded port, and which way the packet goes there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub tables: &'a Tables,
    pub security: &'a SecurityView,
    pub port: Number,
    pub direction: Direction,
}

impl Place<'_> {
    /// Whether a rule allows a packet, whatever was before.
    pub fn allowed(&self, packet: &Packet<'_>) -> Result<By, Reason> {
        let remote = match self.direction {
            Direction::Egress => packet.destination,
            Direction::Ingress => packet.source,
        };
        let (protocol, numbers) = (packet.protocol, packet.transport.numbers());
        let question = Question { direction: self.direction, remote, protocol, numbers };
        let (group, index) = self.tables.rule(self.security, &question).ok_or(Reason::NotAllowed)?;
        Ok(By::Rule { group, index })
    }

    /// The flow of a packet.
    pub fn flow(&self, packet: &Packet<'_>, ports: Ports) -> Key {
        Key::new(self.port, self.direction, (packet.source, packet.destination), packet.protocol, ports)
    }

    /// The datagram that a fragment is of.
    pub fn datagram(&self, packet: &Packet<'_>, identification: u32) -> Datagram {
        Datagram {
            port: self.port,
            direction: self.direction,
            source: packet.source,
            destination: packet.destination,
            identification,
            // A later fragment in IPv6 does not say what its first one is.
            protocol: packet.source.is_ipv4().then_some(packet.protocol),
        }
    }
}
