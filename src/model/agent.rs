//! Agents: whether a node is heard of.

use crate::api::{Agent, ConditionType};

/// Whether the controller says that nothing is heard of the node: its `Ready` is `Unknown`.
#[must_use]
pub fn is_silent(agent: &Agent) -> bool {
    let ready = agent.status.as_ref().and_then(|status| ConditionType::Ready.find(&status.conditions));
    ready.is_some_and(|condition| condition.status == "Unknown")
}
