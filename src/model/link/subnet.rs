//! Subnets: those of one network do not overlap, those of different networks may.

use super::rank::Rank;
use super::{World, remark};
use crate::api::{Reason, Subnet};
use crate::model::id::{Key, Kind};
use crate::model::ipam::{Ledger, Range, span};
use crate::model::topology::{Index, Standing, SubnetNode};
use crate::model::valid::Valid as _;

/// Links all subnets.
pub fn link(world: &mut World) {
    let mut ranks = Vec::with_capacity(world.snapshot.subnets.len());
    world.topology.subnets.reserve_exact(world.snapshot.subnets.len());
    for (index, (key, object)) in world.snapshot.subnets.iter().enumerate() {
        let (standing, network) = judge(world, key, object);
        if standing == Standing::InForce {
            ranks.push(Rank::of(&object.metadata, object.status.as_ref().map(|s| &s.conditions), index));
        }
        world.topology.subnets.push(SubnetNode {
            key: key.clone(),
            object: object.clone(),
            standing,
            network,
            range: Range::of(&object.spec),
            ledger: Ledger::default(),
            routers: Vec::new(),
        });
    }
    ranks.sort_unstable();
    for rank in ranks {
        admit(world, rank.index);
    }
}

fn judge(world: &mut World, key: &Key, object: &Subnet) -> (Standing, Option<Index>) {
    if let Err(remark) = object.valid() {
        world.refuse(Kind::Subnet, key, remark);
        return (Standing::Unjudged, None);
    }
    match world.network(key, &object.spec.network_ref) {
        Ok(network) => (Standing::InForce, Some(network)),
        Err(remark) => {
            world.unresolved(Kind::Subnet, key, remark);
            (Standing::Refused, None)
        }
    }
}

/// Puts a subnet into its network, unless another has some of its addresses.
fn admit(world: &mut World, index: Index) {
    let node = &world.topology.subnets[index];
    let (first, last) = span(node.range.cidr);
    let Some(network) = node.network.map(|n| &mut world.topology.networks[n]) else { return };
    let Some(other) = network.overlapping(first, last) else {
        let position = network.spans.partition_point(|(start, ..)| *start < first);
        // Most networks have one subnet, and there are many networks.
        network.spans.reserve_exact(1);
        network.spans.insert(position, (first, last, index));
        network.subnets.reserve_exact(1);
        network.subnets.push(index);
        return;
    };
    let (key, other) = (node.key.clone(), &world.topology.subnets[other]);
    let who = if other.key.namespace == key.namespace {
        format!("Subnet {} ({})", other.key, other.range.cidr)
    } else {
        "another subnet".to_owned()
    };
    let message = format!("{} overlaps {who} of the same network: choose another cidr.", node.range.cidr);
    world.refuse(Kind::Subnet, &key, remark(Reason::SubnetOverlap, message));
    world.topology.subnets[index].standing = Standing::Refused;
}
