//! Where a view is another because ports of other nodes have come, gone or changed.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::api::MacAddr;
use crate::model::id::{Key, Uid};
use crate::model::security::Member;

/// Places in a view that may be others than before; what is there now, the view says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Stations of overlay networks, by the network's key.
    pub stations: BTreeSet<(Key, MacAddr)>,
    /// Their addresses.
    pub neighbours: BTreeSet<(Key, IpAddr)>,
    /// Peers of routers' legs: the router's key, the leg's UID, and the address.
    pub peers: BTreeSet<(Key, Uid, IpAddr)>,
    /// Members of groups.
    pub members: BTreeSet<Member>,
}

impl Moved {
    /// Whether all is as it was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stations.is_empty() && self.neighbours.is_empty() && self.peers.is_empty() && self.members.is_empty()
    }
}
