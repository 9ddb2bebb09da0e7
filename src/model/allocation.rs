//! Values that are given away, as the cluster records them: an Allocation's name is the lock, so no value is held twice.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::api::Allocation;
use crate::model::id::Uid;

/// What the names of segments' Allocations begin with.
const SEGMENTS: &str = "vni";

/// A place in a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Slot {
    /// A VNI.
    Segment(u32),
    /// An address of the subnet with this UID, as a number ([`ipam::number`](crate::model::ipam::number)).
    Address(Uid, u128),
}

impl Slot {
    /// Name of the Allocation that locks it: `vni.<n>`, or `<pool UID>.<value in hex>`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Segment(vni) => format!("{SEGMENTS}.{vni}"),
            Self::Address(subnet, number) => format!("{subnet:?}.{number:x}"),
        }
    }

    /// The VNI, if it is one.
    #[must_use]
    pub fn segment(self) -> Option<u32> {
        if let Self::Segment(vni) = self { Some(vni) } else { None }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (pool, value) = name.split_once('.')?;
        if pool == SEGMENTS {
            return value.parse().ok().map(Self::Segment);
        }
        let pool = uuid::Uuid::parse_str(pool).ok()?;
        Some(Self::Address(Uid(pool.as_u128()), u128::from_str_radix(value, 16).ok()?))
    }
}

/// All Allocations, by value and by owner.
#[derive(Clone, Debug, Default)]
pub struct Allocations {
    held: BTreeMap<Slot, (Uid, Arc<Allocation>)>,
    of: HashMap<Uid, Vec<Slot>>,
}

impl Allocations {
    /// Takes in an Allocation. One whose name is none of ours locks nothing.
    pub fn insert(&mut self, object: Arc<Allocation>) {
        let Some(slot) = object.metadata.name.as_deref().and_then(Slot::parse) else { return };
        self.remove(&slot);
        let owner = Uid::parse(object.spec.owner.uid.as_deref().unwrap_or_default());
        self.of.entry(owner).or_default().push(slot);
        self.held.insert(slot, (owner, object));
    }

    /// Forgets an Allocation.
    pub fn remove(&mut self, slot: &Slot) {
        let Some((owner, _)) = self.held.remove(slot) else { return };
        if let Some(slots) = self.of.get_mut(&owner) {
            slots.retain(|other| other != slot);
            if slots.is_empty() {
                self.of.remove(&owner);
            }
        }
    }

    /// Who holds a value.
    #[must_use]
    pub fn owner(&self, slot: &Slot) -> Option<Uid> {
        self.held.get(slot).map(|(owner, _)| *owner)
    }

    /// The Allocation of a value.
    #[must_use]
    pub fn get(&self, slot: &Slot) -> Option<&Arc<Allocation>> {
        self.held.get(slot).map(|(_, object)| object)
    }

    /// What somebody holds.
    #[must_use]
    pub fn of(&self, owner: Uid) -> &[Slot] {
        self.of.get(&owner).map_or(&[], Vec::as_slice)
    }

    /// All of them, by value: owner and object.
    pub fn iter(&self) -> impl Iterator<Item = (&Slot, Uid, &Arc<Allocation>)> {
        self.held.iter().map(|(slot, (owner, object))| (slot, *owner, object))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether nothing is given away.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_made() {
        let subnet = Uid(0x7d4b_2c1e_0000_4000_8000_0000_0000_0001);
        for slot in [Slot::Segment(4711), Slot::Address(subnet, 0xffff_0a00_0005)] {
            assert_eq!(Slot::parse(&slot.name()), Some(slot));
        }
        assert_eq!(Slot::Address(subnet, 0xffff_0a00_0005).name(), "7d4b2c1e-0000-4000-8000-000000000001.ffff0a000005");
        for name in ["", "vni", "vni.x", "web.5", "7d4b2c1e-0000-4000-8000-000000000001.-1"] {
            assert_eq!(Slot::parse(name), None, "{name}");
        }
    }
}
