//! Links as netlink messages: how they are made, set, moved, taken away, and read.

use std::net::Ipv4Addr;
use std::os::fd::RawFd;

use netlink_packet_route::RouteNetlinkMessage as Message;
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoBridge, InfoBridgePort, InfoData, InfoKind, InfoMacVlan,
    InfoPortData, InfoPortKind, InfoVeth, InfoVlan, InfoVxlan, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo,
    LinkMessage, MacVlanMode,
};

use crate::api::MacAddr;
use crate::dataplane::filter::Filter;
use crate::dataplane::names::{DOOMED, GROUP};
use crate::dataplane::overlay;
use crate::dataplane::state::{IfName, Link, LinkKind, Role};

/// TTL of what travels between nodes: the default of hosts (RFC 1700).
const TTL: u8 = 64;

/// The other end of a veth pair that is made with the first.
pub struct Peer {
    /// Its name.
    pub name: IfName,
    /// The namespace that it is made in.
    pub netns: RawFd,
    /// Its MAC address.
    pub mac: Option<MacAddr>,
    /// Whether it is ours: a guest's end is the guest's.
    pub ours: bool,
}

/// What is below a link that is made.
pub enum Below {
    /// Nothing.
    Nothing,
    /// A second end beside it.
    Peer(Peer),
    /// A parent, by index; in another namespace if a descriptor of the new link's namespace is given.
    Parent(u32, Option<RawFd>),
    /// The namespace that the request is made in; the link is made in this other one.
    Into(RawFd),
}

/// The request that makes a link. It is down, and in our group from its first moment.
#[must_use]
pub fn create(name: &IfName, link: &Link, master: Option<u32>, below: &Below) -> LinkMessage {
    let mut info = vec![LinkInfo::Kind(kind(&link.kind))];
    info.extend(data(link, below).map(LinkInfo::Data));
    let mut message = LinkMessage::default();
    let out = &mut message.attributes;
    out.push(LinkAttribute::IfName(name.to_string()));
    out.push(LinkAttribute::Mtu(link.mtu));
    out.push(LinkAttribute::Group(GROUP));
    out.extend(link.mac.map(|mac| LinkAttribute::Address(mac.0.to_vec())));
    out.extend(master.map(LinkAttribute::Controller));
    if let Below::Parent(index, netns) = below {
        out.push(LinkAttribute::Link(*index));
        out.extend(netns.map(LinkAttribute::NetNsFd));
    }
    if let Below::Into(netns) = below {
        out.push(LinkAttribute::NetNsFd(*netns));
    }
    out.push(LinkAttribute::LinkInfo(info));
    message
}

fn kind(kind: &LinkKind) -> InfoKind {
    match kind {
        LinkKind::Bridge => InfoKind::Bridge,
        LinkKind::Macvlan => InfoKind::MacVlan,
        LinkKind::Vlan { .. } => InfoKind::Vlan,
        LinkKind::Vxlan { .. } => InfoKind::Vxlan,
        LinkKind::Veth | LinkKind::MovedIn { .. } => InfoKind::Veth,
    }
}

fn data(link: &Link, below: &Below) -> Option<InfoData> {
    match (&link.kind, below) {
        // No ageing: a static entry outlives it anyway, and on the wire the default of 300 s stays.
        (LinkKind::Bridge, _) => Some(InfoData::Bridge(vec![InfoBridge::MulticastSnooping(false)])),
        (LinkKind::Macvlan, _) => Some(InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::Bridge)])),
        // No checksum over what has its own inside (RFC 7348), and no trust in network cards that compute one.
        (LinkKind::Vxlan { vni, local }, _) => Some(InfoData::Vxlan(vec![
            InfoVxlan::Id(*vni),
            InfoVxlan::Local(*local),
            InfoVxlan::Port(overlay::PORT),
            InfoVxlan::Ttl(TTL),
            InfoVxlan::Learning(false),
            InfoVxlan::UDPCsum(false),
        ])),
        (LinkKind::Vlan { id }, _) => Some(InfoData::Vlan(vec![InfoVlan::Id(*id)])),
        (LinkKind::Veth, Below::Peer(peer)) => {
            let mut message = LinkMessage::default();
            message.attributes.push(LinkAttribute::IfName(peer.name.to_string()));
            message.attributes.push(LinkAttribute::Mtu(link.mtu));
            message.attributes.push(LinkAttribute::NetNsFd(peer.netns));
            message.attributes.extend(peer.mac.map(|mac| LinkAttribute::Address(mac.0.to_vec())));
            if peer.ours {
                message.attributes.push(LinkAttribute::Group(GROUP));
            }
            Some(InfoData::Veth(InfoVeth::Peer(message)))
        }
        _ => None,
    }
}

