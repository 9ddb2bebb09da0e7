//! Segments: the VNI of every overlay network, and of every router that leaves to the outside.

use std::collections::HashSet;

use super::{Role, World, gateway};
use crate::model::allocation::Slot;
use crate::model::id::Uid;
use crate::model::topology::Standing;

/// VNIs are 24 bits wide (RFC 7348); none is 0.
const VNIS: u32 = (1 << 24) - 1;

/// Gives segments: those that are recorded stay, then those that are locked, then free ones. On a node only what is recorded.
pub fn link(world: &mut World) {
    if world.topology.role == Role::Host {
        return;
    }
    let mut wishes = Vec::new();
    for (index, node) in world.topology.networks.iter().enumerate() {
        if node.standing == Standing::InForce && node.object.spec.provider.is_none() {
            wishes.push(Wish {
                network: true,
                index,
                uid: node.uid,
                recorded: node.object.status.as_ref().and_then(|s| s.vni),
            });
        }
    }
    for (index, node) in world.topology.routers.iter().enumerate() {
        if gateway::wires(&world.topology, index).next().is_some() {
            wishes.push(Wish {
                network: false,
                index,
                uid: node.uid,
                recorded: node.object.status.as_ref().and_then(|s| s.vni),
            });
        }
    }
    let mut taken = HashSet::new();
    let given: Vec<Option<u32>> = wishes.iter().map(|wish| keep(world, wish, &mut taken)).collect();
    let held = world.snapshot.allocations.iter().filter_map(|(slot, ..)| slot.segment());
    taken.extend(held);
    for (wish, given) in wishes.iter().zip(given) {
        let vni =
            given.or_else(|| (world.topology.role == Role::Controller).then(|| free(wish.uid, &mut taken)).flatten());
        if wish.network {
            world.topology.networks[wish.index].vni = vni;
        } else {
            world.topology.routers[wish.index].vni = vni;
        }
    }
}

struct Wish {
    network: bool,
    index: usize,
    uid: Uid,
    recorded: Option<u32>,
}

/// What is recorded, or locked for the same owner, unless somebody before has it.
fn keep(world: &World, wish: &Wish, taken: &mut HashSet<u32>) -> Option<u32> {
    let locked = world.snapshot.allocations.of(wish.uid).iter().filter_map(|slot| slot.segment());
    let mine = |vni: &u32| world.snapshot.allocations.owner(&Slot::Segment(*vni)).is_none_or(|owner| owner == wish.uid);
    wish.recorded.into_iter().chain(locked).filter(mine).find(|vni| taken.insert(*vni))
}

/// A free segment. Where the search begins depends on the owner, so that a segment just given back is not at once
/// somebody else's, and two controllers that know nothing of each other seldom want the same one.
fn free(uid: Uid, taken: &mut HashSet<u32>) -> Option<u32> {
    let start = u32::try_from(uid.0 % u128::from(VNIS)).unwrap_or(0);
    (0..VNIS).map(|step| (start + step) % VNIS + 1).find(|vni| taken.insert(*vni))
}
