//! Routers: legs that may stand side by side, and routes through them. A part that cannot be is left out, the rest goes on.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::claims::{self, Claim, Mac, Scope, Wish};
use super::outcome::{interface, left_out, leg_uid};
use super::rank::Rank;
use super::{World, external, remark};
use crate::api::{ConditionType, Reason, Reference, Router};
use crate::model::id::{Kind, Uid};
use crate::model::ipam::{Holder, address, span};
use crate::model::report::Remark;
use crate::model::topology::{Index, RouterNode, Standing, Topology};
use crate::model::valid::Valid as _;

/// An interface whose subnet is known.
pub struct Candidate {
    part: usize,
    /// The subnet.
    pub subnet: Index,
    ip: IpAddr,
    /// Whether it was in force before.
    pub recorded: bool,
}

/// Resolves all routers and claims their addresses.
pub fn claim(world: &mut World, claims: &mut Vec<Claim>) {
    let mut ranks = Vec::new();
    world.topology.routers.reserve_exact(world.snapshot.routers.len());
    for (index, (key, object)) in world.snapshot.routers.iter().enumerate() {
        let standing = match object.valid() {
            Ok(()) => Standing::InForce,
            Err(remark) => {
                world.refuse(Kind::Router, key, remark);
                Standing::Unjudged
            }
        };
        if standing == Standing::InForce {
            ranks.push(Rank::of(&object.metadata, object.status.as_ref().map(|s| &s.conditions), index));
        }
        world.topology.routers.push(RouterNode {
            key: key.clone(),
            object: object.clone(),
            standing,
            uid: Uid::parse(object.metadata.uid.as_deref().unwrap_or_default()),
            legs: Vec::with_capacity(object.spec.interfaces.len()),
            external: None,
            routes: BTreeMap::new(),
            vni: None,
            gateway_node: None,
            next_node: None,
            former_node: None,
        });
    }
    ranks.sort_unstable();
    for rank in ranks {
        let object = world.topology.routers[rank.index].object.clone();
        let mut candidates = candidates(world, rank.index, &object);
        let outside = external::choose(world, rank.index, &object, &candidates);
        side_by_side(world, rank.index, &mut candidates, outside);
        for candidate in candidates {
            claims.extend(claim_leg(world, rank, &candidate));
        }
        claims.extend(outside.and_then(|network| external::claim(world, rank, network, &object)));
    }
}

fn candidates(world: &mut World, router: Index, object: &Router) -> Vec<Candidate> {
    let key = world.topology.routers[router].key.clone();
    let mut found = Vec::with_capacity(object.spec.interfaces.len());
    for (part, wanted) in object.spec.interfaces.iter().enumerate() {
        let judged = world.subnet(&key, &wanted.subnet_ref).map_err(|remark| (ConditionType::ResolvedRefs, remark));
        let judged = judged.and_then(|subnet| {
            let gateway = world.topology.subnets[subnet].range.gateway.map(address);
            let ip = wanted.ip.or(gateway).ok_or_else(|| (ConditionType::Accepted, no_gateway(world, subnet)))?;
            Ok((subnet, ip))
        });
        match judged {
            Ok((subnet, ip)) => {
                let recorded = recorded(object, &wanted.subnet_ref, &key.namespace) == Some(ip);
                found.push(Candidate { part, subnet, ip, recorded });
            }
            Err((condition, remark)) => {
                let remark = left_out(&interface(world, router, part), &remark);
                world.problem(Kind::Router, &key, condition, remark);
            }
        }
    }
    found
}

fn no_gateway(world: &World, subnet: Index) -> Remark {
    let key = &world.topology.subnets[subnet].key;
    remark(Reason::Invalid, format!("Subnet {key} has no gateway address: give the interface an ip."))
}

/// The address that the router had on a subnet.
fn recorded(object: &Router, reference: &Reference, own: &str) -> Option<IpAddr> {
    let namespace =
        |r: &Reference| r.namespace.as_deref().unwrap_or(own) == reference.namespace.as_deref().unwrap_or(own);
    let interfaces = &object.status.as_ref()?.interfaces;
    interfaces.iter().find(|i| i.subnet_ref.name == reference.name && namespace(&i.subnet_ref)).map(|i| i.ip)
}

