//! Packet sockets that hear what goes up the bridges of a namespace, and nothing else.
//!
//! A bridge takes a frame from its port before any protocol's socket sees it, and gives back, as if received by the bridge
//! device, only broadcasts and what is for the bridge's own MAC address. So one socket for a namespace, bound to no
//! interface, hears all bridges and costs forwarded traffic nothing. (`ETH_P_ALL` would tap every port: +0.2 µs a packet.)
//! Filters run in the kernel, so that the thread sleeps through what is not for it.

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};

use nix::sys::socket::{LinkAddr, MsgFlags, recvfrom, sendto};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use crate::dataplane::dhcp::SERVER_PORT;

const ETH_P_IP: u16 = 0x0800;
const ETH_P_ARP: u16 = 0x0806;

/// Beyond so many addresses all ARP requests are let through (a filter takes 4096 instructions).
const ARP_TARGETS: usize = 1024;

/// A packet socket.
#[derive(Debug)]
pub struct PacketSocket(Socket);

impl PacketSocket {
    /// Opens a socket in the calling thread's namespace that hears datagrams to DHCP servers.
    ///
    /// # Errors
    /// `EPERM`: `CAP_NET_RAW` is missing.
    pub fn dhcp() -> io::Result<Self> {
        Self::open(ETH_P_IP, &dhcp_requests())
    }

    /// Opens a socket in the calling thread's namespace that hears no ARP until [`Self::hear`] says for whom.
    ///
    /// # Errors
    /// `EPERM`: `CAP_NET_RAW` is missing.
    pub fn arp() -> io::Result<Self> {
        Self::open(ETH_P_ARP, &arp_requests(&BTreeSet::new()))
    }

    /// What comes in before the filter is attached stays in: whoever reads must be able to take anything.
    fn open(protocol: u16, filter: &[SockFilter]) -> io::Result<Self> {
        let protocol = Protocol::from(i32::from(protocol.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking(), Some(protocol))?;
        socket.attach_filter(filter)?;
        Ok(Self(socket))
    }

    /// Lets ARP requests for `targets` through, from now on.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn hear(&self, targets: &BTreeSet<Ipv4Addr>) -> io::Result<()> {
        self.0.attach_filter(&arp_requests(targets))
    }

    /// Takes the next frame into `buffer`: its length, and the interface that it came in by. None: there is none.
    ///
    /// # Errors
    /// Of the socket; it can be used further.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<(usize, LinkAddr)>> {
        match recvfrom::<LinkAddr>(self.0.as_raw_fd(), buffer) {
            Ok((length, Some(from))) => Ok(Some((length, from))),
            Ok((_, None)) => Err(io::Error::other("the kernel does not say which interface a packet came in by")),
            Err(nix::Error::EAGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a frame out of the interface that a request came in by.
    ///
    /// # Errors
    /// The interface is gone or down, or its queue is full.
    pub fn reply(&self, frame: &[u8], to: &LinkAddr) -> io::Result<()> {
        sendto(self.0.as_raw_fd(), frame, to, MsgFlags::MSG_DONTWAIT)?;
        Ok(())
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

// Classic BPF, as in linux/filter.h.
const LOAD_BYTE: u16 = 0x30;
const LOAD_HALF: u16 = 0x28;
const LOAD_WORD: u16 = 0x20;
const LOAD_HALF_AT_X: u16 = 0x48;
/// X becomes the length of the IP header at an offset.
const LOAD_X_HEADER: u16 = 0xb1;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_SET: u16 = 0x45;
const RETURN: u16 = 0x06;
const WHOLE: u32 = 0x0004_0000;
/// Offset of `SKF_AD_PKTTYPE`: how the device that received the packet saw it.
const PACKET_TYPE: u32 = 0xffff_f000 + 4;
/// `PACKET_OTHERHOST`; also what a VLAN is tagged with that nobody here has.
const OTHERHOST: u32 = 3;

const fn step(code: u16, k: u32) -> SockFilter {
    SockFilter::new(code, 0, 0, k)
}

fn dhcp_requests() -> Vec<SockFilter> {
    vec![
        step(LOAD_BYTE, PACKET_TYPE),
        SockFilter::new(JUMP_EQUAL, 8, 0, OTHERHOST),
        // Protocol: UDP.
        step(LOAD_BYTE, 23),
        SockFilter::new(JUMP_EQUAL, 0, 6, 17),
        // No fragment but a first one.
        step(LOAD_HALF, 20),
        SockFilter::new(JUMP_SET, 4, 0, 0x1fff),
        step(LOAD_X_HEADER, 14),
        step(LOAD_HALF_AT_X, 16),
        SockFilter::new(JUMP_EQUAL, 0, 1, u32::from(SERVER_PORT)),
        step(RETURN, WHOLE),
        step(RETURN, 0),
    ]
}

fn arp_requests(targets: &BTreeSet<Ipv4Addr>) -> Vec<SockFilter> {
    let operation = [step(LOAD_HALF, 20), SockFilter::new(JUMP_EQUAL, 1, 0, 1), step(RETURN, 0)];
    if targets.len() > ARP_TARGETS {
        return operation.into_iter().chain([step(RETURN, WHOLE)]).collect();
    }
    let target = |ip: &Ipv4Addr| [SockFilter::new(JUMP_EQUAL, 0, 1, u32::from(*ip)), step(RETURN, WHOLE)];
    let targets = [step(LOAD_WORD, 38)].into_iter().chain(targets.iter().flat_map(target));
    operation.into_iter().chain(targets).chain([step(RETURN, 0)]).collect()
}
