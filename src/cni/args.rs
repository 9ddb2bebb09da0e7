//! What a call says in its environment.

use super::error::{Code, Error};

/// The variables as they were found; absent ones are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// `CNI_COMMAND`.
    pub command: String,
    /// `CNI_CONTAINERID`.
    pub container: String,
    /// `CNI_NETNS`.
    pub netns: String,
    /// `CNI_IFNAME`.
    pub interface: String,
    /// `CNI_ARGS`.
    pub args: String,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's words")]
pub enum Command {
    Add,
    Del,
    Check,
    Status,
    Gc,
    Version,
}

/// An attachment: a container and the interface that the call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// `CNI_CONTAINERID`: begins with a letter or digit, then these and `_.-`.
    pub container: String,
    /// `CNI_IFNAME`: a name that the kernel takes.
    pub interface: String,
}

/// A pod as Kubernetes calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID; old runtimes do not tell.
    pub uid: Option<String>,
}

impl Variables {
    /// What is to be done.
    ///
    /// # Errors
    /// The word is none of the specification's.
    pub fn command(&self) -> Result<Command, Error> {
        Ok(match self.command.as_str() {
            "ADD" => Command::Add,
            "DEL" => Command::Del,
            "CHECK" => Command::Check,
            "STATUS" => Command::Status,
            "GC" => Command::Gc,
            "VERSION" => Command::Version,
            other => {
                let what = format!("CNI_COMMAND is {}: ADD, DEL, CHECK, STATUS, GC or VERSION is meant", quote(other));
                return Err(Error::new(Code::Environment, what));
            }
        })
    }

    /// The attachment that the call is about.
    ///
    /// # Errors
    /// A variable is missing or cannot be meant.
    pub fn about(&self) -> Result<About, Error> {
        let wrong = |name, value| Err(Error::new(Code::Environment, format!("{name} is {}", quote(value))));
        let (container, interface) = (self.container.clone(), self.interface.clone());
        let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        let first = |b: u8| b.is_ascii_alphanumeric();
        if container.len() > 256 || !container.bytes().all(inner) || !container.bytes().next().is_some_and(first) {
            return wrong("CNI_CONTAINERID", &container);
        }
        let taken = |b: u8| b.is_ascii_graphic() && b != b'/' && b != b':';
        if matches!(interface.as_str(), "" | "." | "..") || interface.len() > 15 || !interface.bytes().all(taken) {
            return wrong("CNI_IFNAME", &interface);
        }
        Ok(About { container, interface })
    }

    /// The pod's network namespace, as the agent finds it too: `/var/run` is a link to `/run` on nodes, and need not be one
    /// where the agent is.
    ///
    /// # Errors
    /// It is no absolute path.
    pub fn netns(&self) -> Result<String, Error> {
        if !self.netns.starts_with('/') || self.netns.len() > 4096 || self.netns.contains('\0') {
            return Err(Error::new(Code::Environment, format!("CNI_NETNS is {}: a path is meant", quote(&self.netns))));
        }
        Ok(match self.netns.strip_prefix("/var/run/") {
            Some(rest) => format!("/run/{rest}"),
            None => self.netns.clone(),
        })
    }

    /// The pod, as Kubernetes calls it.
    ///
    /// # Errors
    /// `CNI_ARGS` does not tell.
    pub fn pod(&self) -> Result<Pod, Error> {
        let value = |name: &str| {
            let pairs = self.args.split(';').filter_map(|pair| pair.split_once('='));
            pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).next_back()
        };
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.');
        let name = |key: &str| {
            let found = value(key).filter(|v| !v.is_empty() && v.len() <= 253 && v.bytes().all(fits));
            found.ok_or_else(|| {
                let what = format!("CNI_ARGS has no {key} that is the name of an object: {}", quote(&self.args));
                Error::new(Code::Environment, what).with("tenet plugs pods of Kubernetes")
            })
        };
        let uid = value("K8S_POD_UID").filter(|uid| !uid.is_empty() && uid.len() <= 63);
        Ok(Pod { namespace: name("K8S_POD_NAMESPACE")?, name: name("K8S_POD_NAME")?, uid })
    }
}

/// A word as it was found, or its beginning.
fn quote(word: &str) -> String {
    let shown: String = word.chars().take(80).collect();
    format!("`{}{}`", shown.escape_debug(), if shown.len() < word.len() { "…" } else { "" })
}
