//! What becomes of a packet that a guest sends: hop by hop, and the verdict with what decides.
//!
//! It goes by what nodes realise ([`NodeView`](crate::model::NodeView)) and asks the filters' own function
//! ([`filter::verdict`](crate::dataplane::filter::verdict)). What routers do stands in `router_rules`; `router` here is the same
//! for one packet. No packet is sent.

mod guest;
mod packet;
mod router;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
mod walk;

use std::net::{IpAddr, Ipv4Addr};

use serde::Serialize;

use crate::model::{Key, Topology};
use packet::{Content, Packet};
use walk::Walk;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The port that sends.
    pub port: Key,
    /// From which address; none: the port's that fits.
    pub source: Option<Ipv4Addr>,
    /// Where to.
    pub target: Ipv4Addr,
    /// What.
    pub sent: Sent,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// A TCP SYN to a port.
    Tcp(u16),
    /// A UDP datagram to a port.
    Udp(u16),
    /// An ICMP echo request.
    Echo,
}

/// One step of a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hop {
    /// Where: an object.
    pub at: String,
    /// The node; none: where nobody is plugged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What happens, in a sentence.
    pub says: String,
}

/// How it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "verdict")]
pub enum End {
    /// Whoever has the address gets it, and the answer comes back.
    Allowed {
        /// Who.
        at: String,
    },
    /// It goes on where nothing of ours is: the outside, or a guest that routes.
    Leaves {
        /// Where.
        at: String,
    },
    /// It goes nowhere.
    Dropped {
        /// Where.
        at: String,
        /// Why.
        because: String,
    },
}

impl End {
    /// Whether the packet gets as far as it is up to us.
    #[must_use]
    pub fn passes(&self) -> bool {
        !matches!(self, Self::Dropped { .. })
    }

    /// In one line.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Allowed { at } => format!("allowed: it reaches {at}, and the answer comes back"),
            Self::Leaves { at } => format!("allowed: it goes on to {at}"),
            Self::Dropped { at, because } => format!("dropped at {at}, because {because}"),
        }
    }
}

/// What became of a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// The end.
    #[serde(flatten)]
    pub end: End,
    /// The steps.
    pub hops: Vec<Hop>,
}

/// Follows a packet.
///
/// # Errors
/// There is no such port.
pub fn trace(topology: &Topology, question: &Question) -> Result<Trace, String> {
    let mut walk = Walk::new(topology);
    let Some(port) = walk.find(&question.port) else {
        return Err(format!("there is no Port {}, or it is not yours to read", question.port));
    };
    let content = match question.sent {
        Sent::Tcp(port) => Content::Tcp { source: Content::FREE, target: port, answer: false },
        Sent::Udp(port) => Content::Udp { source: Content::FREE, target: port },
        Sent::Echo => Content::Echo { answer: false },
    };
    let end = walk.send(&port, question.source, question.target, content);
    Ok(Trace { end, hops: walk.hops })
}

/// An IPv4 address of a topology.
fn v4(ip: &IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(ip) => Some(*ip),
        IpAddr::V6(_) => None,
    }
}

/// Where a packet stands that is on its way back: between the same ends, the other way.
fn back(packet: &Packet) -> Packet {
    Packet { source: packet.target, target: packet.source, content: packet.content.answer() }
}