/// The request that makes a link as it is to be, once it is where it belongs: bridge port flags first, up last.
#[must_use]
pub fn set(index: u32, link: &Link) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.change_mask = LinkFlags::Up;
    if link.up {
        message.header.flags = LinkFlags::Up;
    }
    let out = &mut message.attributes;
    out.push(LinkAttribute::Group(GROUP));
    out.push(LinkAttribute::IfAlias(link.alias.clone()));
    // A bridge follows its ports' MTU unless it was set after it was made.
    out.push(LinkAttribute::Mtu(link.mtu));
    out.extend(link.mac.map(|mac| LinkAttribute::Address(mac.0.to_vec())));
    if let Some(flags) = link.bridge.as_ref().and_then(|port| flags(port.role)) {
        let data = InfoPortData::BridgePort(flags);
        out.push(LinkAttribute::LinkInfo(vec![LinkInfo::PortKind(InfoPortKind::Bridge), LinkInfo::PortData(data)]));
    }
    message
}

/// The request that puts a link under a bridge (0: under none). A port on a bridge of the host needs no address of its own.
#[must_use]
pub fn enslave(index: u32, bridge: u32) -> LinkMessage {
    let mut message = at(index);
    message.attributes.push(LinkAttribute::Controller(bridge));
    let quiet = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
    message.attributes.push(LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![quiet])]));
    message
}

/// The request that gives a guest's end its MTU and sets it up.
#[must_use]
pub fn guest_end(name: &str, mtu: u32) -> LinkMessage {
    let mut message = up(name);
    message.attributes.push(LinkAttribute::Mtu(mtu));
    message
}

/// The request that sets a link up.
#[must_use]
pub fn up(name: &str) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    message
}

/// The request that marks a link of the host as ours before it is moved in, so that a crash between the two loses nothing.
#[must_use]
pub fn mark(index: u32, alias: &str) -> LinkMessage {
    let mut message = at(index);
    message.attributes.push(LinkAttribute::Group(GROUP));
    message.attributes.push(LinkAttribute::IfAlias(alias.to_owned()));
    message
}

/// The request that takes our marks off a link, before it is given back.
#[must_use]
pub fn unmark(index: u32) -> LinkMessage {
    let mut message = at(index);
    message.attributes.push(LinkAttribute::Group(0));
    message.attributes.push(LinkAttribute::IfAlias(String::new()));
    message
}

/// The request that moves a link to another namespace under another name.
#[must_use]
pub fn relocate(index: u32, netns: RawFd, name: &str) -> LinkMessage {
    let mut message = at(index);
    message.attributes.push(LinkAttribute::NetNsFd(netns));
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    message
}

/// The request that puts a link among those that [`delete_doomed`] takes away.
#[must_use]
pub fn doom(index: u32) -> LinkMessage {
    let mut message = at(index);
    message.attributes.push(LinkAttribute::Group(DOOMED));
    message
}

/// The request that takes away all doomed links at once: one grace period of the kernel for all of them.
#[must_use]
pub fn delete_doomed() -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::Group(DOOMED));
    message
}

/// A link by its index.
#[must_use]
pub fn at(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

/// A link by its name.
#[must_use]
pub fn named(name: &str) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    message
}

/// All links, without their counters.
#[must_use]
pub fn all() -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    message
}

/// Flags of a bridge port; none: they are not ours.
fn flags(role: Role) -> Option<Vec<InfoBridgePort>> {
    let (learning, unknown, multicast, broadcast) = match role {
        Role::Guest => (false, false, true, true),
        Role::Router => (false, false, false, true),
        Role::Wire => (true, true, true, true),
        Role::Tunnel | Role::Relay => (false, false, false, false),
        Role::Host | Role::Unknown => return None,
    };
    Some(vec![
        InfoBridgePort::NeighSupress(matches!(role, Role::Tunnel | Role::Relay)),
        InfoBridgePort::HairpinMode(role == Role::Relay),
        InfoBridgePort::Learning(learning),
        InfoBridgePort::UnicastFlood(unknown),
        InfoBridgePort::MulticastFlood(multicast),
        InfoBridgePort::BroadcastFlood(broadcast),
    ])
}

