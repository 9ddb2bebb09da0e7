//! Objects as they come off the wire: one that cannot be read keeps its name, and does not hide the others.
//!
//! kube's `DeserializeGuard` does the same by way of a tree of values, which it clones: that was a tenth of what an agent
//! spends on news.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// An object, or why it cannot be read.
#[derive(Clone, Debug)]
pub struct Guarded<K>(pub Result<K, Unreadable>);

/// What is known of an object that cannot be read.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// Which field does not fit, and why.
    pub error: String,
}

/// The least that every object has.
#[derive(Deserialize)]
struct Named {
    metadata: ObjectMeta,
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Guarded<K> {
    /// Reads JSON only: its text is read a second time where the first does not fit.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        if let Ok(object) = serde_json::from_str(text.get()) {
            return Ok(Self(Ok(object)));
        }
        let Named { metadata } = serde_json::from_str(text.get()).map_err(D::Error::custom)?;
        let wrong = serde_path_to_error::deserialize::<_, K>(&mut serde_json::Deserializer::from_str(text.get()));
        let error = wrong.err().map(|error| error.to_string()).unwrap_or_default();
        Ok(Self(Err(Unreadable { metadata, error })))
    }
}

impl<K: Resource> Resource for Guarded<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(of: &K::DynamicType) -> Cow<'_, str> {
        K::kind(of)
    }

    fn group(of: &K::DynamicType) -> Cow<'_, str> {
        K::group(of)
    }

    fn version(of: &K::DynamicType) -> Cow<'_, str> {
        K::version(of)
    }

    fn plural(of: &K::DynamicType) -> Cow<'_, str> {
        K::plural(of)
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.as_ref().map_or_else(|unreadable| &unreadable.metadata, K::meta)
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.as_mut().map_or_else(|unreadable| &mut unreadable.metadata, K::meta_mut)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use kube::ResourceExt as _;
    use kube::core::WatchEvent;

    use super::*;
    use crate::api::Port;

    #[test]
    fn an_object_that_cannot_be_read_keeps_its_name_and_says_which_field_is_wrong() {
        let text = r#"{"type": "ADDED", "object": {"apiVersion": "tenet.network/v1alpha1", "kind": "Port",
            "metadata": {"name": "web", "namespace": "shop"}, "spec": {"networkRef": 7}}}"#;
        let WatchEvent::Added(port) = serde_json::from_str::<WatchEvent<Guarded<Port>>>(text).unwrap() else {
            unreachable!("not what was sent");
        };
        assert_eq!((port.name_any(), port.namespace()), ("web".into(), Some("shop".into())));
        let error = port.0.unwrap_err().error;
        assert!(error.starts_with("spec.networkRef: "), "{error}");
    }

    #[test]
    fn an_object_is_read() {
        let text = r#"{"metadata": {"name": "web"}, "spec": {"networkRef": {"name": "blue"}}}"#;
        let port = serde_json::from_str::<Guarded<Port>>(text).unwrap().0.unwrap();
        assert_eq!(port.spec.network_ref.name, "blue");
    }
}
