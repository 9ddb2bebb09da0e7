//! Our names in the kernel: the only file that makes or recognises them.
//!
//! How a restarted agent, with no memory, knows its own:
//! - a **namespace** by its pin: a file of ours in the directory beside the control socket, `vswitch` or `rtr-` and 12 hex digits;
//! - a **link** by its group *and* its name: group [`GROUP`], set by the very request that makes the link, and a prefix of ours
//!   with 12 hex digits. Either alone is somebody else's;
//! - an **address**, a **route**, a **neighbour** by its protocol number [`PROTOCOL`], on a link of ours or in a router of ours;
//! - a **rule** of policy routing by its protocol number, in a router of ours;
//! - an **FDB entry** by being static and sticky on a bridge port of ours, or permanent on a tunnel of ours;
//! - **nft tables** by their name: [`TABLE`] in a router of ours, [`GUARD`] in the host;
//! - **filters** by the handle of their classifiers ([`HANDLE`]) on a port of ours, their tables by being pinned in [`FILTERS`];
//! - **sysctls** by being in a namespace of ours.
//!
//! Not recognising ours would leak; taking somebody else's for ours would destroy.

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::api::MacAddr;
use crate::dataplane::state::{IfName, Netns};
use crate::model::{Id, Key, Kind, Uid};

/// Link group of everything of ours: `tene` in ASCII.
pub const GROUP: u32 = 0x7465_6e65;
/// Link group of what is about to be deleted: one request takes away the whole group.
pub const DOOMED: u32 = GROUP + 1;
/// Protocol number of our routes, addresses and neighbours (`rtm_protocol` and its kin): unassigned, `t` in ASCII.
pub const PROTOCOL: u8 = b't';
/// Name of our nft tables.
pub const TABLE: &str = "tenet";
/// Name of our nft table in the host, which is full of others': nobody else calls one that.
pub const GUARD: &str = "tenet-tunnels";

/// The BPF file system with the filters' tables and programs, in the run directory.
pub const FILTERS: &str = "filters";
/// Handle of our classifiers at the hooks of a link.
pub const HANDLE: u32 = GROUP;

/// An address that keeps the routes of a router's leg to the outside: the kernel takes them away with the last address. It is of
/// the leg alone (RFC 3927; scope host), never a source.
pub const KEEPER: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

/// What a link of ours is for; its name is the prefix and 12 hex digits of a UID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// The bridge of a network.
    Bridge,
    /// The vswitch end of a port.
    Port,
    /// A router's leg, in the router.
    Leg,
    /// The other end of a router's leg.
    LegPeer,
    /// The vswitch end of an uplink to a bridge of the host.
    Uplink,
    /// The host end of an uplink.
    UplinkPeer,
    /// An interface of the host that was given to us.
    Physical,
    /// The VLAN of a network on its uplink.
    Vlan,
    /// The tunnels of a network.
    Tunnel,
    /// The tunnels between a router's nodes, in the router.
    Transit,
}

impl Prefix {
    const ALL: [(Self, &'static str); 10] = [
        (Self::Bridge, "tbr"),
        (Self::Port, "tpt"),
        (Self::Leg, "tlg"),
        (Self::LegPeer, "tlp"),
        (Self::Uplink, "tup"),
        (Self::UplinkPeer, "tuh"),
        (Self::Physical, "tph"),
        (Self::Vlan, "tvl"),
        (Self::Tunnel, "tvx"),
        (Self::Transit, "ttr"),
    ];

    /// The name of the link that belongs to `uid`.
    #[must_use]
    pub fn name(self, uid: Uid) -> IfName {
        let text = Self::ALL.iter().find(|(p, _)| *p == self).map_or("", |(_, text)| text);
        format!("{text}{}", digits(uid)).into()
    }

    /// What a name of ours is for; none: it is not ours.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let (prefix, rest) = name.split_at_checked(3)?;
        let (found, _) = Self::ALL.iter().find(|(_, text)| *text == prefix)?;
        is_digits(rest).then_some(*found)
    }
}

/// The namespace of a router.
#[must_use]
pub fn router(uid: Uid) -> Netns {
    Netns::Router(format!("rtr-{}", digits(uid)).into())
}

/// Name of the pin of a namespace; the host has none.
#[must_use]
pub fn pin(netns: &Netns) -> Option<Arc<str>> {
    match netns {
        Netns::Host => None,
        Netns::Vswitch => Some("vswitch".into()),
        Netns::Router(name) => Some(name.clone()),
    }
}

/// The namespace that a pin is for; none: the file is not ours.
#[must_use]
pub fn pinned(file: &str) -> Option<Netns> {
    if file == "vswitch" {
        return Some(Netns::Vswitch);
    }
    file.strip_prefix("rtr-").filter(|rest| is_digits(rest)).map(|_| Netns::Router(file.into()))
}

