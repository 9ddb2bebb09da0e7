//! IPv6 (RFC 8200) and the walk along its extension headers.

use std::net::{IpAddr, Ipv6Addr};

use super::{Packet, Part, Transport, transport};
use crate::dataplane::filter::verdict::Reason;
use crate::model::security::Family;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
/// The fragment header, and what the protocol of later fragments counts as.
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;

/// Most extension headers that are walked.
const HEADERS_MAX: usize = 8;
/// More fragments follow.
const MORE: u16 = 1;
/// The fragment offset, as it stands in its field: in bytes.
const OFFSET: u16 = 0xfff8;

/// Reads what an Ethernet frame carries.
///
/// # Errors
/// A header lies or is cut off, there are too many, or they say what nobody may.
pub fn read(bytes: &[u8]) -> Result<Packet<'_>, Reason> {
    let (header, rest) = bytes.split_first_chunk::<40>().ok_or(Reason::Header)?;
    let [first, _, _, _, l0, l1, next, hops, addresses @ ..] = *header;
    let payload = rest.get(..usize::from(u16::from_be_bytes([l0, l1]))).ok_or(Reason::Header)?;
    let (Some(source), Some(destination)) = (addresses.first_chunk::<16>(), addresses.last_chunk::<16>()) else {
        return Err(Reason::Header);
    };
    let (source, destination) = (Ipv6Addr::from(*source), Ipv6Addr::from(*destination));
    if first >> 4 != 6 {
        return Err(Reason::Header);
    }
    if source.to_ipv4_mapped().is_some() || destination.to_ipv4_mapped().is_some() {
        return Err(Reason::Mapped);
    }
    let Walk { protocol, part, fragmented, payload } = walk(next, payload)?;
    let transport = match part {
        Part::Later { .. } => Transport::Hidden,
        _ => transport::read(Family::V6, protocol, payload)?,
    };
    let (source, destination) = (IpAddr::V6(source), IpAddr::V6(destination));
    Ok(Packet { source, destination, protocol, hops, part, fragmented, transport })
}

/// Where a walk has come to.
struct Walk<'a> {
    protocol: u8,
    part: Part,
    fragmented: bool,
    payload: &'a [u8],
}

fn walk(next: u8, payload: &[u8]) -> Result<Walk<'_>, Reason> {
    let mut at = Walk { protocol: next, part: Part::Whole, fragmented: false, payload };
    let mut walked = 0;
    while matches!(at.protocol, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION) {
        walked += 1;
        if walked > HEADERS_MAX {
            return Err(Reason::ManyExtensions);
        }
        // The shortest of them all are this long.
        let [next, length, third, fourth, identification @ ..] =
            *at.payload.first_chunk::<8>().ok_or(Reason::ExtensionCut)?;
        let size = match at.protocol {
            FRAGMENT => 8,
            AUTHENTICATION => (usize::from(length) + 2) * 4,
            _ => (usize::from(length) + 1) * 8,
        };
        let behind = at.payload.get(size..).ok_or(Reason::ExtensionCut)?;
        if at.protocol == ROUTING && fourth != 0 {
            return Err(Reason::Routing);
        }
        if at.protocol == FRAGMENT {
            if at.fragmented {
                return Err(Reason::FragmentTwice);
            }
            at.fragmented = true;
            let field = u16::from_be_bytes([third, fourth]);
            let identification = u32::from_be_bytes(identification);
            let offset = usize::from(field & OFFSET);
            if offset > 0 {
                at.part = Part::Later { identification, offset };
                return Ok(at);
            }
            if field & MORE != 0 {
                at.part = Part::First { identification, held: behind.len() };
            }
        }
        at.protocol = next;
        at.payload = behind;
    }
    Ok(at)
}
