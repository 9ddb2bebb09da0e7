//! What a drawing shows: networks, what hangs on them, and how it is. Where something that it leads to was not there to be
//! read, it says what statuses record.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Serialize, Serializer};

use crate::api::{Condition, ConditionType, Network, Provider, ProviderType, Reason, Reference, UNJUDGED};
use crate::model::cut::bound_to;
use crate::model::entry::PortEntry;
use crate::model::id::Key;
use crate::model::topology::{FloatingNode, NetworkNode, PortNode, RouterNode, SubnetNode, Topology};

/// All networks of a world, each kind in the order of keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Chart {
    /// Networks, those too that are only named.
    pub networks: Vec<NetworkChart>,
    /// Routers.
    pub routers: Vec<RouterChart>,
    /// Floating IPs.
    #[serde(rename = "floatingIPs")]
    pub floating_ips: Vec<FloatingChart>,
}

/// A network.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkChart {
    /// Namespace and name.
    pub name: Key,
    /// Whether it was there to be read: of one that is only named nothing else is known.
    pub known: bool,
    /// Whether routers leave to it.
    pub external: bool,
    /// Where it touches the wire: `VLAN 7 on public`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Segment of an overlay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vni: Option<u32>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Why it is not Ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// Its subnets.
    pub subnets: Vec<SubnetChart>,
    /// Its ports.
    pub ports: Vec<PortChart>,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubnetChart {
    /// Namespace and name.
    pub name: Key,
    /// The range.
    pub cidr: String,
    /// The gateway in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// How many addresses of the pools are taken, and how many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<(i64, i64)>,
    /// Why it is not Ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// A port.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PortChart {
    /// Namespace and name.
    pub name: Key,
    /// Fixed IPs.
    pub addresses: Vec<IpAddr>,
    /// The node that it is plugged on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The pod that it is plugged into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// Why it is not Ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// A router.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouterChart {
    /// Namespace and name.
    pub name: Key,
    /// Its legs, those too that are refused.
    pub legs: Vec<LegChart>,
    /// Its way to the outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalChart>,
    /// The node that translates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway_node: Option<String>,
    /// Static routes: `10.9.0.0/16 via 10.0.0.7`.
    pub routes: Vec<String>,
    /// Why it is not Ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// A leg of a router.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LegChart {
    /// The subnet.
    pub subnet: Key,
    /// Its network, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Key>,
    /// The router's address there; none: it has none yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
}

/// A router's way to the outside.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalChart {
    /// The external network.
    pub network: Key,
    /// The router's addresses there.
    pub addresses: Vec<IpAddr>,
    /// Whether guests without a floating IP are translated.
    pub snat: bool,
}

/// A floating IP.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FloatingChart {
    /// Namespace and name.
    pub name: Key,
    /// The external network.
    pub network: Key,
    /// The address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// The router that translates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub router: Option<Key>,
    /// The node that translates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Where it leads: `web-0 10.0.0.5`, or `TCP 80 to web-0 10.0.0.5:8080`. Nothing: it is reserved.
    pub to: Vec<String>,
    /// Why it is not Ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// Why an object is not Ready.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// In one word.
    pub reason: String,
    /// In a sentence that says what to do.
    pub message: String,
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Fault {
    /// Why an object with such conditions is not Ready; none: it is.
    #[must_use]
    pub fn of(conditions: Option<&Vec<Condition>>) -> Option<Self> {
        let conditions = conditions.map_or(&[][..], Vec::as_slice);
        if ConditionType::Ready.holds(conditions) {
            return None;
        }
        let causes = [ConditionType::Accepted, ConditionType::ResolvedRefs, ConditionType::Programmed];
        let said = causes.iter().filter_map(|type_| type_.find(conditions)).find(|c| c.status == "False");
        let said = said.or_else(|| ConditionType::Ready.find(conditions));
        Some(said.map_or_else(
            || Self { reason: Reason::Pending.to_string(), message: UNJUDGED.into() },
            |condition| Self { reason: condition.reason.clone(), message: condition.message.clone() },
        ))
    }
}

