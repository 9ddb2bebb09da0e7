//! Objects as they come off the wire: one that cannot be read keeps its name, and does not hide the others.
//!
//! kube's `DeserializeGuard` does the same by way of a tree of values, which it clones: that was a tenth of what an agent
//! spends on news.

use std::borrow::Cow;
use std::marker::PhantomData;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// An object that is not read yet.
#[derive(Clone, Debug)]
pub struct Guarded<K> {
    /// What a watch goes by: name, namespace, UID and version.
    metadata: ObjectMeta,
    /// The object without the server's bookkeeping.
    text: Box<str>,
    kind: PhantomData<fn() -> K>,
}

/// The least that every object has.
#[derive(Deserialize)]
struct Named {
    metadata: Head,
}

/// What a watch goes by.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
}

impl<'de, K> Deserialize<'de> for Guarded<K> {
    /// Takes JSON only: its text is read when it is asked for.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let text = without_bookkeeping(text.get());
        let Named { metadata: Head { name, namespace, uid, resource_version } } =
            serde_json::from_str(&text).map_err(D::Error::custom)?;
        let metadata = ObjectMeta { name, namespace, uid, resource_version, ..ObjectMeta::default() };
        Ok(Self { metadata, text: text.into(), kind: PhantomData })
    }
}

impl<K: DeserializeOwned> Guarded<K> {
    /// Reads it.
    ///
    /// # Errors
    /// Which field does not fit, and why.
    pub fn open(&self) -> Result<K, String> {
        serde_json::from_str(&self.text).map_err(|error| {
            let wrong = serde_path_to_error::deserialize::<_, K>(&mut serde_json::Deserializer::from_str(&self.text));
            wrong.err().map_or_else(|| error.to_string(), |error| error.to_string())
        })
    }
}

impl<K> Guarded<K> {
    /// The object as JSON, without the server's bookkeeping.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// An object's text without what the server keeps of who wrote which field: it is most of the text, nobody here looks at it,
/// and read it would leave holes in memory between what stays.
fn without_bookkeeping(text: &str) -> Cow<'_, str> {
    // In a string its first quote would have a backslash before the last; no field of ours has the name.
    const FIELD: &str = r#""managedFields":["#;
    let cut = text.find(FIELD).and_then(|start| {
        let list = start + FIELD.len() - 1;
        let after = list + length(&text.as_bytes()[list..])?;
        let (front, back) = (&text[..start], &text[after..]);
        // One of the commas around it goes with it.
        Some(match back.strip_prefix(',') {
            Some(back) => [front, back].concat(),
            None => [front.strip_suffix(',').unwrap_or(front), back].concat(),
        })
    });
    cut.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// How many octets the list is long that the text begins with.
fn length(text: &[u8]) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, octet) in text.iter().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
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
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
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
        let error = port.open().unwrap_err();
        assert!(error.starts_with("spec.networkRef: "), "{error}");
    }

    #[test]
    fn who_wrote_which_field_is_not_read() {
        let list = r#"[{"manager":"a ] \" } b","fieldsV1":{"f:spec":{"f:x":{},"k:{\"type\":\"Ready\"}":{".":{}}}}},{"manager":"c"}]"#;
        let note = r#""annotations":{"last":"{\"managedFields\":[]}"}"#;
        for (text, cut) in [
            (format!(r#"{{"metadata":{{"name":"web",{note},"managedFields":{list}}},"spec":1}}"#), true),
            (format!(r#"{{"metadata":{{"managedFields":{list},"name":"web",{note}}},"spec":1}}"#), true),
            (format!(r#"{{"metadata":{{{note},"managedFields":{list},"name":"web"}},"spec":1}}"#), true),
            (format!(r#"{{"metadata":{{"name":"web",{note}}},"spec":1}}"#), false),
        ] {
            let left = without_bookkeeping(&text);
            assert_eq!(matches!(left, Cow::Owned(_)), cut);
            let mut whole: serde_json::Value = serde_json::from_str(&text).unwrap();
            whole["metadata"].as_object_mut().unwrap().remove("managedFields");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&left).unwrap(), whole, "{left}");
        }
        assert_eq!(without_bookkeeping(r#"{"managedFields":[{"#), r#"{"managedFields":[{"#, "half of it");
        let only = r#"{"metadata":{"managedFields":[]}}"#;
        assert_eq!(without_bookkeeping(only), r#"{"metadata":{}}"#);
    }

    #[test]
    fn an_object_is_read() {
        let text = r#"{"metadata": {"name": "web"}, "spec": {"networkRef": {"name": "blue"}}}"#;
        let port = serde_json::from_str::<Guarded<Port>>(text).unwrap().open().unwrap();
        assert_eq!(port.spec.network_ref.name, "blue");
    }
}
