//! What of other nodes' objects is no news to a node: that somebody has looked at them, and how many of something there are.
//!
//! Of three writes to a port on another node two say that its controller and its agent have seen the first. Whoever reads them
//! learns nothing, and a node that did would spend two thirds of its time on them.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use kube::Resource;
use kube::runtime::watcher::Event;

use super::guard::Guarded;
use crate::model::{Kind, Uid};

/// Lets pass of one watch what is news to a node.
#[derive(Debug)]
pub struct Sieve {
    /// The node's name, as it stands in JSON: an object that names the node always passes.
    me: String,
    /// Whether objects are ports: one that is plugged nowhere may be plugged here, by its version, so it always passes, too.
    ports: bool,
    /// What was told last of each object that has changed since it was listed, as a keyed hash of 64 bits.
    told: HashMap<Uid, u64>,
    keys: RandomState,
}

/// Fields that say when somebody has looked at an object and how he put it, or count; in metadata and in statuses.
const PASSING: [&str; 10] = [
    "resourceVersion",
    "generation",
    "observedGeneration",
    "lastTransitionTime",
    "reason",
    "message",
    "total",
    "allocated",
    "free",
    "ports",
];

impl Sieve {
    /// For the agent of a node and a watch of a kind.
    #[must_use]
    pub fn new(kind: Kind, node: &str) -> Self {
        Self { me: format!("\"{node}\""), ports: kind == Kind::Port, told: HashMap::new(), keys: RandomState::new() }
    }

    /// Whether an event is news. What a list says is, and nothing is remembered of it: it may be older than what the node knows,
    /// which then goes by what comes next.
    pub fn passes<K: Resource>(&mut self, event: &Event<Guarded<K>>) -> bool {
        match event {
            Event::Init => self.told.clear(),
            Event::Delete(object) => _ = uid(object).and_then(|uid| self.told.remove(&uid)),
            Event::Apply(object) => return self.is_new(object),
            Event::InitApply(_) | Event::InitDone => {}
        }
        true
    }

    fn is_new<K: Resource>(&mut self, object: &Guarded<K>) -> bool {
        let Some(uid) = uid(object) else { return true };
        let text = object.text();
        if text.contains(&self.me) || self.ports && !text.contains(r#""binding":{"#) {
            self.told.remove(&uid);
            return true;
        }
        let mut hash = self.keys.build_hasher();
        lasting(text).for_each(|part| hash.write(part.as_bytes()));
        let hash = hash.finish();
        self.told.insert(uid, hash) != Some(hash)
    }
}

fn uid(object: &impl Resource) -> Option<Uid> {
    object.meta().uid.as_deref().map(Uid::parse)
}

