//! A frame, read into what the rules look at.
//!
//! Total: bytes are only ever split off a slice, nothing is indexed. Any bytes give a value or a reason to drop them.

mod ipv4;
mod ipv6;
mod quote;
mod transport;

use std::net::IpAddr;

pub use ipv4::read as ipv4;
pub use ipv6::read as ipv6;
pub use quote::quoted;
pub use transport::{Flags, ICMP, ICMPV6, Icmp, Ports, SCTP, TCP, Transport, UDP};

use super::verdict::Reason;
use crate::api::MacAddr;

/// `EtherType` of IPv4.
pub const IPV4: u16 = 0x0800;
/// `EtherType` of ARP.
pub const ARP: u16 = 0x0806;
/// `EtherType` of RARP.
pub const RARP: u16 = 0x8035;
/// `EtherType` of IPv6.
pub const IPV6: u16 = 0x86dd;
/// `EtherTypes` of VLAN tags: IEEE 802.1Q and 802.1ad.
const TAGS: [u16; 2] = [0x8100, 0x88a8];

/// An Ethernet frame without a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Who sent it, so it says.
    pub source: MacAddr,
    /// What it carries.
    pub ethertype: u16,
    /// All behind its header, padding too.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads a frame.
    ///
    /// # Errors
    /// It is too short, or has a tag.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Reason> {
        let (header, payload) = bytes.split_first_chunk::<14>().ok_or(Reason::Short)?;
        let [_, _, _, _, _, _, source @ .., high, low] = *header;
        let ethertype = u16::from_be_bytes([high, low]);
        if TAGS.contains(&ethertype) {
            return Err(Reason::Tagged);
        }
        Ok(Self { source: MacAddr(source), ethertype, payload })
    }
}

/// An IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Source address.
    pub source: IpAddr,
    /// Destination address, of the same family.
    pub destination: IpAddr,
    /// IP protocol number; of a later fragment in IPv6: 44.
    pub protocol: u8,
    /// TTL or hop limit.
    pub hops: u8,
    /// Whether it is a fragment.
    pub part: Part,
    /// IPv6: whether it has a fragment header, be it whole or not.
    pub fragmented: bool,
    /// What it carries.
    pub transport: Transport<'a>,
}

/// How much of a datagram a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Its beginning.
    First {
        /// Its identification.
        identification: u32,
        /// Bytes of its payload that are here; in IPv6 counted after the fragment header.
        held: usize,
    },
    /// Another part.
    Later {
        /// Its identification.
        identification: u32,
        /// Bytes of its payload that stand before this part.
        offset: usize,
    },
}
