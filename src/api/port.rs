//! A place on a Network where a guest is plugged.

use std::net::IpAddr;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cel::{UNIQUE_IPS, UNIQUE_PAIRS, unique};
use super::condition::ConditionText;
use super::{AddressRange, Conditions, MacAddr, Reference, dhcp_type as dhcp, text};

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
#[x_kube(
    validation = Rule::new("!has(self.addresses) || !has(self.ipAllocation) || self.ipAllocation != 'None'")
        .message("addresses contradict ipAllocation None: remove one of the two"),
    validation = Rule::new(UNIQUE_IPS)
        .message("addresses name an ip twice: remove one"),
    validation = Rule::new(concat!("!has(self.dhcpOptions) || ", unique!("self.dhcpOptions", "a.code == b.code")))
        .message("dhcpOptions set a code twice: remove one"),
    validation = Rule::new("!has(self.portSecurity) || self.portSecurity || !has(self.securityGroupRefs)")
        .message("securityGroupRefs contradict portSecurity false: remove one of the two"),
    validation = Rule::new("!has(self.portSecurity) || self.portSecurity || !has(self.allowedAddressPairs) || self.allowedAddressPairs.size() == 0")
        .message("allowedAddressPairs contradict portSecurity false: remove one of the two"),
    validation = Rule::new(concat!("!has(self.securityGroupRefs) || ", unique!("self.securityGroupRefs", "a == b")))
        .message("securityGroupRefs name a group twice: remove one"),
    validation = Rule::new(UNIQUE_PAIRS)
        .message("allowedAddressPairs have a pair twice: remove one")
)]
#[serde(rename_all = "camelCase")]
pub struct PortSpec {
    /// The network. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("networkRef is immutable: delete the Port and create it anew"))]
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
    #[schemars(with = "Option<text::Hostname>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Further DHCP options, at most 20; they win over the subnet's.
    #[schemars(length(max = 20))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dhcp_options: Vec<DhcpOption>,
    /// Only this node may claim the port: 1 to 253 characters. Default: any. Not looked at in local mode.
    #[schemars(with = "Option<text::ObjectName>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,
    /// The node that may prepare the port beside the one that has it, and take it over (live migration): 1 to 253 characters.
    /// Default: none. Not looked at in local mode.
    #[schemars(with = "Option<text::ObjectName>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration_node_name: Option<String>,
    /// Its security groups, 1 to 16: what any of them allows passes. Default: the group `default` of the port's namespace, which
    /// is there in any case and allows all egress, and ingress from other ports in it.
    #[schemars(length(min = 1, max = 16))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_group_refs: Option<Vec<Reference>>,
    /// Whether the guest sends with the port's own addresses only, and groups say what passes. Default: as the network says; true
    /// for a port that names groups or pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_security: Option<bool>,
    /// Further addresses that the guest may send with, at most 10.
    #[schemars(length(max = 10))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_address_pairs: Vec<AddressPair>,
}

/// Addresses beside its own that a port's guest may send with.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AddressPair {
    /// An address, or a range in CIDR notation with the host bits zero.
    pub ip: AddressRange,
    /// The MAC address that goes with it, unicast. Default: the port's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<MacAddr>,
}

/// A wish for a fixed IP: a subnet, an address, or both.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(
    validation = Rule::new("has(self.subnetRef) || has(self.ip)")
        .message("an entry of addresses is empty: write subnetRef, ip, or both")
)]
#[serde(rename_all = "camelCase")]
pub struct PortAddress {
    /// The subnet. Default: the one that holds `ip`, else the first with room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_ref: Option<Reference>,
    /// The address, also outside the pools. Default: one from the pools.
    #[schemars(with = "Option<text::HostIp>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
}

/// Whether a port gets addresses: Automatic (the default) waits until the network has a subnet, None needs none.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IpAllocation {
    /// Addresses as `addresses` says, by default one for each family.
    Automatic,
    /// No address.
    None,
}

