//! Routers: a namespace each, with a leg into every network that they connect.
//!
//! Neighbours on tenant legs are permanent: the neighbour table is the whole host's, and a router that resolves what a
//! guest makes it resolve lets one guest starve everybody.

mod transit;

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::api::{MacAddr, Reason};
use crate::dataplane::bridge::{self, Place};
use crate::dataplane::facts::Facts;
use crate::dataplane::names::{self, Prefix};
use crate::dataplane::overlay;
use crate::dataplane::render::Rendered;
use crate::dataplane::router_rules::Memory;
use crate::dataplane::state::{
    BridgePort, Hop, IfName, Item, Link, LinkKind, Make, Netns, Role, Route, Spec, State, Table,
};
use crate::model::view::{ExternalView, FloatingView, InterfaceView, NodeView, RouterView};
use crate::model::{Id, Key, Kind, Remark, Uid};

/// Renders one router: namespace, sysctls, rules, legs, addresses, neighbours, routes.
pub fn render(key: &Key, router: &RouterView, view: &NodeView, facts: &Facts, rules: &mut Memory, out: &mut Rendered) {
    let id = Id::new(Kind::Router, key.clone());
    let netns = names::router(router.uid);
    let places = match place_legs(router, view, facts) {
        Ok(places) => places,
        Err(remark) => return refuse(&id, router, &remark, out),
    };
    out.state.want(Item::Namespace(netns.clone()), Spec::Namespace, &id, None);
    out.state.want(Item::Sysctls(netns.clone()), Spec::Sysctls(facts.sysctls.router.clone()), &id, None);
    out.state.want(Item::Ruleset(netns.clone()), Spec::Ruleset(rules.ruleset(router)), &id, None);
    let place_of = |network: &Key| places.iter().find(|(k, _)| k == network).map(|(_, place)| place);
    for interface in router.interfaces.iter().filter(|i| !i.distant) {
        let Some(place) = place_of(&interface.network) else { continue };
        let link_mtu = view.networks.get(&interface.network).map(|network| overlay::link_mtu(network, view));
        let mtu = link_mtu.unwrap_or(interface.mtu);
        let leg = Leg { netns: &netns, uid: interface.uid, mac: interface.mac, mtu, owner: &id };
        leg.render(place, &mut out.state);
        addresses_and_peers(interface, &leg, &mut out.state);
    }
    if let Some(external) = &router.external
        && let Some(place) = place_of(&external.network)
    {
        let leg = Leg { netns: &netns, uid: external.uid, mac: external.mac, mtu: external.mtu, owner: &id };
        leg.render(place, &mut out.state);
        outside(external, &leg, &mut out.state);
        if router.transit.is_some() {
            transit::outside(external, &leg, &mut out.state);
        }
    }
    transit::render(router, view, &netns, &id, &mut out.state);
    static_routes(router, &netns, &id, &mut out.state);
}

/// Where each leg goes, or why the router cannot be.
fn place_legs(router: &RouterView, view: &NodeView, facts: &Facts) -> Result<Vec<(Key, Place)>, Remark> {
    let tenant = router.interfaces.iter().filter(|i| !i.distant).map(|i| &i.network);
    let keys: BTreeSet<&Key> = tenant.chain(router.external.iter().map(|e| &e.network)).collect();
    let place = |key: &Key| {
        let network = view.networks.get(key);
        let place = network.map(|n| bridge::place(n, view, facts)).transpose();
        let place = place.map_err(|r| Remark { reason: r.reason, message: format!("Network {key}: {}", r.message) })?;
        Ok(place.map(|p| (key.clone(), p)))
    };
    keys.into_iter().filter_map(|key| place(key).transpose()).collect()
}

/// A router without one of its legs would send traffic the wrong way, so it is not made at all.
fn refuse(id: &Id, router: &RouterView, remark: &Remark, out: &mut Rendered) {
    out.fault(id.clone(), remark.clone());
    let Some(external) = &router.external else { return };
    let keys = external.floating.values().map(|f| &f.key).chain(external.forwarding.values().map(|f| &f.key));
    for key in keys {
        let message = format!("{id} is not programmed: {}", remark.message);
        out.fault(Id::new(Kind::FloatingIP, key.clone()), Remark { reason: Reason::DependencyNotReady, message });
    }
}

/// What all legs have in common.
struct Leg<'a> {
    netns: &'a Netns,
    uid: Uid,
    mac: MacAddr,
    mtu: u32,
    owner: &'a Id,
}

