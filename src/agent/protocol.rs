//! What the command line and a running instance say to each other: JSON lines over the control socket.
//!
//! A client sends one [`Request`] and reads [`Answer`]s until one that is not [`Answer::Progress`].

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::api::MacAddr;
use crate::dataplane::attachment::Target;

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
    /// Let go of what is held back.
    Confirm,
}

/// What the instance answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// What is being waited for.
    Progress(String),
    /// The guest is plugged and packets pass.
    Plugged(Plugged),
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
