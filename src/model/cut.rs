//! Cuts the part that one node realises out of the topology.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::api::{AttachmentMode, MacAddr};
use crate::model::entry::PortEntry;
use crate::model::id::{Key, Uid};
use crate::model::ipam::{Holder, address, number};
use crate::model::topology::{ExternalLeg, Index, Leg, PortNode, RouterNode, Standing, Topology};
use crate::model::view::{
    ExternalView, FloatingView, ForwardingView, GatewayHolder, InterfaceView, NetworkView, NodeView, PhysicalView,
    PortView, ProviderView, RouterView, SubnetView,
};

impl Topology {
    /// The part of the topology that `node` realises.
    #[must_use]
    pub fn view(&self, node: &str) -> NodeView {
        let ports = self.entries.iter().zip(&self.ports);
        let here: Vec<(&PortEntry, &PortNode)> = ports
            .filter(|(entry, port)| entry.bound && port.standing == Standing::InForce && bound_to(entry) == Some(node))
            .collect();
        let routers = self.routers_in_use(&here);
        let legs = routers.iter().flat_map(|r| &self.routers[*r].legs).filter_map(|l| self.subnets[l.subnet].network);
        let outside = routers.iter().filter_map(|r| self.routers[*r].external.as_ref()).map(|e| e.network);
        let networks: BTreeSet<Index> =
            here.iter().filter_map(|(_, port)| port.network).chain(legs).chain(outside).collect();
        let mut view = NodeView { physical_networks: self.physical(), ..NodeView::default() };
        let mut subnets: BTreeMap<Index, Arc<SubnetView>> = BTreeMap::new();
        for index in networks {
            let network = self.network(index, &mut subnets);
            view.networks.insert(self.networks[index].key.clone(), network);
        }
        for (entry, port) in here {
            let network = port.network.and_then(|n| view.networks.get_mut(&self.networks[n].key));
            if let (Some(network), Some(mac)) = (network, port.mac) {
                network.ports.insert(entry.key.clone(), port_view(entry, port, mac, &subnets));
            }
        }
        let mut floating: BTreeMap<Index, Vec<Index>> = BTreeMap::new();
        for (index, router) in self.floating_ips.iter().enumerate().filter_map(|(i, f)| Some((i, f.router?))) {
            floating.entry(router).or_default().push(index);
        }
        for index in routers {
            let router = self.router(index, floating.get(&index).map_or(&[], Vec::as_slice));
            view.routers.insert(self.routers[index].key.clone(), router);
        }
        view
    }

    /// Routers with an external gateway or a port here behind them, and those that they hand packets on to.
    fn routers_in_use(&self, here: &[(&PortEntry, &PortNode)]) -> BTreeSet<Index> {
        let near: BTreeSet<Index> =
            here.iter().flat_map(|(_, p)| p.addresses.iter().map(|(subnet, _)| *subnet)).collect();
        let used = |r: &RouterNode| r.external.is_some() || r.legs.iter().any(|l| near.contains(&l.subnet));
        let mut queue: Vec<Index> = (0..self.routers.len()).filter(|i| used(&self.routers[*i])).collect();
        let mut found = BTreeSet::new();
        while let Some(index) = queue.pop() {
            if !found.insert(index) {
                continue;
            }
            let router = &self.routers[index];
            let holders = router.routes.values().flatten().filter_map(|ip| {
                let leg = router.legs.iter().find(|l| self.subnets[l.subnet].range.cidr.contains(ip))?;
                self.subnets[leg.subnet].ledger.holder(number(*ip))
            });
            queue.extend(holders.filter_map(|h| match h {
                Holder::Interface(next) if !self.routers[next].legs.is_empty() => Some(next),
                _ => None,
            }));
        }
        found
    }

