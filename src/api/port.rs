//! A place on a Network where a guest is plugged.

use std::net::IpAddr;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Conditions, MacAddr, Reference};

/// A place on a network where a guest is plugged; it owns a MAC address and fixed IPs.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "tenet.network",
    version = "v1alpha1",
    kind = "Port",
    namespaced,
    status = "PortStatus",
    derive = "PartialEq",
    shortname = "tport",
    category = "tenet",
    selectable = ".status.networkUID",
    selectable = ".status.binding.nodeName"
)]
#[serde(rename_all = "camelCase")]
pub struct PortSpec {
    /// The network. Immutable.
    pub network_ref: Reference,
    /// Fixed IPs, at most 16. Default: one for each family that the network has.
    #[schemars(length(min = 1, max = 16))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addresses: Option<Vec<PortAddress>>,
    /// Automatic, or None for a port without addresses. Default Automatic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_allocation: Option<IpAllocation>,
    /// MAC address, unicast, unique in the network. Default: derived from the UID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<MacAddr>,
    /// Host name told by DHCP (option 12): an RFC 1123 name, 1 to 63 characters.
    #[schemars(length(min = 1, max = 63))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Further DHCP options, at most 20; they win over the subnet's.
    #[schemars(length(max = 20))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dhcp_options: Vec<DhcpOption>,
}

/// A wish for a fixed IP: a subnet, an address, or both.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PortAddress {
    /// The subnet. Default: the one that holds `ip`, else the first with room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_ref: Option<Reference>,
    /// The address, also outside the pools. Default: one from the pools.
    #[schemars(with = "Option<String>", length(max = 39))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
}

/// Whether a port gets addresses.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IpAllocation {
    /// Addresses as `addresses` says, by default one for each family.
    Automatic,
    /// No address.
    None,
}

/// A DHCP option of the port's own.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DhcpOption {
    /// Option code, 1 to 254; 51, 53, 54, 58 and 59 belong to the server.
    #[schemars(range(min = 1, max = 254))]
    pub code: u8,
    /// The value, typed by RFC 2132 (addresses and numbers separated by commas); `0x…` is raw bytes. 1 to 255 characters.
    #[schemars(length(min = 1, max = 255))]
    pub value: String,
}

/// What Tenet says of a Port.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PortStatus {
    /// Fixed IPs in force.
    #[schemars(length(max = 16))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<StatusAddress>,
    /// MAC address in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<MacAddr>,
    /// MTU in bytes that the guest is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// UID of the network.
    #[schemars(length(max = 63))]
    #[serde(default, rename = "networkUID", skip_serializing_if = "Option::is_none")]
    pub network_uid: Option<String>,
    /// Who has plugged the port; absent: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
    /// Conditions, one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Conditions,
}

/// A fixed IP in force.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct StatusAddress {
    /// The subnet that the address belongs to.
    pub subnet_ref: Reference,
    /// The address, without prefix length.
    #[schemars(with = "String", length(max = 39))]
    pub ip: IpAddr,
}

/// Where a port is plugged.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    /// The node.
    #[schemars(length(min = 1, max = 253))]
    pub node_name: String,
    /// The device in the guest, or the tap.
    #[schemars(length(max = 15))]
    pub device: String,
}
