//! One namespace that we work in: its sockets, and what was last seen there.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};

use netlink_packet_route::RouteNetlinkMessage as Message;
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::neighbour::NeighbourState;

use crate::dataplane::kernel::filter::tables::Tables;
use crate::dataplane::kernel::link::{self, Seen};
use crate::dataplane::kernel::netlink::{Answer, Monitor, Netlink, Request};
use crate::dataplane::kernel::nft::Nft;
use crate::dataplane::kernel::observe::{self, Ours};
use crate::dataplane::kernel::{neighbour, news::News};
use crate::dataplane::names::{GUARD, TABLE};
use crate::dataplane::state::{IfName, Netns, State};

/// `RTNLGRP_LINK`, `_NEIGH`, `_TC`, `_IPV4_IFADDR`, `_IPV4_ROUTE`.
const GROUPS: [u32; 5] = [1, 3, 4, 5, 7];
/// In the host only links concern us: its addresses and routes are its own.
const HOST_GROUPS: [u32; 1] = [1];

/// One namespace.
pub struct Space {
    /// Which.
    pub netns: Netns,
    fd: OwnedFd,
    /// Its links, addresses, neighbours and routes.
    pub netlink: Netlink,
    /// Its rules.
    pub nft: Nft,
    monitor: Monitor,
    /// Tells of its rules.
    rules: Option<Monitor>,
    /// Interface indices by name, as far as they are known.
    pub indices: BTreeMap<IfName, u32>,
    /// In the host, all links as they were last seen.
    pub links: Vec<Seen>,
    /// That everything was seen, and which links are ours; the rest, the state says that all namespaces share.
    seen: Option<Ours>,
    news: News,
}

impl Space {
    /// Opens sockets in a namespace.
    ///
    /// # Errors
    /// The namespace cannot be entered, or no sockets are to be had.
    pub fn open(netns: Netns, fd: OwnedFd) -> io::Result<Self> {
        let groups: &[u32] = if netns == Netns::Host { &HOST_GROUPS } else { &GROUPS };
        Ok(Self {
            netlink: Netlink::open(fd.as_fd())?,
            nft: Nft::named(fd.as_fd(), if netns == Netns::Host { GUARD } else { TABLE })?,
            monitor: Monitor::open(fd.as_fd(), groups)?,
            rules: (netns != Netns::Vswitch).then(|| Monitor::of_rules(fd.as_fd())).transpose()?,
            netns,
            fd,
            indices: BTreeMap::new(),
            links: Vec::new(),
            seen: None,
            news: News::default(),
        })
    }

    /// The namespace, to enter.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The namespace, as a number for a netlink attribute.
    #[must_use]
    pub fn raw(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// The descriptors that become readable when something changed here.
    pub fn watched(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [Some(&self.monitor), self.rules.as_ref()].into_iter().flatten().map(Monitor::fd)
    }

    /// Reads notifications. Whether something of ours is, or may be, no longer as `state` has it.
    pub fn disturbed(&mut self, tables: Option<&Tables>, state: &mut State) -> bool {
        if self.netns == Netns::Vswitch && self.seen.is_some() {
            return self.refresh(tables, state).unwrap_or(true);
        }
        // The host has rules of its own, which may change often.
        let host = self.netns == Netns::Host;
        let rules = self
            .rules
            .as_mut()
            .is_some_and(|rules| if host { rules.mentions(format!("{GUARD}\0").as_bytes()) } else { rules.empty() });
        let disturbed = self.monitor.drain(concerns) || rules;
        if disturbed {
            self.forget();
        }
        disturbed
    }

    /// Forgets what was seen: something is about to change here.
    pub fn forget(&mut self) {
        self.seen = None;
    }

    /// A link was changed by us: it is looked at again, whether the kernel tells of it or not.
    pub fn touched(&mut self, name: &str) {
        if self.seen.is_some()
            && let Ok(index) = self.index(name)
        {
            self.news.look_at(index);
        }
    }

    /// Brings `state` up to date with what the kernel has told since. Whether anything is different. Whatever cannot be
    /// brought up to date is forgotten.
    fn refresh(&mut self, tables: Option<&Tables>, state: &mut State) -> io::Result<bool> {
        let mut news = std::mem::take(&mut self.news);
        let Some(mut ours) = self.seen.take() else { return Ok(true) };
        let lost = self.monitor.each(|message| {
            if concerns(message) {
                news.hear(message);
            }
        });
        if lost || news.is_much() {
            return Ok(true);
        }
        let different = !news.is_empty() && news.apply(self, tables, state, &mut ours)?;
        self.seen = Some(ours);
        Ok(different)
    }

    /// Puts what is here of ours into `state`, which has what was here when it last looked. Looks only where something
    /// changed since.
    ///
    /// # Errors
    /// The kernel could not be read.
    pub fn observe(
        &mut self,
        sysctls: &BTreeMap<String, String>,
        tables: Option<&Tables>,
        state: &mut State,
    ) -> io::Result<()> {
        // All that was told so far is read with this: what changes from here on will be told.
        self.disturbed(tables, state);
        if self.seen.is_none() {
            self.news = News::default();
            let (found, ours) = observe::space(self, sysctls, tables)?;
            state.0.retain(|item, _| item.netns() != Some(&self.netns));
            state.0.extend(found.0);
            self.seen = Some(ours);
        }
        Ok(())
    }

    /// Index of a link, asked for if it is not known.
    ///
    /// # Errors
    /// There is no such link (`NotFound`); the kernel could not be asked.
    pub fn index(&mut self, name: &str) -> io::Result<u32> {
        if let Some(index) = self.indices.get(name) {
            return Ok(*index);
        }
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("there is no link {name}"));
        let seen = self.look(link::named(name))?.ok_or_else(missing)?;
        self.indices.insert(name.into(), seen.index);
        Ok(seen.index)
    }

    /// Looks at one link.
    ///
    /// # Errors
    /// The kernel's, but for "no such link".
    pub fn look(&mut self, which: LinkMessage) -> io::Result<Option<Seen>> {
        let request = Request { message: Message::GetLink(which), flags: 0 };
        match self.netlink.send(vec![request])?.pop() {
            Some(Ok(Some(Message::NewLink(message)))) => Ok(Some(Seen::of(&message))),
            Some(Err(error)) if error.raw_os_error() != Some(nix::libc::ENODEV) => Err(error),
            _ => Ok(None),
        }
    }

    /// Sends requests that change things.
    ///
    /// # Errors
    /// The socket itself failed.
    pub fn change(&mut self, requests: Vec<Request>) -> io::Result<Vec<Answer>> {
        // Of the vswitch the kernel tells, or [`Space::touched`] is told.
        if self.netns != Netns::Vswitch {
            self.forget();
        }
        self.netlink.send(requests)
    }
}

/// A request that changes or takes away what is there.
#[must_use]
pub fn plain(message: Message) -> Request {
    Request { message, flags: 0 }
}

/// Neighbours that the kernel learns and forgets by itself are none of ours.
fn concerns(message: &Message) -> bool {
    match message {
        Message::NewNeighbour(entry) | Message::DelNeighbour(entry) => {
            let kept = entry.header.state == NeighbourState::Permanent || neighbour::is_static(entry);
            kept || neighbour::was_ours(entry) || neighbour::remote_of(entry).is_some()
        }
        _ => true,
    }
}
