//! Whether a packet is its sender's, and what passes whatever the groups say (1 to 4).

mod icmpv6;

use std::net::{IpAddr, Ipv4Addr};

use super::packet::{Frame, Packet, Part, Transport};
use super::place::Place;
use super::reason::{By, Reason};
use crate::api::MacAddr;
use crate::model::security::{Direction, SecurityView};

/// Whether a guest may send frames from a MAC address.
#[must_use]
pub fn is_own_mac(security: &SecurityView, mac: MacAddr) -> bool {
    security.mac == mac || security.pairs.iter().any(|pair| pair.mac == mac)
}

/// Whether an address is its own of a guest that sends from a MAC address.
#[must_use]
pub fn is_own(security: &SecurityView, mac: MacAddr, ip: IpAddr) -> bool {
    let link_local = matches!(ip, IpAddr::V6(ip) if is_own_link_local(mac, ip.octets()));
    link_local || security.pairs.iter().any(|pair| pair.mac == mac && pair.net.contains(&ip))
}

fn is_own_link_local(mac: MacAddr, ip: [u8; 16]) -> bool {
    let [0xfe, 0x80, 0, 0, 0, 0, 0, 0, identifier @ ..] = ip else { return false };
    match identifier {
        // The modified EUI-64 of a MAC address: its second lowest bit is turned.
        [first, m1, m2, 0xff, 0xfe, m3, m4, m5] => mac.0 == [first ^ 2, m1, m2, m3, m4, m5],
        // Written by hand, as routers' addresses are.
        [0, 0, 0, 0, 0, 0, _, _] => false,
        _ => true,
    }
}

/// Judges ARP that a guest sends.
pub(super) fn arp(security: &SecurityView, frame: &Frame<'_>) -> Result<By, Reason> {
    let [0, 1, 8, 0, 6, 4, 0, operation @ (1 | 2), m0, m1, m2, m3, m4, m5, s0, s1, s2, s3, ..] =
        *frame.payload.first_chunk::<28>().ok_or(Reason::Arp)?
    else {
        return Err(Reason::Arp);
    };
    let sender = Ipv4Addr::new(s0, s1, s2, s3);
    let probe = operation == 1 && sender.is_unspecified();
    if MacAddr([m0, m1, m2, m3, m4, m5]) == frame.source && (probe || is_own(security, frame.source, sender.into())) {
        Ok(By::Arp)
    } else {
        Err(Reason::ArpSender)
    }
}

/// Judges IPv4. None: the groups decide.
pub(super) fn ipv4(place: &Place<'_>, mac: MacAddr, packet: &Packet<'_>) -> Result<Option<By>, Reason> {
    let whole = packet.part == Part::Whole;
    let (to_server, to_client) =
        (packet.transport == Transport::Udp(68, 67), packet.transport == Transport::Udp(67, 68));
    if place.direction == Direction::Ingress {
        return Ok((whole && to_client).then_some(By::Dhcp));
    }
    let searches = whole
        && to_server
        && packet.source == IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        && packet.destination == IpAddr::V4(Ipv4Addr::BROADCAST);
    if !searches && !is_own(place.security, mac, packet.source) {
        return Err(Reason::Source);
    }
    if to_client {
        return Err(Reason::DhcpServer);
    }
    Ok((whole && to_server).then_some(By::Dhcp))
}

/// Judges IPv6. None: the groups decide.
pub(super) fn ipv6(place: &Place<'_>, mac: MacAddr, packet: &Packet<'_>) -> Result<Option<By>, Reason> {
    if let Transport::Icmp(icmp) = packet.transport {
        return icmpv6::judge(place, mac, packet, &icmp);
    }
    let whole = packet.part == Part::Whole;
    let (to_server, to_client) =
        (packet.transport == Transport::Udp(546, 547), packet.transport == Transport::Udp(547, 546));
    if place.direction == Direction::Ingress {
        return Ok((whole && to_client).then_some(By::Dhcp));
    }
    if !is_own(place.security, mac, packet.source) {
        return Err(Reason::Source);
    }
    if to_client {
        return Err(Reason::DhcpServer);
    }
    Ok((whole && to_server).then_some(By::Dhcp))
}
