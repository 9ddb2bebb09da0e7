//! The walk that all kinds share: what is wanted beside what is recorded, and only what differs is kept.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::Judge;
use super::conditions::{Known, Wanted};
use crate::api::Conditions;
use crate::model::id::{Key, Kind};
use crate::model::topology::{FloatingNode, NetworkNode, PhysicalNode, RouterNode, Standing, SubnetNode};

/// An object of the topology.
pub trait Node {
    /// Its status.
    type Status: Recorded;
    /// Its key.
    fn key(&self) -> &Key;
    /// How far it got.
    fn standing(&self) -> Standing;
    /// Its metadata.
    fn metadata(&self) -> &ObjectMeta;
    /// Its status so far.
    fn recorded(&self) -> Option<&Self::Status>;
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

macro_rules! nodes {
    ($($node:ident: $status:ident,)+) => { $(
        impl Node for &$node {
            type Status = crate::api::$status;
            fn key(&self) -> &Key {
                &self.key
            }
            fn standing(&self) -> Standing {
                self.standing
            }
            fn metadata(&self) -> &ObjectMeta {
                &self.object.metadata
            }
            fn recorded(&self) -> Option<&Self::Status> {
                self.object.status.as_ref()
            }
        }

        recorded!($status);
    )+ };
}

recorded!(PortStatus);

nodes! {
    PhysicalNode: PhysicalNetworkStatus,
    NetworkNode: NetworkStatus,
    SubnetNode: SubnetStatus,
    RouterNode: RouterStatus,
    FloatingNode: FloatingIPStatus,
}

impl Judge<'_> {
    /// The statuses of one kind that differ. `fields` is the status with the kind's own fields, or none if they are as
    /// recorded; it may know better how far the nodes are.
    pub fn each<N: Node>(
        &self,
        kind: Kind,
        nodes: impl IntoIterator<Item = N>,
        fields: impl Fn(&N, &N::Status, &mut Known) -> Option<N::Status>,
    ) -> BTreeMap<Key, N::Status> {
        let mut sayings = self.sayings(kind);
        let mut changed = BTreeMap::new();
        let nothing = N::Status::default();
        for node in nodes.into_iter().filter(|n| n.standing() != Standing::Released) {
            let recorded = node.recorded().unwrap_or(&nothing);
            let mut known = sayings.of(node.key(), node.metadata().generation, node.standing());
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
