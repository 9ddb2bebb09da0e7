//! Where provider networks touch the wire.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::ConditionText;
use super::{Conditions, text};

/// Where provider networks touch the wire, node by node.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "tenet.network",
    version = "v1alpha1",
    kind = "PhysicalNetwork",
    status = "PhysicalNetworkStatus",
    derive = "PartialEq",
    shortname = "tphys",
    category = "tenet"
)]
#[serde(rename_all = "camelCase")]
pub struct PhysicalNetworkSpec {
    /// MTU of the wire in bytes, 68 to 65535. Default 1500.
    #[schemars(range(min = 68, max = 65535))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Where nodes attach, 1 to 64; the first that fits a node holds there.
    #[schemars(length(min = 1, max = 64))]
    pub attachments: Vec<Attachment>,
}

/// How nodes attach to a physical network.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// Which nodes. Default: all. Not looked at in local mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<NodeSelector>,
    /// A bridge of the host or an interface, 1 to 15 characters.
    #[schemars(with = "text::Device")]
    pub interface: String,
    /// How an interface is used; a bridge is always joined. Default Dedicated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<AttachmentMode>,
}

/// Chooses nodes by their labels.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(
    validation = Rule::new("!has(self.matchLabels) || self.matchLabels.all(k, !format.qualifiedName().validate(k).hasValue())")
        .message("matchLabels have a key that is no label's key: letters, digits, '-', '_' and '.', after an optional domain and '/'")
)]
#[serde(rename_all = "camelCase")]
pub struct NodeSelector {
    /// Labels that a node must have, at most 16.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, text::LabelValue>", extend("maxProperties" = 16))]
    pub match_labels: BTreeMap<String, String>,
}

/// How an interface of the host is used.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttachmentMode {
    /// Given to Tenet whole, and back when released.
    Dedicated,
    /// The host keeps it; each router leg is a macvlan on it.
    Shared,
}

/// What Tenet says of a `PhysicalNetwork`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PhysicalNetworkStatus {
    /// Nodes that are attached.
    #[schemars(length(max = 5000), inner(length(max = 253)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// Conditions, one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<ConditionText>", length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Conditions,
}
