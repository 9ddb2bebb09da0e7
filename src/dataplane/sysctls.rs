//! Sysctls of our namespaces. A new namespace inherits the IPv4 values of the initial one, so each that matters is set.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// For every namespace of ours: no IPv6 until Tenet speaks it, so that the kernel does not speak it either.
const COMMON: [(&str, &str); 2] = [("ipv6/conf/all/disable_ipv6", "1"), ("ipv6/conf/default/disable_ipv6", "1")];

/// The vswitch switches; it neither routes nor filters by iptables (a new namespace starts with `bridge-nf-call` on).
const VSWITCH: [(&str, &str); 4] = [
    ("bridge/bridge-nf-call-arptables", "0"),
    ("bridge/bridge-nf-call-ip6tables", "0"),
    ("bridge/bridge-nf-call-iptables", "0"),
    ("ipv4/ip_forward", "0"),
];

/// A router.
const ROUTER: [(&str, &str); 17] = [
    // ARP is answered for the address of the link that is asked, and asked from it: the outside never learns a tenant's.
    ("ipv4/conf/all/arp_announce", "2"),
    ("ipv4/conf/all/arp_ignore", "1"),
    ("ipv4/conf/all/accept_local", "1"),
    ("ipv4/conf/all/accept_redirects", "0"),
    ("ipv4/conf/all/accept_source_route", "0"),
    ("ipv4/conf/all/promote_secondaries", "1"),
    ("ipv4/conf/all/proxy_arp", "0"),
    ("ipv4/conf/all/route_localnet", "0"),
    // The rules judge sources; reverse path filtering would cut asymmetric routes (`all` and `default`: the greater counts).
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/conf/all/secure_redirects", "0"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv4/conf/default/accept_redirects", "0"),
    ("ipv4/icmp_errors_use_inbound_ifaddr", "1"),
    ("ipv4/ip_forward", "1"),
    // What is not in the window would not be translated: of a connection whose guest was on another node meanwhile a router has
    // not seen all. It judges nothing by that; the ends do.
    ("netfilter/nf_conntrack_tcp_be_liberal", "1"),
];

/// Everything that any namespace of ours may set.
pub fn all() -> impl Iterator<Item = &'static str> {
    COMMON.iter().chain(&VSWITCH).chain(&ROUTER).map(|(path, _)| *path)
}

/// Values by path below `/proc/sys/net`.
pub type Values = Arc<BTreeMap<String, String>>;

/// Sysctls of our namespaces, of those that this kernel has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sysctls {
    /// Of the vswitch.
    pub vswitch: Values,
    /// Of every router.
    pub router: Values,
}

impl Sysctls {
    /// What is to be set where a namespace has the sysctls `present`.
    #[must_use]
    pub fn of(present: &BTreeSet<String>) -> Self {
        let collect = |values: &[(&str, &str)]| {
            let values = values.iter().chain(&COMMON).filter(|(path, _)| present.contains(*path));
            Arc::new(values.map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect())
        };
        Self { vswitch: collect(&VSWITCH), router: collect(&ROUTER) }
    }
}
