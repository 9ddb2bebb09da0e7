//! What a pod asks for: its annotations, and how the Ports made for it are called.
//!
//! ```yaml
//! tenet.network/networks: "blue, infra/red@eth2"   # a new Port on each of these networks
//! tenet.network/ports: "web-0"                     # Ports of the pod's namespace that outlive it
//! tenet.network/default-route: "blue"              # the entry that the pod's default route leads through
//! ```
//! Entries count in this order, networks first; the interface is `net1`, `net2`, … by that count, unless `@name` gives another.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

/// Networks that the pod gets a new Port on, separated by commas: `[namespace/]name[@interface]`.
pub const NETWORKS: &str = "tenet.network/networks";
/// Ports of the pod's namespace that it plugs, separated by commas: `name[@interface]`.
pub const PORTS: &str = "tenet.network/ports";
/// The entry that the default route leads through, written as it is there, or as `@interface`.
pub const DEFAULT_ROUTE: &str = "tenet.network/default-route";

/// On a Port that was made for a pod: the interface that it is there.
pub const INTERFACE: &str = "tenet.network/interface";
/// What came of it, written by Tenet on the pod in the format of Multus.
pub const NETWORK_STATUS: &str = "k8s.v1.cni.cncf.io/network-status";

/// How many interfaces a pod may ask for.
pub const MOST: usize = 16;

/// The longest name of an object (RFC 1123 subdomain), characters.
const LONGEST: usize = 253;

/// What a pod asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attachments {
    /// One interface each, at most [`MOST`], in the order in which they are made.
    pub entries: Vec<Entry>,
    /// Position of the entry that the default route leads through; none: it stays with the pod's first interface.
    pub default_route: Option<usize>,
}

/// One interface of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is plugged into.
    pub what: What,
    /// Its name in the pod: 1 to 15 characters that the kernel takes, not `lo` or `eth0`, and no other entry's.
    pub interface: String,
}

/// What an interface is plugged into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A new Port on a Network, that goes with the pod.
    Network {
        /// Namespace of the Network.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A Port of the pod's own namespace, that outlives the pod.
    Port {
        /// Its name.
        name: String,
    },
}

/// Why annotations cannot be followed: a sentence that quotes what is wrong and says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

impl Entry {
    /// Name of the Port, in the pod's namespace, that the interface is.
    #[must_use]
    pub fn port(&self, pod: &str) -> String {
        match &self.what {
            What::Network { .. } => port_name(pod, &self.interface),
            What::Port { name } => name.clone(),
        }
    }
}

impl Attachments {
    /// Reads the annotations of a pod of this namespace. Without annotations of ours there are no entries.
    ///
    /// # Errors
    /// The first entry that cannot be, and what to do.
    pub fn of(annotations: &BTreeMap<String, String>, pod_namespace: &str) -> Result<Self, Refusal> {
        let list = |annotation| words(annotation, annotations.get(annotation).map_or("", String::as_str));
        let (networks, ports) = (list(NETWORKS)?, list(PORTS)?);
        let count = networks.len() + ports.len();
        if count > MOST {
            return Err(Refusal(format!(
                "{NETWORKS} and {PORTS} have {count} entries, and a pod takes {MOST}: remove some"
            )));
        }
        let networks = networks.into_iter().map(|word| (NETWORKS, word));
        let ports = ports.into_iter().map(|word| (PORTS, word));
        let mut entries: Vec<Entry> = Vec::with_capacity(count);
        for (position, (annotation, word)) in networks.chain(ports).enumerate() {
            let entry = entry(annotation, word, pod_namespace, position)?;
            if let Some(other) = entries.iter().find(|other| other.interface == entry.interface) {
                return Err(Refusal(format!(
                    "{annotation}: {} and another entry are both to be interface {}: give each a name of its own by @name",
                    quote(word),
                    other.interface
                )));
            }
            entries.push(entry);
        }
        let mut ports = BTreeSet::new();
        for entry in &entries {
            if let What::Port { name } = &entry.what
                && !ports.insert(name)
            {
                let name = quote(name);
                return Err(Refusal(format!("{PORTS} names {name} twice, and a Port is one interface: remove one")));
            }
        }
        let route = annotations.get(DEFAULT_ROUTE).map(|word| word.trim()).filter(|word| !word.is_empty());
        let default_route = route.map(|word| chosen(&entries, word, pod_namespace)).transpose()?;
        Ok(Self { entries, default_route })
    }

    /// Whether a pod has any annotation of ours.
    #[must_use]
    pub fn asked(annotations: &BTreeMap<String, String>) -> bool {
        [NETWORKS, PORTS, DEFAULT_ROUTE].iter().any(|annotation| annotations.contains_key(*annotation))
    }
}

/// The entries of a list as they are written.
fn words<'a>(annotation: &str, list: &'a str) -> Result<Vec<&'a str>, Refusal> {
    if list.trim().is_empty() {
        return Ok(Vec::new());
    }
    let words: Vec<&str> = list.split(',').map(str::trim).collect();
    if words.contains(&"") {
        let list = quote(list);
        return Err(Refusal(format!("{annotation}: {list} has an empty entry: remove the comma beside it")));
    }
    Ok(words)
}