impl Leg<'_> {
    fn name(&self) -> IfName {
        Prefix::Leg.name(self.uid)
    }

    /// The leg, and its other end where it has one.
    fn render(&self, place: &Place, state: &mut State) {
        let alias = names::alias(self.owner, None);
        let link =
            |kind, mac, bridge| Link { kind, mac, mtu: self.mtu, up: true, bridge, filter: None, alias: alias.clone() };
        let peer_name = Prefix::LegPeer.name(self.uid);
        let (kind, make, peer) = match place {
            Place::Macvlan(parent) => (LinkKind::Macvlan, Make::Parent(parent.clone()), None),
            Place::Bridge(bridge) => {
                let port = BridgePort { bridge: bridge.clone(), role: Role::Router };
                (LinkKind::Veth, Make::Peer(Netns::Vswitch, peer_name.clone()), Some((Netns::Vswitch, port)))
            }
            Place::HostBridge(bridge) => {
                let port = BridgePort { bridge: bridge.clone(), role: Role::Host };
                (LinkKind::Veth, Make::Peer(Netns::Host, peer_name.clone()), Some((Netns::Host, port)))
            }
        };
        let item = Item::Link(self.netns.clone(), self.name());
        state.want(item, Spec::Link(link(kind, Some(self.mac), None).into()), self.owner, Some(make));
        let Some((netns, port)) = peer else { return };
        if netns == Netns::Vswitch {
            state.want(Item::Fdb(netns.clone(), peer_name.clone(), self.mac), Spec::Fdb, self.owner, None);
        }
        state.want(
            Item::Peer(netns, peer_name),
            Spec::Link(link(LinkKind::Veth, None, Some(port)).into()),
            self.owner,
            None,
        );
    }

    fn address(&self, net: IpNet, state: &mut State) {
        let item = Item::Address(self.netns.clone(), self.name(), net);
        state.want(item, Spec::Address, self.owner, Some(Make::Announce(self.mac)));
    }

    fn route(&self, to: IpNet, hop: Option<IpAddr>, on_link: bool, state: &mut State) {
        let hops = BTreeSet::from([Hop { via: hop, device: self.name(), on_link }]);
        let item = Item::Route(self.netns.clone(), Table::Main, to);
        state.want(item, Spec::Route(Route { hops, mtu: None }), self.owner, None);
    }
}

fn addresses_and_peers(interface: &InterfaceView, leg: &Leg, state: &mut State) {
    if let Ok(net) = IpNet::new(interface.ip, interface.cidr.prefix_len()) {
        leg.address(net, state);
        if leg.mtu > interface.mtu {
            // In place of the kernel's own, which says nothing of what the network carries.
            let hops = BTreeSet::from([Hop { via: None, device: leg.name(), on_link: false }]);
            let item = Item::Route(leg.netns.clone(), Table::Main, net.trunc());
            state.want(item, Spec::Route(Route { hops, mtu: Some(interface.mtu) }), leg.owner, None);
        }
    }
    for (ip, mac) in &interface.peers {
        peer(leg.netns, &leg.name(), *ip, *mac, leg.owner, state);
    }
}

/// A station beside a leg.
pub fn peer(netns: &Netns, leg: &IfName, ip: IpAddr, mac: MacAddr, owner: &Id, state: &mut State) {
    state.want(Item::Neighbour(netns.clone(), leg.clone(), ip), Spec::Neighbour(mac), owner, None);
}

/// Addresses and ways to the outside. A floating IP is a /32 of its own, so that its coming and going touches no route.
fn outside(external: &ExternalView, leg: &Leg, state: &mut State) {
    let here = external.part.has_addresses() && !external.mute;
    for net in external.addresses.iter().filter(|_| here) {
        leg.address(*net, state);
    }
    let is_here = |to: &FloatingView| if to.home { to.answers && !external.mute } else { here };
    let floating = external.floating.iter().filter(|(_, to)| is_here(to)).map(|(ip, _)| ip);
    for ip in floating.chain(external.forwarding.keys().filter(|_| here)) {
        leg.address((*ip).into(), state);
    }
    if !external.settled {
        return;
    }
    for cidr in &external.cidrs {
        if !external.addresses.iter().any(|net| net.trunc() == *cidr) {
            leg.route(*cidr, None, false, state);
        }
    }
    if let Some(gateway) = external.gateway {
        leg.route(everywhere(gateway), Some(gateway), is_single(external), state);
    }
}

/// Whether its addresses say nothing of who else is on the link.
fn is_single(external: &ExternalView) -> bool {
    external.addresses.iter().all(|net| net.prefix_len() == net.max_prefix_len())
}

/// All addresses of a family.
fn everywhere(like: IpAddr) -> IpNet {
    if like.is_ipv4() { Ipv4Net::default().into() } else { Ipv6Net::default().into() }
}

/// Static routes; a next hop leaves through the leg whose subnet holds it.
fn static_routes(router: &RouterView, netns: &Netns, id: &Id, state: &mut State) {
    for (to, hops) in &router.routes {
        let leg_of = |ip: &IpAddr| {
            let tenant = router.interfaces.iter().find(|i| i.cidr.contains(ip)).map(|i| (i.uid, false));
            let outside = || router.external.as_ref().filter(|e| e.cidrs.iter().any(|c| c.contains(ip)));
            tenant.or_else(|| outside().map(|e| (e.uid, is_single(e))))
        };
        let hop = |ip: &IpAddr| {
            leg_of(ip).map(|(uid, on_link)| Hop { via: Some(*ip), device: Prefix::Leg.name(uid), on_link })
        };
        let hops: BTreeSet<Hop> = hops.iter().filter_map(hop).collect();
        if !hops.is_empty() {
            let item = Item::Route(netns.clone(), Table::Main, *to);
            state.want(item, Spec::Route(Route { hops, mtu: None }), id, None);
        }
    }
}
