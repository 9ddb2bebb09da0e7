//! Overlay networks: a VXLAN device on the bridge (RFC 7348), for as long as the network is on other nodes too.
//!
//! Every station elsewhere is known, so nothing is learned and nothing is flooded: a frame for a MAC address that nobody
//! has goes nowhere. ARP for a station elsewhere is answered by the bridge, from a permanent neighbour; ARP never crosses.
//! That is also what keeps the MAC address of a router apart, which is the same on every node: no tunnel leads to it, so no
//! frame for it leaves, and each is routed once, where it starts.
//!
//! A frame that comes by a tunnel goes on by no other, with one exception: for a few seconds after a port has moved from this
//! node to another, what nodes that have not heard of it send here goes on there (`Relay`). No frame can go round: a node
//! leads a station to its own port before it says that the station is there, and away from it only once it has read a later
//! word than its own. So of nodes that lead to each other in a circle, the one that has read the latest word would lead to the
//! node that wrote it, and that one leads to itself. It is for unicast alone, for tunnels flood nothing; and frames for a router
//! still lead to the router's leg on this very node.
//!
//! Guests are told what fits into a tunnel. The links between a guest and its router carry more, so that a packet that is
//! too big gets as far as the router, which answers with ICMP instead of silence.

use std::net::{IpAddr, Ipv4Addr};

use crate::api::MacAddr;
use crate::dataplane::names::{self, Prefix};
use crate::dataplane::state::{BridgePort, IfName, Item, Link, LinkKind, Make, Netns, Role, Spec, State};
use crate::model::Id;
use crate::model::view::{NetworkView, NodeView, TunnelView};

/// UDP port of all tunnels. Not 4789 (RFC 7348) and not 8472: a cluster's own network may use these, and two on one port
/// would take each other's packets.
pub const PORT: u16 = 14_789;

/// MTU of the links between the guests of a network and its routers, bytes.
#[must_use]
pub fn link_mtu(network: &NetworkView, view: &NodeView) -> u32 {
    view.tunnel.as_ref().filter(|_| network.provider.is_none()).map_or(network.mtu, |t| t.mtu.max(network.mtu))
}

/// A tunnel device.
#[must_use]
pub fn device(vni: u32, tunnel: &TunnelView, mac: Option<MacAddr>, mtu: u32, owner: &Id) -> Link {
    let kind = LinkKind::Vxlan { vni, local: tunnel.address };
    Link { kind, mac, mtu, up: true, bridge: None, filter: None, alias: names::alias(owner, None) }
}

/// A station behind a tunnel.
pub fn station(netns: &Netns, device: &IfName, mac: MacAddr, node: Ipv4Addr, owner: &Id, state: &mut State) {
    state.want(Item::Remote(netns.clone(), device.clone(), mac), Spec::Remote(node), owner, None);
}

/// Renders the part of a network that is on other nodes.
pub fn render(network: &NetworkView, view: &NodeView, bridge: &IfName, id: &Id, state: &mut State) {
    let (Some(overlay), Some(tunnel)) = (&network.overlay, &view.tunnel) else { return };
    let (netns, name) = (Netns::Vswitch, Prefix::Tunnel.name(network.uid));
    let mut link = device(overlay.vni, tunnel, None, network.mtu, id);
    let role = if overlay.forwards { Role::Relay } else { Role::Tunnel };
    link.bridge = Some(BridgePort { bridge: bridge.clone(), role });
    state.want(Item::Link(netns.clone(), name.clone()), Spec::Link(link.into()), id, None);
    for (mac, node) in &overlay.stations {
        behind(&name, *mac, *node, id, state);
    }
    // What a guest announces elsewhere does not cross either: it is announced here once more.
    let moving = overlay.moving.iter().map(|(ip, mac)| (ip, mac, Some(Make::Announce(*mac))));
    for (ip, mac, make) in overlay.neighbours.iter().map(|(ip, mac)| (ip, mac, None)).chain(moving) {
        neighbour(bridge, *ip, *mac, id, make, state);
    }
}

/// A station of a network behind its tunnels.
pub fn behind(tunnel: &IfName, mac: MacAddr, node: Ipv4Addr, id: &Id, state: &mut State) {
    station(&Netns::Vswitch, tunnel, mac, node, id, state);
    state.want(Item::Fdb(Netns::Vswitch, tunnel.clone(), mac), Spec::Fdb, id, None);
}

/// Whom the bridge answers ARP for.
pub fn neighbour(bridge: &IfName, ip: IpAddr, mac: MacAddr, id: &Id, make: Option<Make>, state: &mut State) {
    state.want(Item::Neighbour(Netns::Vswitch, bridge.clone(), ip), Spec::Neighbour(mac), id, make);
}
