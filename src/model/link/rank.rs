//! The one rule for every clash: the one already accepted stays, else the older, else the smaller namespace/name.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;

use crate::api::{Condition, ConditionType};
use crate::model::topology::Index;

/// The smaller one stays. Objects of a kind stand in the order of their keys, so the position is the name's part of the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    fresh: bool,
    created: Timestamp,
    /// Position among the objects of the kind.
    pub index: Index,
}

impl Rank {
    /// The rank of an object.
    pub fn of(metadata: &ObjectMeta, conditions: Option<&Vec<Condition>>, index: Index) -> Self {
        let fresh = !conditions.is_some_and(|conditions| ConditionType::Accepted.holds(conditions));
        let created = metadata.creation_timestamp.as_ref().map_or(Timestamp::MAX, |t| t.0);
        Self { fresh, created, index }
    }

    /// The same at a position.
    pub fn at(self, index: Index) -> Self {
        Self { index, ..self }
    }

    /// Everything but the name: for objects of different kinds.
    pub fn age(self) -> (bool, Timestamp) {
        (self.fresh, self.created)
    }
}
