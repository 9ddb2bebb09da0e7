//! What is plugged into the ports of this node: the node's own record, in no API object.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::api::BoundPod;
use crate::model::{Key, Uid};

/// Everything plugged here, by port.
pub type Attachments = BTreeMap<Key, Attachment>;

/// What is plugged into one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// UID of the port: a port deleted and made again under the same name is another one.
    pub port: Uid,
    /// What is plugged.
    pub target: Target,
    /// The pod whose it is, if it was plugged for one.
    pub pod: Option<Sandbox>,
}

/// A pod as the node's container runtime knows it, in the words of CNI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sandbox {
    /// `CNI_CONTAINERID`: another one each time that the pod's namespace is made anew.
    pub container: String,
    /// `CNI_IFNAME` of the call: the interface that the first plugin of the chain makes, or that a meta plugin asked for.
    pub interface: String,
    /// Name of the network configuration that we were called by: whose garbage is collected is told by this name.
    pub network: String,
    /// Whether the pod's default route leads through this port.
    pub default_route: bool,
    /// The pod as Kubernetes knows it, where the runtime tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<BoundPod>,
}

/// Where the guest's end of a port is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// A veth end in a network namespace.
    #[serde(rename_all = "camelCase")]
    Netns {
        /// A path that leads to the namespace: `/run/netns/NAME`, `/proc/PID/ns/net`.
        path: String,
        /// Inode of the namespace: a path may be reused by another one.
        inode: u64,
        /// Name of the guest's interface, 1 to 15 bytes.
        device: String,
    },
    /// A tap that a hypervisor holds open.
    #[serde(rename_all = "camelCase")]
    Tap {
        /// Its name before it was plugged.
        name: String,
    },
}

impl Target {
    /// Name of the device on the guest's side.
    #[must_use]
    pub fn device(&self) -> &str {
        match self {
            Self::Netns { device, .. } => device,
            Self::Tap { name } => name,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Netns { path, device, .. } => write!(f, "{device} in {path}"),
            Self::Tap { name } => write!(f, "tap {name}"),
        }
    }
}
