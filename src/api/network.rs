//! A layer 2 domain of a tenant.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::ConditionText;
use super::{Conditions, text};

/// A layer 2 domain: ports of one network reach each other, ports of different networks do not.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "tenet.network",
    version = "v1alpha1",
    kind = "Network",
    namespaced,
    status = "NetworkStatus",
    derive = "PartialEq",
    shortname = "tnet",
    category = "tenet"
)]
#[x_kube(
    validation = Rule::new("has(self.provider) == has(oldSelf.provider) && (!has(self.provider) || self.provider == oldSelf.provider)")
        .message("provider is immutable: delete the Network and create it anew")
)]
#[serde(rename_all = "camelCase")]
pub struct NetworkSpec {
    /// MTU of the guests in bytes, 68 to 65535. Default, and never above: what the path allows.
    #[schemars(range(min = 68, max = 65535))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Whether routers may take their gateway, and floating IPs their address, here. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<bool>,
    /// Where the network touches the wire. Absent: an overlay of our own. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// Whether ports that do not say otherwise have port security: they send with their own addresses only, and their groups
    /// say what passes. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_security: Option<bool>,
}

/// The physical side of a provider network.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[x_kube(
    validation = Rule::new("self.type != 'VLAN' || has(self.vlan)")
        .message("vlan is missing: type VLAN needs an id from 1 to 4094"),
    validation = Rule::new("self.type != 'Flat' || !has(self.vlan)")
        .message("vlan has no meaning with type Flat: remove it, or write type VLAN")
)]
#[serde(rename_all = "camelCase")]
pub struct Provider {
    /// Name of the `PhysicalNetwork`, 1 to 253 characters.
    #[schemars(with = "text::ObjectName")]
    pub physical_network: String,
    /// How frames are told apart on the wire.
    #[serde(rename = "type")]
    pub type_: ProviderType,
    /// VLAN id, 1 to 4094; with type VLAN only, and needed there.
    #[schemars(range(min = 1, max = 4094))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
}

/// How a provider network's frames are told apart on the wire.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProviderType {
    /// Untagged frames.
    Flat,
    /// IEEE 802.1Q tagged frames.
    VLAN,
}

/// What Tenet says of a Network.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct NetworkStatus {
    /// Segment of an overlay network, 1 to 16777215 (VNI, RFC 7348).
    #[schemars(range(min = 1, max = 16_777_215))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vni: Option<u32>,
    /// MTU in bytes that guests are told, 68 to 65535.
    #[schemars(range(min = 68, max = 65535))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Conditions, one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<ConditionText>", length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Conditions,
}
