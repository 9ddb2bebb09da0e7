//! The network configuration that a call reads from its standard input. It is believed in nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use super::VERSIONS;
use super::error::{Code, Error};
use crate::api::pod;

/// The capability by which a runtime tells the pod's annotations (containerd, CRI-O).
pub const ANNOTATIONS: &str = "io.kubernetes.cri.pod-annotations";
/// The longest configuration that is read, bytes: annotations of a pod are 256 KiB at most.
pub const LONGEST: usize = 1 << 20;

/// A network configuration.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// Version of the specification.
    #[serde(default)]
    cni_version: Option<String>,
    /// Name of the network configuration.
    #[serde(default)]
    pub name: String,
    /// What the plugin before us in the chain answered.
    #[serde(default)]
    pub prev_result: Option<Value>,
    #[serde(default, rename = "runtimeConfig")]
    runtime: Runtime,
    /// A Network that a port is made on for the pod: `[namespace/]name`. For meta plugins.
    #[serde(default)]
    pub network: Option<String>,
    /// A Port of the pod's namespace. For meta plugins.
    #[serde(default)]
    pub port: Option<String>,
    /// The agent's control socket.
    #[serde(default)]
    pub socket: Option<PathBuf>,
    /// The agent's state directory.
    #[serde(default)]
    pub state: Option<PathBuf>,
    #[serde(default, rename = "cni.dev/valid-attachments")]
    living: Option<Vec<Living>>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
struct Runtime {
    #[serde(default, rename = "io.kubernetes.cri.pod-annotations")]
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Living {
    #[serde(rename = "containerID")]
    container: String,
    #[serde(rename = "ifname")]
    interface: String,
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// It is too long, no JSON, or has a value of a wrong type.
    pub fn read(input: &[u8]) -> Result<Self, Error> {
        if input.len() > LONGEST {
            let what = format!("the network configuration is longer than {LONGEST} bytes");
            return Err(Error::new(Code::Decode, what));
        }
        // A list would be taken for the values of an object.
        if input.trim_ascii_start().first() != Some(&b'{') {
            return Err(Error::new(Code::Decode, "the network configuration is no JSON object"));
        }
        serde_json::from_slice(input)
            .map_err(|error| Error::new(Code::Decode, format!("the network configuration cannot be read: {error}")))
    }

    /// Position of the version among those that are spoken.
    ///
    /// # Errors
    /// It is none of these.
    pub fn version(&self) -> Result<usize, Error> {
        // The specification takes no version for 0.1.0, whose results know no interfaces.
        let said = self.cni_version.as_deref().unwrap_or("0.1.0");
        VERSIONS.iter().position(|version| *version == said).ok_or_else(|| {
            let said: String = said.chars().take(80).collect();
            let what = format!("cniVersion {said:?} is not spoken");
            Error::new(Code::Version, what).with(format!("write one of {} into the configuration", VERSIONS.join(", ")))
        })
    }

    /// The pod's annotations, as far as they were told.
    #[must_use]
    pub fn annotations(&self) -> Option<&BTreeMap<String, String>> {
        self.runtime.annotations.as_ref()
    }

    /// Whether a meta plugin names what the pod is to be plugged into.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.network.is_some() || self.port.is_some()
    }

    /// Whether anything of ours is asked for.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.is_direct() || self.annotations().is_some_and(pod::Attachments::asked)
    }

    /// Containers and interfaces that live, when garbage is collected.
    ///
    /// # Errors
    /// They are not told: then nothing may be taken for garbage.
    pub fn living(&self) -> Result<BTreeSet<(String, String)>, Error> {
        let missing = || Error::new(Code::Config, "cni.dev/valid-attachments is missing: nothing is collected");
        let all = self.living.as_ref().ok_or_else(missing)?;
        Ok(all.iter().map(|living| (living.container.clone(), living.interface.clone())).collect())
    }
}
