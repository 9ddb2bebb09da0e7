//! What one namespace holds of ours, as a state.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv4Addr;

use netlink_packet_route::link::{InfoKind, LinkFlags};
use netlink_packet_route::neighbour::{NeighbourFlags, NeighbourMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage as Message};

use crate::dataplane::kernel::filter::{self, tables::Tables};
use crate::dataplane::kernel::link::{self, Seen};
use crate::dataplane::kernel::route::Way;
use crate::dataplane::kernel::space::Space;
use crate::dataplane::kernel::{neighbour, route, rule, sysctl};
use crate::dataplane::names::{self, GROUP, Prefix};
use crate::dataplane::overlay;
use crate::dataplane::state::{BridgePort, Hop, IfName, Item, Link, LinkKind, Netns, Role, Route, Spec, State};
use crate::model::Id;

/// Our links by index: name and owner.
pub type Ours = BTreeMap<u32, (IfName, Option<Id>)>;

/// All that a namespace holds of ours, and which links those are. `sysctls`: those that we look at, whatever their values.
///
/// # Errors
/// The kernel could not be read.
pub fn space(
    space: &mut Space,
    sysctls: &BTreeMap<String, String>,
    tables: Option<&Tables>,
) -> io::Result<(State, Ours)> {
    let mut state = State::default();
    let netns = space.netns.clone();
    let ours = links(space, tables, &mut state)?;
    if netns == Netns::Host {
        rules(space, &mut state)?;
        return Ok((state, ours));
    }
    state.found(Item::Namespace(netns.clone()), Spec::Namespace, None);
    let values = sysctl::read(space.as_fd(), sysctls.keys())?;
    state.found(Item::Sysctls(netns.clone()), Spec::Sysctls(values.into()), None);
    if netns == Netns::Vswitch {
        entries(space, AddressFamily::Bridge, &ours, &mut state)?;
        entries(space, AddressFamily::Inet, &ours, &mut state)?;
        return Ok((state, ours));
    }
    rules(space, &mut state)?;
    // Only tunnel devices have stations here.
    if ours.values().any(|(name, _)| Prefix::of(name) == Some(Prefix::Transit)) {
        entries(space, AddressFamily::Bridge, &ours, &mut state)?;
    }
    entries(space, AddressFamily::Inet, &ours, &mut state)?;
    router(space, &ours, &mut state)?;
    Ok((state, ours))
}

/// nft tables of ours.
fn rules(space: &mut Space, state: &mut State) -> io::Result<()> {
    if let Some(rules) = space.nft.observe()? {
        state.found(Item::Ruleset(space.netns.clone()), Spec::Ruleset(rules.into()), None);
    }
    Ok(())
}

/// Links of ours: in our group *and* with a name of ours.
fn links(space: &mut Space, tables: Option<&Tables>, state: &mut State) -> io::Result<Ours> {
    let mut all = space.netlink.dump(&Message::GetLink(link::all()), link::seen)?;
    if space.netns == Netns::Vswitch {
        filter::look(space, tables, &mut all)?;
    }
    let names: BTreeMap<u32, &str> = all.iter().map(|seen| (seen.index, seen.name.as_str())).collect();
    space.indices = all.iter().map(|seen| (seen.name.as_str().into(), seen.index)).collect();
    let mut ours = Ours::new();
    for seen in &all {
        found(seen, &space.netns, &names, &mut ours, state);
    }
    if space.netns == Netns::Host {
        space.links = all;
    }
    Ok(ours)
}

/// Adds a link to what was found, if it is ours. `names`: all links of the namespace by index.
pub fn found(seen: &Seen, netns: &Netns, names: &BTreeMap<u32, &str>, ours: &mut Ours, state: &mut State) {
    let Some(prefix) = Prefix::of(&seen.name).filter(|_| seen.group == GROUP) else { return };
    let name: IfName = seen.name.as_str().into();
    let owner = names::owner(&seen.alias);
    ours.insert(seen.index, (name.clone(), owner.clone()));
    let second = matches!(prefix, Prefix::LegPeer | Prefix::UplinkPeer);
    let item = if second { Item::Peer(netns.clone(), name) } else { Item::Link(netns.clone(), name) };
    state.found(item, Spec::Link(link_of(seen, prefix, netns, names).into()), owner);
}

