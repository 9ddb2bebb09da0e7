//! Our link in a node's chain, as text.
//!
//! Runtimes take the first file of a folder, by name, for the network of all pods. We write a file of our own that comes before
//! the node's, and says what that one says, with our link at the end. The node's file is never written: taking ours away is
//! all there is to undo, and no moment is without the link when another component rewrites its file. A `.conf` becomes a list
//! of one. Ours is made anew when the file that it was made of changes; what others write into ours meanwhile (Istio adds a
//! link to whatever is first) stays until then, so that nobody fights over a file.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::config::ANNOTATIONS;
use super::{NAME, VERSIONS};

/// Names that ours may have: the first that comes before the node's. Multus takes the first file whose name does not begin
/// with `00-multus` for the one that it stands before, and ours comes after that.
pub const NAMES: [&str; 2] = ["00-tenet.conflist", "0-tenet.conflist"];
/// Where our file says what it was made of. Runtimes look at no key that they do not know.
const MADE_OF: &str = "tenet.network/made-of";

/// What our link says, beside its type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// The agent's control socket, if it is not the usual one.
    pub socket: Option<String>,
    /// The agent's state directory, if it is not the usual one.
    pub state: Option<String>,
}

/// What a file of the node comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// Our file.
    File(Vec<u8>),
    /// Our file is of this one already, and has the link.
    Same,
    /// The file is none that ours is made of; why not.
    Skipped(String),
}

/// Makes our file of the node's. `ours`: what ours is now.
#[must_use]
pub fn make(file: &str, text: &[u8], ours: Option<&[u8]>, link: &Link) -> Made {
    let skip = |why: &str| Made::Skipped(format!("{file} {why}"));
    let ours = ours.and_then(|ours| serde_json::from_slice::<Map<String, Value>>(ours).ok());
    let ours = ours.filter(|ours| has(ours, |kind| kind == NAME));
    let Ok(Value::Object(node)) = serde_json::from_slice(text) else {
        // Somebody is writing it: the file that ours was made of will be whole again.
        let of_this = ours.is_some_and(|ours| ours.get(MADE_OF).is_some_and(|of| of["file"] == file));
        return if of_this { Made::Same } else { skip("is no JSON object") };
    };
    let mut list = match node.get("plugins") {
        Some(Value::Array(plugins)) if plugins.iter().all(|plugin| kind(plugin).is_some()) => node,
        None if node.get("type").is_some_and(Value::is_string) => list_of(&node),
        _ => return skip("is no network configuration"),
    };
    if has(&list, |kind| kind.starts_with("multus")) {
        return skip("is Multus': what it stands before is linked");
    }
    if has(&list, |kind| kind == NAME) {
        return skip("has the link already");
    }
    if !list.get("name").is_some_and(Value::is_string) {
        return skip("has no name");
    }
    let link = link.value();
    let sum = Uuid::new_v5(&Uuid::NAMESPACE_OID, &[text, link.to_string().as_bytes()].concat()).to_string();
    let made_of = json!({"file": file, "sum": sum});
    if ours.is_some_and(|ours| ours.get(MADE_OF) == Some(&made_of)) {
        return Made::Same;
    }
    // Results of older versions know no interfaces; the plugins that write such versions speak newer ones.
    if !list.get("cniVersion").and_then(Value::as_str).is_some_and(|version| VERSIONS.contains(&version)) {
        list.insert("cniVersion".into(), VERSIONS.first().copied().into());
    }
    if let Some(Value::Array(plugins)) = list.get_mut("plugins") {
        plugins.push(link);
    }
    list.insert(MADE_OF.into(), made_of);
    match serde_json::to_vec_pretty(&list) {
        Ok(text) => Made::File(text),
        Err(error) => skip(&error.to_string()),
    }
}

impl Link {
    fn value(&self) -> Value {
        let mut link = json!({"type": NAME, "capabilities": {ANNOTATIONS: true}});
        for (key, value) in [("socket", &self.socket), ("state", &self.state)] {
            if let (Some(value), Value::Object(link)) = (value, &mut link) {
                link.insert(key.into(), value.as_str().into());
            }
        }
        link
    }
}

/// Whether a list has a plugin of such a type.
fn has(list: &Map<String, Value>, is: fn(&str) -> bool) -> bool {
    let plugins = list.get("plugins").and_then(Value::as_array);
    plugins.into_iter().flatten().filter_map(kind).any(is)
}

fn kind(plugin: &Value) -> Option<&str> {
    plugin.get("type").and_then(Value::as_str)
}

/// A list of one plugin, of a file that is one.
fn list_of(conf: &Map<String, Value>) -> Map<String, Value> {
    let said: Vec<_> = ["cniVersion", "name"].into_iter().filter_map(|key| conf.get_key_value(key)).collect();
    let mut list: Map<String, Value> = said.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    list.insert("plugins".into(), json!([conf]));
    list
}
