//! Sysctls of our namespaces. A new namespace inherits the IPv4 values of the initial one, so each that matters is set.

use std::collections::BTreeMap;

use crate::dataplane::facts::Facts;

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
const ROUTER: [(&str, &str); 16] = [
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
];

/// Everything that any namespace of ours may set.
pub fn all() -> impl Iterator<Item = &'static str> {
    COMMON.iter().chain(&VSWITCH).chain(&ROUTER).map(|(path, _)| *path)
}

/// Sysctls of the vswitch, of those that this kernel has.
#[must_use]
pub fn vswitch(facts: &Facts) -> BTreeMap<String, String> {
    collect(&VSWITCH, facts)
}

/// Sysctls of a router, of those that this kernel has.
#[must_use]
pub fn router(facts: &Facts) -> BTreeMap<String, String> {
    collect(&ROUTER, facts)
}

fn collect(values: &[(&str, &str)], facts: &Facts) -> BTreeMap<String, String> {
    let values = values.iter().chain(&COMMON).filter(|(path, _)| facts.sysctls.contains(*path));
    values.map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect()
}
