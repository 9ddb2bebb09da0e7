//! What one node realises of the topology: every reference resolved, every default filled in.
//!
//! Only what is accepted and resolved is here, so whatever stands in a view may be rendered as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ipnet::IpNet;

use crate::api::{ActivePair, AttachmentMode, DhcpOption, MacAddr, Protocol};
use crate::model::id::{Key, Uid};
use crate::model::security::{GroupView, Member, Number, SecurityView};

/// The part of the topology that one node realises.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeView {
    /// Networks in use here: with a port bound to this node, or with a leg of one of `routers`.
    pub networks: BTreeMap<Key, NetworkView>,
    /// Routers in use here: with a bound port behind them, or with an external gateway.
    pub routers: BTreeMap<Key, RouterView>,
    /// All accepted physical networks that this node attaches to; an attachment has been chosen for it.
    pub physical_networks: BTreeMap<Key, PhysicalView>,
    /// How this node reaches the others; none on a host of its own.
    pub tunnel: Option<TunnelView>,
    /// Groups of ports bound to this node, those that are implied too.
    pub security_groups: BTreeMap<Number, GroupView>,
    /// Groups that rules of these name, each with a domain in which ports here would meet its members.
    pub remotes: BTreeSet<(Number, Number)>,
    /// Members of them, on whatever node.
    pub members: BTreeSet<Member>,
    /// UIDs of networks beyond `networks` whose ports may be members: routers join them with networks of ports here.
    pub member_networks: BTreeSet<Uid>,
}

/// The node that a view is cut for.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its labels, which attachments choose by; none: selectors are not looked at.
    pub labels: Option<&'a BTreeMap<String, String>>,
    /// Routers that it is the gateway node of and has not wholly taken over from another yet.
    pub takeovers: &'a Takeovers,
    /// Whether others may have taken over what it does for the outside: it answers for no address there.
    pub cut_off: bool,
    /// Active pairs of its ports that are not recorded yet.
    pub fresh: &'a Active,
    /// Ports that it had until a moment ago, which another node has by now: it forwards what others still send here.
    pub departed: &'a BTreeSet<Key>,
}

/// Active pairs of ports, instead of those that are recorded.
pub type Active = BTreeMap<Key, Vec<ActivePair>>;

/// Routers that a node takes over or has just let go of, and how far it is.
pub type Takeovers = BTreeMap<Key, Takeover>;

/// How far a gateway node is with taking over from the former one, and a former one with letting go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// The former node may still have the addresses.
    Waits,
    /// It has let go of them: they come here, and once they are here all else does.
    Takes,
    /// The other has all: nothing is translated here any more, but for packets that are on their way already.
    Leaves,
}

/// Nothing to take over.
static NOTHING: Takeovers = Takeovers::new();
/// All is recorded.
static RECORDED: Active = Active::new();
/// Nothing has left.
static NOBODY: BTreeSet<Key> = BTreeSet::new();

impl<'a> From<&'a str> for Node<'a> {
    fn from(name: &'a str) -> Self {
        Self { name, labels: None, takeovers: &NOTHING, cut_off: false, fresh: &RECORDED, departed: &NOBODY }
    }
}

impl<'a> From<&'a String> for Node<'a> {
    fn from(name: &'a String) -> Self {
        name.as_str().into()
    }
}

/// How a node reaches the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelView {
    /// The node's `Agent`.
    pub agent: Key,
    /// Where this node's tunnels begin.
    pub address: Ipv4Addr,
    /// MTU of the way to other nodes, bytes.
    pub mtu: u32,
    /// Where the tunnels of all other nodes begin: nobody else is heard.
    pub others: BTreeSet<Ipv4Addr>,
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
    /// Ports that are prepared here and plugged elsewhere: wired, and closed.
    pub prepared: BTreeMap<Key, PortView>,
    /// Its part on other nodes; none where it has none, or has a provider.
    pub overlay: Option<OverlayView>,
}

/// The part of an overlay network that is on other nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OverlayView {
    /// VXLAN network identifier (RFC 7348), 1 to 16777215.
    pub vni: u32,
    /// Stations elsewhere: where the tunnels of their nodes begin.
    pub stations: BTreeMap<MacAddr, Ipv4Addr>,
    /// Their addresses.
    pub neighbours: BTreeMap<IpAddr, MacAddr>,
    /// Allowed address pairs that are active there. Guests here may know the address at another station, which was it before.
    pub moving: BTreeMap<IpAddr, MacAddr>,
    /// Whether a station was here until a moment ago, so that frames for it that come by a tunnel go on by another.
    pub forwards: bool,
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
    /// What it may send and receive; none: everything, it has no port security.
    pub security: Option<Arc<SecurityView>>,
    /// Allowed address pairs that are active here, and in force.
    pub active: BTreeMap<IpAddr, MacAddr>,
    /// MAC addresses beside its own that are here with them.
    pub stations: BTreeSet<MacAddr>,
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
    /// The way between the router's nodes; none where it has none.
    pub transit: Option<TransitView>,
}

