//! Rules: what is looked at, and what is done.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::value::Value;
use super::{Name, text};

/// Something about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The link that it came in by.
    IifName,
    /// The link that it leaves by.
    OifName,
    /// IP protocol number.
    L4Proto,
    /// IPv4 source.
    IpSaddr,
    /// IPv4 destination.
    IpDaddr,
    /// Destination port, TCP or UDP: look at `L4Proto` first.
    ThDport,
    /// ICMP type: look at `L4Proto` first.
    IcmpType,
    /// Sender's IPv4 address in ARP.
    ArpSaddrIp,
    /// Sender's MAC address in ARP.
    ArpSaddrEther,
    /// The IPv4 address that ARP asks for.
    ArpDaddrIp,
}

/// One part of a rule. A rule goes on to the next part while what it looks at is so.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// The field has this value.
    Is(Field, Value),
    /// The field has another value.
    IsNot(Field, Value),
    /// The field lies in a range.
    Within(Field, Ipv4Net),
    /// The fields together are a key of a set.
    In(Vec<Field>, Name),
    /// They are not.
    NotIn(Vec<Field>, Name),
    /// ARP for IPv4 over Ethernet (RFC 826: hardware 1, protocol 0x0800, lengths 6 and 4).
    ArpForIpv4,
    /// A TCP SYN.
    Syn,
    /// The first packet of a connection.
    New,
    /// The first packet of a connection, or one that conntrack does not look at.
    NewOrUntracked,
    /// The connection's destination is translated.
    Dnatted,
    /// The packet goes the way of the connection's first one.
    Original,
    /// The source has more than so many connections; counted in a dynamic set.
    MoreConnections {
        /// The set.
        set: Name,
        /// So many are fine.
        over: u32,
    },
    /// Adds the destination to a dynamic set; the set is full: the rule ends.
    Remember(Name),
    /// Marks the packet, for policy routing.
    Mark(u32),
    /// Conntrack does not look at the packet.
    Notrack,
    /// Lowers the MSS that a TCP SYN offers to what both ways of the route carry.
    ClampMss,
    /// Translates the destination to what a map says; not in the map: the rule ends.
    Dnat {
        /// Fields that make the key.
        by: Vec<Field>,
        /// The map: to an address, or to an address and a port.
        map: Name,
        /// Whether the map has ports.
        port: bool,
    },
    /// Translates the source address to what a map says for it; not in the map: the rule ends.
    Snat(Name),
    /// Translates the source address. The port stays if it is free.
    SnatTo(Ipv4Addr),
    /// Replaces the sender's IPv4 address in ARP by what a map says; not in the map: the rule ends.
    ArpSpeakAs {
        /// Fields that make the key.
        by: Vec<Field>,
        /// The map: to an address.
        map: Name,
    },
    /// Answers "host unreachable" and drops.
    Reject,
    /// Lets the packet out of the chain.
    Accept,
    /// Drops the packet.
    Drop,
}

/// Raised whenever the encoding of a term for the kernel changes, so that rules of an older release are replaced.
const ENCODING: u32 = 1;
/// The longest text kept beside a rule, bytes; the kernel keeps 256 (`NFT_USERDATA_MAXLEN`), our tag takes some.
const MARK_MAX: usize = 240;

/// A rule. Compared by its text, which is all that a rule read from the kernel has.
#[derive(Clone, Debug)]
pub struct Rule {
    terms: Vec<Term>,
    mark: String,
}

impl Rule {
    /// A rule of these parts.
    #[must_use]
    pub fn new(terms: impl Into<Vec<Term>>) -> Self {
        let terms = terms.into();
        let mut mark = format!("{ENCODING} {}", text::of(&terms));
        if mark.len() > MARK_MAX {
            let end = format!("~{:016x}", fnv(&mark));
            mark.truncate(mark.floor_char_boundary(MARK_MAX - end.len()));
            mark += &end;
        }
        Self { terms, mark }
    }

    /// A rule found in a kernel, by the mark that was found beside it (empty: it has none, so it is not ours).
    #[must_use]
    pub fn found(mark: String) -> Self {
        Self { terms: Vec::new(), mark }
    }

    /// Its parts; empty for one found in a kernel.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// What is kept beside the rule in the kernel, to know it again.
    #[must_use]
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// The rule in nft's words.
    #[must_use]
    pub fn text(&self) -> &str {
        self.mark.split_once(' ').map_or("# a rule that is not ours", |(_, text)| text)
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.mark == other.mark
    }
}

/// FNV-1a: tells long texts of one program apart; nobody attacks it.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}
