//! Physical networks: how this node touches a wire.

use crate::api::{AttachmentMode, Reason};
use crate::dataplane::facts::{Facts, HostLink};
use crate::dataplane::names::{self, Detail, Prefix};
use crate::dataplane::state::{BridgePort, IfName, Item, Link, LinkKind, Make, Netns, Role, Spec, State};
use crate::model::view::{PhysicalView, ProviderView};
use crate::model::{Id, Remark};

/// How this node touches a physical network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wire {
    /// A bridge of the host: joined by a veth pair.
    HostBridge(IfName),
    /// An interface, moved in whole.
    Dedicated(IfName),
    /// An interface that the host keeps: macvlan for each router leg.
    Shared(IfName),
}

/// Chooses how to touch the wire, or says why it cannot be.
///
/// # Errors
/// The reason, with what to do.
pub fn choose(physical: &PhysicalView, facts: &Facts) -> Result<Wire, Remark> {
    let name: IfName = physical.interface.as_str().into();
    let refuse = |reason, message: String| Err(Remark { reason, message });
    if let Some(other) = &physical.taken_by {
        let message = format!("{name} is PhysicalNetwork {other}'s on this node: name another in spec.attachments");
        return refuse(Reason::InterfaceInUse, message);
    }
    if let Some(mtu) = facts.moved_in.get(&*name) {
        check_mtu(physical, *mtu)?;
        return Ok(Wire::Dedicated(name));
    }
    let Some(link) = facts.links.get(&*name) else {
        return refuse(
            Reason::NoAttachment,
            format!("this node has no interface {name}: create it, or name another in spec.attachments"),
        );
    };
    check_mtu(physical, link.mtu)?;
    match (link, physical.mode) {
        (HostLink { loopback: true, .. }, _) => {
            refuse(Reason::InterfaceInUse, format!("{name} is the loopback: name a bridge or an interface of the host"))
        }
        (HostLink { bridge: true, .. }, _) => Ok(Wire::HostBridge(name)),
        (_, AttachmentMode::Shared) => Ok(Wire::Shared(name)),
        (HostLink { enslaved: true, .. }, _) => refuse(
            Reason::InterfaceInUse,
            format!("{name} is a port of a bridge or bond of the host: name that bridge, or release the interface"),
        ),
        (HostLink { carries: false, .. }, _) => Ok(Wire::Dedicated(name)),
        _ => refuse(
            Reason::InterfaceInUse,
            format!(
                "{name} carries an address or a default route of the host, which would be cut off: \
                 remove them, set mode: Shared, or put the interface into a bridge and name the bridge"
            ),
        ),
    }
}

fn check_mtu(physical: &PhysicalView, carries: u32) -> Result<(), Remark> {
    if physical.mtu <= carries {
        return Ok(());
    }
    let message = format!(
        "{} carries frames of {carries} bytes, spec.mtu says {}: lower spec.mtu or raise the interface's MTU",
        physical.interface, physical.mtu
    );
    Err(Remark { reason: Reason::InvalidMTU, message })
}

/// What the owner should know although it works.
#[must_use]
pub fn remark(wire: &Wire, facts: &Facts) -> Option<Remark> {
    match wire {
        Wire::HostBridge(name) if facts.bridge_filtered => Some(Remark {
            reason: Reason::BridgeFiltered,
            message: format!(
                "the host's iptables filter what crosses bridge {name}; if packets are lost there, \
                 set sysctl net.bridge.bridge-nf-call-iptables=0"
            ),
        }),
        Wire::Shared(name) => Some(Remark {
            reason: Reason::SharedInterface,
            message: format!("the host itself cannot reach addresses behind {name} (macvlan); other hosts can"),
        }),
        _ => None,
    }
}

/// Brings the wire into the vswitch, untagged; returns the link there. None: it cannot be brought (`Shared`).
pub fn uplink(
    wire: &Wire,
    physical: &PhysicalView,
    owner: &Id,
    bridge: Option<BridgePort>,
    state: &mut State,
) -> Option<IfName> {
    let link = |kind, alias, bridge| Link { kind, mac: None, mtu: physical.mtu, up: true, bridge, filter: None, alias };
    match wire {
        Wire::HostBridge(host_bridge) => {
            let (name, peer) = (Prefix::Uplink.name(physical.uid), Prefix::UplinkPeer.name(physical.uid));
            let alias = names::alias(owner, None);
            let host_port = BridgePort { bridge: host_bridge.clone(), role: Role::Host };
            let host_end = Item::Peer(Netns::Host, peer.clone());
            let make = Make::Peer(Netns::Host, peer);
            let here = Spec::Link(link(LinkKind::Veth, alias.clone(), bridge).into());
            state.want(Item::Link(Netns::Vswitch, name.clone()), here, owner, Some(make));
            state.want(host_end, Spec::Link(link(LinkKind::Veth, alias, Some(host_port)).into()), owner, None);
            Some(name)
        }
        Wire::Dedicated(host_name) => {
            let name = Prefix::Physical.name(physical.uid);
            let alias = names::alias(owner, Some(&Detail::MovedIn { host_name: host_name.clone() }));
            let kind = LinkKind::MovedIn { host_name: host_name.clone() };
            state.want(
                Item::Link(Netns::Vswitch, name.clone()),
                Spec::Link(link(kind, alias, bridge).into()),
                owner,
                None,
            );
            Some(name)
        }
        Wire::Shared(_) => None,
    }
}

