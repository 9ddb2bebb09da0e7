//! What one node realises of the topology: every reference resolved, every default filled in.
//!
//! Only what is accepted and resolved is here, so whatever stands in a view may be rendered as it is.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::api::{AttachmentMode, DhcpOption, MacAddr, Protocol};
use crate::model::id::{Key, Uid};

/// The part of the topology that one node realises.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeView {
    /// Networks in use here: with a port bound to this node, or with a leg of one of `routers`.
    pub networks: BTreeMap<Key, NetworkView>,
    /// Routers in use here: with a bound port behind them, or with an external gateway.
    pub routers: BTreeMap<Key, RouterView>,
    /// All accepted physical networks; an attachment has been chosen for this node.
    pub physical_networks: BTreeMap<Key, PhysicalView>,
}

/// A physical network as this node attaches to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhysicalView {
    /// UID.
    pub uid: Uid,
    /// Name of a bridge or interface of the host.
    pub interface: String,
    /// How an interface is used (a bridge is joined whatever this says).
    pub mode: AttachmentMode,
    /// MTU of the wire, bytes.
    pub mtu: u32,
    /// The physical network that has the interface on this node already, and therefore keeps it.
    pub taken_by: Option<Key>,
}

/// A network on this node.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkView {
    /// UID.
    pub uid: Uid,
    /// MTU that guests are told, bytes.
    pub mtu: u32,
    /// Where it touches the wire; none for an overlay.
    pub provider: Option<ProviderView>,
    /// Its accepted subnets, by key.
    pub subnets: BTreeMap<Key, Arc<SubnetView>>,
    /// Ports bound to this node.
    pub ports: BTreeMap<Key, PortView>,
}

/// Where a network touches the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderView {
    /// The physical network, a key of [`NodeView::physical_networks`].
    pub physical_network: Key,
    /// VLAN id; none for a flat network.
    pub vlan: Option<u16>,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq)]
pub struct SubnetView {
    /// UID.
    pub uid: Uid,
    /// The range.
    pub cidr: IpNet,
    /// The gateway in force.
    pub gateway: Option<IpAddr>,
    /// Who holds the gateway address.
    pub gateway_holder: GatewayHolder,
    /// Whether DHCP is answered.
    pub dhcp: bool,
    /// DNS servers, in order.
    pub dns_nameservers: Vec<IpAddr>,
    /// Domain name.
    pub dns_domain: Option<String>,
    /// Routes for guests: destination and next hop.
    pub host_routes: Vec<(IpNet, IpAddr)>,
}

/// Who answers for a subnet's gateway address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayHolder {
    /// Nobody: the agent answers ARP for it, so that unicast DHCP renewals reach it.
    Nobody,
    /// An interface of a router of ours.
    Router,
    /// A port: some guest is the gateway.
    Port,
}

/// A port bound to this node.
#[derive(Clone, Debug, PartialEq)]
pub struct PortView {
    /// UID.
    pub uid: Uid,
    /// MAC address.
    pub mac: MacAddr,
    /// Fixed IPs, in the order of the port's status, each with its subnet.
    pub addresses: Vec<(IpAddr, Arc<SubnetView>)>,
    /// DHCP option 12.
    pub hostname: Option<String>,
    /// The port's own DHCP options; valid.
    pub dhcp_options: Vec<DhcpOption>,
}

/// A router on this node.
#[derive(Clone, Debug, PartialEq)]
pub struct RouterView {
    /// UID.
    pub uid: Uid,
    /// Legs into tenant networks.
    pub interfaces: Vec<InterfaceView>,
    /// The leg to the outside.
    pub external: Option<ExternalView>,
    /// Static routes: destination to next hops, all inside subnets of `interfaces` or `external`.
    pub routes: BTreeMap<IpNet, Vec<IpAddr>>,
}

/// A router's leg into a tenant network. Two interfaces of one router on one network are two legs.
#[derive(Clone, Debug, PartialEq)]
pub struct InterfaceView {
    /// UID of the leg, derived from router and subnet.
    pub uid: Uid,
    /// MAC address of the leg.
    pub mac: MacAddr,
    /// The network, a key of [`NodeView::networks`].
    pub network: Key,
    /// The router's address.
    pub ip: IpAddr,
    /// The subnet.
    pub cidr: IpNet,
    /// MTU of the network, bytes.
    pub mtu: u32,
    /// Whether the network has a provider: stations that are no ports of ours may be on it.
    pub provider: bool,
    /// Every known address of the subnet but the router's own: bound ports and other routers' interfaces.
    pub peers: BTreeMap<IpAddr, MacAddr>,
}

/// A router's leg to the outside.
#[derive(Clone, Debug, PartialEq)]
pub struct ExternalView {
    /// UID of the leg, derived from the router.
    pub uid: Uid,
    /// MAC address of the leg.
    pub mac: MacAddr,
    /// The external network, a key of [`NodeView::networks`].
    pub network: Key,
    /// MTU of the external network, bytes.
    pub mtu: u32,
    /// The router's own addresses, with the prefix length of their subnet; never empty.
    pub addresses: Vec<IpNet>,
    /// Ranges of all accepted subnets of the external network.
    pub cidrs: Vec<IpNet>,
    /// The gateway of the first address's subnet: the way to everywhere.
    pub gateway: Option<IpAddr>,
    /// Whether guests without a floating IP are translated to the first of `addresses`.
    pub snat: bool,
    /// Floating IPs that lead to a fixed IP: external address to fixed address.
    pub floating: BTreeMap<IpAddr, FloatingView>,
    /// Floating IPs with port forwardings: external address to what leads where.
    pub forwarding: BTreeMap<IpAddr, ForwardingView>,
}

/// A floating IP that leads to one fixed IP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FloatingView {
    /// The `FloatingIP`.
    pub key: Key,
    /// The fixed IP, behind one of the router's interfaces.
    pub fixed: IpAddr,
}

/// A floating IP with port forwardings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardingView {
    /// The `FloatingIP`.
    pub key: Key,
    /// Protocol and port to fixed IP and port.
    pub ports: BTreeMap<(Protocol, u16), (IpAddr, u16)>,
}
