//! Multus' words: a pod names `NetworkAttachmentDefinition`s, and one whose configuration is of our type means a Network or a
//! Port (Kubernetes Network Custom Resource Definition De-facto Standard 1.3, 3 and 4.1).
//!
//! What cannot be read is passed over here: Multus reads the same, and tells the pod what is wrong.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::pod::{MOST, What};

/// The definitions that a pod names: a list as ours, or JSON.
pub const NETWORKS: &str = "k8s.v1.cni.cncf.io/networks";
/// Our type in a configuration.
const TYPE: &str = "tenet";

/// A definition that a pod names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Namespace of the definition.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The interface in the pod, as Multus calls it: as the pod says, else `net` and the position, from 1.
    pub interface: String,
}

#[derive(Deserialize)]
struct Element {
    name: String,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    interface: Option<String>,
}

/// The definitions that a pod of this namespace names.
#[must_use]
pub fn selections(annotations: &BTreeMap<String, String>, pod_namespace: &str) -> Vec<Selection> {
    let text = annotations.get(NETWORKS).map_or("", |text| text.trim());
    let elements = if text.starts_with('[') {
        serde_json::from_str(text).unwrap_or_default()
    } else {
        text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(element).collect::<Vec<_>>()
    };
    let some = |word: Option<String>| word.filter(|word| !word.is_empty());
    let selection = |(position, Element { name, namespace, interface })| Selection {
        namespace: some(namespace).unwrap_or_else(|| pod_namespace.into()),
        name,
        interface: some(interface).unwrap_or_else(|| format!("net{}", position + 1)),
    };
    elements.into_iter().take(MOST).enumerate().map(selection).collect()
}

/// `[namespace/]name[@interface]`
fn element(word: &str) -> Element {
    let (place, interface) = word.split_once('@').map_or((word, None), |(place, interface)| (place, Some(interface)));
    let (namespace, name) = place.split_once('/').map_or((None, place), |(space, name)| (Some(space), name));
    let owned = |word: Option<&str>| word.map(|word| word.trim().to_owned());
    Element { name: name.trim().into(), namespace: owned(namespace), interface: owned(interface) }
}

/// What a definition means for a pod of this namespace, by its `spec.config`; none: it is not of our type, or names nothing.
#[must_use]
pub fn meaning(config: &str, pod_namespace: &str) -> Option<What> {
    let config: Value = serde_json::from_str(config).ok()?;
    let chain = config["plugins"].as_array().into_iter().flatten();
    let plugin = [&config].into_iter().chain(chain).find(|plugin| plugin["type"] == TYPE)?;
    match (plugin["network"].as_str(), plugin["port"].as_str()) {
        (Some(network), None) => {
            let (namespace, name) = network.split_once('/').unwrap_or((pod_namespace, network));
            Some(What::Network { namespace: namespace.into(), name: name.into() })
        }
        (None, Some(port)) => Some(What::Port { name: port.into() }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Vec<(String, String, String)> {
        let all = selections(&[(NETWORKS.to_owned(), text.to_owned())].into(), "team-a");
        all.into_iter().map(|one| (one.namespace, one.name, one.interface)).collect()
    }

    fn one(namespace: &str, name: &str, interface: &str) -> (String, String, String) {
        (namespace.into(), name.into(), interface.into())
    }

    #[test]
    fn definitions_are_named_in_a_list_or_in_json_and_numbered_over_all() {
        let expected = [one("team-a", "blue", "net1"), one("infra", "red", "eth2"), one("team-a", "wire", "net3")];
        assert_eq!(of("blue, infra/red@eth2,wire"), expected);
        let json = r#"[{"name": "blue"}, {"name": "red", "namespace": "infra", "interface": "eth2", "ips": ["10.0.0.1"]}, {"name": "wire"}]"#;
        assert_eq!(of(json), expected);
        assert!(of("").is_empty() && of("[{]").is_empty() && of("[1]").is_empty());
    }

    #[test]
    fn a_configuration_of_our_type_means_a_network_or_a_port() {
        let network = |namespace: &str| Some(What::Network { namespace: namespace.into(), name: "blue".into() });
        let of = |config| meaning(config, "team-a");
        assert_eq!(of(r#"{"type": "tenet", "network": "blue"}"#), network("team-a"));
        assert_eq!(of(r#"{"type": "tenet", "network": "infra/blue"}"#), network("infra"));
        assert_eq!(of(r#"{"plugins": [{"type": "tuning"}, {"type": "tenet", "network": "blue"}]}"#), network("team-a"));
        assert_eq!(of(r#"{"type": "tenet", "port": "web-0"}"#), Some(What::Port { name: "web-0".into() }));
        for other in
            [r#"{"type": "macvlan", "network": "blue"}"#, r#"{"type": "tenet"}"#, "", "{", "7", r#"{"plugins": 7}"#]
        {
            assert_eq!(of(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_or_passed_over(text in ".{0,60}", json in r#"\[(\{"(name|interface|namespace)": ?"?[a-z]?"?\},?){0,3}\]"#) {
            prop_assert!(of(&text).len() <= MOST && of(&json).len() <= MOST);
            let _ = meaning(&text, "team-a");
        }
    }
}
