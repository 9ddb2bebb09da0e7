//! What a subnet's own numbers must satisfy, as CEL (Neutron: `_validate_subnet`, `validate_allocation_pools`).
//!
//! Every rule passes where an earlier rule already refuses, so that each fault has one sentence. Addresses are counted as
//! IPv4 numbers; an IPv6 range is refused by a rule of its own.

use super::cel::{number, unique};

macro_rules! unless_ipv4 {
    () => {
        "!isCIDR(self.cidr) || cidr(self.cidr).ip().family() != 4 || "
    };
}

macro_rules! unless_gateway {
    () => {
        "!has(self.gatewayIP) || !isIP(self.gatewayIP) || "
    };
}

macro_rules! pools_inside {
    () => {
        "self.allocationPools.all(p, isIP(p.start) && isIP(p.end) && cidr(self.cidr).containsIP(p.start) && cidr(self.cidr).containsIP(p.end))"
    };
}

macro_rules! unless_pools {
    () => {
        concat!("!has(self.allocationPools) || !", pools_inside!(), " || ")
    };
}

macro_rules! unless_routes {
    () => {
        "!has(self.hostRoutes) || "
    };
}

macro_rules! network {
    () => {
        "self.cidr.split('/')[0]"
    };
}

/// Point-to-point links use every address (RFC 3021): /31 and /32 have no network and no broadcast address.
macro_rules! unless_edges {
    () => {
        "cidr(self.cidr).prefixLength() > 30 || "
    };
}

/// Whether `$ip` is the last address: each of its octets is the network's plus what the mask leaves of it.
macro_rules! last {
    ($ip:literal) => {
        concat!(
            "[0, 1, 2, 3].all(i, int(",
            $ip,
            ".split('.')[i]) == int(",
            network!(),
            ".split('.')[i]) + ",
            "[255, 127, 63, 31, 15, 7, 3, 1, 0][cidr(self.cidr).prefixLength() <= 8 * i ? 0 : ",
            "cidr(self.cidr).prefixLength() >= 8 * i + 8 ? 8 : cidr(self.cidr).prefixLength() - 8 * i])"
        )
    };
}

/// On a field: the range is one of hosts. 0/8 means "this network" (RFC 1122), 127/8 loopback, 169.254/16 is never routed
/// (RFC 3927), 224/3 is multicast and reserved.
pub(super) const CIDR_HOSTS: &str = "!isCIDR(self) || cidr(self).ip().family() != 4 || (cidr(self).prefixLength() >= 8 \
    && !(int(self.split('.')[0]) in [0, 127]) && int(self.split('.')[0]) < 224 && !cidr('169.254.0.0/16').containsIP(cidr(self).ip()))";

pub(super) const GATEWAY_INSIDE: &str =
    concat!(unless_ipv4!(), unless_gateway!(), "cidr(self.cidr).containsIP(self.gatewayIP)");

pub(super) const GATEWAY_HOST: &str = concat!(
    unless_ipv4!(),
    unless_gateway!(),
    "!cidr(self.cidr).containsIP(self.gatewayIP) || ",
    unless_edges!(),
    "(self.gatewayIP != ",
    network!(),
    " && !",
    last!("self.gatewayIP"),
    ")"
);

pub(super) const POOLS_INSIDE: &str = concat!(
    unless_ipv4!(),
    "!has(self.allocationPools) || !self.allocationPools.all(p, isIP(p.start) && isIP(p.end)) || ",
    pools_inside!()
);

pub(super) const POOLS_HOSTS: &str = concat!(
    unless_ipv4!(),
    unless_pools!(),
    unless_edges!(),
    "self.allocationPools.all(p, p.start != ",
    network!(),
    " && !",
    last!("p.end"),
    ")"
);

pub(super) const POOLS_ORDERED: &str = concat!(
    unless_ipv4!(),
    unless_pools!(),
    "self.allocationPools.all(p, ",
    number!("p.start"),
    " <= ",
    number!("p.end"),
    ")"
);

pub(super) const POOLS_DISJOINT: &str = concat!(
    unless_ipv4!(),
    unless_pools!(),
    "!self.allocationPools.all(p, ",
    number!("p.start"),
    " <= ",
    number!("p.end"),
    ") || ",
    "self.allocationPools.all(a, self.allocationPools.exists_one(b, ",
    number!("a.start"),
    " <= ",
    number!("b.end"),
    " && ",
    number!("b.start"),
    " <= ",
    number!("a.end"),
    "))"
);

/// The gateway in force: the one given, else the first host (Neutron's default); a /32 has none by default.
pub(super) const GATEWAY_OUTSIDE_POOLS: &str = concat!(
    unless_ipv4!(),
    unless_pools!(),
    "(has(self.gatewayIP) ? !isIP(self.gatewayIP) || !cidr(self.cidr).containsIP(self.gatewayIP) : cidr(self.cidr).prefixLength() == 32) || ",
    "[has(self.gatewayIP) ? ",
    number!("self.gatewayIP"),
    " : ",
    number!("self.cidr.split('/')[0]"),
    " + (cidr(self.cidr).prefixLength() > 30 ? 0 : 1)].all(g, ",
    "self.allocationPools.all(p, g < ",
    number!("p.start"),
    " || ",
    number!("p.end"),
    " < g))"
);

pub(super) const DHCP_ROOM: &str =
    concat!(unless_ipv4!(), "(has(self.dhcp) && !self.dhcp) || cidr(self.cidr).prefixLength() <= 30");

pub(super) const NAMESERVERS_FAMILY: &str = "!has(self.dnsNameservers) || self.dnsNameservers.all(a, !isIP(a) || (ip(a).family() == 4 && !ip(a).isUnspecified()))";

pub(super) const NAMESERVERS_UNIQUE: &str =
    concat!("!has(self.dnsNameservers) || ", unique!("self.dnsNameservers", "a == b"));

pub(super) const ROUTES_NEXT_HOP: &str = concat!(
    unless_ipv4!(),
    unless_routes!(),
    "self.hostRoutes.all(r, !isIP(r.nextHop) || cidr(self.cidr).containsIP(r.nextHop))"
);

pub(super) const ROUTES_UNIQUE: &str =
    concat!(unless_routes!(), unique!("self.hostRoutes", "a.destination == b.destination && a.nextHop == b.nextHop"));
