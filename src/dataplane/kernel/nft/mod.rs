//! nft over netlink: one transaction makes a namespace's rules what they are to be.

mod expression;
mod observe;
mod request;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;

use crate::dataplane::kernel::netfilter::{Netfilter, Request, be32};
use crate::dataplane::kernel::netns;
use crate::dataplane::names::TABLE;
use crate::dataplane::nft::{Ruleset, Table};
use request::At;

/// `NFT_MSG_GETGEN`
const GET_GENERATION: u16 = 16;
/// Rules that change under the reader are read again so many times.
const READINGS: usize = 8;

/// What a request is about.
enum Object<'a> {
    Table,
    Chain(&'a str),
    /// Chain and text.
    Rule(&'a str, &'a str),
    Set(&'a str),
    Elements(&'a str),
}

impl fmt::Display for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table => f.write_str("the whole"),
            Self::Chain(name) => write!(f, "chain {name}"),
            Self::Rule(chain, text) => write!(f, "rule `{text}` in chain {chain}"),
            Self::Set(name) => write!(f, "set {name}"),
            Self::Elements(name) => write!(f, "elements in set {name}"),
        }
    }
}

/// The nft rules of one namespace, as far as they are in tables of one name.
pub struct Nft(Netfilter, &'static str);

impl Nft {
    /// Opens the rules of a namespace of ours.
    ///
    /// # Errors
    /// The namespace cannot be entered; the kernel has no nft.
    pub fn open(netns: BorrowedFd<'_>) -> io::Result<Self> {
        Self::named(netns, TABLE)
    }

    /// Opens the rules of a namespace, those in tables of a name.
    ///
    /// # Errors
    /// As [`Nft::open`].
    pub fn named(netns: BorrowedFd<'_>, table: &'static str) -> io::Result<Self> {
        Ok(Self(netns::within(netns, Netfilter::open)??, table))
    }

    /// A number that changes with every change of the namespace's rules (of any table, ours or not).
    ///
    /// # Errors
    /// The kernel has no nft.
    pub fn generation(&mut self) -> io::Result<u32> {
        let mut generation = None;
        let request = Request::new(request::NFTABLES, GET_GENERATION, 0, 0, "reading the generation of the rules");
        self.0.call(request, |answer| {
            let id = answer.attributes().find(|(kind, _)| *kind == 1);
            generation = generation.or(id.and_then(|(_, value)| be32(value)));
        })?;
        generation.ok_or_else(|| io::Error::other("the kernel does not tell the generation of its nft rules"))
    }

    /// The tables of our name; none: there is none.
    ///
    /// # Errors
    /// The kernel's; `Interrupted`: the rules keep changing.
    pub fn observe(&mut self) -> io::Result<Option<Ruleset>> {
        for _ in 0..READINGS {
            let before = self.generation()?;
            match observe::read(&mut self.0, self.1) {
                // Gone between two of the questions.
                Err(e) if matches!(e.kind(), io::ErrorKind::Interrupted | io::ErrorKind::NotFound) => {}
                Ok(found) if self.generation()? == before => return Ok(found),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::Interrupted, "somebody keeps changing the nft rules while they are read"))
    }

    /// Makes the rules `to` where they are `from`, in one transaction. Where nothing but elements of sets differ, only
    /// these change; otherwise the table is replaced. Established connections go on either way.
    ///
    /// # Errors
    /// What the kernel refused; then nothing has changed. If the rules were not `from`, `to` may be missed without an error:
    /// observe again.
    pub fn apply(&mut self, from: Option<&Ruleset>, to: Option<&Ruleset>) -> io::Result<()> {
        let nothing = Ruleset::default();
        let (from, to) = (from.unwrap_or(&nothing), to.unwrap_or(&nothing));
        let mut requests = Vec::new();
        for (family, table) in &to.tables {
            let at = At { family: *family, table: self.1 };
            change(at, from.tables.get(family), table, &mut requests);
        }
        for family in from.tables.keys().filter(|family| !to.tables.contains_key(family)) {
            request::delete(At { family: *family, table: self.1 }, &mut requests);
        }
        self.0.transaction(requests)
    }
}

fn change(at: At<'_>, from: Option<&Table>, to: &Table, out: &mut Vec<Request>) {
    match from {
        Some(from) if from.same_but_elements(to) => request::change_elements(at, from, to, out),
        _ => {
            request::delete(at, out);
            request::create(at, to, out);
        }
    }
}
