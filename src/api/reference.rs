//! How one object names another.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::text;

/// Names another object. Into another namespace it needs a `ReferenceGrant` there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// Name of the object, 1 to 253 characters.
    #[schemars(with = "text::ObjectName")]
    pub name: String,
    /// Namespace of the object, 1 to 63 characters. Default: the namespace of the object that refers.
    #[schemars(with = "Option<text::NamespaceName>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}
