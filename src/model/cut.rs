//! Cuts the part that one node realises out of the topology.

mod elsewhere;
mod node;
mod pairs;
mod router;
mod security;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::api::MacAddr;
use crate::model::entry::PortEntry;
use crate::model::id::Uid;
use crate::model::ipam::{Holder, address};
use crate::model::security::SecurityView;
use crate::model::topology::{Index, PortNode, Standing, Topology};
use crate::model::view::{GatewayHolder, NetworkView, Node, NodeView, PortView, ProviderView, RouterView, SubnetView};

use node::Cut;

impl Topology {
    /// The part of the topology that a node realises.
    #[must_use]
    pub fn view<'a>(&self, node: impl Into<Node<'a>>) -> NodeView {
        let cut = Cut::new(self, node.into());
        let routers: Vec<(Index, RouterView)> = cut.routers().into_iter().map(|r| (r, cut.router(r))).collect();
        let mut view = NodeView { physical_networks: cut.physical(), tunnel: cut.tunnel(), ..NodeView::default() };
        let mut subnets: BTreeMap<Index, Arc<SubnetView>> = BTreeMap::new();
        for index in cut.networks(&routers) {
            let network = self.network(index, &mut subnets);
            view.networks.insert(self.networks[index].key.clone(), network);
        }
        for (entry, port) in &cut.here {
            let network = port.network.and_then(|n| view.networks.get_mut(&self.networks[n].key));
            if let (Some(network), Some(mac)) = (network, port.mac) {
                let security = self.security(entry, port, mac).map(Arc::new);
                let is_bound = bound_to(entry) == Some(cut.node.name);
                let ports = if is_bound { &mut network.ports } else { &mut network.prepared };
                ports.insert(entry.key.clone(), port_view(entry, port, mac, security, &subnets));
            }
        }
        cut.overlays(&mut view);
        cut.active(&mut view);
        cut.groups(&mut view);
        view.routers = routers.into_iter().map(|(r, router)| (self.routers[r].key.clone(), router)).collect();
        view
    }

    /// Ports in force that are plugged, on whichever node.
    fn plugged(&self) -> impl Iterator<Item = (&PortEntry, &PortNode)> {
        let bound = self.bound.iter().map(|index| (&self.entries[*index], &self.ports[*index]));
        bound.filter(|(_, port)| port.standing == Standing::InForce)
    }

    fn network(&self, index: Index, subnets: &mut BTreeMap<Index, Arc<SubnetView>>) -> NetworkView {
        let node = &self.networks[index];
        let in_force = node.subnets.iter().filter(|s| self.subnets[**s].standing == Standing::InForce);
        let views = in_force.map(|s| {
            let view = subnets.entry(*s).or_insert_with(|| Arc::new(self.subnet(*s)));
            (self.subnets[*s].key.clone(), view.clone())
        });
        let provider = node.object.spec.provider.as_ref().zip(node.physical).map(|(provider, physical)| ProviderView {
            physical_network: self.physical_networks[physical].key.clone(),
            vlan: provider.vlan,
        });
        let (ports, prepared, overlay) = Default::default();
        NetworkView { uid: node.uid, mtu: node.mtu, provider, subnets: views.collect(), ports, prepared, overlay }
    }

    fn subnet(&self, index: Index) -> SubnetView {
        let node = &self.subnets[index];
        let spec = &node.object.spec;
        let gateway_holder = match node.range.gateway.and_then(|gateway| node.ledger.holder(gateway)) {
            Some(Holder::Interface(r)) if self.routers[r].legs.iter().any(|l| l.subnet == index) => {
                GatewayHolder::Router
            }
            Some(Holder::Port(p)) if self.ports[p].standing == Standing::InForce => GatewayHolder::Port,
            _ => GatewayHolder::Nobody,
        };
        SubnetView {
            uid: uid(node.object.metadata.uid.as_ref()),
            cidr: spec.cidr,
            gateway: node.range.gateway.map(address),
            gateway_holder,
            dhcp: spec.dhcp.unwrap_or(true),
            dns_nameservers: spec.dns_nameservers.clone(),
            dns_domain: spec.dns_domain.clone(),
            host_routes: spec.host_routes.iter().map(|r| (r.destination, r.next_hop)).collect(),
        }
    }
}

fn port_view(
    entry: &PortEntry,
    port: &PortNode,
    mac: MacAddr,
    security: Option<Arc<SecurityView>>,
    subnets: &BTreeMap<Index, Arc<SubnetView>>,
) -> PortView {
    let with_subnet = |(subnet, ip): &(Index, IpAddr)| Some((*ip, subnets.get(subnet)?.clone()));
    let spec = &entry.object.spec;
    PortView {
        uid: uid(entry.object.metadata.uid.as_ref()),
        mac,
        addresses: port.addresses.iter().filter_map(with_subnet).collect(),
        hostname: spec.hostname.clone(),
        dhcp_options: spec.dhcp_options.clone(),
        security,
        active: BTreeMap::new(),
        stations: BTreeSet::new(),
    }
}

/// The node that a port is bound to.
pub(super) fn bound_to(port: &PortEntry) -> Option<&str> {
    port.object.status.as_ref()?.binding.as_ref().map(|b| b.node_name.as_str())
}

/// The node that a port is prepared on.
pub(super) fn prepared_on(port: &PortEntry) -> Option<&str> {
    port.object.status.as_ref()?.migration.as_ref().map(|b| b.node_name.as_str())
}

fn uid(text: Option<&String>) -> Uid {
    Uid::parse(text.map_or("", String::as_str))
}
