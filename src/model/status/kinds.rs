//! The status of each kind: its own fields beside the conditions.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use super::Judge;
use super::conditions::Progress;
use super::each::beside;
use crate::api::{
    Agent, FloatingIPStatus, GatewayIP, NetworkStatus, PhysicalNetworkStatus, Reason, Reference, RouterStatus,
    SecurityGroupStatus, StatusInterface, SubnetStatus,
};
use crate::model::id::{Key, Kind};
use crate::model::ipam::address;
use crate::model::link::Role;
use crate::model::report::Remark;
use crate::model::topology::{Leg, RouterNode, Standing, SubnetNode};

/// Why a physical network that no node is attached to carries nothing.
static NOBODY: LazyLock<Remark> = LazyLock::new(|| Remark {
    reason: Reason::NoAttachment,
    message: "No node is attached: no node has such an interface, or no nodeSelector fits.".into(),
});

impl Judge<'_> {
    pub(super) fn physical_networks(&self) -> BTreeMap<Key, PhysicalNetworkStatus> {
        self.each(
            Kind::PhysicalNetwork,
            beside(&self.snapshot.physical_networks, &self.topology.physical_networks),
            |physical, recorded, known| {
                if self.topology.role == Role::Controller {
                    let nodes = self.attached(&physical.key);
                    known.progress = match (nodes.is_empty(), known.progress) {
                        (true, Progress::Done) => Progress::Fault(&NOBODY),
                        // A node without such an interface is no fault where others have it.
                        (false, Progress::Fault(why)) if why.reason == Reason::NoAttachment => Progress::Remarked(why),
                        (_, progress) => progress,
                    };
                    return (nodes != recorded.nodes).then(|| PhysicalNetworkStatus { nodes, ..Default::default() });
                }
                let node = self.node()?;
                let attached = matches!(known.progress, Progress::Done | Progress::Remarked(_));
                if recorded.nodes.iter().any(|n| n == node) == attached {
                    return None;
                }
                let others = recorded.nodes.iter().filter(|n| *n != node).cloned();
                let mut nodes: Vec<String> = others.chain(attached.then(|| node.to_owned())).collect();
                nodes.sort_unstable();
                Some(PhysicalNetworkStatus { nodes, ..Default::default() })
            },
        )
    }

    /// Nodes that say they are attached.
    fn attached(&self, physical: &Key) -> Vec<String> {
        let says = |agent: &Agent| {
            agent.status.as_ref().is_some_and(|s| s.physical_networks.iter().any(|p| **p == *physical.name))
        };
        let agents = self.snapshot.agents.iter().filter(|(_, agent)| says(agent));
        agents.map(|(key, _)| key.name.to_string()).collect()
    }

    pub(super) fn networks(&self) -> BTreeMap<Key, NetworkStatus> {
        self.each(Kind::Network, beside(&self.snapshot.networks, &self.topology.networks), |node, recorded, _| {
            let mtu = in_force(node.standing).then_some(node.mtu);
            let vni = node.vni.filter(|_| mtu.is_some());
            (recorded.mtu != mtu || recorded.vni != vni).then(|| NetworkStatus { vni, mtu, ..Default::default() })
        })
    }

    pub(super) fn subnets(&self) -> BTreeMap<Key, SubnetStatus> {
        self.each(Kind::Subnet, beside(&self.snapshot.subnets, &self.topology.subnets), |node, recorded, _| {
            let counts = if in_force(node.standing) { Counts::of(node) } else { Counts::default() };
            (Counts::recorded(recorded) != counts).then(|| counts.status())
        })
    }

    pub(super) fn routers(&self) -> BTreeMap<Key, RouterStatus> {
        self.each(Kind::Router, beside(&self.snapshot.routers, &self.topology.routers), |node, recorded, known| {
            if self.is_others(node.gateway_node.as_deref()) {
                known.progress = known.progress.unheard();
            }
            let chosen = self.chosen(node.gateway_node.as_deref(), recorded.gateway_node.as_deref());
            // On a host of its own every router is at home; only one to the outside says where.
            let gateway_node = chosen.filter(|_| node.external.is_some() || self.topology.role != Role::Host);
            let same = recorded.gateway_node.as_deref() == gateway_node
                && recorded.next_gateway_node.as_deref() == node.next_node.as_deref()
                && recorded.former_gateway_node.as_deref() == node.former_node.as_deref()
                && recorded.vni == node.vni;
            if same && self.same_router(node, recorded) {
                return None;
            }
            let interface = |leg: &Leg| StatusInterface {
                subnet_ref: refer(&node.key, &self.topology.subnets[leg.subnet].key),
                ip: leg.ip,
                mac_address: leg.mac,
            };
            Some(RouterStatus {
                interfaces: node.legs.iter().map(interface).collect(),
                external_addresses: external_addresses(node).collect(),
                gateway_node: gateway_node.map(str::to_owned),
                next_gateway_node: node.next_node.as_deref().map(str::to_owned),
                former_gateway_node: node.former_node.as_deref().map(str::to_owned),
                // The node's own word.
                prepared_node: recorded.prepared_node.clone(),
                vni: node.vni,
                conditions: Vec::new(),
            })
        })
    }

    fn same_router(&self, node: &RouterNode, recorded: &RouterStatus) -> bool {
        recorded.interfaces.len() == node.legs.len()
            && recorded.interfaces.iter().zip(&node.legs).all(|(was, leg)| {
                was.ip == leg.ip
                    && was.mac_address == leg.mac
                    && is(&was.subnet_ref, &node.key, &self.topology.subnets[leg.subnet].key)
            })
            && external_addresses(node).eq(recorded.external_addresses.iter().copied())
    }

    pub(super) fn floating_ips(&self) -> BTreeMap<Key, FloatingIPStatus> {
        self.each(
            Kind::FloatingIP,
            beside(&self.snapshot.floating_ips, &self.topology.floating_ips),
            |node, recorded, known| {
                let router = node.router.map(|r| &self.topology.routers[r].key);
                let node_name = router.and(self.chosen(node.node.as_deref(), recorded.node_name.as_deref()));
                let reserved = node.object.spec.port_ref.is_none() && node.object.spec.port_forwardings.is_empty();
                if in_force(node.standing) && router.is_none() && !reserved {
                    known.progress = Progress::Nothing;
                } else if self.is_others(node.node.as_deref()) {
                    known.progress = known.progress.unheard();
                }
                let ip = if in_force(node.standing) { node.ip } else { recorded.ip };
                let same_router = match (&recorded.router_ref, router) {
                    (Some(was), Some(router)) => is(was, &node.key, router),
                    (was, router) => was.is_none() && router.is_none(),
                };
                let same = same_router && recorded.ip == ip && recorded.node_name.as_deref() == node_name;
                (!same).then(|| FloatingIPStatus {
                    ip,
                    router_ref: router.map(|router| refer(&node.key, router)),
                    node_name: node_name.map(str::to_owned),
                    conditions: Vec::new(),
                })
            },
        )
    }
}