/// Leaves out what overlaps: an interface that was in force stays, else the older subnet, else the smaller name.
fn side_by_side(world: &mut World, router: Index, candidates: &mut Vec<Candidate>, outside: Option<Index>) {
    let rank = |world: &World, c: &Candidate| {
        let metadata = &world.topology.subnets[c.subnet].object.metadata;
        (!c.recorded, Rank::of(metadata, None, c.subnet))
    };
    candidates.sort_by_key(|c| rank(world, c));
    let mut stay: Vec<(u128, u128, Index)> = Vec::new();
    let mut refused = Vec::new();
    candidates.retain(|candidate| {
        let (first, last) = span(world.topology.subnets[candidate.subnet].range.cidr);
        let inside = stay.iter().find(|(start, end, _)| first <= *end && *start <= last).map(|(.., subnet)| *subnet);
        let clash = inside.or_else(|| outside.and_then(|n| world.topology.networks[n].overlapping(first, last)));
        match clash {
            Some(other) => refused.push((candidate.part, candidate.subnet, other)),
            None => stay.push((first, last, candidate.subnet)),
        }
        clash.is_none()
    });
    for (part, subnet, other) in refused {
        let remark = left_out(&interface(world, router, part), &overlap(world, subnet, other));
        let key = world.topology.routers[router].key.clone();
        world.refuse(Kind::Router, &key, remark);
    }
}

/// Why two subnets cannot be on one router.
pub fn overlap(world: &World, subnet: Index, other: Index) -> Remark {
    let (a, b) = (&world.topology.subnets[subnet], &world.topology.subnets[other]);
    let message = format!(
        "{} overlaps Subnet {} ({}), which this router reaches too: a router cannot tell them apart. \
         Use another router, or another cidr.",
        a.range.cidr, b.key, b.range.cidr
    );
    remark(Reason::RouterSubnetOverlap, message)
}

/// The MAC address of a leg is settled before any port's: it is the gateway of many.
fn claim_leg(world: &mut World, rank: Rank, candidate: &Candidate) -> Option<Claim> {
    let subnet = &world.topology.subnets[candidate.subnet];
    let uid = leg_uid(world.topology.routers[rank.index].uid, subnet.object.metadata.uid.as_deref());
    let mac = Mac::Settled(claims::derive_mac(world, subnet.network?, uid));
    let mut claim = Claim {
        holder: Holder::Interface(rank.index),
        rank,
        part: candidate.part,
        wishes: vec![Wish::new(Scope::Subnet(candidate.subnet), Some(candidate.ip))],
        mac,
    };
    let recorded = candidate.recorded.then_some(candidate.ip);
    claims::keep(world, claim.holder, &mut claim.wishes, recorded.into_iter());
    Some(claim)
}

/// After the addresses are settled: legs in the order of the spec, routers known to their subnets, static routes.
pub fn link(world: &mut World) {
    for index in 0..world.topology.routers.len() {
        let Topology { routers, subnets, .. } = &mut world.topology;
        let node = &mut routers[index];
        node.legs.sort_unstable_by_key(|leg| leg.part);
        for leg in &node.legs {
            subnets[leg.subnet].routers.push(index);
        }
        if node.standing == Standing::InForce {
            routes(world, index);
        }
    }
}

fn routes(world: &mut World, router: Index) {
    let object = world.topology.routers[router].object.clone();
    for route in &object.spec.routes {
        let node = &world.topology.routers[router];
        if let Err(remark) = next_hop(world, node, route.next_hop) {
            let key = node.key.clone();
            world.refuse(Kind::Router, &key, left_out(&format!("The route to {}", route.destination), &remark));
            continue;
        }
        let hops = world.topology.routers[router].routes.entry(route.destination).or_default();
        if !hops.contains(&route.next_hop) {
            hops.push(route.next_hop);
        }
    }
}

fn next_hop(world: &World, router: &RouterNode, ip: IpAddr) -> Result<(), Remark> {
    let invalid = |message: String| Err(remark(Reason::InvalidNextHop, message));
    let external = router.external.iter().flat_map(|e| e.addresses.iter().map(|(_, ip)| *ip));
    if router.legs.iter().map(|leg| leg.ip).chain(external).any(|own| own == ip) {
        return invalid(format!("{ip} is the router itself: name the next router's address."));
    }
    let outside = router.external.iter().flat_map(|e| &world.topology.networks[e.network].subnets).copied();
    let mut connected = router.legs.iter().map(|leg| leg.subnet).chain(outside);
    if connected.any(|subnet| world.topology.subnets[subnet].range.cidr.contains(&ip)) {
        return Ok(());
    }
    invalid(format!("{ip} is in no subnet that the router is connected to: connect it, or name another nextHop."))
}