/// Whether a network can be realised on this wire here.
///
/// # Errors
/// The reason, with what to do.
pub fn carries(provider: &ProviderView, wire: &Wire, facts: &Facts) -> Result<(), Remark> {
    let unsupported = |message: &str| Err(Remark { reason: Reason::Unsupported, message: message.to_owned() });
    match (provider.vlan, wire) {
        (Some(_), _) if !facts.vlan => unsupported(
            "this node's kernel has no IEEE 802.1Q: load the module 8021q (CONFIG_VLAN_8021Q), or use a Flat network",
        ),
        (Some(_), Wire::Shared(_)) => unsupported(
            "a VLAN network needs the interface whole: attach a bridge of the host, or an interface with mode: Dedicated",
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Uid;

    fn facts() -> Facts {
        let link = HostLink { mtu: 1500, ..HostLink::default() };
        let links = [
            ("lo", HostLink { loopback: true, ..link.clone() }),
            ("br0", HostLink { bridge: true, carries: true, ..link.clone() }),
            ("free", link.clone()),
            ("busy", HostLink { carries: true, ..link.clone() }),
            ("slave", HostLink { enslaved: true, ..link }),
        ];
        let links = links.into_iter().map(|(name, link)| (name.to_owned(), link)).collect();
        Facts { links, moved_in: [("gone".to_owned(), 1500)].into(), ..Facts::default() }
    }

    fn physical(interface: &str, mode: AttachmentMode, mtu: u32) -> PhysicalView {
        PhysicalView { uid: Uid(1), interface: interface.to_owned(), mode, mtu, taken_by: None }
    }

    #[test]
    fn a_wire_is_taken_only_where_the_host_loses_nothing() {
        use AttachmentMode::{Dedicated, Shared};
        let cases = [
            ("br0", Dedicated, 1500, Ok(Wire::HostBridge("br0".into()))),
            ("br0", Shared, 1500, Ok(Wire::HostBridge("br0".into()))),
            ("free", Dedicated, 1500, Ok(Wire::Dedicated("free".into()))),
            ("free", Shared, 1500, Ok(Wire::Shared("free".into()))),
            ("busy", Shared, 1500, Ok(Wire::Shared("busy".into()))),
            ("gone", Dedicated, 1500, Ok(Wire::Dedicated("gone".into()))),
            ("busy", Dedicated, 1500, Err(Reason::InterfaceInUse)),
            ("slave", Dedicated, 1500, Err(Reason::InterfaceInUse)),
            ("lo", Shared, 1500, Err(Reason::InterfaceInUse)),
            ("nowhere", Dedicated, 1500, Err(Reason::NoAttachment)),
            ("free", Dedicated, 9000, Err(Reason::InvalidMTU)),
            ("gone", Dedicated, 9000, Err(Reason::InvalidMTU)),
        ];
        for (interface, mode, mtu, expected) in cases {
            let found = choose(&physical(interface, mode, mtu), &facts()).map_err(|remark| remark.reason);
            assert_eq!(found, expected, "{interface} {mode:?} {mtu}");
        }
    }

    #[test]
    fn a_vlan_needs_the_kernel_and_the_whole_wire() {
        let tagged = ProviderView { physical_network: crate::model::Key::new("", "p"), vlan: Some(7) };
        let with = Facts { vlan: true, ..Facts::default() };
        let whole = Wire::Dedicated("e".into());
        assert!(carries(&tagged, &whole, &with).is_ok());
        assert!(carries(&tagged, &whole, &Facts::default()).is_err());
        assert!(carries(&tagged, &Wire::Shared("e".into()), &with).is_err());
        assert!(carries(&ProviderView { vlan: None, ..tagged }, &Wire::Shared("e".into()), &Facts::default()).is_ok());
    }
}
