//! A range of addresses on a Network.

use std::net::IpAddr;

use ipnet::IpNet;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::ConditionText;
use super::subnet_rules as rules;
use super::{Conditions, GatewayIP, Reference, text};

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
#[x_kube(
    validation = Rule::new(rules::GATEWAY_INSIDE)
        .message("gatewayIP is outside the cidr: write an address of the subnet, or None"),
    validation = Rule::new(rules::GATEWAY_HOST)
        .message("gatewayIP is the network or broadcast address: write another address of the subnet, or None"),
    validation = Rule::new(rules::GATEWAY_OUTSIDE_POOLS)
        .message("allocationPools hold the gateway (by default the first host): leave it out, or move gatewayIP"),
    validation = Rule::new(rules::POOLS_INSIDE)
        .message("allocationPools reach outside the cidr: both ends of a pool are addresses of the subnet"),
    validation = Rule::new(rules::POOLS_HOSTS)
        .message("allocationPools hold the network or broadcast address: leave the first and last address out"),
    validation = Rule::new(rules::POOLS_ORDERED)
        .message("allocationPools have a start after its end: exchange the two"),
    validation = Rule::new(rules::POOLS_DISJOINT)
        .message("allocationPools overlap: make one pool of them, or part them"),
    validation = Rule::new(rules::DHCP_ROOM)
        .message("dhcp has no room in a /31 or /32: write dhcp: false, or a wider cidr"),
    validation = Rule::new(rules::NAMESERVERS_FAMILY)
        .message("dnsNameservers need IPv4 addresses of servers: DHCPv4 can tell no others"),
    validation = Rule::new(rules::NAMESERVERS_UNIQUE)
        .message("dnsNameservers name a server twice: remove one"),
    validation = Rule::new(rules::ROUTES_NEXT_HOP)
        .message("hostRoutes have a nextHop outside the cidr: guests reach only addresses of the subnet directly"),
    validation = Rule::new(rules::ROUTES_UNIQUE)
        .message("hostRoutes have a route twice: remove one")
)]
#[serde(rename_all = "camelCase")]
pub struct SubnetSpec {
    /// The network. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("networkRef is immutable: delete the Subnet and create it anew"))]
    pub network_ref: Reference,
    /// The range in CIDR notation, host bits zero. Immutable.
    #[schemars(with = "text::Cidr")]
    #[x_kube(
        validation = Rule::new("!isCIDR(self) || cidr(self).ip().family() == 4")
            .message("cidr is an IPv6 range, and IPv6 subnets are not supported yet: write an IPv4 range"),
        validation = Rule::new(rules::CIDR_HOSTS)
            .message("cidr is no range for hosts: write a prefix of /8 or longer, outside 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16 and 224.0.0.0/3"),
        validation = Rule::new("self == oldSelf").message("cidr is immutable: delete the Subnet and create it anew")
    )]
    pub cidr: IpNet,
    /// The gateway: an address of the subnet outside every pool, or None. Default: the first host; in a /32 None.
    #[serde(default, rename = "gatewayIP", skip_serializing_if = "Option::is_none")]
    pub gateway_ip: Option<GatewayIP>,
    /// Ranges that addresses are taken from, at most 32, disjoint. Default: all but network, broadcast and gateway.
    #[schemars(length(min = 1, max = 32))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocation_pools: Option<Vec<AllocationPool>>,
    /// Whether DHCP is answered. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dhcp: Option<bool>,
    /// IPv4 addresses of DNS servers told by DHCP, at most 5, in order.
    #[schemars(with = "Vec<text::Ip>", length(max = 5))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns_nameservers: Vec<IpAddr>,
    /// Domain name told by DHCP (option 15), 1 to 253 characters.
    #[schemars(with = "Option<text::Domain>")]
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
    #[schemars(with = "text::Ip")]
    pub start: IpAddr,
    /// Last address, not before the first.
    #[schemars(with = "text::Ip")]
    pub end: IpAddr,
}

/// A route that guests learn by DHCP.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[x_kube(
    validation = Rule::new("!isCIDR(self.destination) || !isIP(self.nextHop) || cidr(self.destination).ip().family() == ip(self.nextHop).family()")
        .message("destination and nextHop are of different families: write two IPv4 or two IPv6 values")
)]
#[serde(rename_all = "camelCase")]
pub struct HostRoute {
    /// Where to, in CIDR notation, host bits zero.
    #[schemars(with = "text::Cidr")]
    pub destination: IpNet,
    /// Through which address of the subnet.
    #[schemars(with = "text::Ip")]
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
    #[schemars(range(min = 0))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// Addresses of the pools that are taken.
    #[schemars(range(min = 0))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocated: Option<i64>,
    /// Addresses of the pools that are free.
    #[schemars(range(min = 0))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<i64>,
    /// Conditions, one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<ConditionText>", length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Conditions,
}
