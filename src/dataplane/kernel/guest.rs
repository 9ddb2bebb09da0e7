//! The guest's end of a port in a pod: what it is given there, and how it is looked at.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use netlink_packet_route::link::LinkFlags;
use netlink_packet_route::route::{RouteAttribute, RouteHeader, RouteMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage as Message};

use crate::api::MacAddr;
use crate::dataplane::given::Given;
use crate::dataplane::kernel::links::guest_netns;
use crate::dataplane::kernel::netlink::{Netlink, Request};
use crate::dataplane::kernel::{link, netns, route, space::plain, sysctl};
use crate::dataplane::state::Table;

/// Whether a path leads to a network namespace, without opening what it leads to.
#[must_use]
pub fn is_netns(path: &Path) -> bool {
    netns::is_pinned(path)
}

/// Makes an interface that is still down deaf to router advertisements: a pod's addresses and routes are set from outside,
/// and what a neighbour advertises is none of them.
///
/// # Errors
/// The namespace cannot be entered, or the sysctl not be written.
pub fn deafen(netns: BorrowedFd<'_>, device: &str) -> io::Result<()> {
    let path = format!("ipv6/conf/{device}/accept_ra");
    // A kernel without IPv6 has none.
    if sysctl::read(netns, [&path].into_iter())?.is_empty() {
        return Ok(());
    }
    sysctl::write(netns, &[(path, "0".to_owned())].into())
}

/// One interface in a pod's namespace.
struct Interface {
    netlink: Netlink,
    seen: link::Seen,
}

/// Gives an interface what it is to have, and takes away what of ours it is to have no more.
///
/// # Errors
/// `NotFound`: the namespace or the interface is gone; else the kernel's.
pub fn give(path: &str, inode: u64, device: &str, wanted: &Given) -> io::Result<()> {
    let mut there = Interface::open(path, inode, device)?;
    let index = there.seen.index;
    let (addresses, routes) = (there.addresses()?, there.routes()?);
    let table = Table::Main;
    let way = |via| [route::Way { via: Some(via), index, on_link: false }].into();
    let mut requests = Vec::new();
    for (to, via) in &routes {
        if wanted.routes.get(to) != Some(via) {
            requests.push(plain(Message::DelRoute(route::route(table, *to, &way(*via), None))));
        }
    }
    for gone in addresses.difference(&wanted.addresses) {
        requests.push(plain(Message::DelAddress(route::address(index, *gone))));
    }
    let there_already = requests.len();
    for new in wanted.addresses.difference(&addresses) {
        requests
            .push(Request { message: Message::NewAddress(address(index, *new)), flags: NLM_F_CREATE | NLM_F_REPLACE });
    }
    let defaults: Vec<IpNet> = wanted.routes.keys().filter(|to| to.prefix_len() == 0).copied().collect();
    for foreign in there.other_defaults(&defaults)? {
        requests.push(plain(Message::DelRoute(foreign)));
    }
    for (to, via) in wanted.routes.iter().filter(|way| !routes.contains(&(*way.0, *way.1))) {
        let message = Message::NewRoute(route::route(table, *to, &way(*via), None));
        requests.push(Request { message, flags: NLM_F_CREATE | NLM_F_REPLACE });
    }
    let answers = there.netlink.send(requests)?;
    // What was to go may have gone by itself, with the address that it went by.
    answers.into_iter().skip(there_already).try_for_each(|answer| match answer {
        Err(error) if error.raw_os_error() != Some(nix::libc::ESRCH) => Err(error),
        _ => Ok(()),
    })
}

/// Says what of an interface is not as it is to be; nothing: all is.
///
/// # Errors
/// The kernel's, but for what is gone.
pub fn differs(path: &str, inode: u64, device: &str, mac: MacAddr, wanted: &Given) -> io::Result<Option<String>> {
    let mut there = match Interface::open(path, inode, device) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(error.to_string())),
        there => there?,
    };
    if there.seen.mac != Some(mac) {
        return Ok(Some(format!("interface {device} has another MAC address than {mac}")));
    }
    if !there.seen.flags.contains(LinkFlags::Up) {
        return Ok(Some(format!("interface {device} is down")));
    }
    if let Some(missing) = wanted.addresses.difference(&there.addresses()?).next() {
        return Ok(Some(format!("interface {device} has lost its address {missing}")));
    }
    let routes = there.routes()?;
    let missing = wanted.routes.iter().find(|way| !routes.contains(&(*way.0, *way.1)));
    Ok(missing.map(|(to, via)| format!("interface {device} has lost its route to {to} by {via}")))
}

impl Interface {
    fn open(path: &str, inode: u64, device: &str) -> io::Result<Self> {
        let netns = guest_netns(path, inode)?;
        let mut netlink = Netlink::open(netns.as_fd())?;
        let gone = || io::Error::new(io::ErrorKind::NotFound, format!("interface {device} in {path} is gone"));
        match netlink.send(vec![plain(Message::GetLink(link::named(device)))])?.pop() {
            Some(Ok(Some(Message::NewLink(message)))) => Ok(Self { netlink, seen: link::Seen::of(&message) }),
            Some(Err(error)) if error.raw_os_error() != Some(nix::libc::ENODEV) => Err(error),
            _ => Err(gone()),
        }
    }

    /// Addresses of ours.
    fn addresses(&mut self) -> io::Result<BTreeSet<IpNet>> {
        let index = self.seen.index;
        let ours = |message| match message {
            Message::NewAddress(message) if message.header.index == index => route::address_of(&message),
            _ => None,
        };
        let all = self.netlink.dump(&Message::GetAddress(route::addresses(AddressFamily::Unspec)), ours)?;
        Ok(all.into_iter().collect())
    }

    /// Routes of ours with a next hop, through this interface.
    fn routes(&mut self) -> io::Result<BTreeSet<(IpNet, IpAddr)>> {
        let index = self.seen.index;
        let ours = |message| if let Message::NewRoute(message) = message { route::route_of(&message) } else { None };
        let all = self.netlink.dump(&Message::GetRoute(route::routes(AddressFamily::Unspec)), ours)?;
        let hop = |seen: route::Seen| {
            let way = seen.ways.first().filter(|way| way.index == index)?;
            Some((seen.to, way.via?))
        };
        Ok(all.into_iter().filter_map(hop).collect())
    }

    /// Default routes of these families that lead through other interfaces.
    fn other_defaults(&mut self, of: &[IpNet]) -> io::Result<Vec<RouteMessage>> {
        if of.is_empty() {
            return Ok(Vec::new());
        }
        let family = |net: &IpNet| if net.addr().is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let families: Vec<AddressFamily> = of.iter().map(family).collect();
        let index = self.seen.index;
        let other = |message| {
            let Message::NewRoute(route) = message else { return None };
            let header = &route.header;
            let main = header.table == RouteHeader::RT_TABLE_MAIN && header.destination_prefix_length == 0;
            let here = route.attributes.iter().any(|a| matches!(a, RouteAttribute::Oif(oif) if *oif == index));
            (main && !here && families.contains(&header.address_family)).then_some(route)
        };
        self.netlink.dump(&Message::GetRoute(route::routes(AddressFamily::Unspec)), other)
    }
}

/// An address that is used at once: nobody else has it, so it is not asked for first (RFC 4862).
fn address(index: u32, net: IpNet) -> AddressMessage {
    let mut message = route::address(index, net);
    if net.addr().is_ipv6() {
        message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
    }
    message
}
