//! What others depend on.

use std::collections::BTreeSet;

use crate::model::group::is_default;
use crate::model::id::{Id, Kind};
use crate::model::ipam::Holder;
use crate::model::topology::{Standing, Topology};

impl Topology {
    /// Objects that others depend on: they must not vanish before those do.
    #[must_use]
    pub fn used(&self) -> BTreeSet<Id> {
        let mut networks = vec![false; self.networks.len()];
        let subnets = self.subnets.iter().map(|s| s.network);
        let ports = self.ports.iter().filter(|p| p.standing != Standing::Released).map(|p| p.network);
        let outside = self.routers.iter().filter_map(|r| r.external.as_ref()).map(|e| Some(e.network));
        let floating = self.floating_ips.iter().filter(|f| f.standing != Standing::Released).map(|f| f.network);
        for network in subnets.chain(ports).chain(outside).chain(floating).flatten() {
            networks[network] = true;
        }
        let mut physical = vec![false; self.physical_networks.len()];
        for index in self.networks.iter().filter_map(|n| n.physical) {
            physical[index] = true;
        }
        let mut routers = vec![false; self.routers.len()];
        for index in self.floating_ips.iter().filter_map(|f| f.router) {
            routers[index] = true;
        }
        let held = |s: &&crate::model::topology::SubnetNode| s.ledger.iter().any(|(_, h)| h != Holder::Leaving);
        let of = |kind, key: &crate::model::Key| Id::new(kind, key.clone());
        let mut used: BTreeSet<Id> = self.subnets.iter().filter(held).map(|s| of(Kind::Subnet, &s.key)).collect();
        let marked = |marks: &[bool], index: usize| marks.get(index) == Some(&true);
        let nodes = self.networks.iter().enumerate();
        used.extend(nodes.filter(|(i, _)| marked(&networks, *i)).map(|(_, n)| of(Kind::Network, &n.key)));
        let nodes = self.physical_networks.iter().enumerate();
        used.extend(nodes.filter(|(i, _)| marked(&physical, *i)).map(|(_, p)| of(Kind::PhysicalNetwork, &p.key)));
        let nodes = self.routers.iter().enumerate();
        used.extend(nodes.filter(|(i, _)| marked(&routers, *i)).map(|(_, r)| of(Kind::Router, &r.key)));
        let groups = self.security_groups.iter().filter(|g| g.ports > 0 && !is_default(&g.key));
        used.extend(groups.map(|g| of(Kind::SecurityGroup, &g.key)));
        used
    }
}
