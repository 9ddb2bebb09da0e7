//! Where allowed address pairs are that are active.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{bound_to, node::Cut};
use crate::api::{AddressPair, MacAddr};
use crate::model::active::Claim;
use crate::model::id::Key;
use crate::model::topology::{Index, Topology};
use crate::model::view::{NetworkView, NodeView};

impl Cut<'_> {
    /// Adds to the networks of a view which addresses and MAC addresses are at which port, here and elsewhere.
    pub fn active(&self, view: &mut NodeView) {
        for claim in &self.pairs.addresses {
            let Some((network, key)) = self.place(view, claim) else { continue };
            if let Some(port) = network.ports.get_mut(key) {
                port.active.insert(claim.ip, claim.mac);
            } else if let Some(overlay) = &mut network.overlay {
                overlay.moving.insert(claim.ip, claim.mac);
            }
        }
        for claim in &self.pairs.stations {
            let tunnel = bound_to(&self.topology.entries[claim.port]).and_then(|node| self.topology.tunnels.get(node));
            let Some((network, key)) = self.place(view, claim) else { continue };
            if let Some(port) = network.ports.get_mut(key) {
                port.stations.insert(claim.mac);
            } else if let (Some(overlay), Some(tunnel)) = (&mut network.overlay, tunnel) {
                overlay.stations.insert(claim.mac, tunnel.address);
            }
        }
    }

    /// Active pairs of a subnet that have a MAC address of their own, with that of their port, where it may send so.
    pub fn askers(&self, subnet: Index) -> BTreeSet<(IpAddr, MacAddr)> {
        let Topology { entries, ports, .. } = self.topology;
        let asks = |claim: &Claim| {
            let own = ports[claim.port].mac.filter(|own| *own != claim.mac)?;
            let mut pairs = entries[claim.port].object.spec.allowed_address_pairs.iter();
            let allows =
                |pair: &AddressPair| pair.ip.0.contains(&claim.ip) && pair.mac_address.is_none_or(|mac| mac == own);
            pairs.any(allows).then_some((claim.ip, own))
        };
        self.pairs.addresses.iter().filter(|claim| claim.subnet == subnet).filter_map(asks).collect()
    }

    /// The network and the port of a pair.
    fn place<'v>(&self, view: &'v mut NodeView, claim: &Claim) -> Option<(&'v mut NetworkView, &Key)> {
        let network = view.networks.get_mut(&self.topology.networks[claim.network].key)?;
        Some((network, &self.topology.entries[claim.port].key))
    }
}
