//! The Container Network Interface (CNI 1.1): how a node's container runtime has a pod's interfaces made.
//!
//! ```text
//!  kubelet ─► container runtime ─► first plugin ─► tenet ─► its answer: the first's result and our interfaces
//!                (chain: conflist)                   │ unix socket
//!                                                  agent ─► kernel
//! ```
//! The plugin is this binary, called with `CNI_COMMAND` in its environment and a configuration on its standard input. It does
//! nothing itself: [`call`] decides by these two alone whether the agent is to be asked, and what the answer is. As a link in
//! the node's chain it is told the pod's annotations (capability [`config::ANNOTATIONS`]), and a pod that has none of ours
//! passes through at once, agent or no agent. A meta plugin (Multus) names a network or a port in the configuration instead.
//!
//! [`chain`] and [`install`] put the link into the chain, and take it away again.

pub mod args;
pub mod call;
pub mod chain;
pub mod config;
pub mod error;
pub mod install;
pub mod result;

#[cfg(test)]
mod tests;

/// Versions of the specification that are spoken, oldest first.
pub const VERSIONS: [&str; 4] = ["0.3.1", "0.4.0", "1.0.0", "1.1.0"];
/// The newest of them.
pub const NEWEST: &str = "1.1.0";
/// What the plugin is called in a network configuration and in the runtime's folder of plugins.
pub const NAME: &str = "tenet";