impl Topology {
    /// What a drawing of it shows.
    #[must_use]
    pub fn chart(&self) -> Chart {
        let mut networks: BTreeMap<Key, NetworkChart> =
            self.networks.iter().map(|node| (node.key.clone(), network(node))).collect();
        let mut at = |key: &Key, add: &mut dyn FnMut(&mut NetworkChart)| {
            add(networks.entry(key.clone()).or_insert_with(|| unknown(key)));
        };
        for node in &self.subnets {
            at(&node.key.referred(&node.object.spec.network_ref), &mut |network| network.subnets.push(subnet(node)));
        }
        for (entry, node) in self.entries.iter().zip(&self.ports) {
            at(&entry.key.referred(&entry.object.spec.network_ref), &mut |network| {
                network.ports.push(port(entry, node));
            });
        }
        let routers: Vec<_> = self.routers.iter().map(|node| self.router_chart(node)).collect();
        let floating_ips: Vec<_> = self.floating_ips.iter().map(|node| self.floating_chart(node)).collect();
        for router in &routers {
            let legs = router.legs.iter().filter_map(|leg| leg.network.as_ref());
            legs.for_each(|network| at(network, &mut |_| {}));
            if let Some(external) = &router.external {
                at(&external.network, &mut |network| network.external = true);
            }
        }
        for ip in &floating_ips {
            at(&ip.network, &mut |_| {});
        }
        Chart { networks: networks.into_values().collect(), routers, floating_ips }
    }

    fn router_chart(&self, node: &RouterNode) -> RouterChart {
        let (spec, status) = (&node.object.spec, node.object.status.as_ref());
        let legs = spec.interfaces.iter().enumerate().map(|(part, interface)| {
            let subnet = node.key.referred(&interface.subnet_ref);
            let linked = node.legs.iter().find(|leg| leg.part == part).map(|leg| leg.ip);
            let recorded = status.into_iter().flat_map(|s| &s.interfaces);
            let recorded = recorded.filter(|i| node.key.referred(&i.subnet_ref) == subnet).map(|i| i.ip).next();
            let known = self.subnets.binary_search_by(|other| other.key.cmp(&subnet)).ok().map(|i| &self.subnets[i]);
            let network = known.map(|known| known.key.referred(&known.object.spec.network_ref));
            LegChart { network, ip: linked.or(recorded), subnet }
        });
        let external = spec.external_gateway.as_ref().map(|gateway| {
            let linked = node.external.iter().flat_map(|leg| leg.addresses.iter().map(|(_, ip)| *ip));
            let recorded = status.filter(|_| node.external.is_none());
            let recorded = recorded.into_iter().flat_map(|s| s.external_addresses.iter().copied());
            ExternalChart {
                network: node.key.referred(&gateway.network_ref),
                addresses: linked.chain(recorded).collect(),
                snat: gateway.snat.unwrap_or(true),
            }
        });
        RouterChart {
            name: node.key.clone(),
            legs: legs.collect(),
            external,
            gateway_node: status.and_then(|s| s.gateway_node.clone()),
            routes: spec.routes.iter().map(|route| format!("{} via {}", route.destination, route.next_hop)).collect(),
            fault: Fault::of(status.map(|s| &s.conditions)),
        }
    }

    fn floating_chart(&self, node: &FloatingNode) -> FloatingChart {
        let (spec, status) = (&node.object.spec, node.object.status.as_ref());
        let name = |reference: &Reference| match &reference.namespace {
            Some(_) => node.key.referred(reference).to_string(),
            None => reference.name.clone(),
        };
        let whole = spec.port_ref.iter().map(|port| {
            let fixed = node.fixed.or(spec.fixed_ip);
            name(port) + &fixed.map_or(String::new(), |ip| format!(" {ip}"))
        });
        let parts = spec.port_forwardings.iter().map(|part| {
            let to = node.forwardings.get(&(part.protocol, part.port)).map(|(ip, _)| *ip).or(part.fixed_ip);
            let to = to.map_or(String::new(), |ip| format!(" {ip}"));
            format!("{:?} {} to {}{to}:{}", part.protocol, part.port, name(&part.port_ref), part.target_port)
        });
        let recorded = status.and_then(|s| s.router_ref.as_ref()).map(|router| node.key.referred(router));
        FloatingChart {
            name: node.key.clone(),
            network: node.key.referred(&spec.network_ref),
            ip: node.ip.or(status.and_then(|s| s.ip)),
            router: node.router.map(|index| self.routers[index].key.clone()).or(recorded),
            node: status.and_then(|s| s.node_name.clone()),
            to: whole.chain(parts).collect(),
            fault: Fault::of(status.map(|s| &s.conditions)),
        }
    }
}

