//! What a node says back: how far it got with its view.

use std::collections::BTreeMap;

use crate::api::Reason;
use crate::model::id::Id;

/// What one node says of the view it was given. What is not named here is programmed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The node's name.
    pub node: String,
    /// Objects that the node could not realise.
    pub faults: BTreeMap<Id, Remark>,
    /// Objects that are realised, with something their owner should know.
    pub remarks: BTreeMap<Id, Remark>,
}

/// A reason and a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Why.
    pub reason: Reason,
    /// A sentence that says what is wrong and what to do.
    pub message: String,
}