    /// The first attachment holds: which nodes a selector means is not known here.
    fn physical(&self) -> BTreeMap<Key, PhysicalView> {
        let in_force = self.physical_networks.iter().filter(|p| p.standing == Standing::InForce);
        let view = in_force.filter_map(|node| {
            let attachment = node.object.spec.attachments.first()?;
            let view = PhysicalView {
                uid: uid(node.object.metadata.uid.as_ref()),
                interface: attachment.interface.clone(),
                mode: attachment.mode.unwrap_or(AttachmentMode::Dedicated),
                mtu: node.object.spec.mtu.unwrap_or(1500),
            };
            Some((node.key.clone(), view))
        });
        view.collect()
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
        NetworkView { uid: node.uid, mtu: node.mtu, provider, subnets: views.collect(), ports: BTreeMap::new() }
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

    fn router(&self, index: Index, floating: &[Index]) -> RouterView {
        let node = &self.routers[index];
        let interfaces = node.legs.iter().filter_map(|leg| self.interface(index, leg)).collect();
        let external = node.external.as_ref().map(|leg| self.external(node, leg, floating));
        RouterView { uid: node.uid, interfaces, external, routes: node.routes.clone() }
    }

    fn interface(&self, router: Index, leg: &Leg) -> Option<InterfaceView> {
        let subnet = &self.subnets[leg.subnet];
        let network = &self.networks[subnet.network?];
        let peers = subnet.ledger.iter().filter_map(|(number, holder)| {
            let mac = self.station(router, leg.subnet, holder)?;
            Some((address(number), mac))
        });
        Some(InterfaceView {
            uid: leg.uid,
            mac: leg.mac,
            network: network.key.clone(),
            ip: leg.ip,
            cidr: subnet.range.cidr,
            mtu: network.mtu,
            provider: network.physical.is_some(),
            peers: peers.collect(),
        })
    }

    /// The MAC address behind an address of a subnet, as a router sees it; none: nobody answers, or it is the router itself.
    fn station(&self, router: Index, subnet: Index, holder: Holder) -> Option<MacAddr> {
        let outside = |r: Index| self.routers[r].external.as_ref().map(|e| e.mac);
        match holder {
            Holder::Port(p) => {
                let port = &self.ports[p];
                port.mac.filter(|_| self.entries[p].bound && port.standing == Standing::InForce)
            }
            Holder::Interface(r) | Holder::External(r) if r == router => None,
            Holder::Interface(r) => self.routers[r].legs.iter().find(|l| l.subnet == subnet).map(|l| l.mac),
            Holder::External(r) => outside(r),
            Holder::Leaving => None,
            Holder::FloatingIP(f) => self.floating_ips[f].router.and_then(outside),
        }
    }

    fn external(&self, router: &RouterNode, leg: &ExternalLeg, floating: &[Index]) -> ExternalView {
        let network = &self.networks[leg.network];
        let prefix = |(subnet, ip): &(Index, IpAddr)| {
            IpNet::new(*ip, self.subnets[*subnet].range.cidr.prefix_len()).unwrap_or((*ip).into())
        };
        let gateway = leg.addresses.first().and_then(|(subnet, _)| self.subnets[*subnet].range.gateway);
        let snat = router.object.spec.external_gateway.as_ref().and_then(|g| g.snat).unwrap_or(true);
        let in_force = network.subnets.iter().filter(|s| self.subnets[**s].standing == Standing::InForce);
        let mut view = ExternalView {
            uid: leg.uid,
            mac: leg.mac,
            network: network.key.clone(),
            mtu: network.mtu,
            addresses: leg.addresses.iter().map(prefix).collect(),
            cidrs: in_force.map(|s| self.subnets[*s].range.cidr).collect(),
            gateway: gateway.map(address),
            snat,
            floating: BTreeMap::new(),
            forwarding: BTreeMap::new(),
        };
        for node in floating.iter().map(|f| &self.floating_ips[*f]) {
            let (Some(ip), key) = (node.ip, node.key.clone()) else { continue };
            if let Some(fixed) = node.fixed {
                view.floating.insert(ip, FloatingView { key, fixed });
            } else {
                view.forwarding.insert(ip, ForwardingView { key, ports: node.forwardings.clone() });
            }
        }
        view
    }
}

fn port_view(entry: &PortEntry, port: &PortNode, mac: MacAddr, subnets: &BTreeMap<Index, Arc<SubnetView>>) -> PortView {
    let with_subnet = |(subnet, ip): &(Index, IpAddr)| Some((*ip, subnets.get(subnet)?.clone()));
    let spec = &entry.object.spec;
    PortView {
        uid: uid(entry.object.metadata.uid.as_ref()),
        mac,
        addresses: port.addresses.iter().filter_map(with_subnet).collect(),
        hostname: spec.hostname.clone(),
        dhcp_options: spec.dhcp_options.clone(),
    }
}

/// The node that a port is bound to.
fn bound_to(port: &PortEntry) -> Option<&str> {
    port.object.status.as_ref()?.binding.as_ref().map(|b| b.node_name.as_str())
}

fn uid(text: Option<&String>) -> Uid {
    Uid::parse(text.map_or("", String::as_str))
}
