//! The netlink family of netfilter (nfnetlink): what nft and conntrack have in common.
//!
//! The kernel does the work inside `sendmsg` and has queued its answers when that returns. So nothing here waits: a
//! missing answer is an error at once.

mod message;

use std::io;

use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_NETFILTER;
use nix::sys::socket::{setsockopt, sockopt::SndBufForce};

pub use message::{Answer, Request, attributes, be32, text};

/// Message types of netlink itself.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// Brackets around messages that take effect together or not at all.
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
/// Subsystem that a batch is for.
const NFTABLES: u16 = 10;

/// `NLM_F_REQUEST`, `NLM_F_ACK`, `NLM_F_DUMP`.
const REQUEST: u16 = 1;
const ACK: u16 = 4;
const DUMP: u16 = 0x300;
/// `NLM_F_DUMP_INTR`: what is dumped changed meanwhile.
const DUMP_INTERRUPTED: u16 = 0x10;

/// The kernel's buffer for answers to one `recv`, bytes; it sends at most 32 KiB at once.
const ANSWER_MAX: usize = 64 << 10;

/// Independent requests sent at once: their answers must fit the receive buffer if all fail.
const TOGETHER: usize = 200;

/// A socket of the namespace that it was opened in.
pub struct Netfilter {
    socket: Socket,
    seq: u32,
    room: usize,
}

/// What the kernel refused, and its words.
#[derive(Debug, thiserror::Error)]
#[error("the kernel refuses {what}: {}{words}", io::Error::from_raw_os_error(*.errno))]
pub struct Refusal {
    /// Which object.
    pub what: String,
    /// The error number.
    pub errno: i32,
    /// The extended acknowledgement with a colon before it, or empty.
    pub words: String,
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(Self::from_raw_os_error(refusal.errno).kind(), refusal)
    }
}

impl Netfilter {
    /// Opens a socket in the namespace of the calling thread.
    ///
    /// # Errors
    /// The kernel has no netfilter netlink.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        // Both shape errors only, and are missing on kernels before 4.12.
        let _ = socket.set_ext_ack(true);
        let _ = socket.set_cap_ack(true);
        Ok(Self { socket, seq: 0, room: 0 })
    }

    /// Sends one request and gives each answer to `each`, until the kernel says that it was the last.
    ///
    /// # Errors
    /// The kernel's; `Interrupted`: what is dumped changed meanwhile, so read it again.
    pub fn dump(&mut self, request: Request, each: impl FnMut(Answer<'_>)) -> io::Result<()> {
        self.ask(request, REQUEST | DUMP, each)
    }

    /// Sends one request that is no dump; gives each answer before the acknowledgement to `each`.
    ///
    /// # Errors
    /// The kernel's.
    pub fn call(&mut self, request: Request, each: impl FnMut(Answer<'_>)) -> io::Result<()> {
        self.ask(request, REQUEST | ACK, each)
    }

    fn ask(&mut self, request: Request, flags: u16, mut each: impl FnMut(Answer<'_>)) -> io::Result<()> {
        let seq = self.next();
        let (what, bytes) = request.finish(flags, seq);
        self.send(&bytes)?;
        let mut torn = false;
        self.receive(|answer| {
            if answer.seq != seq {
                return Ok(false);
            }
            torn |= answer.flags & DUMP_INTERRUPTED != 0;
            match answer.kind {
                DONE | ERROR => answer.refusal(&what).map_or(Ok(true), |refusal| Err(refusal.into())),
                _ => {
                    each(answer);
                    Ok(false)
                }
            }
        })?;
        if torn { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    }

    /// Sends nft requests that take effect together or not at all.
    ///
    /// # Errors
    /// The first of the kernel's.
    pub fn transaction(&mut self, requests: Vec<Request>) -> io::Result<()> {
        let refused = self.exchange(requests, true, 0)?;
        refused.map_or(Ok(()), |refusal| Err(refusal.into()))
    }

    /// Sends requests that have nothing to do with each other, and goes on past those that fail.
    ///
    /// # Errors
    /// The first of the kernel's, but for the error number `fine`.
    pub fn each(&mut self, mut requests: Vec<Request>, fine: i32) -> io::Result<()> {
        let mut first = Ok(());
        while !requests.is_empty() {
            let rest = requests.split_off(requests.len().min(TOGETHER));
            let refused = self.exchange(std::mem::replace(&mut requests, rest), false, fine)?;
            first = first.and(refused.map_or(Ok(()), |refusal| Err(refusal.into())));
        }
        first
    }

    /// Sends requests in one message; returns the first refusal but for the error number `fine`.
    fn exchange(&mut self, requests: Vec<Request>, together: bool, fine: i32) -> io::Result<Option<Refusal>> {
        let Some(last) = requests.len().checked_sub(1) else { return Ok(None) };
        let (mut bytes, mut names) = (Vec::new(), Vec::new());
        let first = self.next();
        names.push(String::from("the transaction"));
        if together {
            bytes = Request::bracket(BATCH_BEGIN, NFTABLES).finish(REQUEST, first).1;
        }
        for (index, request) in requests.into_iter().enumerate() {
            // Older kernels do not acknowledge the closing bracket, so the last request within asks for it.
            let flags = if index == last { REQUEST | ACK } else { REQUEST };
            let seq = self.next();
            let (what, message) = request.finish(flags, seq);
            names.push(what);
            bytes.extend(message);
        }
        let end = self.seq;
        if together {
            let seq = self.next();
            bytes.extend(Request::bracket(BATCH_END, NFTABLES).finish(REQUEST, seq).1);
        }
        self.send(&bytes)?;
        let mut refused = None;
        self.receive(|answer| {
            let Some(what) = answer.seq.checked_sub(first).and_then(|n| names.get(n as usize)) else {
                return Ok(false);
            };
            let refusal = if answer.kind == ERROR { answer.refusal(what) } else { None };
            // A transaction refused as a whole has one answer, to its opening bracket.
            let all = answer.seq == end || (answer.seq == first && refusal.is_some());
            if refused.is_none() {
                refused = refusal.filter(|r| r.errno != fine);
            }
            Ok(all)
        })?;
        Ok(refused)
    }

    fn next(&mut self) -> u32 {
        // A fresh count long before it overflows keeps the numbers of a transaction in order.
        self.seq = if self.seq > u32::MAX / 2 { 1 } else { self.seq + 1 };
        self.seq
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        // A netlink message must fit the send buffer, whose default is some 200 kB.
        if bytes.len() > self.room {
            self.room = bytes.len().max(128 << 10).next_power_of_two();
            setsockopt(&self.socket, SndBufForce, &self.room)?;
        }
        self.socket.send(bytes, 0).map(|_| ())
    }

    /// Receives until `each` says that it has all.
    fn receive(&self, mut each: impl FnMut(Answer<'_>) -> io::Result<bool>) -> io::Result<()> {
        let mut buffer = Vec::with_capacity(ANSWER_MAX);
        loop {
            buffer.clear();
            self.socket.recv(&mut buffer, 0)?;
            for answer in Answer::all(&buffer) {
                if each(answer)? {
                    return Ok(());
                }
            }
        }
    }
}