/// 48 bits of a UID: two of ten thousand objects meet once in five million such worlds.
fn digits(uid: Uid) -> String {
    format!("{:012x}", uid.0 >> 80)
}

fn is_digits(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// What stands before the MTU of a guest's end in an alias, and before the guest.
const TOLD: &str = " mtu ";
const GUEST: &str = " -> ";

/// The longest alias that the kernel takes, bytes (`IFALIASZ` less its zero).
const ALIAS_MAX: usize = 255;

/// The alias of a link: for whom it is, and what only we know of it.
#[must_use]
pub fn alias(owner: &Id, detail: Option<&Detail>) -> String {
    let end = match detail {
        None => String::new(),
        Some(Detail::Guest { inode, device, mac, mtu }) => {
            let told = mtu.map_or(String::new(), |mtu| format!("{TOLD}{mtu}"));
            format!("{told}{GUEST}{inode} {device} {mac}")
        }
        Some(Detail::MovedIn { host_name }) => format!(" <- {host_name}"),
    };
    let mut text = owner.to_string();
    let room = ALIAS_MAX - end.len();
    if text.len() > room {
        // Names are ASCII (RFC 1123). The end tells two apart better than the beginning does.
        text = format!("{}~", &text[..room - 1]);
    }
    text + &end
}

/// What an alias says beside its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Where the other end of a port is.
    Guest {
        /// Inode of the guest's namespace.
        inode: u64,
        /// Its interface.
        device: IfName,
        /// The MAC address that it was made with.
        mac: MacAddr,
        /// MTU of the guest's end, bytes, where the other end has another.
        mtu: Option<u32>,
    },
    /// What a link was called before it was moved in.
    MovedIn {
        /// Its name in the host.
        host_name: IfName,
    },
}

/// For whom a link is, as far as its alias says.
#[must_use]
pub fn owner(alias: &str) -> Option<Id> {
    let mut words = alias.split(' ');
    let (kind, name) = (words.next()?, words.next()?);
    let kind = Kind::named(kind)?;
    let key = name.split_once('/').map_or_else(|| Key::new("", name), |(ns, name)| Key::new(ns, name));
    Some(Id::new(kind, key))
}

/// What an alias says of the guest's end; links of different guests are different links.
#[must_use]
pub fn guest(alias: &str) -> Option<&str> {
    alias.rsplit_once(GUEST).map(|(_, guest)| guest)
}

/// MTU of a guest's end, bytes, as far as the alias says.
#[must_use]
pub fn told(alias: &str) -> Option<u32> {
    alias.rsplit_once(GUEST)?.0.rsplit_once(TOLD)?.1.parse().ok()
}

/// The name that a link had before it was moved in.
#[must_use]
pub fn host_name(alias: &str) -> Option<IfName> {
    alias.rsplit_once(" <- ").map(|(_, name)| name.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognised_and_strangers_are_not() {
        let uid = Uid::parse("3f2c6d0a-8b1e-4d5f-9c7a-0123456789ab");
        let name = Prefix::Port.name(uid);
        assert_eq!(&*name, "tpt3f2c6d0a8b1e");
        assert_eq!(name.len(), 15);
        assert_eq!(Prefix::of(&name), Some(Prefix::Port));
        for stranger in ["tpt3f2c6d0a8b1", "tpt3F2C6D0A8B1E", "tpx3f2c6d0a8b1e", "eth0", "", "tö"] {
            assert_eq!(Prefix::of(stranger), None, "{stranger}");
        }
        let Netns::Router(pin) = router(uid) else { unreachable!() };
        assert_eq!(pinned(&pin), Some(router(uid)));
        assert_eq!(pinned("rtr-xyz"), None);
    }

    #[test]
    fn an_alias_tells_owner_and_guest_and_fits_the_kernel() {
        let id = Id::new(Kind::Port, Key::new("default", "web-0"));
        let detail =
            Detail::Guest { inode: 4_026_532_281, device: "eth0".into(), mac: MacAddr([2, 0, 0, 0, 0, 5]), mtu: None };
        let text = alias(&id, Some(&detail));
        assert_eq!(text, "Port default/web-0 -> 4026532281 eth0 02:00:00:00:00:05");
        assert_eq!(owner(&text).unwrap(), id);
        assert_eq!(told(&text), None);
        let Detail::Guest { inode, device, mac, .. } = detail.clone() else { unreachable!() };
        let wide = alias(&id, Some(&Detail::Guest { inode, device, mac, mtu: Some(1450) }));
        assert_eq!((told(&wide), guest(&wide)), (Some(1450), guest(&text)));
        let long = Id::new(Kind::Port, Key::new(&"n".repeat(63), &"p".repeat(253)));
        assert!(alias(&long, Some(&detail)).len() <= ALIAS_MAX);
        let moved = alias(&id, Some(&Detail::MovedIn { host_name: "eth1".into() }));
        assert_eq!(host_name(&moved).as_deref(), Some("eth1"));
    }
}