/// The role that has these flags.
fn role(flags: &[InfoBridgePort]) -> Role {
    let (mut learning, mut unknown, mut multicast, mut broadcast) = (None, None, None, None);
    let (mut answers, mut hairpin) = (false, false);
    for flag in flags {
        match flag {
            InfoBridgePort::Learning(on) => learning = Some(*on),
            InfoBridgePort::UnicastFlood(on) => unknown = Some(*on),
            InfoBridgePort::MulticastFlood(on) => multicast = Some(*on),
            InfoBridgePort::BroadcastFlood(on) => broadcast = Some(*on),
            InfoBridgePort::NeighSupress(on) => answers = *on,
            InfoBridgePort::HairpinMode(on) => hairpin = *on,
            _ => {}
        }
    }
    match (learning, unknown, multicast, broadcast) {
        (Some(false), Some(false), Some(false), Some(false)) if answers && hairpin => Role::Relay,
        _ if hairpin => Role::Unknown,
        (Some(false), Some(false), Some(false), Some(false)) if answers => Role::Tunnel,
        (Some(false), Some(false), Some(true), Some(true)) => Role::Guest,
        (Some(false), Some(false), Some(false), Some(true)) => Role::Router,
        (Some(true), Some(true), Some(true), Some(true)) => Role::Wire,
        _ => Role::Unknown,
    }
}

/// A link as the kernel shows it.
#[derive(Debug, Default)]
pub struct Seen {
    /// Index.
    pub index: u32,
    /// Name.
    pub name: String,
    /// Group; ours is [`GROUP`].
    pub group: u32,
    /// Kind, in the kernel's word; empty for hardware.
    pub kind: Option<InfoKind>,
    /// VLAN id.
    pub vlan: Option<u16>,
    /// Of a tunnel device: network identifier, where tunnels begin, UDP port.
    pub vxlan: Option<(u32, Ipv4Addr, u16)>,
    /// Flags.
    pub flags: LinkFlags,
    /// MTU, bytes.
    pub mtu: u32,
    /// MAC address.
    pub mac: Option<MacAddr>,
    /// Index of the bridge or bond that it is a port of.
    pub master: Option<u32>,
    /// What the flags of a bridge port say of it.
    pub role: Option<Role>,
    /// The filters on a port.
    pub filter: Option<Filter>,
    /// Alias.
    pub alias: String,
}

/// A link, of a message that tells of one.
#[must_use]
pub fn seen(message: Message) -> Option<Seen> {
    if let Message::NewLink(message) = message { Some(Seen::of(&message)) } else { None }
}

impl Seen {
    /// Reads a link.
    #[must_use]
    pub fn of(message: &LinkMessage) -> Self {
        let mut seen = Self { index: message.header.index, flags: message.header.flags, ..Self::default() };
        for attribute in &message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => seen.name.clone_from(name),
                LinkAttribute::Group(group) => seen.group = *group,
                LinkAttribute::Mtu(mtu) => seen.mtu = *mtu,
                LinkAttribute::Address(mac) => seen.mac = <[u8; 6]>::try_from(mac.as_slice()).ok().map(MacAddr),
                LinkAttribute::Controller(index) => seen.master = Some(*index).filter(|index| *index != 0),
                LinkAttribute::IfAlias(alias) => seen.alias.clone_from(alias),
                LinkAttribute::LinkInfo(info) => info.iter().for_each(|info| seen.read(info)),
                _ => {}
            }
        }
        seen
    }

    fn read(&mut self, info: &LinkInfo) {
        match info {
            LinkInfo::Kind(kind) => self.kind = Some(kind.clone()),
            LinkInfo::Data(InfoData::Vlan(data)) => {
                self.vlan = data.iter().find_map(|d| if let InfoVlan::Id(id) = d { Some(*id) } else { None });
            }
            LinkInfo::Data(InfoData::Vxlan(data)) => {
                let (mut vni, mut local, mut port) = (0, Ipv4Addr::UNSPECIFIED, 0);
                for attribute in data {
                    match attribute {
                        InfoVxlan::Id(id) => vni = *id,
                        InfoVxlan::Local(ip) => local = *ip,
                        InfoVxlan::Port(number) => port = *number,
                        _ => {}
                    }
                }
                self.vxlan = Some((vni, local, port));
            }
            LinkInfo::PortData(InfoPortData::BridgePort(flags)) => self.role = Some(role(flags)),
            _ => {}
        }
    }
}
