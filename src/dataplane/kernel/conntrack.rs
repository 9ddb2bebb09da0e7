//! Connections that the kernel tracks, and forgetting those of an address.
//!
//! The kernel translates a connection as it was when it began. So when a floating IP is taken away or moved, the
//! connections through it must be forgotten, *after* the rules have changed: else the next packet finds the old rules.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;

use crate::dataplane::kernel::netfilter::{Netfilter, Request, attributes};
use crate::dataplane::kernel::netns;

/// Subsystem of conntrack, and its requests (`linux/netfilter/nfnetlink_conntrack.h`).
pub(super) const CONNTRACK: u16 = 1;
pub(super) const NEW: u16 = 0;
pub(super) const GET: u16 = 1;
pub(super) const DELETE: u16 = 2;
const STATISTICS: u16 = 5;
/// Attributes of an entry: the two directions, its number, its zone; of a request: a filter.
pub(super) const ORIGINAL: u16 = 1;
pub(super) const REPLY: u16 = 2;
const ID: u16 = 12;
const ZONE: u16 = 18;
const FILTER: u16 = 25;
/// In a direction: the addresses.
const ADDRESSES: u16 = 1;
/// `ENOENT`: the entry has gone by itself.
const GONE: i32 = 2;

/// The connections of one namespace.
pub struct Conntrack(pub(super) Netfilter);

impl Conntrack {
    /// Opens the connections of a namespace.
    ///
    /// # Errors
    /// The namespace cannot be entered; the kernel has no conntrack.
    pub fn open(netns: BorrowedFd<'_>) -> io::Result<Self> {
        netns::within(netns, Netfilter::open)?.map(Self)
    }

    /// Asks how many connections there are, which costs nothing.
    ///
    /// # Errors
    /// The kernel has no conntrack to ask.
    pub fn probe(&mut self) -> io::Result<()> {
        self.0.call(Request::new(CONNTRACK, STATISTICS, 0, 0, "counting connections"), |_| {})
    }

    /// Whether the kernel (6.8) forgets connections by a filter, without our reading all of them. It is asked with a filter
    /// that none can have: who knows filters finds that invalid, others support none, or pass over it and forget everything.
    /// So this is for a namespace where there is nothing to forget.
    pub fn flushes_by_filter(&mut self) -> bool {
        let mut request = Request::new(CONNTRACK, DELETE, 0, 0, "trying a filter");
        request.nest(FILTER, |filter| filter.bytes(1, &u32::MAX.to_ne_bytes()));
        self.0.call(request, |_| {}).is_err_and(|error| error.kind() == io::ErrorKind::InvalidInput)
    }

    /// Forgets every connection.
    ///
    /// # Errors
    /// The kernel's.
    pub fn clear(&mut self) -> io::Result<()> {
        self.0.each(vec![Request::new(CONNTRACK, DELETE, 0, 0, "forgetting all connections")], GONE)
    }

    /// Forgets every connection that has one of `addresses` at either end, before or after translation; returns how many.
    /// Reads all connections once, whatever the number of addresses (and the kernel's table is one for all namespaces): so
    /// flush many addresses at once.
    ///
    /// # Errors
    /// The kernel's.
    pub fn flush(&mut self, addresses: &BTreeSet<IpAddr>) -> io::Result<usize> {
        if addresses.is_empty() {
            return Ok(0);
        }
        let mut doomed = Vec::new();
        self.0.dump(Request::new(CONNTRACK, GET, 0, 0, "reading connections"), |answer| {
            let ends = |(kind, value)| matches!(kind, ORIGINAL | REPLY) && involves(value, addresses);
            if answer.attributes().any(ends) {
                let mut request = Request::new(CONNTRACK, DELETE, 0, answer.family(), "forgetting a connection");
                answer
                    .attributes()
                    .filter(|(kind, _)| matches!(*kind, ORIGINAL | ID | ZONE))
                    .for_each(|(kind, value)| request.bytes(kind, value));
                doomed.push(request);
            }
        })?;
        let count = doomed.len();
        self.0.each(doomed, GONE)?;
        Ok(count)
    }
}

/// Whether a direction has one of the addresses at one of its ends.
fn involves(direction: &[u8], addresses: &BTreeSet<IpAddr>) -> bool {
    let ip = |value: &[u8]| {
        let v4 = <[u8; 4]>::try_from(value).ok().map(IpAddr::from);
        v4.or_else(|| <[u8; 16]>::try_from(value).ok().map(IpAddr::from))
    };
    let pair = attributes(direction).find(|(kind, _)| *kind == ADDRESSES).map(|(_, value)| value);
    attributes(pair.unwrap_or_default()).filter_map(|(_, value)| ip(value)).any(|ip| addresses.contains(&ip))
}
