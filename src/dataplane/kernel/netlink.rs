//! A `NETLINK_ROUTE` socket of one namespace: requests in batches with an answer for each, dumps, notifications.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{
    Socket, SocketAddr,
    protocols::{NETLINK_NETFILTER, NETLINK_ROUTE},
};

use crate::dataplane::kernel::netns;

/// Requests in flight: their answers must fit into the receive buffer, or the kernel drops some (`ENOBUFS`).
const BATCH: usize = 128;
/// Bytes asked for as receive buffer.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Notifications of nft tables, chains, rules, sets and elements (`linux/netfilter/nfnetlink.h`).
const NFNLGRP_NFTABLES: u32 = 7;
/// Bytes of one read: the kernel never sends more in one dump message.
const READ: usize = 1 << 18;

/// How often news were lost, in all namespaces, those that are gone included.
static LOST: AtomicU64 = AtomicU64::new(0);

/// How often the kernel dropped notifications because a receive buffer was full (`ENOBUFS`), since the program began.
#[must_use]
pub fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// Counts that news were lost: always true.
fn overrun() -> bool {
    LOST.fetch_add(1, Ordering::Relaxed);
    true
}

thread_local! {
    /// What a thread reads into. A node has three sockets in each of its namespaces, and a buffer of its own for each would
    /// be most of what it keeps.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(READ));
}

/// Reads once, and gives what came to `take`, which reads nothing more.
fn receive<T>(socket: &Socket, take: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.clear();
        socket.recv(buffer, 0)?;
        Ok(take(buffer))
    })
}

/// One request and its flags beyond REQUEST and ACK.
pub struct Request {
    /// What is asked.
    pub message: RouteNetlinkMessage,
    /// `NLM_F_CREATE` and its kin.
    pub flags: u16,
}

/// What the kernel answered to one request: what was asked for, if anything was.
pub type Answer = io::Result<Option<RouteNetlinkMessage>>;

