//! Gratuitous ARP (RFC 5944 4.6): an address is at this station now.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::time::Duration;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{MsgFlags, sendto};
use socket2::{Domain, Protocol, Socket, Type};

use crate::api::MacAddr;
use crate::dataplane::kernel::netns;
use crate::dataplane::state::IfName;

const ETH_P_ARP: u16 = 0x0806;
const REQUEST: u8 = 1;
const REPLY: u8 = 2;

/// An address to announce: on which device, and which MAC address it is at.
pub type Announcement = (IfName, IpAddr, MacAddr);

/// When announcements are made again, after the first. What was just set up may carry nothing yet: the kernel tells the two
/// ends of a veth pair, and the bridge, of each other in its own time.
const AGAIN: [Duration; 3] = [Duration::from_millis(20), Duration::from_millis(80), Duration::from_millis(400)];

/// Announces addresses, in a namespace each, now and a few times more. An address that has gone meanwhile is another's.
pub fn announce(all: Vec<(OwnedFd, Vec<Announcement>)>) {
    if all.is_empty() {
        return;
    }
    let once = move || {
        for (netns, announcements) in &all {
            if let Err(error) = netns::within(netns.as_fd(), || send(announcements, true)).flatten() {
                tracing::debug!(%error, "addresses could not be announced");
            }
        }
    };
    once();
    std::thread::spawn(move || {
        for pause in AGAIN {
            std::thread::sleep(pause);
            once();
        }
    });
}

/// Says once where stations are that cannot be heard here.
pub fn repeat(all: &[(OwnedFd, Vec<Announcement>)]) {
    for (netns, announcements) in all {
        if let Err(error) = netns::within(netns.as_fd(), || send(announcements, false)).flatten() {
            tracing::debug!(%error, "what was announced elsewhere could not be repeated");
        }
    }
}

/// Sends one request and one reply for each address, in the calling thread's namespace: some stations heed only one of the
/// two. There may be thousands, so the links are looked up once for all. `own`: only for addresses that the device has.
///
/// # Errors
/// The namespace's links cannot be read, or no packet socket is to be had. A frame that is not taken is left out: the
/// address works all the same, once the neighbours have forgotten the old station.
fn send(all: &[Announcement], own: bool) -> io::Result<()> {
    let (mut links, mut addresses) = (BTreeMap::new(), BTreeSet::new());
    for found in getifaddrs()? {
        let Some(address) = found.address else { continue };
        if let Some(link) = address.as_link_addr() {
            links.insert(found.interface_name, *link);
        } else if let Some(ip) = address.as_sockaddr_in() {
            addresses.insert((found.interface_name, ip.ip()));
        }
    }
    // Protocol 0 hears nothing.
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
    for (device, ip, mac) in all {
        let (Some(link), IpAddr::V4(ip)) = (links.get(&**device), ip) else { continue };
        if own && !addresses.contains(&(device.to_string(), *ip)) {
            continue;
        }
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