/// A DHCP option of the port's own.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[x_kube(
    validation = Rule::new(format!("!(self.code in {:?})", dhcp::PROTOCOL))
        .message("code belongs to DHCP itself (50 to 59, 61 and 82): remove the option"),
    validation = dhcp::typed(dhcp::ADDRESS, "one IPv4 address", dhcp::IPV4),
    validation = dhcp::typed(dhcp::ADDRESSES, "IPv4 addresses separated by commas", dhcp::IPV4_LIST),
    validation = dhcp::typed(dhcp::PAIRS, "pairs of IPv4 addresses, all separated by commas", dhcp::IPV4_PAIRS),
    validation = dhcp::typed(dhcp::BOOLEAN, "true or false", "self.value.trim() in ['true', 'false', '1', '0']"),
    validation = dhcp::typed(dhcp::BYTE, "a number from 0 to 255", &dhcp::number(0, 255)),
    validation = dhcp::typed(dhcp::SHORT, "a number from 0 to 65535", &dhcp::number(0, 65535)),
    validation = dhcp::typed(dhcp::SHORTS, "numbers from 0 to 65535 separated by commas", dhcp::SHORT_LIST),
    validation = dhcp::typed(dhcp::LONG, "a number from 0 to 4294967295", &dhcp::number(0, 4_294_967_295)),
    validation = dhcp::typed(dhcp::SIGNED, "a number of seconds", &dhcp::number(-2_147_483_648, 2_147_483_647)),
    validation = dhcp::typed(dhcp::NAMES, "domain names separated by commas", dhcp::DOMAIN_LIST),
    validation = dhcp::typed(dhcp::ROUTES, "destination,next hop,… such as 172.16.0.0/12,10.0.0.2", dhcp::ROUTE_LIST),
    validation = dhcp::typed(dhcp::STRUCTURE, "raw bytes", "false")
)]
#[serde(rename_all = "camelCase")]
pub struct DhcpOption {
    /// Option code, 1 to 254; 50 to 59, 61 and 82 belong to the protocol itself.
    #[schemars(range(min = 1, max = 254))]
    pub code: u8,
    /// The value, typed by RFC 2132 (addresses and numbers separated by commas); `0x…` is raw bytes. 1 to 255 characters.
    #[schemars(with = "text::OptionValue")]
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
    /// MTU in bytes that the guest is told, 68 to 65535.
    #[schemars(range(min = 68, max = 65535))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// UID of the network.
    #[schemars(length(max = 63))]
    #[serde(default, rename = "networkUID", skip_serializing_if = "Option::is_none")]
    pub network_uid: Option<String>,
    /// Who has plugged the port; absent: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<Binding>,
    /// Where the port is prepared, beside where it is plugged, and will be plugged by one write; absent: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<Binding>,
    /// Addresses of allowed address pairs that are at this port now, because its guest announced them last (by ARP, or neighbour
    /// advertisements), at most 32. Only addresses of the network's subnets that no plugged port and no router has.
    #[schemars(length(max = 32))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub active_pairs: Vec<ActivePair>,
    /// Conditions, one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<ConditionText>", length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Conditions,
}

/// A fixed IP in force.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct StatusAddress {
    /// The subnet that the address belongs to.
    pub subnet_ref: Reference,
    /// The address, without prefix length.
    #[schemars(with = "text::Ip")]
    pub ip: IpAddr,
}

/// An allowed address that the guest has announced.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ActivePair {
    /// The address.
    #[schemars(with = "text::Ip")]
    pub ip: IpAddr,
    /// The MAC address that it announced it with.
    pub mac_address: MacAddr,
    /// How often the address had moved when it came here, 0 to 4294967295: of two ports that have it, the one with more has it
    /// in force. Absent: 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub transitions: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Where a port is plugged. One value with one owner (server-side apply): whoever takes a port over owns all of it, so that
/// nothing of it stays when it is unplugged.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct Binding {
    /// The node.
    #[schemars(length(min = 1, max = 253))]
    pub node_name: String,
    /// The device in the guest, or the tap.
    #[schemars(length(max = 15))]
    pub device: String,
    /// The Pod that it is plugged into, of the port's own namespace; absent: no Pod, or not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<BoundPod>,
}

/// A Pod that a port is plugged into.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct BoundPod {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its UID: another Pod of the same name is another guest.
    #[schemars(length(min = 1, max = 63))]
    pub uid: String,
}
