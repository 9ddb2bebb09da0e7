//! Networks: one bridge for each that this node uses, with the ports plugged here.
//!
//! Where every station is known nothing is learned: each port has a static, sticky FDB entry, so a guest that sends from
//! another's MAC address moves nothing, and unknown unicast goes nowhere but to the wire.

use crate::api::{MacAddr, Reason};
use crate::dataplane::attachment::{Attachment, Attachments, Target};
use crate::dataplane::facts::Facts;
use crate::dataplane::filter::{Filter, Handed, render as filter};
use crate::dataplane::names::{self, Detail, Prefix};
use crate::dataplane::overlay;
use crate::dataplane::render::Rendered;
use crate::dataplane::state::{BridgePort, IfName, Item, Link, LinkKind, Make, Netns, Role, Spec};
use crate::dataplane::wire::{self, Wire};
use crate::model::view::{NetworkView, NodeView, PhysicalView, PortView};
use crate::model::{Id, Key, Kind, Remark};

/// Where a router's leg into a network goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A bridge of ours.
    Bridge(IfName),
    /// A bridge of the host.
    HostBridge(IfName),
    /// macvlan on an interface of the host.
    Macvlan(IfName),
}

/// Where legs into `network` go.
///
/// # Errors
/// Why the network cannot be realised here.
pub fn place(network: &NetworkView, view: &NodeView, facts: &Facts) -> Result<Place, Remark> {
    let Some((_, wire)) = wire_of(network, view, facts)? else {
        return Ok(Place::Bridge(Prefix::Bridge.name(network.uid)));
    };
    let tagged = network.provider.as_ref().is_some_and(|p| p.vlan.is_some());
    Ok(match wire {
        Wire::HostBridge(name) if !tagged => Place::HostBridge(name),
        Wire::Shared(name) => Place::Macvlan(name),
        _ => Place::Bridge(Prefix::Bridge.name(network.uid)),
    })
}

fn wire_of<'a>(
    network: &NetworkView,
    view: &'a NodeView,
    facts: &Facts,
) -> Result<Option<(&'a PhysicalView, Wire)>, Remark> {
    let Some(provider) = &network.provider else { return Ok(None) };
    let name = &provider.physical_network;
    let Some(physical) = view.physical_networks.get(name) else {
        let message = format!("PhysicalNetwork {name} is not attached to this node: see its conditions");
        return Err(Remark { reason: Reason::NoAttachment, message });
    };
    let wire = wire::choose(physical, facts)?;
    wire::carries(provider, &wire, facts)?;
    Ok(Some((physical, wire)))
}

/// The MAC address of a network's bridge: where the agent answers DHCP from.
#[must_use]
pub fn mac(network: &NetworkView) -> MacAddr {
    network.uid.part("bridge").mac()
}

/// Renders one network: its bridge if anything here is in it, its wire, and the ports plugged here.
pub fn render(key: &Key, view: &NodeView, attachments: &Attachments, facts: &Facts, legs: bool, out: &mut Rendered) {
    let Some(network) = view.networks.get(key) else { return };
    let id = Id::new(Kind::Network, key.clone());
    let plugged =
        || network.ports.iter().filter_map(|(k, p)| attachments.get(k).filter(|a| a.port == p.uid).map(|a| (k, p, a)));
    let wire = wire_of(network, view, facts);
    if let Err(remark) = &wire {
        out.fault(id.clone(), remark.clone());
        for (port, ..) in plugged() {
            out.fault(Id::new(Kind::Port, port.clone()), remark.clone());
        }
    }
    let wire = wire.ok().flatten();
    let legs_here = legs
        && !matches!(wire, Some((_, Wire::Shared(_))))
        && matches!(place(network, view, facts), Ok(Place::Bridge(_)));
    let prepared = || {
        let all = network.prepared.iter();
        all.filter_map(|(k, p)| attachments.get(k).filter(|a| a.port == p.uid).map(|a| (k, p, a)))
    };
    let forwards = network.overlay.as_ref().is_some_and(|overlay| overlay.forwards);
    if plugged().chain(prepared()).next().is_none() && !legs_here && !forwards {
        return;
    }
    let bridge = Prefix::Bridge.name(network.uid);
    let spec = Link {
        kind: LinkKind::Bridge,
        mac: Some(mac(network)),
        mtu: network.mtu,
        up: true,
        bridge: None,
        filter: None,
        alias: names::alias(&id, None),
    };
    out.state.want(Item::Link(Netns::Vswitch, bridge.clone()), Spec::Link(spec.into()), &id, None);
    if let Some((physical, wire)) = &wire {
        render_wire(network, physical, wire, &id, &bridge, out);
    }
    overlay::render(network, view, &bridge, &id, &mut out.state);
    let mtus = (overlay::link_mtu(network, view), network.mtu);
    for (key, port, attachment) in plugged() {
        let id = Id::new(Kind::Port, key.clone());
        if matches!(wire, Some((_, Wire::Shared(_)))) {
            let message = "the physical network is attached with mode: Shared, which carries router legs only: \
                           attach a bridge of the host, or an interface with mode: Dedicated";
            out.fault(id.clone(), Remark { reason: Reason::Unsupported, message: message.into() });
        }
        render_port(network, port, attachment, &id, &bridge, (facts, mtus), out);
    }
    for (key, port, attachment) in prepared() {
        let id = Id::new(Kind::Port, key.clone());
        render_link(network, port, attachment, &id, &bridge, (facts, mtus), None, out);
    }
}