fn network(node: &NetworkNode) -> NetworkChart {
    let Network { spec, status, .. } = &*node.object;
    let wire = |provider: &Provider| match (provider.type_, provider.vlan) {
        (ProviderType::VLAN, Some(vlan)) => format!("VLAN {vlan} on {}", provider.physical_network),
        _ => format!("flat on {}", provider.physical_network),
    };
    NetworkChart {
        name: node.key.clone(),
        known: true,
        external: spec.external.unwrap_or(false),
        provider: spec.provider.as_ref().map(wire),
        vni: node.vni.or(status.as_ref().and_then(|s| s.vni)),
        mtu: status.as_ref().and_then(|s| s.mtu),
        fault: Fault::of(status.as_ref().map(|s| &s.conditions)),
        subnets: Vec::new(),
        ports: Vec::new(),
    }
}

fn unknown(key: &Key) -> NetworkChart {
    NetworkChart {
        name: key.clone(),
        known: false,
        external: false,
        provider: None,
        vni: None,
        mtu: None,
        fault: None,
        subnets: Vec::new(),
        ports: Vec::new(),
    }
}

fn subnet(node: &SubnetNode) -> SubnetChart {
    let status = node.object.status.as_ref();
    SubnetChart {
        name: node.key.clone(),
        cidr: node.object.spec.cidr.to_string(),
        gateway: node.range.gateway.map(crate::model::ipam::address),
        used: status.and_then(|s| s.allocated.zip(s.total)),
        fault: Fault::of(status.map(|s| &s.conditions)),
    }
}

fn port(entry: &PortEntry, node: &PortNode) -> PortChart {
    let status = entry.object.status.as_ref();
    let recorded = entry.recorded.addresses.iter().filter(|_| node.addresses.is_empty()).map(|(_, ip)| *ip);
    let pod = status.and_then(|s| s.binding.as_ref()).and_then(|binding| binding.pod.as_ref());
    PortChart {
        name: entry.key.clone(),
        addresses: node.addresses.iter().map(|(_, ip)| *ip).chain(recorded).collect(),
        node: bound_to(entry).map(str::to_owned),
        pod: pod.map(|pod| pod.name.clone()),
        fault: Fault::of(status.map(|s| &s.conditions)),
    }
}

impl Chart {
    /// What concerns one namespace: its objects, and what these lead to.
    #[must_use]
    pub fn of_namespace(mut self, namespace: &str) -> Self {
        let here = |key: &Key| *key.namespace == *namespace;
        self.floating_ips.retain(|ip| here(&ip.name));
        let reached: Vec<Key> = self.floating_ips.iter().filter_map(|ip| ip.router.clone()).collect();
        self.routers.retain(|router| here(&router.name) || reached.contains(&router.name));
        for network in self.networks.iter_mut().filter(|network| !here(&network.name)) {
            network.ports.retain(|port| here(&port.name));
        }
        let (routers, ips) = (&self.routers, &self.floating_ips);
        self.networks.retain(|network| {
            let leads = |router: &RouterChart| {
                router.external.iter().any(|external| external.network == network.name)
                    || router.legs.iter().any(|leg| leg.network.as_ref() == Some(&network.name))
            };
            here(&network.name)
                || !network.ports.is_empty()
                || routers.iter().any(leads)
                || ips.iter().any(|ip| ip.network == network.name)
        });
        self
    }
}
