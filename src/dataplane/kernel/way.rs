//! The way to other nodes.

use std::io;
use std::net::IpAddr;

use netlink_packet_route::address::AddressAttribute;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage as Message};

use crate::dataplane::kernel::space::Space;
use crate::dataplane::kernel::{link, route};

/// MTU of the link that carries an address of the host, bytes.
///
/// # Errors
/// No link carries it (`NotFound`); the kernel could not be read.
pub fn mtu(host: &mut Space, address: IpAddr) -> io::Result<u32> {
    let carrier = |message| {
        let Message::NewAddress(message) = message else { return None };
        let is = |a: &AddressAttribute| matches!(a, AddressAttribute::Address(ip) | AddressAttribute::Local(ip) if *ip == address);
        message.attributes.iter().any(is).then_some(message.header.index)
    };
    let all = Message::GetAddress(route::addresses(AddressFamily::Unspec));
    let carriers = host.netlink.dump(&all, carrier)?;
    let missing = || {
        let message = format!("no interface of this host has the address {address}: name one with --tunnel-address");
        io::Error::new(io::ErrorKind::NotFound, message)
    };
    let index = carriers.first().ok_or_else(missing)?;
    Ok(host.look(link::at(*index))?.ok_or_else(missing)?.mtu)
}
