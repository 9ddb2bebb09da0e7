//! A value that is given away: the object is the lock.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A value of a pool that somebody holds. Its name is made of pool and value, so etcd makes doubles impossible. Written by
/// the controller alone.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(group = "tenet.network", version = "v1alpha1", kind = "Allocation", derive = "PartialEq", shortname = "talloc")]
#[x_kube(validation = Rule::new("self == oldSelf").message("spec is immutable: delete the Allocation and create it anew"))]
#[serde(rename_all = "camelCase")]
pub struct AllocationSpec {
    /// What the value is taken from.
    pub pool: AllocationParty,
    /// The value: an address, or a VNI.
    #[schemars(length(min = 1, max = 39))]
    pub value: String,
    /// Who holds it.
    pub owner: AllocationParty,
}

/// A pool or an owner.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AllocationParty {
    /// Kind of the object; `VNI` is the pool of all segments.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// Namespace of the object; absent for the cluster's.
    #[schemars(length(max = 63))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name of the object.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// UID of the object; absent for the pool of all segments.
    #[schemars(length(max = 63))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}
