//! One node's agent: what it offers, how it is, and what its operator asks of it.

use std::net::IpAddr;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::ConditionText;
use super::{Conditions, Reason, text};

/// The agent of one node, named after it. The agent makes it; its spec is the operator's.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[kube(
    group = "tenet.network",
    version = "v1alpha1",
    kind = "Agent",
    status = "AgentStatus",
    derive = "PartialEq",
    shortname = "tagent",
    category = "tenet"
)]
#[serde(rename_all = "camelCase")]
pub struct AgentSpec {
    /// Whether the node may translate for routers that leave to a physical network which it has. Default: it may, unless
    /// another agent says true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<bool>,
    /// Whether the node hands the routers that it translates for over to others. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<bool>,
}

/// What an agent says of its node.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AgentStatus {
    /// Address at which other nodes reach its tunnels.
    #[schemars(with = "Option<text::Ip>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel_address: Option<IpAddr>,
    /// MTU of the way to other nodes in bytes, 68 to 65535: what guests are told is less by the encapsulation.
    #[schemars(range(min = 68, max = 65535))]
    #[serde(default, rename = "tunnelMTU", skip_serializing_if = "Option::is_none")]
    pub tunnel_mtu: Option<u32>,
    /// Physical networks that the node is attached to.
    #[schemars(length(max = 64), inner(length(max = 253)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub physical_networks: Vec<String>,
    /// The kernel that forwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<AgentKernel>,
    /// Version of the agent, at most 63 characters.
    #[schemars(length(max = 63))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How many ports are plugged here.
    #[schemars(range(min = 0))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<i64>,
    /// What the node cannot do, object by object; at most 64.
    #[schemars(length(max = 64))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<AgentFailure>,
    /// Conditions, one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<ConditionText>", length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Conditions,
}

/// The kernel of a node.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AgentKernel {
    /// What `uname -r` says, at most 64 characters.
    #[schemars(length(max = 64))]
    pub release: String,
    /// Features that were found, at most 32.
    #[schemars(length(max = 32), inner(length(max = 63)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// Features that are missing, at most 32.
    #[schemars(length(max = 32), inner(length(max = 63)))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// One object that a node cannot realise.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AgentFailure {
    /// Kind of the object.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// Namespace of the object; absent for the cluster's.
    #[schemars(length(max = 63))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name of the object.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Why, in one word of a closed list.
    #[schemars(with = "String", length(min = 1, max = 63))]
    pub reason: Reason,
    /// Why, in a sentence.
    #[schemars(length(max = 1024))]
    pub message: String,
}
