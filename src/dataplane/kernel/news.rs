//! What the kernel tells of the vswitch, so that not all of it is looked at again when one port of a thousand comes or goes.
//!
//! A notification of a link says only *which* link to look at: what it tells of a bridge port is not all there is to know.
//! One of a station is taken at its word. Routers are small and their routes leave without a word, so they are looked at
//! whole.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_route::RouteNetlinkMessage as Message;
use netlink_packet_route::neighbour::NeighbourMessage;

use crate::api::MacAddr;
use crate::dataplane::kernel::filter::{self, attach, tables::Tables};
use crate::dataplane::kernel::link;
use crate::dataplane::kernel::observe::{self, Ours, found};
use crate::dataplane::kernel::space::Space;
use crate::dataplane::state::{Entry, IfName, Item, Netns, State};

/// So many links are looked at one by one; of more, all are listed.
const FEW: usize = 64;

/// What is to be looked at again.
#[derive(Debug, Default)]
pub struct News {
    links: BTreeSet<u32>,
    /// Stations and neighbours, and whether each is there now; in the order of the news.
    stations: Vec<(bool, NeighbourMessage)>,
}

impl News {
    /// Takes in one notification.
    pub fn hear(&mut self, message: &Message) {
        match message {
            Message::NewLink(link) | Message::DelLink(link) => self.look_at(link.header.index),
            Message::NewNeighbour(entry) | Message::DelNeighbour(entry) => {
                self.stations.push((matches!(message, Message::NewNeighbour(_)), entry.clone()));
            }
            _ => {
                if let Some(index) = attach::link_of(message) {
                    self.look_at(index);
                }
            }
        }
    }

    /// A link is to be looked at.
    pub fn look_at(&mut self, index: u32) {
        self.links.insert(index);
    }

    /// Whether there is nothing new.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.links.is_empty() && self.stations.is_empty()
    }

    /// Whether it is so much that listing everything costs less.
    #[must_use]
    pub fn is_much(&self) -> bool {
        self.links.len() > FEW
    }

    /// Brings what was seen up to date; whether anything is different.
    ///
    /// # Errors
    /// The kernel could not be read.
    pub fn apply(
        self,
        space: &mut Space,
        tables: Option<&Tables>,
        state: &mut State,
        ours: &mut Ours,
    ) -> io::Result<bool> {
        let mut there = Vec::new();
        for index in &self.links {
            there.extend(space.look(link::at(*index))?);
        }
        filter::look(space, tables, &mut there)?;
        let mut before = Before::default();
        for index in &self.links {
            let Some((name, _)) = ours.remove(index) else { continue };
            space.indices.remove(&name);
            for item in items(&name) {
                before.take(item, state);
            }
            if !there.iter().any(|seen| seen.index == *index && *seen.name == *name) {
                for item in behind(&name, state) {
                    before.take(item, state);
                }
            }
        }
        if !there.is_empty() {
            space.indices.extend(there.iter().map(|seen| (seen.name.as_str().into(), seen.index)));
            let names: BTreeMap<u32, &str> = space.indices.iter().map(|(name, index)| (*index, &**name)).collect();
            for seen in &there {
                for item in items(&seen.name.as_str().into()) {
                    before.take(item, state);
                }
                found(seen, &Netns::Vswitch, &names, ours, state);
            }
        }
        for (there, entry) in &self.stations {
            if let Some(item) = observe::about(entry, &Netns::Vswitch, ours) {
                before.take(item, state);
            }
            if *there && let Some((item, spec, owner)) = observe::entry(entry, &Netns::Vswitch, ours) {
                state.found(item, spec, owner);
            }
        }
        Ok(before.differs(state))
    }
}

/// What a link may be seen as.
fn items(name: &IfName) -> [Item; 2] {
    [Item::Link(Netns::Vswitch, name.clone()), Item::Peer(Netns::Vswitch, name.clone())]
}

/// Stations behind a link, and its neighbours.
fn behind(name: &IfName, state: &State) -> Vec<Item> {
    let (netns, name) = (|| Netns::Vswitch, || name.clone());
    let (low, high) = (MacAddr([0; 6]), MacAddr([0xff; 6]));
    let neighbour = |ip: IpAddr| Item::Neighbour(netns(), name(), ip);
    let ranges = [
        Item::Fdb(netns(), name(), low)..=Item::Fdb(netns(), name(), high),
        Item::Remote(netns(), name(), low)..=Item::Remote(netns(), name(), high),
        neighbour(Ipv4Addr::UNSPECIFIED.into())..=neighbour(Ipv6Addr::from([0xff; 16]).into()),
    ];
    ranges.into_iter().flat_map(|range| state.0.range(range)).map(|(item, _)| item.clone()).collect()
}

/// How items were before the first of several changes.
#[derive(Default)]
struct Before(BTreeMap<Item, Option<Entry>>);

impl Before {
    /// Takes an item out of a state.
    fn take(&mut self, item: Item, state: &mut State) {
        let entry = state.0.remove(&item);
        self.0.entry(item).or_insert(entry);
    }

    fn differs(&self, state: &State) -> bool {
        self.0.iter().any(|(item, entry)| state.0.get(item) != entry.as_ref())
    }
}
