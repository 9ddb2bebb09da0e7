//! An external address that leads to a fixed IP.

use std::net::IpAddr;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cel::unique;
use super::condition::ConditionText;
use super::{Conditions, Reference, text};

/// An address of an external network that leads to a port's fixed IP.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "tenet.network",
    version = "v1alpha1",
    kind = "FloatingIP",
    plural = "floatingips",
    namespaced,
    status = "FloatingIPStatus",
    derive = "PartialEq",
    shortname = "tfip",
    category = "tenet",
    selectable = ".status.nodeName"
)]
#[x_kube(
    validation = Rule::new("!has(self.portRef) || !has(self.portForwardings)")
        .message("portRef contradicts portForwardings: remove one of the two"),
    validation = Rule::new("!has(self.fixedIP) || has(self.portRef)")
        .message("fixedIP needs portRef: name the port that has the address, or remove fixedIP"),
    validation = Rule::new(concat!("!has(self.portForwardings) || ", unique!("self.portForwardings", "a.protocol == b.protocol && a.port == b.port")))
        .message("portForwardings claim a port of one protocol twice: remove one")
)]
#[serde(rename_all = "camelCase")]
pub struct FloatingIPSpec {
    /// The external network. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("networkRef is immutable: delete the FloatingIP and create it anew"))]
    pub network_ref: Reference,
    /// The address, also outside the pools. Default: one from the pools.
    #[schemars(with = "Option<text::HostIp>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// The port that the address leads to. Absent: reserved, leads nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_ref: Option<Reference>,
    /// Which address of the port; needed only when it has several.
    #[schemars(with = "Option<text::HostIp>")]
    #[serde(default, rename = "fixedIP", skip_serializing_if = "Option::is_none")]
    pub fixed_ip: Option<IpAddr>,
    /// Single ports that lead somewhere, at most 64; instead of `portRef`.
    #[schemars(length(max = 64))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub port_forwardings: Vec<PortForwarding>,
}

/// One port of a floating IP and where it leads.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PortForwarding {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Port of the floating IP, 1 to 65535.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// Port of the guest, 1 to 65535.
    #[schemars(range(min = 1, max = 65535))]
    pub target_port: u16,
    /// The port that it leads to.
    pub port_ref: Reference,
    /// Which address of the port; needed only when it has several.
    #[schemars(with = "Option<text::HostIp>")]
    #[serde(default, rename = "fixedIP", skip_serializing_if = "Option::is_none")]
    pub fixed_ip: Option<IpAddr>,
}

/// Transport protocol of a port forwarding.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// Transmission Control Protocol.
    TCP,
    /// User Datagram Protocol.
    UDP,
}

/// What Tenet says of a `FloatingIP`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct FloatingIPStatus {
    /// The address in force.
    #[schemars(with = "Option<text::Ip>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// The router that translates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router_ref: Option<Reference>,
    /// The node that translates.
    #[schemars(length(max = 253))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,
    /// Conditions, one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<ConditionText>", length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Conditions,
}