impl Judge<'_> {
    pub(super) fn security_groups(&self) -> BTreeMap<Key, SecurityGroupStatus> {
        let nodes = beside(&self.snapshot.security_groups, &self.topology.security_groups);
        self.each(Kind::SecurityGroup, nodes, |node, recorded, _| {
            let count = |number: usize| in_force(node.standing).then(|| i64::try_from(number).unwrap_or(i64::MAX));
            let (rules, ports) = (count(node.entry.rules.len() + node.named.len()), count(node.ports));
            let same = recorded.rules == rules && recorded.ports == ports;
            (!same).then(|| SecurityGroupStatus { rules, ports, ..Default::default() })
        })
    }
}

pub fn in_force(standing: Standing) -> bool {
    standing == Standing::InForce
}

/// A reference names the namespace only where it is another one.
pub fn refer(from: &Key, to: &Key) -> Reference {
    let namespace = (from.namespace != to.namespace).then(|| to.namespace.to_string());
    Reference { name: to.name.to_string(), namespace }
}

fn is(reference: &Reference, from: &Key, to: &Key) -> bool {
    let other = (from.namespace != to.namespace).then_some(&*to.namespace);
    *reference.name == *to.name && reference.namespace.as_deref() == other
}

fn external_addresses(node: &RouterNode) -> impl Iterator<Item = IpAddr> {
    node.external.iter().flat_map(|e| e.addresses.iter().map(|(_, ip)| *ip))
}

/// What a subnet's status says of its addresses.
#[derive(Clone, Copy, Default, PartialEq)]
struct Counts {
    gateway: Option<GatewayIP>,
    total: Option<i64>,
    allocated: Option<i64>,
    free: Option<i64>,
}

impl Counts {
    /// A pool may have more addresses than `i64` counts (IPv6): it says the most it can.
    fn of(node: &SubnetNode) -> Self {
        let total = i64::try_from(node.range.total()).unwrap_or(i64::MAX);
        let allocated = i64::try_from(node.ledger.from_pools()).unwrap_or(i64::MAX);
        let gateway = node.range.gateway.map_or(GatewayIP::None, |n| GatewayIP::Address(address(n)));
        Self { gateway: Some(gateway), total: Some(total), allocated: Some(allocated), free: Some(total - allocated) }
    }

    fn recorded(status: &SubnetStatus) -> Self {
        Self { gateway: status.gateway_ip, total: status.total, allocated: status.allocated, free: status.free }
    }

    fn status(self) -> SubnetStatus {
        let Self { gateway: gateway_ip, total, allocated, free } = self;
        SubnetStatus { gateway_ip, total, allocated, free, conditions: Vec::new() }
    }
}
