//! Ports: what addresses and MAC address they want.

use super::claims::{self, Claim, Family, Mac, Scope, Wish};
use super::rank::Rank;
use super::{World, remark};
use crate::api::{ConditionType, IpAllocation, Port, Reason};
use crate::model::id::{Id, Key, Kind};
use crate::model::ipam::{Holder, address};
use crate::model::report::Remark;
use crate::model::topology::{Index, PortNode, Standing};
use crate::model::valid::Valid as _;

/// Resolves all ports. Those that have all they want go on with it, the others claim what is missing.
pub fn claim(world: &mut World, claims: &mut Vec<Claim>) {
    let mut ranks = Vec::with_capacity(world.snapshot.ports.len());
    world.topology.ports.reserve_exact(world.snapshot.ports.len());
    for (index, (key, object)) in world.snapshot.ports.iter().enumerate() {
        let (standing, network) = judge(world, key, object);
        if network.is_some() {
            ranks.push(Rank::of(&object.metadata, object.status.as_ref().map(|s| &s.conditions), index));
        }
        let (key, object) = (key.clone(), object.clone());
        world.topology.ports.push(PortNode { key, object, standing, network, addresses: Vec::new(), mac: None });
    }
    ranks.sort_unstable();
    let mut wishes = Vec::new();
    for rank in ranks {
        let node = &world.topology.ports[rank.index];
        let (object, Some(network)) = (node.object.clone(), node.network) else { continue };
        if let Err((condition, remark)) = wish(world, rank.index, &object, network, &mut wishes) {
            let key = world.topology.ports[rank.index].key.clone();
            world.problem(Kind::Port, &key, condition, remark);
            continue;
        }
        let holder = Holder::Port(rank.index);
        let recorded = object.status.iter().flat_map(|s| s.addresses.iter().map(|a| a.ip));
        let full = claims::keep(world, holder, &mut wishes, recorded);
        let mac = keep_mac(world, holder, &object);
        if let (true, Mac::Settled(mac)) = (full, mac) {
            let node = &mut world.topology.ports[rank.index];
            node.addresses.extend(wishes.iter().filter_map(|w| w.got).map(|(subnet, n)| (subnet, address(n))));
            (node.mac, node.standing) = (mac, Standing::InForce);
        } else {
            claims.push(Claim { holder, rank, part: 0, wishes: wishes.clone(), mac });
        }
    }
}

fn judge(world: &mut World, key: &Key, object: &Port) -> (Standing, Option<Index>) {
    // Nothing waits for a port: it is gone as soon as somebody deletes it.
    if object.metadata.deletion_timestamp.is_some() {
        world.topology.released.insert(Id::new(Kind::Port, key.clone()));
        return (Standing::Released, None);
    }
    if let Err(remark) = object.valid() {
        world.refuse(Kind::Port, key, remark);
        return (Standing::Unjudged, None);
    }
    match world.network(key, &object.spec.network_ref) {
        Ok(network) => (Standing::Refused, Some(network)),
        Err(remark) => {
            world.unresolved(Kind::Port, key, remark);
            (Standing::Refused, None)
        }
    }
}

/// What addresses a port wants.
fn wish(
    world: &World,
    port: Index,
    object: &Port,
    network: Index,
    wishes: &mut Vec<Wish>,
) -> Result<(), (ConditionType, Remark)> {
    wishes.clear();
    if object.spec.ip_allocation == Some(IpAllocation::None) {
        return Ok(());
    }
    let Some(wanted) = &object.spec.addresses else {
        let subnets = &world.topology.networks[network].subnets;
        for family in [Family::V4, Family::V6] {
            if subnets.iter().any(|s| Family::of(world.topology.subnets[*s].range.cidr) == family) {
                wishes.push(Wish::new(Scope::Network(network, Some(family)), None));
            }
        }
        return Ok(());
    };
    for address in wanted {
        let scope = match &address.subnet_ref {
            None => Scope::Network(network, None),
            Some(reference) => {
                let key = &world.topology.ports[port].key;
                let subnet = world.subnet(key, reference).map_err(|remark| (ConditionType::ResolvedRefs, remark))?;
                belongs(world, subnet, network).map_err(|remark| (ConditionType::Accepted, remark))?;
                Scope::Subnet(subnet)
            }
        };
        wishes.push(Wish::new(scope, address.ip));
    }
    Ok(())
}

/// A subnet that is named beside a network has to be one of its own.
pub fn belongs(world: &World, subnet: Index, network: Index) -> Result<(), Remark> {
    let (node, of) = (&world.topology.subnets[subnet], &world.topology.networks[network].key);
    if node.network == Some(network) {
        return Ok(());
    }
    let message = format!("Subnet {} is not on Network {of}: choose one that is, or leave subnetRef out.", node.key);
    Err(remark(Reason::Invalid, message))
}

/// Round one for the MAC address.
fn keep_mac(world: &mut World, holder: Holder, object: &Port) -> Mac {
    let recorded = object.status.as_ref().and_then(|s| s.mac_address);
    let kept = recorded.filter(|mac| object.spec.mac_address.is_none_or(|wanted| wanted == *mac));
    let kept = kept.filter(|mac| claims::take_mac(world, holder, *mac));
    match (kept, object.spec.mac_address) {
        (Some(mac), _) => Mac::Settled(Some(mac)),
        (None, Some(wanted)) => Mac::Given(wanted),
        (None, None) => Mac::Derived,
    }
}
