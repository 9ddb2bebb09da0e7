//! How one object names another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Names another object. Into another namespace it needs a `ReferenceGrant` there.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// Name of the object, 1 to 253 characters.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Namespace of the object, 1 to 63 characters. Default: the namespace of the object that refers.
    #[schemars(length(min = 1, max = 63))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}
