//! Addresses and routes as netlink messages.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressMessage, AddressProtocol, AddressScope};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteMetric, RouteNextHop, RouteNextHopFlags,
    RouteProtocol, RouteScope, RouteType,
};

use crate::dataplane::names::{KEEPER, PROTOCOL};
use crate::dataplane::state::Table;

/// One way of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// Next hop; none: the destination is on the link.
    pub via: Option<IpAddr>,
    /// Index of the link.
    pub index: u32,
    /// Whether the next hop is on the link though no route says so.
    pub on_link: bool,
}

/// The kernel's number of a table.
#[must_use]
pub fn number(table: Table) -> u8 {
    match table {
        Table::Main => RouteHeader::RT_TABLE_MAIN,
        Table::Outside => 100,
    }
}

/// The table of a number, if it is one that we use.
#[must_use]
pub fn table_of(number: u8) -> Option<Table> {
    [Table::Main, Table::Outside].into_iter().find(|table| self::number(*table) == number)
}

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
    if net.addr() == IpAddr::from(KEEPER) {
        message.header.scope = AddressScope::Host;
    }
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

/// A route; several ways share the load.
#[must_use]
pub fn route(table: Table, to: IpNet, ways: &BTreeSet<Way>, mtu: Option<u32>) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(to.addr());
    message.header.destination_prefix_length = to.prefix_len();
    message.header.table = number(table);
    message.header.protocol = RouteProtocol::from(PROTOCOL);
    message.header.kind = RouteType::Unicast;
    let on_link = ways.iter().all(|way| way.via.is_none());
    message.header.scope = if on_link { RouteScope::Link } else { RouteScope::Universe };
    if to.prefix_len() > 0 {
        message.attributes.push(RouteAttribute::Destination(to.addr().into()));
    }
    message.attributes.extend(mtu.map(|mtu| RouteAttribute::Metrics(vec![RouteMetric::Mtu(mtu)])));
    if let (Some(way), 1) = (ways.first(), ways.len()) {
        message.attributes.extend(way.via.map(|ip| RouteAttribute::Gateway(ip.into())));
        message.attributes.push(RouteAttribute::Oif(way.index));
        if way.on_link {
            message.header.flags |= RouteFlags::Onlink;
        }
    } else {
        message.attributes.push(RouteAttribute::MultiPath(ways.iter().map(next_hop).collect()));
    }
    message
}

fn next_hop(way: &Way) -> RouteNextHop {
    let mut hop = RouteNextHop::default();
    hop.interface_index = way.index;
    if way.on_link {
        hop.flags |= RouteNextHopFlags::Onlink;
    }
    hop.attributes.extend(way.via.map(|ip| RouteAttribute::Gateway(ip.into())));
    hop
}

/// A route that is ours.
pub struct Seen {
    /// Its table.
    pub table: Table,
    /// Its destination.
    pub to: IpNet,
    /// Its ways.
    pub ways: BTreeSet<Way>,
    /// Its MTU, bytes, if it has one of its own.
    pub mtu: Option<u32>,
}

/// Reads a route, if it is ours.
#[must_use]
pub fn route_of(message: &RouteMessage) -> Option<Seen> {
    let header = &message.header;
    let table = table_of(header.table).filter(|_| header.protocol == RouteProtocol::from(PROTOCOL))?;
    let everywhere = if header.address_family == AddressFamily::Inet { IpAddr::from([0; 4]) } else { [0; 16].into() };
    let (mut to, mut via, mut index, mut ways, mut mtu) = (everywhere, None, None, BTreeSet::new(), None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(ip) => to = plain(ip)?,
            RouteAttribute::Gateway(ip) => via = plain(ip),
            RouteAttribute::Oif(oif) => index = Some(*oif),
            RouteAttribute::Metrics(all) => {
                mtu = all.iter().find_map(|m| if let RouteMetric::Mtu(mtu) = m { Some(*mtu) } else { None });
            }
            RouteAttribute::MultiPath(hops) => ways.extend(hops.iter().map(way)),
            _ => {}
        }
    }
    let on_link = header.flags.contains(RouteFlags::Onlink);
    ways.extend(index.map(|index| Way { via, index, on_link }));
    Some(Seen { table, to: IpNet::new(to, header.destination_prefix_length).ok()?, ways, mtu })
}

fn way(hop: &RouteNextHop) -> Way {
    let gateway = |a: &RouteAttribute| if let RouteAttribute::Gateway(ip) = a { plain(ip) } else { None };
    let on_link = hop.flags.contains(RouteNextHopFlags::Onlink);
    Way { via: hop.attributes.iter().find_map(gateway), index: hop.interface_index, on_link }
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