/// The text of an object without the values of passing fields.
fn lasting(text: &str) -> impl Iterator<Item = &str> {
    let mut from = 0;
    // Inside of a string a quote has a backslash before it, so this is the end of a name.
    let mut ends = text.match_indices(r#"":"#).map(|(at, _)| at);
    std::iter::from_fn(move || {
        if from > text.len() {
            return None;
        }
        let start = from;
        for end in ends.by_ref() {
            let name = text[..end].rfind('"').map_or("", |quote| &text[quote + 1..end]);
            if PASSING.contains(&name)
                && let Some(length) = scalar(&text[end + 2..])
            {
                from = end + 2 + length;
                return Some(&text[start..end]);
            }
        }
        from = text.len() + 1;
        Some(&text[start..])
    })
}

/// How long the number or the string is that a text begins with; none: it begins with neither.
fn scalar(text: &str) -> Option<usize> {
    let mut escaped = false;
    match text.as_bytes().first()? {
        b'{' | b'[' => None,
        b'"' => {
            let end = text[1..].find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            })?;
            Some(end + 2)
        }
        _ => text.find([',', '}', ']']),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::Port;

    fn port(binding: &Value, change: impl FnOnce(&mut Value)) -> Guarded<Port> {
        let mut object = json!({
            "metadata": { "name": "web", "uid": "u", "resourceVersion": "7", "generation": 2,
                "annotations": { "last": r#"{"message":"a"}"# } },
            "spec": { "networkRef": { "name": "blue" } },
            "status": { "addresses": [{ "ip": "10.0.0.5", "subnetRef": { "name": "web" } }], "binding": binding,
                "conditions": [{ "type": "Ready", "status": "True", "observedGeneration": 1, "reason": "Ready",
                    "message": "It \"works\", \\", "lastTransitionTime": "2026-01-01T00:00:00Z" }] },
        });
        change(&mut object);
        serde_json::from_value::<Box<serde_json::value::RawValue>>(object)
            .map(|text| serde_json::from_str(text.get()).unwrap())
            .unwrap()
    }

    fn told(binding: &Value, change: impl FnOnce(&mut Value)) -> bool {
        let mut sieve = Sieve::new(Kind::Port, "node-1");
        assert!(sieve.passes(&Event::Apply(port(binding, |_| {}))));
        sieve.passes(&Event::Apply(port(binding, change)))
    }

    fn seen(object: &mut Value) {
        object["metadata"]["resourceVersion"] = "8".into();
        let condition = &mut object["status"]["conditions"][0];
        condition["observedGeneration"] = 2.into();
        condition["message"] = "It \\\"works\\\": \", still".into();
    }

    #[test]
    fn that_somebody_has_seen_a_port_of_another_node_is_no_news() {
        let elsewhere = json!({ "nodeName": "node-2" });
        assert!(!told(&elsewhere, seen));
        for (binding, why) in [(json!({ "nodeName": "node-1" }), "it is plugged here"), (Value::Null, "it may be")] {
            assert!(told(&binding, seen), "{why}");
        }
    }

    #[test]
    fn what_changes_a_port_is_news_wherever_it_is() {
        let elsewhere = json!({ "nodeName": "node-2" });
        let changes: [fn(&mut Value); 7] = [
            |object| object["status"]["binding"]["nodeName"] = "node-3".into(),
            |object| object["status"]["addresses"][0]["ip"] = "10.0.0.6".into(),
            |object| object["status"]["conditions"][0]["status"] = "False".into(),
            |object| object["spec"]["securityGroupRefs"] = json!([{ "name": "a" }]),
            |object| object["spec"]["migrationNodeName"] = "node-1".into(),
            |object| object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into(),
            |object| object["metadata"]["annotations"]["last"] = r#"{"message":"b"}"#.into(),
        ];
        for (n, change) in changes.into_iter().enumerate() {
            assert!(told(&elsewhere, change), "{n}");
        }
    }

    #[test]
    fn what_a_list_says_is_news_and_so_is_what_comes_after_it() {
        let mut sieve = Sieve::new(Kind::Port, "node-1");
        let port = || port(&json!({ "nodeName": "node-2" }), |_| {});
        for before in [Event::Init, Event::Delete(port())] {
            assert!(sieve.passes(&before));
            assert!(sieve.passes(&Event::InitApply(port())));
            assert!(sieve.passes(&Event::Apply(port())), "the list may have been older than what the node knew");
            assert!(!sieve.passes(&Event::Apply(port())));
        }
    }

    #[test]
    fn of_a_text_all_is_kept_but_the_values_of_passing_fields() {
        for (text, kept) in [
            (
                r#"{"free":3,"ports":[1,{"total":"a,\"}"}],"x":"\"free\":1"}"#,
                r#"{"free,"ports":[1,{"total}],"x":"\"free\":1"}"#,
            ),
            (r#"{"message":"","reason":"}"}"#, r#"{"message,"reason}"#),
            (r#"{"a":1}"#, r#"{"a":1}"#),
            (r#"{"free":"#, r#"{"free":"#),
            (r#"{"free":"ab"#, r#"{"free":"ab"#),
            ("", ""),
        ] {
            assert_eq!(lasting(text).collect::<String>(), kept);
        }
    }
}
