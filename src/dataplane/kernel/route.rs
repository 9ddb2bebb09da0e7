//! Addresses and routes as netlink messages.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressMessage, AddressProtocol, AddressScope};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteNextHop, RouteProtocol, RouteScope, RouteType,
};

use crate::dataplane::names::PROTOCOL;

/// One way of a route: next hop and interface index.
pub type Way = (Option<IpAddr>, u32);

fn family(ip: IpAddr) -> AddressFamily {
    if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// An address of a link. `IFA_PROTO` (Linux 5.18) tells ours.
#[must_use]
pub fn address(index: u32, net: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(net.addr());
    message.header.index = index;
    message.header.prefix_len = net.prefix_len();
    message.attributes.push(AddressAttribute::Local(net.addr()));
    message.attributes.push(AddressAttribute::Address(net.addr()));
    if let IpNet::V4(net) = net
        && net.prefix_len() < 31
    {
        message.attributes.push(AddressAttribute::Broadcast(net.broadcast()));
    }
    message.attributes.push(AddressAttribute::Protocol(AddressProtocol::from(PROTOCOL)));
    message
}

/// The address of a message, if it is ours.
#[must_use]
pub fn address_of(message: &AddressMessage) -> Option<IpNet> {
    let ours = AddressProtocol::from(PROTOCOL);
    let mut ip = None;
    let mut mine = false;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(local) => ip = Some(*local),
            AddressAttribute::Address(peer) => ip = ip.or(Some(*peer)),
            AddressAttribute::Protocol(protocol) => mine = *protocol == ours,
            _ => {}
        }
    }
    IpNet::new(ip?, message.header.prefix_len).ok().filter(|_| mine)
}

/// Whether an address is one that IPv6 makes by itself.
#[must_use]
pub fn is_link_local(message: &AddressMessage) -> bool {
    message.header.scope == AddressScope::Link && message.header.family == AddressFamily::Inet6
}

/// All addresses of a family.
#[must_use]
pub fn addresses(family: AddressFamily) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family;
    message
}

/// A route of the main table; several ways share the load.
#[must_use]
pub fn route(to: IpNet, ways: &BTreeSet<Way>) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(to.addr());
    message.header.destination_prefix_length = to.prefix_len();
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::from(PROTOCOL);
    message.header.kind = RouteType::Unicast;
    let on_link = ways.iter().all(|(via, _)| via.is_none());
    message.header.scope = if on_link { RouteScope::Link } else { RouteScope::Universe };
    if to.prefix_len() > 0 {
        message.attributes.push(RouteAttribute::Destination(to.addr().into()));
    }
    let mut ways_left = ways.iter();
    if let (Some((via, index)), 1) = (ways_left.next(), ways.len()) {
        message.attributes.extend(via.map(|ip| RouteAttribute::Gateway(ip.into())));
        message.attributes.push(RouteAttribute::Oif(*index));
    } else {
        message.attributes.push(RouteAttribute::MultiPath(ways.iter().map(next_hop).collect()));
    }
    message
}

fn next_hop((via, index): &Way) -> RouteNextHop {
    let mut hop = RouteNextHop::default();
    hop.interface_index = *index;
    hop.attributes.extend(via.map(|ip| RouteAttribute::Gateway(ip.into())));
    hop
}

/// Destination and ways of a route, if it is ours and of the main table.
#[must_use]
pub fn route_of(message: &RouteMessage) -> Option<(IpNet, BTreeSet<Way>)> {
    let header = &message.header;
    if header.protocol != RouteProtocol::from(PROTOCOL) || header.table != RouteHeader::RT_TABLE_MAIN {
        return None;
    }
    let everywhere = if header.address_family == AddressFamily::Inet { IpAddr::from([0; 4]) } else { [0; 16].into() };
    let (mut to, mut via, mut index, mut ways) = (everywhere, None, None, BTreeSet::new());
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(ip) => to = plain(ip)?,
            RouteAttribute::Gateway(ip) => via = plain(ip),
            RouteAttribute::Oif(oif) => index = Some(*oif),
            RouteAttribute::MultiPath(hops) => ways.extend(hops.iter().map(way)),
            _ => {}
        }
    }
    ways.extend(index.map(|index| (via, index)));
    Some((IpNet::new(to, header.destination_prefix_length).ok()?, ways))
}

fn way(hop: &RouteNextHop) -> Way {
    let gateway = |a: &RouteAttribute| if let RouteAttribute::Gateway(ip) = a { plain(ip) } else { None };
    (hop.attributes.iter().find_map(gateway), hop.interface_index)
}

fn plain(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some((*ip).into()),
        RouteAddress::Inet6(ip) => Some((*ip).into()),
        _ => None,
    }
}

/// All routes of a family.
#[must_use]
pub fn routes(family: AddressFamily) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family;
    message
}
