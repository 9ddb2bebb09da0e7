//! Agents: whether a node is heard of.

use crate::api::Agent;

/// Whether the controller says that nothing is heard of the node: its `Ready` is `Unknown`.
#[must_use]
pub fn is_silent(agent: &Agent) -> bool {
    agent.status.iter().flat_map(|status| &status.conditions).any(|c| c.type_ == "Ready" && c.status == "Unknown")
}
