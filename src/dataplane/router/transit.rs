//! The way between a router's nodes, and the way of floating IPs to the outside.
//!
//! A transit segment is a VXLAN device in the router itself, without a bridge and without addresses: all that crosses it
//! goes to one next hop, the gateway node's end, whose MAC address and place are known. When the gateway moves, one
//! neighbour changes.
//!
//! Where packets are translated they leave at once, whatever the way of the others: what carries the mark looks into a table
//! of its own. The rules are the same for one floating IP and for a thousand. On a gateway node all that leaves carries it:
//! so a node becomes the gateway node, or is it no more, in the instant in which its rules change, and no packet is translated
//! on its way to another node, or leaves untranslated, while the routes change.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use super::{Leg, everywhere};
use ipnet::Ipv4Net;

use crate::dataplane::names::{self, Prefix};
use crate::dataplane::overlay;
use crate::dataplane::router_rules::MARK;
use crate::dataplane::state::{Hop, Item, Netns, Packets, Route, Rule, Spec, State, Table};
use crate::model::Id;
use crate::model::view::{ExternalView, NodeView, RouterView};

/// The next hop on every transit segment: an address that nobody has (RFC 3927).
const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 100, 1));
/// What VXLAN over IPv4 adds to a packet, bytes (RFC 7348): 14 inner Ethernet, 8 VXLAN, 8 UDP, 20 IP.
const HEADERS: u32 = 50;

/// Rules of a router with floating IPs, by priority. Packets of their own (ICMP errors) carry no mark: they go straight to
/// tenants, and else where floating IPs go.
const RULES: [(u32, Rule); 3] = [
    (100, Rule { packets: Packets::Marked(MARK), table: Table::Outside, specific: false }),
    (101, Rule { packets: Packets::Own, table: Table::Main, specific: true }),
    (102, Rule { packets: Packets::Own, table: Table::Outside, specific: false }),
];

/// Renders this node's end of a transit segment, and what is reached through it.
pub(super) fn render(router: &RouterView, view: &NodeView, netns: &Netns, id: &Id, state: &mut State) {
    let (Some(transit), Some(tunnel)) = (&router.transit, &view.tunnel) else { return };
    let name = Prefix::Transit.name(transit.uid);
    let mtu = tunnel.mtu.saturating_sub(HEADERS);
    let link = overlay::device(transit.vni, tunnel, Some(transit.mac), mtu, id);
    state.want(Item::Link(netns.clone(), name.clone()), Spec::Link(link.into()), id, None);
    let Some(far) = &transit.gateway else { return };
    overlay::station(netns, &name, far.mac, far.node, id, state);
    state.want(Item::Neighbour(netns.clone(), name.clone(), GATEWAY), Spec::Neighbour(far.mac), id, None);
    for to in &transit.routes {
        let hops = BTreeSet::from([Hop { via: Some(GATEWAY), device: name.clone(), on_link: true }]);
        let item = Item::Route(netns.clone(), Table::Main, *to);
        state.want(item, Spec::Route(Route { hops, mtu: None }), id, None);
    }
}

/// The table of what leaves, and who looks into it.
pub(super) fn outside(external: &ExternalView, leg: &Leg, state: &mut State) {
    let mut route = |to, via: &[Option<IpAddr>]| {
        let hop = |via: &Option<IpAddr>| Hop { via: *via, device: leg.name(), on_link: via.is_some() };
        let item = Item::Route(leg.netns.clone(), Table::Outside, to);
        let route = Route { hops: via.iter().map(hop).collect(), mtu: None };
        state.want(item, Spec::Route(route), leg.owner, None);
    };
    for cidr in external.cidrs.iter().filter(|cidr| cidr.addr().is_ipv4()) {
        route(*cidr, &[None]);
    }
    if let Some(gateway) = external.gateway.filter(IpAddr::is_ipv4) {
        route(everywhere(gateway), &[Some(gateway)]);
    }
    for (to, hops) in external.routes.iter().filter(|(to, _)| to.addr().is_ipv4()) {
        route(*to, &hops.iter().copied().map(Some).collect::<Vec<_>>());
    }
    // When the last address of a link goes, the kernel takes away all routes through it. This one stays with the link.
    let item = Item::Address(leg.netns.clone(), leg.name(), Ipv4Net::from(names::KEEPER).into());
    state.want(item, Spec::Address, leg.owner, None);
    for (priority, rule) in RULES {
        state.want(Item::Rule(leg.netns.clone(), priority), Spec::Rule(rule), leg.owner, None);
    }
}
