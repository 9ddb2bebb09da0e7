//! What the responder of one node knows.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::lease::server_of;
use crate::api::MacAddr;
use crate::dataplane::bridge;
use crate::dataplane::names::{self, Prefix};
use crate::dataplane::state::{IfName, Netns};
use crate::model::dhcp_option::encode_option;
use crate::model::view::{GatewayHolder, NetworkView, NodeView, PortView, SubnetView};
use crate::model::{Key, Uid};

/// Everything that the responder of one node knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// By the name of the network's bridge.
    pub(super) networks: BTreeMap<IfName, Network>,
    /// Gateway addresses that a router here holds, and the bridge of the network that each is the gateway of.
    pub(super) routed: BTreeMap<(Netns, Ipv4Addr), IfName>,
}

/// A network that has a bridge here.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Network {
    /// MAC address of the bridge: where answers come from.
    pub mac: MacAddr,
    /// MTU that guests are told, bytes.
    pub mtu: u32,
    /// Server identifiers of its subnets.
    pub servers: BTreeSet<Ipv4Addr>,
    /// Those that nobody else answers ARP for.
    pub held: BTreeSet<Ipv4Addr>,
    /// Ports of this node, by MAC address.
    pub ports: BTreeMap<MacAddr, Port>,
}

/// A port of this node.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Port {
    pub key: Key,
    pub hostname: Option<String>,
    /// Its own options, by code.
    pub options: BTreeMap<u8, Vec<u8>>,
    /// Its fixed IPs of version 4, first the one it is offered.
    pub addresses: Vec<(Ipv4Addr, Arc<SubnetView>)>,
}

/// Builds the table of the networks that have a bridge here, as `bridged` tells by the bridge's name.
pub fn table(view: &NodeView, bridged: impl Fn(&IfName) -> bool) -> Table {
    let bridge_of = |uid: Uid| Some(Prefix::Bridge.name(uid)).filter(&bridged);
    let networks: BTreeMap<IfName, Network> =
        view.networks.values().filter_map(|view| Some((bridge_of(view.uid)?, network(view)))).collect();
    let mut routed = BTreeMap::new();
    for router in view.routers.values() {
        for interface in &router.interfaces {
            let Some(bridge) = view.networks.get(&interface.network).and_then(|n| bridge_of(n.uid)) else { continue };
            let IpAddr::V4(ip) = interface.ip else { continue };
            if networks.get(&bridge).is_some_and(|network| network.servers.contains(&ip)) {
                routed.insert((names::router(router.uid), ip), bridge);
            }
        }
    }
    Table { networks, routed }
}

impl Table {
    /// Addresses that ARP is answered for, on any bridge.
    #[must_use]
    pub fn held(&self) -> BTreeSet<Ipv4Addr> {
        self.networks.values().flat_map(|network| &network.held).copied().collect()
    }

    /// Addresses of a router that renewals may come to.
    pub fn routed<'a>(&'a self, router: &Netns) -> impl Iterator<Item = Ipv4Addr> + use<'a> {
        let ends = (router.clone(), Ipv4Addr::UNSPECIFIED)..=(router.clone(), Ipv4Addr::BROADCAST);
        self.routed.range(ends).map(|((_, ip), _)| *ip)
    }
}

fn network(view: &NetworkView) -> Network {
    let served = || view.subnets.values().filter(|subnet| subnet.dhcp && subnet.cidr.addr().is_ipv4());
    // On a wire the address is most likely that of a device that we know nothing of: it answers for itself.
    let held = |subnet: &SubnetView| {
        view.provider.is_none() && (subnet.gateway_holder == GatewayHolder::Nobody || subnet.gateway.is_none())
    };
    Network {
        mac: bridge::mac(view),
        mtu: view.mtu,
        servers: served().map(|subnet| server_of(subnet)).collect(),
        held: served().filter(|subnet| held(subnet)).map(|subnet| server_of(subnet)).collect(),
        ports: view.ports.iter().map(|(key, view)| (view.mac, port(key, view))).collect(),
    }
}

fn port(key: &Key, view: &PortView) -> Port {
    let address = |(ip, subnet): &(IpAddr, Arc<SubnetView>)| match ip {
        IpAddr::V4(ip) => Some((*ip, subnet.clone())),
        IpAddr::V6(_) => None,
    };
    Port {
        key: key.clone(),
        hostname: view.hostname.clone(),
        options: view.dhcp_options.iter().filter_map(|o| Some((o.code, encode_option(o).ok()?))).collect(),
        addresses: view.addresses.iter().filter_map(address).collect(),
    }
}
