//! Neighbours and FDB entries as netlink messages.

use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_route::AddressFamily;
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::RouteProtocol;

use crate::api::MacAddr;
use crate::dataplane::names::PROTOCOL;

/// `NUD_PERMANENT` and `NUD_NOARP`: an entry of a tunnel device that does not age.
const NOT_AGEING: u16 = 0x80 | 0x40;

/// A permanent neighbour.
#[must_use]
pub fn neighbour(index: u32, ip: IpAddr, mac: Option<MacAddr>) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.ifindex = index;
    message.header.state = NeighbourState::Permanent;
    let (family, address) = match ip {
        IpAddr::V4(ip) => (AddressFamily::Inet, NeighbourAddress::Inet(ip)),
        IpAddr::V6(ip) => (AddressFamily::Inet6, NeighbourAddress::Inet6(ip)),
    };
    message.header.family = family;
    message.attributes.push(NeighbourAttribute::Destination(address));
    message.attributes.extend(mac.map(|mac| NeighbourAttribute::LinkLayerAddress(mac.0.to_vec())));
    message.attributes.push(NeighbourAttribute::Protocol(RouteProtocol::from(PROTOCOL)));
    message
}

/// A station behind a bridge port. `static` alone would move with the first frame from elsewhere; `sticky` stays.
#[must_use]
pub fn station(index: u32, mac: MacAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = index;
    message.header.state = NeighbourState::Noarp;
    message.header.flags = NeighbourFlags::Controller | NeighbourFlags::Sticky;
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
    message
}

/// A station behind a tunnel device of VXLAN, and where its node's tunnels begin. `NTF_SELF`: the device's own table.
#[must_use]
pub fn remote(index: u32, mac: MacAddr, node: Option<Ipv4Addr>) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = index;
    message.header.state = NeighbourState::Other(NOT_AGEING);
    message.header.flags = NeighbourFlags::Own;
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
    message.attributes.extend(node.map(|ip| NeighbourAttribute::Destination(NeighbourAddress::Inet(ip))));
    message
}

/// Where the tunnels of a station's node begin, of an entry in a tunnel device's own table.
#[must_use]
pub fn remote_of(entry: &NeighbourMessage) -> Option<Ipv4Addr> {
    let own = entry.header.family == AddressFamily::Bridge && entry.header.flags.contains(NeighbourFlags::Own);
    // Of this family the codec does not know what addresses are.
    let octets = |a: &NeighbourAttribute| match a {
        NeighbourAttribute::Destination(NeighbourAddress::Other(octets)) => <[u8; 4]>::try_from(octets.as_slice()).ok(),
        _ => None,
    };
    entry.attributes.iter().find_map(octets).filter(|_| own).map(Ipv4Addr::from)
}

/// All of a family.
#[must_use]
pub fn all(family: AddressFamily) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family;
    message
}

/// Whether an FDB entry is static and sticky, as ours are.
#[must_use]
pub fn is_static(entry: &NeighbourMessage) -> bool {
    entry.header.family == AddressFamily::Bridge
        && entry.header.state == NeighbourState::Noarp
        && entry.header.flags.contains(NeighbourFlags::Sticky)
}

/// Whether a neighbour is permanent and has our protocol number.
#[must_use]
pub fn is_ours(entry: &NeighbourMessage) -> bool {
    entry.header.state == NeighbourState::Permanent && was_ours(entry)
}

/// Whether a neighbour has our protocol number: one of ours that was taken away is no longer permanent when the kernel
/// tells of it.
#[must_use]
pub fn was_ours(entry: &NeighbourMessage) -> bool {
    let ours = RouteProtocol::from(PROTOCOL);
    entry.attributes.iter().any(|a| matches!(a, NeighbourAttribute::Protocol(p) if *p == ours))
}

/// The MAC address of an entry.
#[must_use]
pub fn mac(entry: &NeighbourMessage) -> Option<MacAddr> {
    entry.attributes.iter().find_map(|a| match a {
        NeighbourAttribute::LinkLayerAddress(mac) => <[u8; 6]>::try_from(mac.as_slice()).ok().map(MacAddr),
        _ => None,
    })
}

/// The IP address of a neighbour.
#[must_use]
pub fn ip(entry: &NeighbourMessage) -> Option<IpAddr> {
    entry.attributes.iter().find_map(|a| match a {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => Some((*ip).into()),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(ip)) => Some((*ip).into()),
        _ => None,
    })
}
