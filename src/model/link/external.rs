//! A router's way to the outside: an external network, and addresses there.

use super::claims::{self, Claim, Family, Mac, Scope, Wish};
use super::outcome::{external_uid, left_out};
use super::port::belongs;
use super::rank::Rank;
use super::router::{Candidate, overlap};
use super::{World, remark};
use crate::api::{ConditionType, Reason, Reference, Router};
use crate::model::id::{Key, Kind};
use crate::model::ipam::{Holder, span};
use crate::model::report::Remark;
use crate::model::topology::Index;

/// The external network that a reference leads to.
///
/// # Errors
/// It does not resolve, or is not external.
pub fn network(world: &World, from: &Key, reference: &Reference) -> Result<Index, (ConditionType, Remark)> {
    let network = world.network(from, reference).map_err(|remark| (ConditionType::ResolvedRefs, remark))?;
    let node = &world.topology.networks[network];
    if node.object.spec.external == Some(true) {
        return Ok(network);
    }
    let message = format!("Network {} is not external: set external: true there, or choose one that is.", node.key);
    Err((ConditionType::Accepted, remark(Reason::NotExternal, message)))
}

/// The external network of a router, unless it is the newcomer among subnets that overlap. A gateway that was in force
/// stays, because more depends on it than on one interface.
pub fn choose(world: &mut World, router: Index, object: &Router, candidates: &[Candidate]) -> Option<Index> {
    let gateway = object.spec.external_gateway.as_ref()?;
    let key = world.topology.routers[router].key.clone();
    let recorded = object.status.as_ref().is_some_and(|s| !s.external_addresses.is_empty());
    let judged = network(world, &key, &gateway.network_ref).and_then(|network| {
        let clash = candidates.iter().filter(|c| c.recorded && !recorded).find_map(|candidate| {
            let (first, last) = span(world.topology.subnets[candidate.subnet].range.cidr);
            Some((world.topology.networks[network].overlapping(first, last)?, candidate.subnet))
        });
        clash.map_or(Ok(network), |(outside, inside)| Err((ConditionType::Accepted, overlap(world, outside, inside))))
    });
    judged.map_err(|(condition, remark)| world.problem(Kind::Router, &key, condition, left_out(WAY, &remark))).ok()
}

/// Claims the addresses of a router on its external network.
pub fn claim(world: &mut World, rank: Rank, network: Index, object: &Router) -> Option<Claim> {
    let node = &world.topology.routers[rank.index];
    let (key, uid) = (node.key.clone(), external_uid(node.uid));
    let mut wishes = match wishes(world, &key, network, object) {
        Ok(wishes) => wishes,
        Err((condition, remark)) => {
            world.problem(Kind::Router, &key, condition, left_out(WAY, &remark));
            return None;
        }
    };
    let holder = Holder::External(rank.index);
    let mac = Mac::Settled(claims::derive_mac(world, network, uid));
    let recorded = object.status.iter().flat_map(|s| s.external_addresses.iter().copied());
    claims::keep(world, holder, &mut wishes, recorded);
    Some(Claim { holder, rank, part: 0, wishes, mac })
}

/// How the leg is called in messages.
pub const WAY: &str = "The external gateway";

fn wishes(world: &World, key: &Key, network: Index, object: &Router) -> Result<Vec<Wish>, (ConditionType, Remark)> {
    let wanted = object.spec.external_gateway.as_ref().and_then(|g| g.addresses.as_deref());
    let Some(wanted) = wanted else {
        return Ok(vec![Wish::new(Scope::Network(network, Some(Family::V4)), None)]);
    };
    let scope = |reference: &Option<Reference>| match reference {
        None => Ok(Scope::Network(network, None)),
        Some(reference) => {
            let subnet = world.subnet(key, reference).map_err(|remark| (ConditionType::ResolvedRefs, remark))?;
            belongs(world, subnet, network).map_err(|remark| (ConditionType::Accepted, remark))?;
            Ok(Scope::Subnet(subnet))
        }
    };
    wanted.iter().map(|a| Ok(Wish::new(scope(&a.subnet_ref)?, a.ip))).collect()
}