fn link_of(seen: &Seen, prefix: Prefix, netns: &Netns, names: &BTreeMap<u32, &str>) -> Link {
    let moved_in = names::host_name(&seen.alias).map(|host_name| LinkKind::MovedIn { host_name });
    let kind = moved_in.unwrap_or(match &seen.kind {
        Some(InfoKind::Bridge) => LinkKind::Bridge,
        Some(InfoKind::MacVlan) => LinkKind::Macvlan,
        Some(InfoKind::Vxlan) => match seen.vxlan {
            Some((vni, local, overlay::PORT)) => LinkKind::Vxlan { vni, local },
            // On another port it is none that we make.
            _ => LinkKind::Vxlan { vni: 0, local: Ipv4Addr::UNSPECIFIED },
        },
        Some(InfoKind::Vlan) => LinkKind::Vlan { id: seen.vlan.unwrap_or_default() },
        _ => LinkKind::Veth,
    });
    let role = if *netns == Netns::Host { Role::Host } else { seen.role.unwrap_or(Role::Unknown) };
    let bridge = seen.master.map(|index| BridgePort { bridge: names.get(&index).copied().unwrap_or("?").into(), role });
    Link {
        kind,
        mac: seen.mac.filter(|_| matches!(prefix, Prefix::Bridge | Prefix::Leg | Prefix::Transit)),
        mtu: seen.mtu,
        up: seen.flags.contains(LinkFlags::Up),
        bridge,
        filter: seen.filter.clone(),
        alias: seen.alias.clone(),
    }
}

/// Stations and neighbours of ours.
fn entries(space: &mut Space, family: AddressFamily, ours: &Ours, state: &mut State) -> io::Result<()> {
    let netns = space.netns.clone();
    let keep = |message| if let Message::NewNeighbour(found) = message { entry(&found, &netns, ours) } else { None };
    for (item, spec, owner) in space.netlink.dump(&Message::GetNeighbour(neighbour::all(family)), keep)? {
        state.found(item, spec, owner);
    }
    Ok(())
}

/// A static, sticky FDB entry of a bridge port, what a tunnel device knows of another node, or a permanent neighbour; if
/// it is ours.
#[must_use]
pub fn entry(message: &NeighbourMessage, netns: &Netns, ours: &Ours) -> Option<(Item, Spec, Option<Id>)> {
    let mac = neighbour::mac(message)?;
    let item = about(message, netns, ours)?;
    let spec = match item {
        Item::Neighbour(..) if neighbour::is_ours(message) => Spec::Neighbour(mac),
        Item::Fdb(..) if neighbour::is_static(message) => Spec::Fdb,
        Item::Remote(..) => Spec::Remote(neighbour::remote_of(message)?),
        _ => return None,
    };
    let (_, owner) = ours.get(&message.header.ifindex)?;
    Some((item, spec, owner.clone()))
}

/// What an entry on a link of ours is called, whether it is one of ours or not.
#[must_use]
pub fn about(message: &NeighbourMessage, netns: &Netns, ours: &Ours) -> Option<Item> {
    let (name, _) = ours.get(&message.header.ifindex)?;
    let (netns, name) = (netns.clone(), name.clone());
    if message.header.family != AddressFamily::Bridge {
        return Some(Item::Neighbour(netns, name, neighbour::ip(message)?));
    }
    let mac = neighbour::mac(message)?;
    let tunnel = message.header.flags.contains(NeighbourFlags::Own);
    Some(if tunnel { Item::Remote(netns, name, mac) } else { Item::Fdb(netns, name, mac) })
}

/// Addresses, routes and rules with our protocol number, on links of ours.
fn router(space: &mut Space, ours: &Ours, state: &mut State) -> io::Result<()> {
    let netns = space.netns.clone();
    let address = |message| {
        let Message::NewAddress(message) = message else { return None };
        Some((message.header.index, route::address_of(&message)?))
    };
    for (index, net) in space.netlink.dump(&Message::GetAddress(route::addresses(AddressFamily::Inet)), address)? {
        if let Some((name, owner)) = ours.get(&index) {
            state.found(Item::Address(netns.clone(), name.clone(), net), Spec::Address, owner.clone());
        }
    }
    let way = |message| if let Message::NewRoute(message) = message { route::route_of(&message) } else { None };
    for route in space.netlink.dump(&Message::GetRoute(route::routes(AddressFamily::Inet)), way)? {
        let hop = |way: &Way| {
            let (device, _) = ours.get(&way.index)?;
            Some(Hop { via: way.via, device: device.clone(), on_link: way.on_link })
        };
        let owner = route.ways.iter().find_map(|way| ours.get(&way.index)).and_then(|(_, owner)| owner.clone());
        let hops: BTreeSet<Hop> = route.ways.iter().filter_map(hop).collect();
        let item = Item::Route(netns.clone(), route.table, route.to);
        state.found(item, Spec::Route(Route { hops, mtu: route.mtu }), owner);
    }
    let found = |message| if let Message::NewRule(message) = message { rule::rule_of(&message) } else { None };
    for (priority, found) in space.netlink.dump(&Message::GetRule(rule::all()), found)? {
        state.found(Item::Rule(netns.clone(), priority), Spec::Rule(found), None);
    }
    Ok(())
}
