//! What the command line and a running instance say to each other: JSON lines over the control socket.
//!
//! A client sends one [`Request`] and reads [`Answer`]s until one that is not [`Answer::Progress`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::api::MacAddr;
use crate::dataplane::attachment::{Sandbox, Target};

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Request {
    /// Plug a guest into a port; waits for the port.
    Plug {
        /// The port's namespace.
        namespace: String,
        /// The port's name.
        name: String,
        /// The guest.
        target: Target,
        /// How long to wait, milliseconds.
        timeout_ms: u64,
        /// Whether to take the port over from another guest.
        force: bool,
    },
    /// Prepare a port for a guest that is about to come from another node; waits until all is ready.
    Prepare {
        /// The port's namespace.
        namespace: String,
        /// The port's name.
        name: String,
        /// The guest.
        target: Target,
        /// How long to wait, milliseconds.
        timeout_ms: u64,
    },
    /// Plug what was prepared; waits until the other node has let go.
    Switch {
        /// The port's namespace.
        namespace: String,
        /// The port's name.
        name: String,
        /// How long to wait, milliseconds.
        timeout_ms: u64,
    },
    /// Take away what is plugged into a port.
    Unplug {
        /// The port's namespace.
        namespace: String,
        /// The port's name.
        name: String,
    },
    /// Plug a pod into ports: into all of them or none. Waits for them.
    PlugPod {
        /// The ports, in the order of the answer.
        ports: Vec<PodPort>,
        /// How long to wait, milliseconds.
        timeout_ms: u64,
    },
    /// Take away what was plugged for a pod by one call. Nothing is fine.
    UnplugPod {
        /// `CNI_CONTAINERID`.
        container: String,
        /// `CNI_IFNAME`.
        interface: String,
    },
    /// See whether what was plugged for a pod by one call is still as it was made.
    CheckPod {
        /// `CNI_CONTAINERID`.
        container: String,
        /// `CNI_IFNAME`.
        interface: String,
    },
    /// Take away what was plugged for pods by one network configuration, but for those that live.
    KeepPods {
        /// Name of the network configuration.
        network: String,
        /// `CNI_CONTAINERID` and `CNI_IFNAME` of those that live.
        living: BTreeSet<(String, String)>,
    },
    /// Say that you live.
    Hello,
    /// Let go of what is held back.
    Confirm,
}

/// A port that a pod is to be plugged into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodPort {
    /// The port's namespace.
    pub namespace: String,
    /// The port's name.
    pub name: String,
    /// UID of the pod that the port was made for: one made for an older pod of that name is waited out. None: a port of the
    /// user's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The pod's namespace and the name of the interface there.
    pub target: Target,
    /// The pod.
    pub pod: Sandbox,
}

/// What the instance answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// What is being waited for.
    Progress(String),
    /// The guest is plugged and packets pass.
    Plugged(Plugged),
    /// The pod is plugged and packets pass; in the order of the request.
    Pod(Vec<Plugged>),
    /// It is done; a line for each thing that was done, for people.
    Done(Vec<String>),
    /// It was not done; a sentence.
    Failed(String),
}

/// What a guest has to know of its port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plugged {
    /// The port's namespace.
    pub namespace: String,
    /// The port's name.
    pub name: String,
    /// The interface on the guest's side.
    pub device: String,
    /// Its MAC address.
    pub mac_address: MacAddr,
    /// Its MTU, bytes.
    pub mtu: u32,
    /// The port's fixed IPs.
    pub addresses: Vec<Address>,
    /// Of a pod: its routes through this interface beside those to its own subnets, by destination.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub routes: BTreeMap<IpNet, IpAddr>,
}

/// A fixed IP, with what is needed to set it by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// Prefix length of its subnet.
    pub prefix_length: u8,
    /// The subnet's gateway.
    #[serde(default, rename = "gatewayIP", skip_serializing_if = "Option::is_none")]
    pub gateway_ip: Option<IpAddr>,
}
