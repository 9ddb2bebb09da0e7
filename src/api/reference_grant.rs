//! Leave for other namespaces to refer to objects here.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text;

/// Lets objects of other namespaces refer to objects of this one (Gateway API's word and meaning).
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "tenet.network",
    version = "v1alpha1",
    kind = "ReferenceGrant",
    namespaced,
    derive = "PartialEq",
    shortname = "tgrant",
    category = "tenet"
)]
#[serde(rename_all = "camelCase")]
pub struct ReferenceGrantSpec {
    /// Whose references are granted, 1 to 64.
    #[schemars(length(min = 1, max = 64))]
    pub from: Vec<GrantFrom>,
    /// To what, 1 to 64.
    #[schemars(length(min = 1, max = 64))]
    pub to: Vec<GrantTo>,
}

/// A namespace that may refer here.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct GrantFrom {
    /// Its name, 1 to 63 characters; `*` means every namespace.
    #[schemars(with = "text::GrantNamespace")]
    pub namespace: String,
}

/// What may be referred to.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct GrantTo {
    /// The kind.
    pub kind: GrantKind,
    /// Name of one object, 1 to 253 characters. Default: all of that kind.
    #[schemars(with = "Option<text::ObjectName>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Kinds that a grant can open.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GrantKind {
    /// Networks.
    Network,
    /// Subnets.
    Subnet,
    /// Ports.
    Port,
    /// Security groups.
    SecurityGroup,
}
