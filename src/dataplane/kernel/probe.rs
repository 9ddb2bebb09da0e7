//! What this kernel and this host have: asked once in a namespace that is thrown away, or read when needed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use netlink_packet_core::NLM_F_CREATE;
use netlink_packet_route::link::{InfoKind, LinkFlags};
use netlink_packet_route::route::{RouteAttribute, RouteHeader};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage as Message};

use crate::api::AttachmentMode;
use crate::dataplane::facts::{Facts, HostLink};
use crate::dataplane::kernel::features::{self, Feature};
use crate::dataplane::kernel::link::{self, Below, Seen};
use crate::dataplane::kernel::netlink::Netlink;
use crate::dataplane::kernel::nft::Nft;
use crate::dataplane::kernel::space::Space;
use crate::dataplane::kernel::{netns, route, sysctl};
use crate::dataplane::names::{GROUP, Prefix};
use crate::dataplane::state::{IfName, Item, Link, LinkKind, Netns, Spec, State};
use crate::dataplane::sysctls::{self, Sysctls};
use crate::model::Key;
use crate::model::view::PhysicalView;

/// Index of the loopback in every namespace.
const LOOPBACK: u32 = 1;

/// What the kernel has, whatever the host does.
#[derive(Clone, Debug)]
pub struct Probe {
    vlan: bool,
    /// Features that it may lack.
    pub features: Vec<Feature>,
    /// What our namespaces are to be set to.
    pub sysctls: Sysctls,
}

impl Probe {
    /// Asks the kernel.
    ///
    /// # Errors
    /// Rights or a feature that nothing goes without is missing: a sentence says what to do.
    pub fn new() -> io::Result<Self> {
        let scratch = netns::scratch().map_err(|error| explain(&error, "network namespaces cannot be made"))?;
        need(&scratch, &LinkKind::Bridge, "bridges", "CONFIG_BRIDGE, module bridge")?;
        need(&scratch, &LinkKind::Veth, "veth pairs", "CONFIG_VETH, module veth")?;
        Nft::open(scratch.as_fd())
            .and_then(|mut nft| nft.generation())
            .map_err(|error| explain(&error, "this kernel has no nftables (CONFIG_NF_TABLES, module nf_tables)"))?;
        let vlan = try_link(&scratch, &LinkKind::Vlan { id: 1 }).is_ok();
        let sysctls = Sysctls::of(&sysctl::present(scratch.as_fd(), sysctls::all())?);
        // In another one: what was tried above is in the way here.
        let features = features::probe(netns::scratch()?.as_fd(), vlan);
        Ok(Self { vlan, features, sysctls })
    }

    /// The kernel's part of the facts.
    #[must_use]
    pub fn facts(&self) -> Facts {
        Facts { vlan: self.vlan, sysctls: self.sysctls.clone(), ..Facts::default() }
    }
}

fn explain(error: &io::Error, what: &str) -> io::Error {
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => ": run as root (CAP_SYS_ADMIN and CAP_NET_ADMIN)",
        _ => "",
    };
    io::Error::new(error.kind(), format!("{what}{advice}: {error}"))
}

fn need(scratch: &OwnedFd, kind: &LinkKind, what: &str, module: &str) -> io::Result<()> {
    try_link(scratch, kind).map_err(|error| explain(&error, &format!("this kernel has no {what} ({module})")))
}

fn try_link(scratch: &OwnedFd, kind: &LinkKind) -> io::Result<()> {
    let name: IfName = kind.word().into();
    let vlan = matches!(kind, LinkKind::Vlan { .. });
    let below = if vlan { Below::Parent(LOOPBACK, None) } else { Below::Nothing };
    let link =
        Link { kind: kind.clone(), mac: None, mtu: 1500, up: false, bridge: None, filter: None, alias: String::new() };
    let message = link::create(&name, &link, None, &below);
    let answer = Netlink::open(scratch.as_fd())?.ask(Message::NewLink(message), NLM_F_CREATE);
    // The loopback takes no VLAN: the kernel's answer is the same with VLANs and without, its files are not.
    let refused = answer.as_ref().is_err_and(|error| error.raw_os_error() == Some(nix::libc::EOPNOTSUPP));
    if vlan && refused && Path::new("/proc/net/vlan").exists() { Ok(()) } else { answer }
}

/// The links of the host that are wires, as they were last seen, and what they carry, as far as that matters.
///
/// # Errors
/// The kernel could not be read.
pub fn host(host: &mut Space, wires: &BTreeMap<Key, PhysicalView>, facts: &mut Facts) -> io::Result<()> {
    let filtered = ["bridge/bridge-nf-call-iptables".to_owned()];
    facts.bridge_filtered = sysctl::read(host.as_fd(), filtered.iter())?.values().any(|value| value != "0");
    let is_wire = |seen: &Seen| wires.values().any(|wire| wire.interface == seen.name);
    let is_whole = |wire: &PhysicalView| wire.mode == AttachmentMode::Dedicated;
    let moves = |seen: &Seen| {
        seen.kind != Some(InfoKind::Bridge) && wires.values().any(|wire| wire.interface == seen.name && is_whole(wire))
    };
    let carrying = if host.links.iter().any(moves) { Some(carrying(&mut host.netlink)?) } else { None };
    let ours = |seen: &Seen| seen.group == GROUP && Prefix::of(&seen.name).is_some();
    for seen in host.links.iter().filter(|seen| is_wire(seen) && !ours(seen)) {
        let link = HostLink {
            bridge: seen.kind == Some(InfoKind::Bridge),
            mtu: seen.mtu,
            carries: carrying.as_ref().is_none_or(|links| links.contains(&seen.index)),
            enslaved: seen.master.is_some(),
            loopback: seen.flags.contains(LinkFlags::Loopback),
        };
        facts.links.insert(seen.name.clone(), link);
    }
    Ok(())
}

/// Links that carry an address or that a default route leaves by.
fn carrying(netlink: &mut Netlink) -> io::Result<BTreeSet<u32>> {
    let addressed = |message| match message {
        Message::NewAddress(message) if !route::is_link_local(&message) => Some(message.header.index),
        _ => None,
    };
    let all = Message::GetAddress(route::addresses(AddressFamily::Unspec));
    let mut links: BTreeSet<u32> = netlink.dump(&all, addressed)?.into_iter().collect();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        links.extend(netlink.dump(&Message::GetRoute(route::routes(family)), way_out)?);
    }
    Ok(links)
}

/// The link that a default route leaves by.
fn way_out(message: Message) -> Option<u32> {
    let Message::NewRoute(message) = message else { return None };
    if message.header.destination_prefix_length != 0 || message.header.table != RouteHeader::RT_TABLE_MAIN {
        return None;
    }
    message.attributes.iter().find_map(|a| if let RouteAttribute::Oif(index) = a { Some(*index) } else { None })
}

/// Interfaces of the host that were moved in, of what was observed.
pub fn moved_in(observed: &State, facts: &mut Facts) {
    for (item, entry) in &observed.0 {
        if let (Item::Link(Netns::Vswitch, name), Spec::Link(link)) = (item, &entry.spec)
            && Prefix::of(name) == Some(Prefix::Physical)
            && let LinkKind::MovedIn { host_name } = &link.kind
        {
            facts.moved_in.insert(host_name.to_string(), link.mtu);
        }
    }
}
