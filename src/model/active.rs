//! Allowed address pairs that move, as VRRP's do (RFC 9568): at which port each of their addresses is.
//!
//! Several ports may send from one address; it is at the one whose guest announced it last. The node of that port records it
//! there with a number that is greater than that of every port that had it before. So whoever reads the ports knows who was last,
//! in whatever order they were written and whoever was started anew meanwhile. Two that are announced at once have one number:
//! the port that is first by namespace and name has the address, until the other announces it again.
//!
//! With a MAC address of its own an address brings that along: it is where the last announcement with it came from.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::api::{ActivePair, MacAddr};
use crate::model::entry::PortEntry;
use crate::model::ipam::{Holder, number};
use crate::model::security::Number;
use crate::model::topology::{Index, Standing, Topology};
use crate::model::view::Active;

/// Most active pairs of a port: no more are taken in.
pub const ACTIVE_MAX: usize = 32;

/// What a guest has said: that an address is at its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The port.
    pub port: Number,
    /// The address.
    pub ip: IpAddr,
    /// Where it said it from.
    pub mac: MacAddr,
    /// Whether it was said long ago, when nobody listened: another may have announced the address since.
    pub late: bool,
}

/// An active pair of a plugged port that may be in force.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub port: Index,
    pub network: Index,
    pub subnet: Index,
    pub ip: IpAddr,
    pub mac: MacAddr,
    transitions: u32,
}

impl Claim {
    fn rank(&self) -> (u32, Reverse<Index>) {
        (self.transitions, Reverse(self.port))
    }
}

/// Of the claims to each thing, the one in force.
fn best<K: Ord>(claims: &[Claim], thing: impl Fn(&Claim) -> K) -> BTreeMap<K, Claim> {
    let mut best: BTreeMap<K, Claim> = BTreeMap::new();
    for claim in claims {
        let first = best.entry(thing(claim)).or_insert(*claim);
        if claim.rank() > first.rank() {
            *first = *claim;
        }
    }
    best
}

/// The active pairs in force.
#[derive(Clone, Debug, Default)]
pub(super) struct Pairs {
    /// Addresses, each at one port.
    pub addresses: Vec<Claim>,
    /// MAC addresses that are no port's own, each at one port.
    pub stations: Vec<Claim>,
}

impl Topology {
    /// What is in force. `fresh`: instead of what is recorded.
    pub(super) fn pairs(&self, fresh: &Active) -> Pairs {
        let claims = self.claims(fresh);
        let addresses = best(&claims, |claim| (claim.network, claim.ip)).into_values().collect();
        let foreign = |claim: &Claim| self.ports[claim.port].mac != Some(claim.mac);
        let stations = best(&claims, |claim| (claim.network, claim.mac)).into_values().filter(foreign).collect();
        Pairs { addresses, stations }
    }

    /// Active pairs of the ports of a node that are to be others than recorded, once what was heard is taken in, the newest last;
    /// and the ports that something came to by that. `fresh`: the same before. An address leaves a port when another has it, and
    /// when the port may not send from it any more.
    #[must_use]
    pub fn follow(&self, node: &str, fresh: &Active, heard: &[Announcement]) -> (Active, BTreeSet<Number>) {
        let (mut claims, mut moved) = (self.claims(fresh), BTreeSet::new());
        for announcement in heard {
            if self.take_in(node, announcement, &mut claims) {
                moved.insert(announcement.port);
            }
        }
        let mut wanted: BTreeMap<Index, Vec<ActivePair>> = BTreeMap::new();
        for Claim { port, ip, mac, transitions, .. } in best(&claims, |claim| (claim.network, claim.ip)).into_values() {
            wanted.entry(port).or_default().push(ActivePair { ip, mac_address: mac, transitions });
        }
        let here = self.announcers().filter(|index| self.node_of(*index) == Some(node));
        let different = here.filter_map(|index| {
            let pairs = wanted.remove(&index).unwrap_or_default();
            (pairs != recorded(&self.entries[index])).then(|| (self.entries[index].key.clone(), pairs))
        });
        (different.collect(), moved)
    }

