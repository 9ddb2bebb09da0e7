//! What all objects mean together.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::id::Id;
use crate::model::report::Remark;
use crate::model::snapshot::Snapshot;
use crate::model::view::NodeView;

/// What is wrong, object by object: the first thing wrong of each aspect.
pub type Problems = BTreeMap<Id, Vec<Problem>>;

/// One thing that is wrong with one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The condition that it makes false: `Accepted` or `ResolvedRefs`.
    pub condition: crate::api::ConditionType,
    /// Why, and what to do.
    pub remark: Remark,
}

/// All accepted objects with their references resolved and their addresses chosen.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    /// Objects with a `deletionTimestamp` that nothing depends on any more.
    pub released: BTreeSet<Id>,
}

impl Topology {
    /// The part of the topology that `node` realises.
    #[must_use]
    pub fn view(&self, _node: &str) -> NodeView {
        NodeView::default()
    }
}

/// Resolves references, judges clashes, chooses addresses. Never fails: what is wrong becomes a problem of its object.
#[must_use]
pub fn link(_snapshot: &Snapshot) -> (Topology, Problems) {
    (Topology::default(), Problems::default())
}
