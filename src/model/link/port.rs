//! Ports: what addresses and MAC address they want.

use super::claims::{self, Claim, Family, Mac, Scope, Wish};
use super::rank::Rank;
use super::{World, remark};
use crate::api::{ConditionType, IpAllocation, Reason};
use crate::model::entry::PortEntry;
use crate::model::id::{Id, Kind};
use crate::model::ipam::{Holder, address};
use crate::model::report::Remark;
use crate::model::topology::{Index, PortNode, Standing};

/// Resolves all ports. Those that have all they want go on with it, the others claim what is missing.
pub fn claim(world: &mut World, claims: &mut Vec<Claim>) {
    let entries = world.topology.entries.clone();
    let mut ranks = Vec::with_capacity(entries.len());
    world.topology.ports.reserve_exact(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let (standing, network) = judge(world, entry);
        if network.is_some() {
            ranks.push(entry.rank.at(index));
        }
        if entry.bound || entry.prepared {
            world.topology.bound.push(index);
            world.topology.announcing.extend(entry.announces.then_some(index));
        }
        world.topology.ports.push(PortNode { standing, network, ..PortNode::default() });
    }
    ranks.sort();
    let mut wishes = Vec::new();
    for rank in ranks {
        claims.extend(hold(world, &entries[rank.index], rank, &mut wishes));
    }
}

/// Gives a port what is recorded of it; what it claims, if that is not all. `wishes`: room for them.
pub fn hold(world: &mut World, entry: &PortEntry, rank: Rank, wishes: &mut Vec<Wish>) -> Option<Claim> {
    let network = world.topology.ports[rank.index].network?;
    if let Err((condition, remark)) = wish(world, entry, network, wishes) {
        world.problem(Kind::Port, &entry.key, condition, remark);
        return None;
    }
    let holder = Holder::Port(rank.index);
    let recorded = entry.recorded.addresses.iter().map(|(_, ip)| *ip);
    let full = claims::keep(world, holder, wishes, recorded);
    let mac = keep_mac(world, holder, entry);
    if let (true, Mac::Settled(mac)) = (full, mac) {
        let node = &mut world.topology.ports[rank.index];
        node.addresses = wishes.iter().filter_map(|w| w.got).map(|(subnet, n)| (subnet, address(n))).collect();
        (node.mac, node.standing) = (mac, Standing::InForce);
        return None;
    }
    Some(Claim { holder, rank, part: 0, wishes: wishes.clone(), mac })
}

/// How far a port is by itself, and its network if that counts.
pub fn judge(world: &mut World, entry: &PortEntry) -> (Standing, Option<Index>) {
    // Nothing waits for a port: it is gone as soon as somebody deletes it.
    if entry.deleted {
        world.topology.released.insert(Id::new(Kind::Port, entry.key.clone()));
        return (Standing::Released, None);
    }
    if let Some(remark) = &entry.invalid {
        world.refuse(Kind::Port, &entry.key, Remark::clone(remark));
        return (Standing::Unjudged, None);
    }
    let in_force = |n: &Index| world.topology.networks[*n].standing == Standing::InForce;
    let network = entry.network.filter(in_force);
    if network.is_none()
        && let Err(remark) = world.network(&entry.key, &entry.object.spec.network_ref)
    {
        world.unresolved(Kind::Port, &entry.key, remark);
    }
    (Standing::Refused, network)
}

/// What addresses a port wants.
fn wish(
    world: &World,
    entry: &PortEntry,
    network: Index,
    wishes: &mut Vec<Wish>,
) -> Result<(), (ConditionType, Remark)> {
    wishes.clear();
    let spec = || &entry.object.spec;
    if !entry.plain && spec().ip_allocation == Some(IpAllocation::None) {
        return Ok(());
    }
    let Some(wanted) = (!entry.plain).then(|| spec().addresses.as_ref()).flatten() else {
        let subnets = &world.topology.networks[network].subnets;
        for family in [Family::V4, Family::V6] {
            if subnets.iter().any(|s| Family::of(world.topology.subnets[*s].range.cidr) == family) {
                wishes.push(Wish::new(Scope::Network(network, Some(family)), None));
            }
        }
        // Who waits for the port to be ready waits for its address, and the subnet may be written a moment later.
        if wishes.is_empty() {
            let message = format!(
                "Network {} has no accepted subnet: create one, or set ipAllocation to None for a port without addresses.",
                world.topology.networks[network].key
            );
            return Err((ConditionType::ResolvedRefs, remark(Reason::NotFound, message)));
        }
        return Ok(());
    };
    for address in wanted {
        let scope = match &address.subnet_ref {
            None => Scope::Network(network, None),
            Some(reference) => {
                let subnet =
                    world.subnet(&entry.key, reference).map_err(|remark| (ConditionType::ResolvedRefs, remark))?;
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
fn keep_mac(world: &mut World, holder: Holder, entry: &PortEntry) -> Mac {
    let wanted = if entry.plain { None } else { entry.object.spec.mac_address };
    let kept = entry.recorded.mac.filter(|mac| wanted.is_none_or(|wanted| wanted == *mac));
    let kept = kept.filter(|mac| claims::take_mac(world, holder, *mac));
    match (kept, wanted) {
        (Some(mac), _) => Mac::Settled(Some(mac)),
        (None, Some(wanted)) => Mac::Given(wanted),
        (None, None) => Mac::Derived,
    }
}
