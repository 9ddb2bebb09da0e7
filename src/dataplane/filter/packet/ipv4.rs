//! IPv4 (RFC 791).

use std::net::{IpAddr, Ipv4Addr};

use super::{Packet, Part, Transport, transport};
use crate::dataplane::filter::verdict::Reason;
use crate::model::security::Family;

/// More fragments follow.
const MORE: u16 = 0x2000;
/// The fragment offset, in units of 8 bytes.
const OFFSET: u16 = 0x1fff;

/// Reads what an Ethernet frame carries.
///
/// # Errors
/// The header lies or is cut off, or the transport's is.
pub fn read(bytes: &[u8]) -> Result<Packet<'_>, Reason> {
    let header = bytes.first_chunk::<20>().ok_or(Reason::Header)?;
    let [first, _, t0, t1, i0, i1, f0, f1, hops, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = *header;
    let length = usize::from(first & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([t0, t1]));
    if first >> 4 != 4 || length < 20 {
        return Err(Reason::Header);
    }
    let payload = bytes.get(length..total).ok_or(Reason::Header)?;
    let fragment = u16::from_be_bytes([f0, f1]);
    let identification = u32::from(u16::from_be_bytes([i0, i1]));
    let part = match (usize::from(fragment & OFFSET) * 8, fragment & MORE != 0) {
        (0, false) => Part::Whole,
        (0, true) => Part::First { identification, held: payload.len() },
        (offset, _) => Part::Later { identification, offset },
    };
    let transport = match part {
        Part::Later { .. } => Transport::Hidden,
        _ => transport::read(Family::V4, protocol, payload)?,
    };
    Ok(Packet {
        source: IpAddr::V4(Ipv4Addr::new(s0, s1, s2, s3)),
        destination: IpAddr::V4(Ipv4Addr::new(d0, d1, d2, d3)),
        protocol,
        hops,
        part,
        fragmented: false,
        transport,
    })
}
