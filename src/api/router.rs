//! A router between subnets, with an optional gateway to the outside.

use std::net::IpAddr;

use ipnet::IpNet;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cel::{UNIQUE_IPS, unique};
use super::condition::ConditionText;
use super::{Conditions, MacAddr, Reference, text};

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
    category = "tenet",
    selectable = ".status.gatewayNode"
)]
#[x_kube(
    validation = Rule::new(concat!("!has(self.interfaces) || ", unique!("self.interfaces", "a.subnetRef == b.subnetRef")))
        .message("interfaces name a subnet twice: a router has one interface on a subnet"),
    validation = Rule::new(concat!("!has(self.routes) || ", unique!("self.routes", "a.destination == b.destination && a.nextHop == b.nextHop")))
        .message("routes have a route twice: remove one")
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
    #[schemars(with = "Option<text::HostIp>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
}

/// A router's way to the outside.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[x_kube(
    validation = Rule::new(UNIQUE_IPS)
        .message("addresses name an ip twice: remove one")
)]
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
#[x_kube(
    validation = Rule::new("has(self.subnetRef) || has(self.ip)")
        .message("an entry of addresses is empty: write subnetRef, ip, or both")
)]
#[serde(rename_all = "camelCase")]
pub struct ExternalAddress {
    /// The external subnet. Default: the one that holds `ip`, else the first with room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_ref: Option<Reference>,
    /// The address. Default: one from the pools.
    #[schemars(with = "Option<text::HostIp>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
}

/// A static route of a router.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[x_kube(
    validation = Rule::new("!isCIDR(self.destination) || !isIP(self.nextHop) || cidr(self.destination).ip().family() == ip(self.nextHop).family()")
        .message("destination and nextHop are of different families: write two IPv4 or two IPv6 values")
)]
#[serde(rename_all = "camelCase")]
pub struct StaticRoute {
    /// Where to, in CIDR notation, host bits zero.
    #[schemars(with = "text::Cidr")]
    pub destination: IpNet,
    /// Through which address, inside a connected subnet.
    #[schemars(with = "text::HostIp")]
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
    #[schemars(with = "Vec<text::Ip>", length(max = 4))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub external_addresses: Vec<IpAddr>,
    /// Segment between the nodes of a router with an external gateway, 1 to 16777215 (VNI, RFC 7348).
    #[schemars(range(min = 1, max = 16_777_215))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vni: Option<u32>,
    /// The node that translates for the router.
    #[schemars(length(max = 253))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_node: Option<String>,
    /// The node that is to follow `gatewayNode`, while it prepares: it translates nothing yet.
    #[schemars(length(max = 253))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_gateway_node: Option<String>,
    /// The node that `gatewayNode` takes over from, until that is done.
    #[schemars(length(max = 253))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_gateway_node: Option<String>,
    /// The node that is ready to follow: its own agent writes this while it is next, and takes it back once it has taken over.
    #[schemars(length(max = 253))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepared_node: Option<String>,
    /// Conditions, one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<ConditionText>", length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Conditions,
}

/// A router interface in force.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct StatusInterface {
    /// The subnet.
    pub subnet_ref: Reference,
    /// The router's address there.
    #[schemars(with = "text::Ip")]
    pub ip: IpAddr,
    /// The router's MAC address there.
    pub mac_address: MacAddr,
}
