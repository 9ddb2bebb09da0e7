//! `ICMPv6`: neighbour discovery (RFC 4861), multicast listener discovery (RFC 2710, RFC 3810), and the rest.

use std::net::{IpAddr, Ipv6Addr};

use super::is_own;
use crate::api::MacAddr;
use crate::dataplane::filter::packet::{Icmp, Packet, Part};
use crate::dataplane::filter::place::Place;
use crate::dataplane::filter::reason::{By, Reason};
use crate::model::security::Direction;

const QUERY: u8 = 130;
const REPORT: u8 = 131;
const DONE: u8 = 132;
const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const REDIRECT: u8 = 137;
const REPORT_2: u8 = 143;

/// Judges `ICMPv6`. None: the groups decide.
pub(super) fn judge(
    place: &Place<'_>,
    mac: MacAddr,
    packet: &Packet<'_>,
    icmp: &Icmp<'_>,
) -> Result<Option<By>, Reason> {
    // What was routed, or put together by somebody in between, tells nothing of neighbours.
    let near = packet.part == Part::Whole && !packet.fragmented && packet.hops == 255 && icmp.code == 0;
    if matches!(icmp.kind, ROUTER_SOLICITATION..=REDIRECT) && !near {
        return Err(Reason::Discovery);
    }
    let listener_near = packet.hops == 1;
    if place.direction == Direction::Ingress {
        return Ok(match icmp.kind {
            QUERY if listener_near => Some(By::Listener),
            ROUTER_ADVERTISEMENT | SOLICITATION | ADVERTISEMENT => Some(By::Discovery),
            _ => None,
        });
    }
    let own = is_own(place.security, mac, packet.source);
    let nobody = packet.source == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let target = || icmp.body.first_chunk::<16>().map(|target| Ipv6Addr::from(*target));
    let own_target = || target().is_some_and(|target| is_own(place.security, mac, target.into()));
    let to = match packet.destination {
        IpAddr::V6(to) => to.octets(),
        IpAddr::V4(_) => return Err(Reason::Header),
    };
    let listens = listener_near && matches!(to, [0xff, ..]);
    let (by, fits, reason) = match icmp.kind {
        REPORT | DONE | REPORT_2 => (Some(By::Listener), (own || nobody) && listens, Reason::ListenerFrom),
        QUERY => (Some(By::Listener), own && listens, Reason::ListenerFrom),
        ROUTER_SOLICITATION => (Some(By::Discovery), own || (nobody && on_link(to)), Reason::NeighbourClaim),
        ROUTER_ADVERTISEMENT | REDIRECT => (None, false, Reason::RouterSpeech),
        SOLICITATION => {
            let detects = nobody && solicits(to) && own_target();
            (Some(By::Discovery), target().is_some() && (own || detects), Reason::NeighbourClaim)
        }
        ADVERTISEMENT => (Some(By::Discovery), own && own_target(), Reason::NeighbourClaim),
        _ => (None, own, Reason::Source),
    };
    if fits { Ok(by) } else { Err(reason) }
}

/// Whether an address is a multicast address of the link, in `ff02::/16`.
fn on_link(ip: [u8; 16]) -> bool {
    matches!(ip, [0xff, 2, ..])
}

/// Whether an address is that of all who might have an address, in `ff02::1:ff00:0/104`.
fn solicits(ip: [u8; 16]) -> bool {
    matches!(ip, [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ..])
}