/// The segment between the nodes of a router that leaves to the outside, or to a network with a provider. Only what goes
/// to the gateway node crosses it: what comes back goes straight into the segment of its destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransitView {
    /// UID, derived from the router.
    pub uid: Uid,
    /// VXLAN network identifier.
    pub vni: u32,
    /// MAC address of this node's end.
    pub mac: MacAddr,
    /// The gateway node's end; none: it is here.
    pub gateway: Option<FarEnd>,
    /// What is reached through the gateway node.
    pub routes: BTreeSet<IpNet>,
}

/// An end of a transit segment on another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FarEnd {
    /// MAC address.
    pub mac: MacAddr,
    /// Where the node's tunnels begin.
    pub node: Ipv4Addr,
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
    /// Whether the leg is on the gateway node, and this is another: a learning switch would see one MAC address in many
    /// places, so a network with a provider has a leg only there.
    pub distant: bool,
    /// Every known address of the subnet but the router's own: ports bound on whatever node, other routers' interfaces.
    pub peers: BTreeMap<IpAddr, MacAddr>,
    /// Further senders of ARP that are heard: a guest with an address that has a MAC address of its own asks from its port's, too.
    pub askers: BTreeSet<(IpAddr, MacAddr)>,
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
    /// This node's part in the router's translations.
    pub part: Part,
    /// Whether this is the gateway node and no other was until a moment ago: no packet goes on to that one any more.
    pub settled: bool,
    /// The router's own addresses; none where it has no part but floating IPs of ports that are here. On a host of its own with
    /// the prefix length of their subnet; in a cluster single, so that their coming and going touches no route.
    pub addresses: Vec<IpNet>,
    /// Whether none of the addresses is to be answered for: others may have taken over.
    pub mute: bool,
    /// The address that guests without a floating IP appear as, on whatever node.
    pub shared: IpAddr,
    /// Ranges of all accepted subnets of the external network.
    pub cidrs: Vec<IpNet>,
    /// The gateway of the first address's subnet: the way to everywhere.
    pub gateway: Option<IpAddr>,
    /// Static routes to the outside, where all packets from inside leave or are to leave.
    pub routes: BTreeMap<IpNet, Vec<IpAddr>>,
    /// Whether guests without a floating IP are translated, to `shared`.
    pub snat: bool,
    /// Floating IPs translated here that lead to a fixed IP: external address to fixed address.
    pub floating: BTreeMap<IpAddr, FloatingView>,
    /// Floating IPs translated here with port forwardings: external address to what leads where. They are where the router's
    /// own addresses are.
    pub forwarding: BTreeMap<IpAddr, ForwardingView>,
}

/// A node's part in what a router translates. While a router moves, two nodes translate, and one of them alone has its
/// addresses: nobody else answers ARP for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Floating IPs of ports that are here, nothing else.
    Floating,
    /// It is to become the gateway node: what comes from inside goes on to the node that is it still, untouched.
    Next,
    /// The same, but the addresses are here already: what comes from outside is translated.
    Takes,
    /// The gateway node.
    Gateway,
    /// It was the gateway node: it translates what still comes, and has no address.
    Former,
}

impl Part {
    /// Whether the router's addresses are here.
    #[must_use]
    pub fn has_addresses(self) -> bool {
        matches!(self, Self::Takes | Self::Gateway)
    }
}

/// A floating IP that leads to one fixed IP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FloatingView {
    /// The `FloatingIP`.
    pub key: Key,
    /// The fixed IP, behind one of the router's interfaces.
    pub fixed: IpAddr,
    /// Whether its port is on this node, so that it stays here whatever the router's gateway node; else it is where the router's
    /// own addresses are.
    pub home: bool,
    /// Of one that is home, whether the address is here. It is not while its port moves: who has it until then goes on.
    pub answers: bool,
}

/// A floating IP with port forwardings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardingView {
    /// The `FloatingIP`.
    pub key: Key,
    /// Protocol and port to fixed IP and port.
    pub ports: BTreeMap<(Protocol, u16), (IpAddr, u16)>,
}
