//! The walk that all kinds share: what is wanted beside what is recorded, and only what differs is kept.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Judge;
use super::conditions::{Known, Wanted};
use crate::api::Conditions;
use crate::model::id::{Key, Kind};
use crate::model::snapshot::Objects;
use crate::model::topology::{
    FloatingNode, NetworkNode, PhysicalNode, RouterNode, SecurityGroupNode, Standing, SubnetNode,
};

/// An object of the topology.
pub trait Node {
    /// Its kind.
    type Object;
    /// Its status.
    type Status: Recorded;
    /// Its key.
    fn key(&self) -> &Key;
    /// How far it got.
    fn standing(&self) -> Standing;
    /// `metadata.generation` of what was linked.
    fn generation(&self) -> Option<i64>;
    /// The status of an object so far.
    fn recorded(object: &Self::Object) -> Option<&Self::Status>;
}

/// A status with conditions.
pub trait Recorded: Clone + Default {
    /// They.
    fn conditions(&self) -> &Conditions;
    /// Puts others in.
    fn set_conditions(&mut self, conditions: Conditions);
}

macro_rules! recorded {
    ($status:ident) => {
        impl Recorded for crate::api::$status {
            fn conditions(&self) -> &Conditions {
                &self.conditions
            }
            fn set_conditions(&mut self, conditions: Conditions) {
                self.conditions = conditions;
            }
        }
    };
}

recorded!(PortStatus);

macro_rules! nodes {
    ($($node:ident: $object:ident $status:ident,)+) => { $(
        impl Node for &$node {
            type Object = crate::api::$object;
            type Status = crate::api::$status;
            fn key(&self) -> &Key {
                &self.key
            }
            fn standing(&self) -> Standing {
                self.standing
            }
            fn generation(&self) -> Option<i64> {
                self.object.metadata.generation
            }
            fn recorded(object: &Self::Object) -> Option<&Self::Status> {
                object.status.as_ref()
            }
        }

        recorded!($status);
    )+ };
}

nodes! {
    PhysicalNode: PhysicalNetwork PhysicalNetworkStatus,
    NetworkNode: Network NetworkStatus,
    SubnetNode: Subnet SubnetStatus,
    RouterNode: Router RouterStatus,
    FloatingNode: FloatingIP FloatingIPStatus,
    SecurityGroupNode: SecurityGroup SecurityGroupStatus,
}

/// Each object of the topology with the object of the snapshot: that may be newer, with a status written after linking. What
/// is gone meanwhile, or about to go, is left out.
pub fn beside<N: Node>(
    objects: &Objects<N::Object>,
    nodes: impl IntoIterator<Item = N>,
) -> impl Iterator<Item = (N, &Arc<N::Object>)> {
    let mut objects = objects.iter().peekable();
    nodes.into_iter().filter_map(move |node| {
        let before = |key: &Key| !key.is(node.key()) && key.cmp(node.key()) == Ordering::Less;
        while objects.next_if(|(key, _)| before(key)).is_some() {}
        let (_, object) = objects.next_if(|(key, _)| key.is(node.key()))?;
        (node.standing() != Standing::Released).then_some((node, object))
    })
}

impl Judge<'_> {
    /// The statuses of one kind that differ. `fields` is the status with the kind's own fields, or none if they are as
    /// recorded; it may know better how far the nodes are.
    pub fn each<'s, N: Node<Object: 's>>(
        &self,
        kind: Kind,
        nodes: impl Iterator<Item = (N, &'s Arc<N::Object>)>,
        fields: impl Fn(&N, &N::Status, &mut Known) -> Option<N::Status>,
    ) -> BTreeMap<Key, N::Status> {
        let mut sayings = self.sayings(kind);
        let mut changed = BTreeMap::new();
        let nothing = N::Status::default();
        for (node, object) in nodes {
            let recorded = N::recorded(object).unwrap_or(&nothing);
            let mut known = sayings.of(node.key(), node.generation(), node.standing());
            let fields = fields(&node, recorded, &mut known);
            let wanted = Wanted::of(&known, recorded.conditions());
            if fields.is_none() && wanted.same(recorded.conditions()) {
                continue;
            }
            let mut status = fields.unwrap_or_else(|| recorded.clone());
            status.set_conditions(wanted.write(recorded.conditions(), self.now));
            changed.insert(node.key().clone(), status);
        }
        changed
    }
}
