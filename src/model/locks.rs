//! Locks: which Allocations a topology needs, and which nobody needs any more.

use std::collections::{BTreeSet, HashSet};

use crate::api::{AllocationParty, AllocationSpec};
use crate::model::allocation::{Allocations, Slot};
use crate::model::id::{Id, Key, Kind, Uid};
use crate::model::ipam::{Holder, address};
use crate::model::topology::{Standing, Topology};

/// Kind and name of the pool of all segments.
const SEGMENTS: (&str, &str) = ("VNI", "vni");

/// A value that has to be locked before anybody hears that it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The value.
    pub slot: Slot,
    /// For whom.
    pub owner: Id,
    /// What the Allocation says.
    pub spec: AllocationSpec,
}

/// How locks and topology differ.
#[derive(Clone, Debug, Default)]
pub struct Locks {
    /// To be made.
    pub missing: Vec<Lock>,
    /// Objects that somebody else's lock keeps from what they have, and the lock.
    pub contested: Vec<(Id, Slot)>,
    /// Nobody in the topology holds what they lock, or somebody else than they say.
    pub orphans: Vec<Slot>,
}

impl Locks {
    /// Objects whose values are not all locked: nothing may be said of them yet.
    #[must_use]
    pub fn open(&self) -> BTreeSet<&Id> {
        self.missing.iter().map(|lock| &lock.owner).chain(self.contested.iter().map(|(id, _)| id)).collect()
    }
}

impl Topology {
    /// Who holds an address: the object and its UID.
    pub(super) fn holder(&self, holder: Holder) -> Option<(Id, Uid)> {
        match holder {
            Holder::Interface(i) | Holder::External(i) => {
                let node = self.routers.get(i)?;
                Some((Id::new(Kind::Router, node.key.clone()), node.uid))
            }
            Holder::FloatingIP(i) => {
                let node = self.floating_ips.get(i)?;
                Some((Id::new(Kind::FloatingIP, node.key.clone()), uid(node.object.metadata.uid.as_deref())))
            }
            Holder::Port(i) => {
                let entry = self.entries.get(i)?;
                Some((Id::new(Kind::Port, entry.key.clone()), entry.uid))
            }
            Holder::Leaving => None,
        }
    }

    /// Compares what is given with what is locked.
    #[must_use]
    pub fn locks(&self, allocations: &Allocations) -> Locks {
        let mut locks = Locks::default();
        let mut held = HashSet::with_capacity(allocations.len());
        for node in self.subnets.iter().filter(|node| node.standing == Standing::InForce) {
            let subnet = uid(node.object.metadata.uid.as_deref());
            for (number, holder) in node.ledger.iter() {
                let slot = Slot::Address(subnet, number);
                // Whose it is costs more to say than to know that it is locked; so that comes second.
                let Some(owner) = self.holder_uid(holder) else { continue };
                held.insert(slot);
                match allocations.owner(&slot) {
                    Some(locked) if locked == owner => {}
                    Some(_) => {
                        locks.contested.extend(self.holder(holder).map(|(id, _)| (id, slot)));
                        // Who has locked it does not have it: two controllers gave it at once.
                        held.remove(&slot);
                    }
                    None => {
                        let Some((id, owner)) = self.holder(holder) else { continue };
                        let pool = party(Kind::Subnet, &node.key, subnet);
                        let value = address(number).to_string();
                        locks.missing.push(Lock {
                            slot,
                            spec: AllocationSpec { pool, value, owner: party(id.kind, &id.key, owner) },
                            owner: id,
                        });
                    }
                }
            }
        }
        let networks = self.networks.iter().map(|n| (n.vni, Kind::Network, &n.key, n.uid));
        let routers = self.routers.iter().map(|r| (r.vni, Kind::Router, &r.key, r.uid));
        for (vni, kind, key, owner) in networks.chain(routers) {
            let Some(vni) = vni else { continue };
            let (slot, id) = (Slot::Segment(vni), Id::new(kind, key.clone()));
            held.insert(slot);
            match allocations.owner(&slot) {
                Some(locked) if locked == owner => {}
                Some(_) => locks.contested.push((id, slot)),
                None => {
                    let (kind, name) = SEGMENTS;
                    let pool = AllocationParty { kind: kind.into(), namespace: None, name: name.into(), uid: None };
                    let spec = AllocationSpec { pool, value: vni.to_string(), owner: party(id.kind, &id.key, owner) };
                    locks.missing.push(Lock { slot, owner: id, spec });
                }
            }
        }
        locks.orphans = allocations.iter().map(|(slot, ..)| *slot).filter(|slot| !held.contains(slot)).collect();
        locks
    }

    fn holder_uid(&self, holder: Holder) -> Option<Uid> {
        match holder {
            Holder::Port(i) => self.entries.get(i).map(|entry| entry.uid),
            other => self.holder(other).map(|(_, uid)| uid),
        }
    }
}

fn uid(text: Option<&str>) -> Uid {
    Uid::parse(text.unwrap_or_default())
}

fn party(kind: Kind, key: &Key, uid: Uid) -> AllocationParty {
    AllocationParty {
        kind: kind.to_string(),
        namespace: kind.namespaced().then(|| key.namespace.to_string()),
        name: key.name.to_string(),
        uid: Some(format!("{uid:?}")),
    }
}
