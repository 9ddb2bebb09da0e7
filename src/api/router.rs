//! A router between subnets, with an optional gateway to the outside.

use std::net::IpAddr;

use ipnet::IpNet;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Conditions, MacAddr, Reference};

/// Connects subnets, and through its external gateway the outside.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "tenet.network",
    version = "v1alpha1",
    kind = "Router",
    namespaced,
    status = "RouterStatus",
    derive = "PartialEq",
    shortname = "trtr",
    category = "tenet"
)]
#[serde(rename_all = "camelCase")]
pub struct RouterSpec {
    /// Subnets that the router connects, at most 64.
    #[schemars(length(max = 64))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<RouterInterface>,
    /// The way to the outside. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_gateway: Option<ExternalGateway>,
    /// Static routes, at most 30; equal destinations share the load.
    #[schemars(length(max = 30))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<StaticRoute>,
}

/// One subnet of a router.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RouterInterface {
    /// The subnet.
    pub subnet_ref: Reference,
    /// The router's address there. Default: the subnet's gateway address.
    #[schemars(with = "Option<String>", length(max = 39))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
}

/// A router's way to the outside.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ExternalGateway {
    /// The external network.
    pub network_ref: Reference,
    /// Whether guests without a floating IP are translated to the router's address. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snat: Option<bool>,
    /// The router's addresses on the external network, at most 4. Default: one, from the pools.
    #[schemars(length(min = 1, max = 4))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addresses: Option<Vec<ExternalAddress>>,
}

/// A wish for an external address: a subnet, an address, or both.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ExternalAddress {
    /// The external subnet. Default: the one that holds `ip`, else the first with room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_ref: Option<Reference>,
    /// The address. Default: one from the pools.
    #[schemars(with = "Option<String>", length(max = 39))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
}

/// A static route of a router.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct StaticRoute {
    /// Where to, in CIDR notation, host bits zero.
    #[schemars(with = "String", length(max = 43))]
    pub destination: IpNet,
    /// Through which address, inside a connected subnet.
    #[schemars(with = "String", length(max = 39))]
    pub next_hop: IpAddr,
}

/// What Tenet says of a Router.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RouterStatus {
    /// Interfaces in force.
    #[schemars(length(max = 64))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<StatusInterface>,
    /// The router's addresses on the external network.
    #[schemars(with = "Vec<String>", length(max = 4))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub external_addresses: Vec<IpAddr>,
    /// The node that translates for the router.
    #[schemars(length(max = 253))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_node: Option<String>,
    /// Conditions, one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Conditions,
}

/// A router interface in force.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct StatusInterface {
    /// The subnet.
    pub subnet_ref: Reference,
    /// The router's address there.
    #[schemars(with = "String", length(max = 39))]
    pub ip: IpAddr,
    /// The router's MAC address there.
    pub mac_address: MacAddr,
}