    /// Takes in one announcement; whether it is news.
    fn take_in(&self, node: &str, heard: &Announcement, claims: &mut Vec<Claim>) -> bool {
        let Announcement { ip, mac, late, .. } = *heard;
        let is_it = |index: &Index| Number::from(self.entries[*index].uid) == heard.port;
        let port = self.announcers().find(|index| is_it(index) && self.node_of(*index) == Some(node));
        let Some((port, network, subnet)) = port.and_then(|port| {
            let (network, subnet) = self.may_have(port, ip, mac)?;
            Some((port, network, subnet))
        }) else {
            return false;
        };
        // Who had the address, and who had others with the same MAC address.
        let rivals =
            || claims.iter().filter(|c| c.network == network && (c.ip == ip || c.mac == mac && c.port != port));
        let holder = rivals().filter(|c| c.ip == ip).max_by_key(|c| c.rank());
        let station = claims.iter().filter(|c| c.network == network && c.mac == mac).max_by_key(|c| c.rank());
        // A guest asks by ARP from its own MAC address, too, what it answers from another one: that stays.
        let own = self.ports[port].mac;
        let has = |claim: Option<&Claim>| claim.is_some_and(|c| c.port == port && (c.mac == mac || own == Some(mac)));
        if has(holder) && (own == Some(mac) || has(station)) || late && holder.is_some_and(|c| c.port != port) {
            return false;
        }
        let is_same = |c: &Claim| c.port == port && c.ip == ip;
        if !claims.iter().any(is_same) && claims.iter().filter(|c| c.port == port).count() >= ACTIVE_MAX {
            return false;
        }
        let transitions = rivals().map(|c| c.transitions.saturating_add(1)).max().unwrap_or_default();
        claims.retain(|claim| !is_same(claim));
        claims.push(Claim { port, network, subnet, ip, mac, transitions });
        true
    }

    /// Active pairs that may be in force, of all plugged ports.
    fn claims(&self, fresh: &Active) -> Vec<Claim> {
        let of = |port: Index| {
            let entry = &self.entries[port];
            let pairs = fresh.get(&entry.key).map_or_else(|| recorded(entry), Vec::as_slice);
            pairs.iter().take(ACTIVE_MAX).filter_map(move |pair| {
                let (ip, mac) = (pair.ip, pair.mac_address);
                let (network, subnet) = self.may_have(port, ip, mac)?;
                Some(Claim { port, network, subnet, ip, mac, transitions: pair.transitions })
            })
        };
        self.announcers().flat_map(of).collect()
    }

    /// Plugged ports with allowed address pairs.
    fn announcers(&self) -> impl Iterator<Item = Index> {
        self.announcing.iter().copied().filter(|index| self.ports[*index].standing == Standing::InForce)
    }

    fn node_of(&self, port: Index) -> Option<&str> {
        super::cut::bound_to(&self.entries[port])
    }

    /// The network and the subnet in which a port may have an address. What is a plugged port's, a router's or a floating IP's
    /// stays theirs, whatever somebody is allowed to send; so does what another namespace holds.
    fn may_have(&self, port: Index, ip: IpAddr, mac: MacAddr) -> Option<(Index, Index)> {
        let (entry, node) = (&self.entries[port], &self.ports[port]);
        let (index, own) = (node.network?, node.mac?);
        let network = &self.networks[index];
        let allows = |pair: &crate::api::AddressPair| pair.ip.0.contains(&ip) && pair.mac_address.unwrap_or(own) == mac;
        let bridge = network.uid.part("bridge").mac();
        if !entry.object.spec.allowed_address_pairs.iter().any(allows)
            || mac != own && (network.has_mac(mac) || mac == bridge)
        {
            return None;
        }
        let subnet = network.subnet_of(number(ip))?;
        let within = &self.subnets[subnet];
        let free = match within.ledger.holder(number(ip)) {
            // The node itself answers for a gateway that nobody is.
            None => within.range.is_host(number(ip)) && within.range.gateway != Some(number(ip)),
            Some(Holder::Port(other)) => {
                let other = &self.entries[other];
                !other.bound && other.key.namespace == entry.key.namespace
            }
            Some(_) => false,
        };
        free.then_some((index, subnet))
    }
}

/// What the status of a port says.
fn recorded(entry: &PortEntry) -> &[ActivePair] {
    entry.object.status.as_ref().map_or(&[], |status| &status.active_pairs)
}
