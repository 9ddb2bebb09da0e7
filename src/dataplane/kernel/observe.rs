//! What one namespace holds of ours, as a state.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use netlink_packet_route::link::{InfoKind, LinkFlags};
use netlink_packet_route::neighbour::NeighbourMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage as Message};

use crate::dataplane::kernel::link::{self, Seen};
use crate::dataplane::kernel::space::Space;
use crate::dataplane::kernel::{neighbour, route, sysctl};
use crate::dataplane::names::{self, GROUP, Prefix};
use crate::dataplane::state::{BridgePort, Hop, IfName, Item, Link, LinkKind, Netns, Role, Spec, State};
use crate::model::Id;

/// Our links by index: name and owner.
pub type Ours = BTreeMap<u32, (IfName, Option<Id>)>;

/// All that a namespace holds of ours, and which links those are. `sysctls`: those that we look at, whatever their values.
///
/// # Errors
/// The kernel could not be read.
pub fn space(space: &mut Space, sysctls: &BTreeMap<String, String>) -> io::Result<(State, Ours)> {
    let mut state = State::default();
    let netns = space.netns.clone();
    let ours = links(space, &mut state)?;
    if netns == Netns::Host {
        return Ok((state, ours));
    }
    state.found(Item::Namespace(netns.clone()), Spec::Namespace, None);
    let values = sysctl::read(space.as_fd(), sysctls.keys())?;
    state.found(Item::Sysctls(netns.clone()), Spec::Sysctls(values.into()), None);
    if netns == Netns::Vswitch {
        stations(space, &ours, &mut state)?;
        return Ok((state, ours));
    }
    if let Some(rules) = space.nft.observe()? {
        state.found(Item::Ruleset(netns), Spec::Ruleset(rules.into()), None);
    }
    router(space, &ours, &mut state)?;
    Ok((state, ours))
}

/// Links of ours: in our group *and* with a name of ours.
fn links(space: &mut Space, state: &mut State) -> io::Result<Ours> {
    let all = space.netlink.dump(&Message::GetLink(link::all()), link::seen)?;
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
    state.found(item, Spec::Link(link_of(seen, prefix, netns, names)), owner);
}

fn link_of(seen: &Seen, prefix: Prefix, netns: &Netns, names: &BTreeMap<u32, &str>) -> Link {
    let moved_in = names::host_name(&seen.alias).map(|host_name| LinkKind::MovedIn { host_name });
    let kind = moved_in.unwrap_or(match &seen.kind {
        Some(InfoKind::Bridge) => LinkKind::Bridge,
        Some(InfoKind::MacVlan) => LinkKind::Macvlan,
        Some(InfoKind::Vlan) => LinkKind::Vlan { id: seen.vlan.unwrap_or_default() },
        _ => LinkKind::Veth,
    });
    let role = if *netns == Netns::Host { Role::Host } else { seen.role.unwrap_or(Role::Unknown) };
    let bridge = seen.master.map(|index| BridgePort { bridge: names.get(&index).copied().unwrap_or("?").into(), role });
    Link {
        kind,
        mac: seen.mac.filter(|_| matches!(prefix, Prefix::Bridge | Prefix::Leg)),
        mtu: seen.mtu,
        up: seen.flags.contains(LinkFlags::Up),
        bridge,
        alias: seen.alias.clone(),
    }
}

fn neighbours(
    space: &mut Space,
    family: AddressFamily,
    ours: fn(&NeighbourMessage) -> bool,
) -> io::Result<Vec<NeighbourMessage>> {
    let keep = |message| if let Message::NewNeighbour(entry) = message { Some(entry).filter(ours) } else { None };
    space.netlink.dump(&Message::GetNeighbour(neighbour::all(family)), keep)
}

/// Static, sticky FDB entries on bridge ports of ours.
fn stations(space: &mut Space, ours: &Ours, state: &mut State) -> io::Result<()> {
    for entry in &neighbours(space, AddressFamily::Bridge, neighbour::is_static)? {
        if let (Some((name, owner)), Some(mac)) = (ours.get(&entry.header.ifindex), neighbour::mac(entry)) {
            state.found(Item::Fdb(space.netns.clone(), name.clone(), mac), Spec::Fdb, owner.clone());
        }
    }
    Ok(())
}

/// Neighbours, addresses and routes with our protocol number, on links of ours.
fn router(space: &mut Space, ours: &Ours, state: &mut State) -> io::Result<()> {
    let netns = space.netns.clone();
    for entry in &neighbours(space, AddressFamily::Inet, neighbour::is_ours)? {
        let (ip, mac) = (neighbour::ip(entry), neighbour::mac(entry));
        if let (Some((name, owner)), Some(ip), Some(mac)) = (ours.get(&entry.header.ifindex), ip, mac) {
            state.found(Item::Neighbour(netns.clone(), name.clone(), ip), Spec::Neighbour(mac), owner.clone());
        }
    }
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
    for (to, ways) in space.netlink.dump(&Message::GetRoute(route::routes(AddressFamily::Inet)), way)? {
        let hop = |(via, index)| ours.get(&index).map(|(device, _)| Hop { via, device: device.clone() });
        let owner = ways.iter().find_map(|(_, index)| ours.get(index)).and_then(|(_, owner)| owner.clone());
        let hops: BTreeSet<Hop> = ways.into_iter().filter_map(hop).collect();
        state.found(Item::Route(netns.clone(), to), Spec::Route(hops), owner);
    }
    Ok(())
}
