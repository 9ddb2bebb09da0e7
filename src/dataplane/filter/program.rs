//! The filters on a port: which they are, and for whom they judge.

use std::sync::Arc;

use crate::api::MacAddr;
use crate::model::security::Number;

/// Which filters this program carries: a name made of what was compiled, so that two versions never go by one.
pub const PROGRAM: &str = concat!("tenet-", env!("TENET_FILTER"));

/// The filters on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Which, and with which tables: [`Filtering::program`].
    pub program: Arc<str>,
    /// What they judge for; none: they pass nothing.
    pub wire: Option<Wire>,
}

/// What is behind a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    /// The port.
    pub port: Number,
    /// Its network.
    pub network: Number,
    /// Its MAC address.
    pub mac: MacAddr,
    /// How it is handed packets of other ports of the network on this node; none: the bridge brings them.
    pub handed: Option<Handed>,
}

/// How a port is handed packets without passing the bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handed {
    /// Straight into the other end of a veth pair.
    Peer,
    /// Out of the interface: what a tap takes.
    Device,
}

/// How a node filters: what its operator chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filtering {
    /// Whether ports are handed packets of others on this node without passing the bridge.
    pub fast_path: bool,
    /// Most established flows that are remembered, of all ports together; of more the longest unused are forgotten. An eighth as many
    /// that nobody answered yet are remembered beside them.
    pub flows: u32,
}

impl Filtering {
    /// Room for flows where nobody says otherwise.
    pub const FLOWS: u32 = 131_072;
}

impl Filtering {
    /// What the filters of a node are known by: what was compiled, and the tables that it goes by.
    #[must_use]
    pub fn program(&self) -> Arc<str> {
        format!("{PROGRAM}-{}", self.flows).into()
    }

    /// Most established flows of one port: none can make those of others be forgotten.
    #[must_use]
    pub fn share(&self) -> u32 {
        (self.flows / 16).max(512)
    }
}

impl Default for Filtering {
    fn default() -> Self {
        Self { fast_path: true, flows: Self::FLOWS }
    }
}