fn entry(annotation: &str, word: &str, pod_namespace: &str, position: usize) -> Result<Entry, Refusal> {
    let (reference, interface) = match word.split_once('@') {
        Some((reference, interface)) => (reference.trim(), interface.trim().to_owned()),
        None => (word, format!("net{}", position + 1)),
    };
    interface_name(&interface).map_err(|why| Refusal(format!("{annotation}: {}: {why}", quote(word))))?;
    let what = what(annotation, reference, pod_namespace)
        .map_err(|why| Refusal(format!("{annotation}: {}: {why}", quote(word))))?;
    Ok(Entry { what, interface })
}

fn what(annotation: &str, reference: &str, pod_namespace: &str) -> Result<What, &'static str> {
    let (namespace, name) = reference.split_once('/').map_or((None, reference), |(space, name)| (Some(space), name));
    if !is_name(name) {
        return Err("write the name of an object: lower case letters, digits, '-' and '.'");
    }
    match namespace {
        Some(_) if annotation == PORTS => {
            Err("a pod plugs Ports of its own namespace: write the name without a namespace")
        }
        Some(namespace) if !is_label(namespace) || namespace.len() > 63 => {
            Err("write the name of a namespace before the '/': lower case letters, digits and '-', at most 63")
        }
        None if annotation == PORTS => Ok(What::Port { name: name.into() }),
        namespace => Ok(What::Network { namespace: namespace.unwrap_or(pod_namespace).into(), name: name.into() }),
    }
}

/// The entry that a word of the default route means.
fn chosen(entries: &[Entry], word: &str, pod_namespace: &str) -> Result<usize, Refusal> {
    let (reference, interface) = word.split_once('@').map_or((word, None), |(name, at)| (name.trim(), Some(at.trim())));
    let means = |entry: &Entry| {
        let named = match &entry.what {
            _ if reference.is_empty() => true,
            What::Network { namespace, name } => match reference.split_once('/') {
                Some((space, network)) => space == namespace && network == name,
                None => reference == name && namespace == pod_namespace,
            },
            What::Port { name } => reference == name,
        };
        named && interface.is_none_or(|interface| interface == entry.interface)
    };
    let mut those = entries.iter().enumerate().filter(|(_, entry)| means(entry)).map(|(position, _)| position);
    match (those.next(), those.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Refusal(format!(
            "{DEFAULT_ROUTE}: {} is no entry of {NETWORKS} or {PORTS}: write one of these",
            quote(word)
        ))),
        (Some(_), Some(_)) => Err(Refusal(format!(
            "{DEFAULT_ROUTE}: {} means several entries: write @ and the name of the interface",
            quote(word)
        ))),
    }
}

/// Judges the name of an interface in a pod: the kernel takes it (`dev_valid_name`), and it is free.
///
/// # Errors
/// What to do.
pub fn interface_name(name: &str) -> Result<(), &'static str> {
    // The kernel numbers names that have a %.
    let taken = |b: u8| b.is_ascii_graphic() && !matches!(b, b'/' | b':' | b'%' | b'@' | b',');
    match name {
        "lo" | "eth0" => Err("lo and eth0 are the pod's own: choose another name for the interface"),
        "" | "." | ".." => Err("write a name for the interface after the '@', such as net1"),
        _ if name.len() > 15 || !name.bytes().all(taken) => {
            Err("the name of an interface has at most 15 characters and no blank, '/', ':', '%' or '@'")
        }
        _ => Ok(()),
    }
}

/// Name of the Port that is made for an interface of a pod: `<pod>-<interface>`. Where that is too long, no name, or could be
/// another's (`web-0` and `net1`, `web` and `0-net1`), a hash of both keeps it apart: it is longer than any interface's name.
#[must_use]
pub fn port_name(pod: &str, interface: &str) -> String {
    let plain = !interface.is_empty() && interface.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let name = format!("{pod}-{interface}");
    if plain && interface.len() <= 15 && is_name(pod) && name.len() <= LONGEST {
        return name;
    }
    let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{pod}/{interface}").as_bytes()).simple().to_string();
    let (hash, _) = hash.split_at(16);
    let letters = |text: &str| -> String {
        let dashed = text.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' });
        dashed.take(LONGEST - 2 * 16).collect()
    };
    let shown = format!("{}-{}", letters(pod), letters(interface).get(..15).unwrap_or(&letters(interface)));
    let shown = shown.trim_matches('-');
    let shown = shown.get(..LONGEST - hash.len() - 1).unwrap_or(shown).trim_end_matches('-');
    if shown.is_empty() { format!("pod-{hash}") } else { format!("{shown}-{hash}") }
}

/// Whether an object can have the name (RFC 1123 subdomain).
fn is_name(name: &str) -> bool {
    name.len() <= LONGEST && name.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let edge = |b: Option<u8>| b.is_some_and(|b| b != b'-');
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    label.bytes().all(inner) && edge(label.bytes().next()) && edge(label.bytes().last())
}

/// A word as it was written, or its beginning.
fn quote(word: &str) -> String {
    let shown: String = word.chars().take(80).collect();
    let more = if shown.len() < word.len() { "…" } else { "" };
    format!("`{}{more}`", shown.escape_debug())
}

#[cfg(test)]
mod tests;
