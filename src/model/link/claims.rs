//! Who gets which address and which MAC address.
//!
//! Three rounds: what is recorded and still fits; what is asked for by name; what is left to us. Within a round the clash
//! rule decides. So nothing that was given is ever taken away by something new, and the order of events has no say.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::rank::Rank;
use super::{Role, World, outcome, remark};
use crate::api::{MacAddr, Reason};
use crate::model::allocation::Slot;
use crate::model::id::{Key, Uid};
use crate::model::ipam::{Holder, address, number};
use crate::model::report::Remark;
use crate::model::topology::{Index, SubnetNode, Topology};

/// One address that somebody wants.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Where.
    pub scope: Scope,
    /// Which; none: any from the pools.
    pub ip: Option<IpAddr>,
    /// What it got: subnet and address.
    pub got: Option<(Index, u128)>,
}

/// Where an address may lie.
#[derive(Clone, Copy, Debug)]
pub enum Scope {
    /// In this subnet.
    Subnet(Index),
    /// In any subnet of this network; of one family only, if said so.
    Network(Index, Option<Family>),
}

/// IP version of a subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Of a range.
    pub fn of(cidr: IpNet) -> Self {
        if cidr.addr().is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

impl Wish {
    /// A wish not yet fulfilled.
    pub fn new(scope: Scope, ip: Option<IpAddr>) -> Self {
        Self { scope, ip, got: None }
    }
}

/// A MAC address that somebody wants.
#[derive(Clone, Copy, Debug)]
pub enum Mac {
    /// None, or it has one.
    Settled(Option<MacAddr>),
    /// This one.
    Given(MacAddr),
    /// One made of its UID.
    Derived,
}

/// What one object, or one leg of a router, still wants: all of it or nothing.
#[derive(Debug)]
pub struct Claim {
    /// For whom.
    pub holder: Holder,
    /// Who comes first.
    pub rank: Rank,
    /// Which interface of a router.
    pub part: usize,
    /// Addresses, in the order of the spec.
    pub wishes: Vec<Wish>,
    /// MAC address.
    pub mac: Mac,
}

/// Round one: what is recorded stays, as far as it is what the object wants. Whether nothing is left to wish for.
pub fn keep(world: &mut World, holder: Holder, wishes: &mut [Wish], recorded: impl Iterator<Item = IpAddr>) -> bool {
    fulfil(world, holder, wishes, recorded) || {
        let locked = locked(world, holder);
        fulfil(world, holder, wishes, locked.into_iter())
    }
}

fn fulfil(world: &mut World, holder: Holder, wishes: &mut [Wish], given: impl Iterator<Item = IpAddr>) -> bool {
    for ip in given {
        let named = wishes.iter().position(|w| w.got.is_none() && w.ip == Some(ip));
        let open =
            || wishes.iter().position(|w| w.got.is_none() && w.ip.is_none() && fits(world, w, ip, holder).is_ok());
        let Some(position) = named.or_else(open) else { continue };
        let wish = &mut wishes[position];
        if let Ok(subnet) = fits(world, wish, ip, holder)
            && take(world, subnet, ip, holder).is_ok()
        {
            wish.got = Some((subnet, number(ip)));
        }
    }
    wishes.iter().all(|w| w.got.is_some())
}

/// Addresses that are locked for a holder though its status says nothing of them: somebody stopped in between.
fn locked(world: &World, holder: Holder) -> Vec<IpAddr> {
    let uid = world.topology.holder(holder).map(|(_, uid)| uid);
    let slots = uid.map_or(&[][..], |uid| world.snapshot.allocations.of(uid));
    slots.iter().filter_map(|s| if let Slot::Address(_, n) = s { Some(address(*n)) } else { None }).collect()
}

/// The pool of a subnet's addresses.
fn uid(node: &SubnetNode) -> Uid {
    Uid::parse(node.object.metadata.uid.as_deref().unwrap_or_default())
}

/// What is locked and nobody keeps is not free: whoever held it may still use it.
fn reserve(world: &mut World) {
    if world.snapshot.allocations.is_empty() {
        return;
    }
    let subnets = world.topology.subnets.iter().enumerate();
    let by_uid: HashMap<Uid, Index> = subnets.map(|(index, node)| (uid(node), index)).collect();
    for (slot, ..) in world.snapshot.allocations.iter() {
        let Slot::Address(pool, number) = *slot else { continue };
        if let Some(node) = by_uid.get(&pool).map(|subnet| &mut world.topology.subnets[*subnet]) {
            // Taken already: by whoever keeps it.
            let _kept = node.ledger.take(&node.range, number, Holder::Leaving);
        }
    }
}

/// Rounds two and three. On a node there is neither: what is not recorded is not there yet.
pub fn settle(world: &mut World, mut claims: Vec<Claim>) {
    reserve(world);
    if world.topology.role == Role::Node {
        let whole =
            |claim: &Claim| claim.wishes.iter().all(|w| w.got.is_some()) && matches!(claim.mac, Mac::Settled(_));
        for claim in claims {
            if whole(&claim) {
                outcome::grant(world, &claim);
            } else {
                let message = "The controller has not given it its addresses yet.";
                outcome::deny(world, &claim, remark(Reason::Pending, message));
            }
        }
        return;
    }
    claims.sort_unstable_by(|a, b| order(world, a, b));
    let mut attempt = |claims: &mut Vec<Claim>, round: fn(&mut World, &mut Claim) -> Result<(), Remark>| {
        claims.retain_mut(|claim| round(world, claim).map_err(|remark| outcome::deny(world, claim, remark)).is_ok());
    };
    attempt(&mut claims, named);
    attempt(&mut claims, automatic);
    for claim in claims {
        outcome::grant(world, &claim);
    }
}

/// Round two: what is asked for by name, all of it or nothing.
fn named(world: &mut World, claim: &mut Claim) -> Result<(), Remark> {
    let open = |w: &Wish| w.ip.filter(|_| w.got.is_none());
    for wish in &claim.wishes {
        let Some(ip) = open(wish) else { continue };
        let subnet = fits(world, wish, ip, claim.holder)?;
        if let Some(other) = world.topology.subnets[subnet].ledger.holder(number(ip)) {
            return Err(in_use(world, claim.holder, ip, other));
        }
    }
    if let Mac::Given(mac) = claim.mac {
        if !take_mac(world, claim.holder, mac) {
            let message = format!("{mac} is taken on this network: choose another macAddress, or leave it out.");
            return Err(remark(Reason::MacAddressInUse, message));
        }
        claim.mac = Mac::Settled(Some(mac));
    }
    for wish in &mut claim.wishes {
        let Some(ip) = open(wish) else { continue };
        let subnet = fits(world, wish, ip, claim.holder)?;
        take(world, subnet, ip, claim.holder).map_err(|other| in_use(world, claim.holder, ip, other))?;
        wish.got = Some((subnet, number(ip)));
    }
    Ok(())
}

/// Round three: the lowest free address of the pools that is not cold, the first free MAC address of the object's own series.
fn automatic(world: &mut World, claim: &mut Claim) -> Result<(), Remark> {
    for wish in claim.wishes.iter_mut().filter(|w| w.got.is_none()) {
        wish.got = any(world, wish.scope, claim.holder);
        if wish.got.is_none() {
            let message = match wish.scope {
                Scope::Subnet(subnet) => format!("Subnet {} has no", world.topology.subnets[subnet].key),
                Scope::Network(network, _) => {
                    format!("Network {} has no subnet with a", world.topology.networks[network].key)
                }
            };
            let message = format!(
                "{message} free address in its pools: widen the pools, add a subnet, or delete what is not needed."
            );
            return Err(remark(Reason::AddressesExhausted, message));
        }
    }
    if let (Mac::Derived, Holder::Port(port)) = (claim.mac, claim.holder) {
        let uid = world.topology.entries[port].uid;
        claim.mac =
            Mac::Settled(world.topology.ports[port].network.and_then(|network| derive_mac(world, network, uid)));
    }
    Ok(())
}

/// Any address of a scope: in the first subnet that has a warm one, the lowest. Where only cold ones are left, the one that has been
/// so the longest: better an address that some may still take for another's than none.
fn any(world: &mut World, scope: Scope, holder: Holder) -> Option<(Index, u128)> {
    let Topology { networks, subnets, .. } = &mut world.topology;
    let (among, family) = match &scope {
        Scope::Subnet(subnet) => (std::slice::from_ref(subnet), None),
        Scope::Network(network, family) => (&networks[*network].subnets[..], *family),
    };
    let cold = |node: &SubnetNode| world.cold.of(uid(node));
    let among: Vec<Index> =
        among.iter().copied().filter(|s| family.is_none_or(|f| f == Family::of(subnets[*s].range.cidr))).collect();
    let warm = among.iter().find_map(|subnet| {
        let node = &mut subnets[*subnet];
        let number = node.ledger.take_lowest(&node.range, cold(node), holder)?;
        Some((*subnet, number))
    });
    if warm.is_some() || world.cold.is_empty() {
        return warm;
    }
    let coldest = among.iter().filter_map(|subnet| {
        let node = &mut subnets[*subnet];
        Some((node.ledger.coldest(&node.range, cold(node))?, *subnet))
    });
    let ((_, number), subnet) = coldest.min()?;
    let node = &mut subnets[subnet];
    node.ledger.take(&node.range, number, holder).ok().map(|()| (subnet, number))
}

/// The subnet in which an address would fulfil a wish.
fn fits(world: &World, wish: &Wish, ip: IpAddr, holder: Holder) -> Result<Index, Remark> {
    let number = number(ip);
    let out = |message: String| remark(Reason::AddressOutOfRange, message);
    let subnet = match wish.scope {
        Scope::Subnet(subnet) => Some(subnet).filter(|s| world.topology.subnets[*s].range.cidr.contains(&ip)),
        Scope::Network(network, family) => {
            let found = world.topology.networks[network].subnet_of(number);
            found.filter(|s| family.is_none_or(|f| f == Family::of(world.topology.subnets[*s].range.cidr)))
        }
    };
    let Some(subnet) = subnet else {
        return Err(out(match wish.scope {
            Scope::Subnet(subnet) => {
                let node = &world.topology.subnets[subnet];
                format!("{ip} is outside Subnet {} ({}): choose an address inside.", node.key, node.range.cidr)
            }
            Scope::Network(network, _) => {
                let key = &world.topology.networks[network].key;
                format!("{ip} is in no accepted subnet of Network {key}: choose an address of one of them.")
            }
        }));
    };
    let range = &world.topology.subnets[subnet].range;
    if !range.is_host(number) {
        return Err(out(format!("{ip} is the network or broadcast address of {}: choose another.", range.cidr)));
    }
    // A guest may be the gateway of its subnet if somebody says so; the gateway of an external subnet is not ours.
    let may = match holder {
        Holder::Interface(_) => true,
        Holder::Port(_) => wish.ip.is_some(),
        Holder::External(_) | Holder::FloatingIP(_) | Holder::Leaving => false,
    };
    if range.gateway == Some(number) && !may {
        return Err(out(format!("{ip} is the gateway of {}: choose another address.", range.cidr)));
    }
    Ok(subnet)
}

fn take(world: &mut World, subnet: Index, ip: IpAddr, holder: Holder) -> Result<(), Holder> {
    let node = &mut world.topology.subnets[subnet];
    let taken = node.ledger.take(&node.range, number(ip), holder);
    world.topology.contested |= taken.is_err();
    taken
}

fn in_use(world: &World, holder: Holder, ip: IpAddr, other: Holder) -> Remark {
    let who = world.name(other, &key(world, holder).namespace);
    remark(Reason::AddressInUse, format!("{ip} is held by {who}: choose another address, or leave it out."))
}

/// Takes a MAC address on the network of a port; false: another has it.
pub fn take_mac(world: &mut World, holder: Holder, mac: MacAddr) -> bool {
    let Holder::Port(port) = holder else { return false };
    let network = world.topology.ports[port].network;
    let taken = network.is_some_and(|n| world.topology.networks[n].take_mac(mac));
    world.topology.contested |= !taken;
    taken
}

/// Takes the first free MAC address of a UID's series: locally administered, unicast (IEEE 802), the same every time.
pub fn derive_mac(world: &mut World, network: Index, uid: Uid) -> Option<MacAddr> {
    let mut series = std::iter::once(uid).chain((1..).map(|n: u32| uid.part(&format!("mac {n}"))));
    series.find_map(|uid| {
        let mut mac = MacAddr([0x02; 6]);
        mac.0[1..].copy_from_slice(&uid.0.to_be_bytes()[..5]);
        world.topology.networks[network].take_mac(mac).then_some(mac)
    })
}

fn order(world: &World, a: &Claim, b: &Claim) -> Ordering {
    let names = || match (a.holder, b.holder) {
        (Holder::Port(a), Holder::Port(b)) => a.cmp(&b),
        (a, b) => key(world, a).cmp(key(world, b)).then(a.cmp(&b)),
    };
    a.rank.age().cmp(&b.rank.age()).then_with(names).then(a.part.cmp(&b.part))
}

fn key<'w>(world: &'w World<'_>, holder: Holder) -> &'w Key {
    match holder {
        Holder::Interface(i) | Holder::External(i) => &world.topology.routers[i].key,
        Holder::FloatingIP(i) => &world.topology.floating_ips[i].key,
        Holder::Port(i) => world.port_key(i),
        Holder::Leaving => &world.topology.entries[0].key,
    }
}
