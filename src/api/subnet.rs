//! A range of addresses on a Network.

use std::net::IpAddr;

use ipnet::IpNet;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Conditions, GatewayIP, Reference};

/// A range of addresses on a network, with what DHCP tells its guests.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "tenet.network",
    version = "v1alpha1",
    kind = "Subnet",
    namespaced,
    status = "SubnetStatus",
    derive = "PartialEq",
    shortname = "tsub",
    category = "tenet"
)]
#[serde(rename_all = "camelCase")]
pub struct SubnetSpec {
    /// The network. Immutable.
    pub network_ref: Reference,
    /// The range in CIDR notation, host bits zero. Immutable.
    #[schemars(with = "String", length(max = 43))]
    pub cidr: IpNet,
    /// The gateway: an address of the subnet outside every pool, or None. Default: the first host.
    #[serde(default, rename = "gatewayIP", skip_serializing_if = "Option::is_none")]
    pub gateway_ip: Option<GatewayIP>,
    /// Ranges that addresses are taken from, at most 32, disjoint. Default: all but network, broadcast and gateway.
    #[schemars(length(min = 1, max = 32))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocation_pools: Option<Vec<AllocationPool>>,
    /// Whether DHCP is answered. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dhcp: Option<bool>,
    /// DNS servers told by DHCP, at most 5, in order.
    #[schemars(with = "Vec<String>", length(max = 5))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns_nameservers: Vec<IpAddr>,
    /// Domain name told by DHCP (option 15), 1 to 253 characters.
    #[schemars(length(min = 1, max = 253))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_domain: Option<String>,
    /// Routes told by DHCP (option 121), at most 20.
    #[schemars(length(max = 20))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_routes: Vec<HostRoute>,
}

/// A range of addresses, both ends included.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AllocationPool {
    /// First address.
    #[schemars(with = "String", length(max = 39))]
    pub start: IpAddr,
    /// Last address, not before the first.
    #[schemars(with = "String", length(max = 39))]
    pub end: IpAddr,
}

/// A route that guests learn by DHCP.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HostRoute {
    /// Where to, in CIDR notation, host bits zero.
    #[schemars(with = "String", length(max = 43))]
    pub destination: IpNet,
    /// Through which address.
    #[schemars(with = "String", length(max = 39))]
    pub next_hop: IpAddr,
}

/// What Tenet says of a Subnet.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SubnetStatus {
    /// The gateway in force: an address or None.
    #[serde(default, rename = "gatewayIP", skip_serializing_if = "Option::is_none")]
    pub gateway_ip: Option<GatewayIP>,
    /// Addresses in the pools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// Addresses of the pools that are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocated: Option<i64>,
    /// Addresses of the pools that are free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<i64>,
    /// Conditions, one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Conditions,
}
