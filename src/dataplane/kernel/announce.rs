//! Gratuitous ARP (RFC 5944 4.6): an address is at this station now.

use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd as _;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{MsgFlags, sendto};
use socket2::{Domain, Protocol, Socket, Type};

use crate::api::MacAddr;

const ETH_P_ARP: u16 = 0x0806;
const REQUEST: u8 = 1;
const REPLY: u8 = 2;

/// Sends one request and one reply from `device` in the calling thread's namespace: some stations heed only one of the two.
///
/// # Errors
/// There is no such device, or it is down.
pub fn announce(device: &str, ip: IpAddr, mac: MacAddr) -> io::Result<()> {
    let IpAddr::V4(ip) = ip else { return Ok(()) };
    let link = getifaddrs()?
        .filter(|link| link.interface_name == device)
        .find_map(|link| link.address?.as_link_addr().copied())
        .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    // Protocol 0 hears nothing.
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
    for operation in [REQUEST, REPLY] {
        sendto(socket.as_raw_fd(), &frame(operation, ip.octets(), mac), &link, MsgFlags::MSG_DONTWAIT)?;
    }
    Ok(())
}

fn frame(operation: u8, ip: [u8; 4], MacAddr(mac): MacAddr) -> Vec<u8> {
    let target = if operation == REQUEST { [0; 6] } else { [0xff; 6] };
    [&[0xff; 6], &mac, &ETH_P_ARP.to_be_bytes()[..], &[0, 1, 8, 0, 6, 4, 0, operation], &mac, &ip, &target, &ip]
        .concat()
}