fn render_wire(
    network: &NetworkView,
    physical: &PhysicalView,
    wire: &Wire,
    id: &Id,
    bridge: &IfName,
    out: &mut Rendered,
) {
    let port = BridgePort { bridge: bridge.clone(), role: Role::Wire };
    let owner = network
        .provider
        .as_ref()
        .map_or_else(|| id.clone(), |p| Id::new(Kind::PhysicalNetwork, p.physical_network.clone()));
    let Some(vlan) = network.provider.as_ref().and_then(|p| p.vlan) else {
        wire::uplink(wire, physical, &owner, Some(port), &mut out.state);
        return;
    };
    // A flat network on the same wire may have put the uplink into its bridge: VLAN frames leave before the bridge sees them.
    let uplink = match wire {
        Wire::HostBridge(_) => Item::Link(Netns::Vswitch, Prefix::Uplink.name(physical.uid)),
        _ => Item::Link(Netns::Vswitch, Prefix::Physical.name(physical.uid)),
    };
    if !out.state.0.contains_key(&uplink) {
        wire::uplink(wire, physical, &owner, None, &mut out.state);
    }
    let Item::Link(_, parent) = uplink else { return };
    let spec = Link {
        kind: LinkKind::Vlan { id: vlan },
        mac: None,
        mtu: physical.mtu,
        up: true,
        bridge: Some(port),
        filter: None,
        alias: names::alias(id, None),
    };
    let item = Item::Link(Netns::Vswitch, Prefix::Vlan.name(network.uid));
    out.state.want(item, Spec::Link(spec.into()), id, Some(Make::Parent(parent)));
}

/// `mtus`: of the link, and of the guest's end of it.
fn render_port(
    network: &NetworkView,
    port: &PortView,
    attachment: &Attachment,
    id: &Id,
    bridge: &IfName,
    (facts, mtus): (&Facts, (u32, u32)),
    out: &mut Rendered,
) {
    let handed = if matches!(attachment.target, Target::Netns { .. }) { Handed::Peer } else { Handed::Device };
    let handed = facts.filtering.fast_path.then_some(handed);
    filter::port(port, id, &mut out.state);
    let name = render_link(network, port, attachment, id, bridge, (facts, mtus), handed, out);
    for mac in [&port.mac].into_iter().chain(&port.stations) {
        out.state.want(Item::Fdb(Netns::Vswitch, name.clone(), *mac), Spec::Fdb, id, None);
    }
}

/// The link of a port; its name. Alone it is closed: its filters find no policy, so nothing passes in or out, and no station is
/// behind it. So a port is prepared that is plugged on another node.
#[allow(clippy::too_many_arguments, reason = "each is another")]
fn render_link(
    network: &NetworkView,
    port: &PortView,
    attachment: &Attachment,
    id: &Id,
    bridge: &IfName,
    (facts, (mtu, told)): (&Facts, (u32, u32)),
    handed: Option<Handed>,
    out: &mut Rendered,
) -> IfName {
    let name = Prefix::Port.name(port.uid);
    let target = &attachment.target;
    let (kind, alias, make) = match target {
        Target::Netns { path, inode, device } => {
            let device: IfName = device.as_str().into();
            let (inode, mac) = (*inode, port.mac);
            let differs = (mtu != told).then_some(told);
            let alias = names::alias(id, Some(&Detail::Guest { inode, device: device.clone(), mac, mtu: differs }));
            let make =
                Make::Guest { path: path.clone(), inode, device, mac, mtu: told, deaf: attachment.pod.is_some() };
            (LinkKind::Veth, alias, Some(make))
        }
        Target::Tap { name } => {
            let host_name: IfName = name.as_str().into();
            let alias = names::alias(id, Some(&Detail::MovedIn { host_name: host_name.clone() }));
            (LinkKind::MovedIn { host_name }, alias, None)
        }
    };
    let bridge = Some(BridgePort { bridge: bridge.clone(), role: Role::Guest });
    let wire = filter::wire(port, network, handed);
    let filter = Some(Filter { program: facts.filtering.program(), wire: Some(wire) });
    let spec = Link { kind, mac: None, mtu, up: true, bridge, filter, alias };
    out.state.want(Item::Link(Netns::Vswitch, name.clone()), Spec::Link(spec.into()), id, make);
    name
}