/// A socket that asks.
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// Opens a socket inside `netns`.
    ///
    /// # Errors
    /// The namespace cannot be entered, or no socket is to be had.
    pub fn open(netns: BorrowedFd<'_>) -> io::Result<Self> {
        let socket = netns::within(netns, || Socket::new(NETLINK_ROUTE))??;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_cap_ack(true)?;
        socket.set_netlink_get_strict_chk(true)?;
        let _ = socket.set_rx_buf_sz(i32::try_from(RECEIVE_BUFFER).unwrap_or(i32::MAX));
        Ok(Self { socket, sequence: 0 })
    }

    /// Sends requests in their order; the answers, one for each. A request that fails does not stop the next.
    ///
    /// # Errors
    /// The socket itself failed; then nothing is known of any request.
    pub fn send(&mut self, requests: Vec<Request>) -> io::Result<Vec<Answer>> {
        let mut answers = Vec::with_capacity(requests.len());
        let mut requests = requests.into_iter();
        loop {
            let first = self.sequence.wrapping_add(1);
            let mut bytes = Vec::new();
            let mut count = 0;
            for Request { message, flags } in requests.by_ref().take(BATCH) {
                self.sequence = self.sequence.wrapping_add(1);
                append(&mut bytes, message, NLM_F_REQUEST | NLM_F_ACK | flags, self.sequence);
                count += 1;
            }
            if count == 0 {
                return Ok(answers);
            }
            self.socket.send(&bytes, 0)?;
            self.collect(first, count, &mut answers)?;
        }
    }

    /// Sends one request.
    ///
    /// # Errors
    /// What the kernel answered.
    pub fn ask(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        let mut answers = self.send(vec![Request { message, flags }])?;
        answers.pop().unwrap_or_else(|| Err(io::Error::other("the kernel did not answer"))).map(|_| ())
    }

    fn collect(&mut self, first: u32, count: usize, answers: &mut Vec<Answer>) -> io::Result<()> {
        let (mut missing, mut told) = (count, None);
        while missing > 0 {
            for message in self.read()? {
                if message.header.sequence_number.wrapping_sub(first) as usize >= count {
                    continue;
                }
                match message.payload {
                    NetlinkPayload::InnerMessage(inner) => told = Some(inner),
                    NetlinkPayload::Error(answer) => {
                        missing -= 1;
                        answers.push(match answer.code {
                            None => Ok(told.take()),
                            Some(code) => Err(io::Error::from_raw_os_error(-code.get())),
                        });
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// What `keep` keeps of everything of a kind. Messages go as they come: those of a thousand links are 20 MiB.
    ///
    /// # Errors
    /// What the kernel answered. A dump that changed under way (`NLM_F_DUMP_INTR`) is asked for again.
    pub fn dump<T>(
        &mut self,
        message: &RouteNetlinkMessage,
        mut keep: impl FnMut(RouteNetlinkMessage) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        const INTERRUPTED: u16 = netlink_packet_core::NLM_F_DUMP_INTR;
        'again: for _ in 0..8 {
            self.sequence = self.sequence.wrapping_add(1);
            let mut bytes = Vec::new();
            append(&mut bytes, message.clone(), NLM_F_REQUEST | NLM_F_DUMP, self.sequence);
            self.socket.send(&bytes, 0)?;
            let (mut found, mut torn) = (Vec::new(), false);
            loop {
                for message in self.read()? {
                    if message.header.sequence_number != self.sequence {
                        continue;
                    }
                    torn |= message.header.flags & INTERRUPTED != 0;
                    match message.payload {
                        NetlinkPayload::InnerMessage(inner) => found.extend(keep(inner)),
                        NetlinkPayload::Done(_) if torn => continue 'again,
                        NetlinkPayload::Done(_) => return Ok(found),
                        NetlinkPayload::Error(error) => return Err(error.to_io()),
                        _ => {}
                    }
                }
            }
        }
        Err(io::Error::new(io::ErrorKind::Interrupted, "the kernel's tables change faster than they can be read"))
    }

    fn read(&mut self) -> io::Result<Vec<NetlinkMessage<RouteNetlinkMessage>>> {
        receive(&self.socket, parse)
    }
}

fn append(bytes: &mut Vec<u8>, message: RouteNetlinkMessage, flags: u16, sequence: u32) {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    header.sequence_number = sequence;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
    message.finalize();
    let start = bytes.len();
    bytes.resize(start + message.buffer_len().next_multiple_of(4), 0);
    if let Some(room) = bytes.get_mut(start..) {
        message.serialize(room);
    }
}

/// Messages of one read. One that the codec does not know is left out; what we wrote, it knows.
fn parse(mut bytes: &[u8]) -> Vec<NetlinkMessage<RouteNetlinkMessage>> {
    let mut found = Vec::new();
    while let Some(length) = bytes.first_chunk::<4>().map(|b| u32::from_ne_bytes(*b) as usize)
        && length >= 16
        && let Some(one) = bytes.get(..length)
    {
        match NetlinkMessage::deserialize(one) {
            Ok(message) => found.push(message),
            Err(error) => tracing::debug!(%error, "a netlink message could not be read"),
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

/// A socket that is told of changes.
pub struct Monitor {
    socket: Socket,
}

impl Monitor {
    /// Opens a socket inside `netns` that is told of links and what hangs on them, and joins `groups` (`RTNLGRP_*`).
    ///
    /// # Errors
    /// The namespace cannot be entered, or no socket is to be had.
    pub fn open(netns: BorrowedFd<'_>, groups: &[u32]) -> io::Result<Self> {
        let monitor = Self::of(NETLINK_ROUTE, netns, groups)?;
        let _ = monitor.socket.set_rx_buf_sz(i32::try_from(RECEIVE_BUFFER).unwrap_or(i32::MAX));
        Ok(monitor)
    }

    /// Opens a socket inside `netns` that is told of nft rules. Its buffer is small on purpose: that something changed is
    /// all we want to hear, and a lost notification says as much.
    ///
    /// # Errors
    /// As [`Monitor::open`].
    pub fn of_rules(netns: BorrowedFd<'_>) -> io::Result<Self> {
        Self::of(NETLINK_NETFILTER, netns, &[NFNLGRP_NFTABLES])
    }

    fn of(protocol: isize, netns: BorrowedFd<'_>, groups: &[u32]) -> io::Result<Self> {
        let mut socket = netns::within(netns, || Socket::new(protocol))??;
        socket.bind_auto()?;
        for group in groups {
            socket.add_membership(*group)?;
        }
        socket.set_non_blocking(true)?;
        Ok(Self { socket })
    }

    /// The descriptor to wait on.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Empties the socket; whether anything came, or was lost.
    pub fn empty(&mut self) -> bool {
        self.read(|_| true)
    }

    /// Empties the socket; whether anything came that has `word` in it, or was lost.
    pub fn mentions(&mut self, word: &[u8]) -> bool {
        self.read(|bytes| bytes.windows(word.len()).any(|part| part == word))
    }

    fn read(&mut self, counts: impl Fn(&[u8]) -> bool) -> bool {
        let mut any = false;
        loop {
            match receive(&self.socket, &counts) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return any,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() != Some(nix::libc::ENOBUFS) => return true,
                Err(_) => any = overrun(),
                Ok(counts) => any |= counts,
            }
        }
    }

    /// Empties the socket; whether anything came that `concerns` us. Lost notifications (`ENOBUFS`) concern everybody.
    pub fn drain(&mut self, concerns: impl Fn(&RouteNetlinkMessage) -> bool) -> bool {
        let mut disturbed = false;
        self.each(|message| disturbed = disturbed || concerns(message)) || disturbed
    }

    /// Empties the socket into `hear`; whether notifications were lost (`ENOBUFS`).
    pub fn each(&mut self, mut hear: impl FnMut(&RouteNetlinkMessage)) -> bool {
        let mut lost = false;
        loop {
            match receive(&self.socket, parse) {
                Ok(messages) => {
                    for message in messages {
                        match &message.payload {
                            NetlinkPayload::InnerMessage(inner) => hear(inner),
                            NetlinkPayload::Overrun(_) => lost = overrun(),
                            _ => {}
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return lost,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(nix::libc::ENOBUFS) => lost = overrun(),
                Err(_) => return true,
            }
        }
    }
}
