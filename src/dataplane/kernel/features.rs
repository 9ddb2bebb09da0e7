//! Features that a kernel may lack: each is tried once, in a namespace that is thrown away, so that nothing of the host is
//! touched, and the tables of others are not read.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;

use netlink_packet_core::NLM_F_CREATE;
use netlink_packet_route::RouteNetlinkMessage as Message;
use nix::libc::EOPNOTSUPP;

use crate::dataplane::kernel::conntrack::Conntrack;
use crate::dataplane::kernel::filter::attach;
use crate::dataplane::kernel::link::{self, Below};
use crate::dataplane::kernel::netlink::Netlink;
use crate::dataplane::kernel::nft::Nft;
use crate::dataplane::nft::{Chain, ChainKind, Family, Field, Hook, Policy, Rule, Ruleset, Table, Term, Value};
use crate::dataplane::state::{BridgePort, IfName, Link, LinkKind, Role};

/// A feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its name, as `Agent.status.kernel` has it.
    pub name: &'static str,
    /// Whether this kernel has it.
    pub found: bool,
    /// What does not work without it; none: nothing of today.
    pub without: Option<&'static str>,
}

/// Index of the loopback in every namespace.
const LOOPBACK: u32 = 1;
/// Name of the feature that is the short way to packet filters.
pub const TCX: &str = "tcx";
/// The first kernel with it.
const TCX_SINCE: (u32, u32) = (6, 6);

/// Tries them all in `scratch`, a namespace in which nothing is. `vlan`: what was found of IEEE 802.1Q.
pub fn probe(scratch: BorrowedFd<'_>, vlan: bool) -> Vec<Feature> {
    let can = |tried: io::Result<()>| tried.is_ok();
    let tunnel = LinkKind::Vxlan { vni: 1, local: Ipv4Addr::LOCALHOST };
    let clsact = can(clsact(scratch));
    let bpf = Path::new("/proc/sys/kernel/unprivileged_bpf_disabled").exists();
    let feature = |name, found, without: &'static str| Feature { name, found, without: Some(without) };
    let later = |name, found| Feature { name, found, without: None };
    vec![
        feature("vxlan", can(make(scratch, &tunnel, &Below::Nothing)), "networks that reach over several nodes"),
        feature("neigh-suppress", can(suppress(scratch)), "networks that reach over several nodes"),
        feature("nft-nat", can(nat(scratch)), "SNAT and floating IPs"),
        feature("conntrack", can(Conntrack::open(scratch).and_then(|mut c| c.probe())), "floating IPs that move"),
        feature("vlan", vlan, "networks of type VLAN"),
        // The loopback carries none either way, and says so in other words.
        feature("macvlan", knows(&make(scratch, &LinkKind::Macvlan, &Below::Parent(LOOPBACK, None))), "mode Shared"),
        feature("tun", Path::new("/dev/net/tun").exists(), "taps of virtual machines"),
        later("conntrack-flush-filter", Conntrack::open(scratch).is_ok_and(|mut c| c.flushes_by_filter())),
        feature("tc-clsact", clsact, "ports"),
        feature("bpf", bpf, "ports"),
        later(TCX, bpf && clsact && release().is_some_and(|release| release >= TCX_SINCE)),
    ]
}

/// Whether the kernel understood what it refused.
fn knows(tried: &io::Result<()>) -> bool {
    tried.as_ref().err().is_none_or(|error| error.raw_os_error() != Some(EOPNOTSUPP))
}

fn make(scratch: BorrowedFd<'_>, kind: &LinkKind, below: &Below) -> io::Result<()> {
    let name: IfName = format!("f-{}", kind.word()).as_str().into();
    let link =
        Link { kind: kind.clone(), mac: None, mtu: 1500, up: false, bridge: None, filter: None, alias: String::new() };
    let message = link::create(&name, &link, None, below);
    Netlink::open(scratch)?.ask(Message::NewLink(message), NLM_F_CREATE)
}

/// A bridge port that answers for stations, as the end of tunnels does.
fn suppress(scratch: BorrowedFd<'_>) -> io::Result<()> {
    let (bridge, port): (IfName, IfName) = ("f-bridge".into(), "f-port".into());
    make(scratch, &LinkKind::Bridge, &Below::Nothing)?;
    let mut netlink = Netlink::open(scratch)?;
    let index = index(&mut netlink, &bridge)?;
    let role = BridgePort { bridge, role: Role::Tunnel };
    let kind = LinkKind::Veth;
    let link = Link { kind, mac: None, mtu: 1500, up: false, bridge: Some(role), filter: None, alias: String::new() };
    netlink.ask(Message::NewLink(link::create(&port, &link, Some(index), &Below::Nothing)), NLM_F_CREATE)?;
    let index = self::index(&mut netlink, &port)?;
    netlink.ask(Message::NewLink(link::set(index, &link)), 0)?;
    // An older kernel passes over what it does not know.
    let set = netlink.dump(&Message::GetLink(link::all()), link::seen)?;
    let set = set.into_iter().find(|seen| seen.index == index).and_then(|seen| seen.role);
    if set == Some(Role::Tunnel) { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
}

fn index(netlink: &mut Netlink, name: &str) -> io::Result<u32> {
    let all = netlink.dump(&Message::GetLink(link::all()), link::seen)?;
    all.into_iter().find(|seen| seen.name == name).map(|seen| seen.index).ok_or(io::ErrorKind::NotFound.into())
}

/// One rule that translates.
fn nat(scratch: BorrowedFd<'_>) -> io::Result<()> {
    let rule =
        Rule::new(vec![Term::Is(Field::IpSaddr, Value::Ip(Ipv4Addr::LOCALHOST)), Term::SnatTo(Ipv4Addr::LOCALHOST)]);
    let (kind, hook, policy) = (ChainKind::Nat, Hook::Postrouting, Policy::Accept);
    let chain = Chain { kind, hook, priority: 100, policy, rules: vec![rule] };
    let table = Table { chains: [("f".into(), chain)].into(), ..Table::default() };
    Nft::open(scratch)?.apply(None, Some(&Ruleset { tables: [(Family::Ip, table)].into() }))
}

/// The place where classifiers hang, on the namespace's own loopback.
fn clsact(scratch: BorrowedFd<'_>) -> io::Result<()> {
    Netlink::open(scratch.as_fd())?.ask(Message::NewQueueDiscipline(attach::clsact(LOOPBACK)), NLM_F_CREATE)
}

/// Version of the running kernel, its first two numbers.
fn release() -> Option<(u32, u32)> {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    let mut numbers = text.split('.').map(|part| part.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::dataplane::kernel::netns;

    #[test]
    fn what_this_kernel_has_is_found_in_a_namespace_of_its_own() {
        let host = || std::fs::read_to_string("/proc/self/net/dev").unwrap().lines().count();
        let (before, scratch) = (host(), netns::scratch().unwrap());
        let features = probe(scratch.as_fd(), false);
        for needed in ["vxlan", "neigh-suppress", "nft-nat", "conntrack", "macvlan", "tun"] {
            assert!(
                features.iter().any(|f| f.name == needed && f.found && f.without.is_some()),
                "{needed}: {features:?}"
            );
        }
        assert!(features.len() <= 32, "the API has room for 32");
        assert_eq!(host(), before);
        // Nothing is left: a second time it would be in the way.
        assert_eq!(probe(netns::scratch().unwrap().as_fd(), false), features);
    }
}
