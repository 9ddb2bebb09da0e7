//! Gratuitous ARP (RFC 5944 4.6): an address is at this station now.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd as _;

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::sys::socket::{LinkAddr, MsgFlags, sendto};
use socket2::{Domain, Protocol, Socket, Type};

use crate::api::MacAddr;

const ETH_P_ARP: u16 = 0x0806;
const REQUEST: u8 = 1;
const REPLY: u8 = 2;

/// Addresses to announce: from which device, and which MAC address they are at.
pub type Announcement<'a> = (&'a str, IpAddr, MacAddr);

/// Sends one request and one reply for each address, in the calling thread's namespace: some stations heed only one of the
/// two. There may be thousands, so the links are looked up once for all.
///
/// # Errors
/// The namespace's links cannot be read, or no packet socket is to be had. A frame that is not taken is left out: the
/// address works all the same, once the neighbours have forgotten the old station.
pub fn announce(all: &[Announcement<'_>]) -> io::Result<()> {
    let link = |link: InterfaceAddress| Some((link.interface_name, *link.address?.as_link_addr()?));
    let links: BTreeMap<String, LinkAddr> = getifaddrs()?.filter_map(link).collect();
    // Protocol 0 hears nothing.
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
    for (device, ip, mac) in all {
        let (Some(link), IpAddr::V4(ip)) = (links.get(*device), ip) else { continue };
        for operation in [REQUEST, REPLY] {
            if let Err(error) =
                sendto(socket.as_raw_fd(), &frame(operation, ip.octets(), *mac), link, MsgFlags::MSG_DONTWAIT)
            {
                tracing::debug!(%error, %ip, "an address could not be announced");
            }
        }
    }
    Ok(())
}

fn frame(operation: u8, ip: [u8; 4], MacAddr(mac): MacAddr) -> Vec<u8> {
    let target = if operation == REQUEST { [0; 6] } else { [0xff; 6] };
    [&[0xff; 6], &mac, &ETH_P_ARP.to_be_bytes()[..], &[0, 1, 8, 0, 6, 4, 0, operation], &mac, &ip, &target, &ip]
        .concat()
}
