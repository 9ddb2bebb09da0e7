//! Addresses, ranges and routes by themselves.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Verdict, double, require};
use crate::api::Reason;

/// An address as a number, to compare it with others of its family.
pub(super) fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// Whether both are IPv4, or both IPv6.
pub(super) fn same_family(range: IpNet, ip: IpAddr) -> bool {
    range.addr().is_ipv4() == ip.is_ipv4()
}

/// Whether the range has a network and a broadcast address: a point-to-point link (RFC 3021) has none.
pub(super) fn has_edges(cidr: IpNet) -> bool {
    matches!(cidr, IpNet::V4(v4) if v4.prefix_len() <= 30)
}

/// The address can be one station's.
pub(super) fn host(field: &str, ip: IpAddr) -> Verdict {
    let one = match ip {
        IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_broadcast(),
        // An IPv4 address in IPv6 clothes (RFC 4291, 2.5.5.2) is none that an interface can have.
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && v6.to_ipv4_mapped().is_none(),
    };
    require(one && !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast(), Reason::Invalid, || {
        format!(
            "{field} {ip} must be the address of one station: not unspecified, loopback, link-local, multicast or broadcast"
        )
    })
}

/// No address stands twice.
pub(super) fn unique(field: &str, ips: &[IpAddr]) -> Verdict {
    double(ips, |a, b| a == b)
        .map_or(Ok(()), |ip| require(false, Reason::Invalid, || format!("{field} name an ip twice, {ip}: remove one")))
}

/// A range starts where it says.
pub(super) fn range(field: &str, range: IpNet) -> Verdict {
    require(range == range.trunc(), Reason::Invalid, || {
        format!("{field} {range} has host bits set: write {}", range.trunc())
    })
}

/// Routes by themselves: destination, family, no double.
pub(super) fn routes(field: &str, routes: &[(IpNet, IpAddr)]) -> Verdict {
    for (destination, next_hop) in routes {
        range(&format!("{field}.destination"), *destination)?;
        require(same_family(*destination, *next_hop), Reason::Invalid, || {
            format!(
                "{field}: destination {destination} and nextHop {next_hop} are of different families: write two IPv4 or two IPv6 values"
            )
        })?;
    }
    double(routes, |a, b| a == b).map_or(Ok(()), |(destination, next_hop)| {
        require(false, Reason::Invalid, || {
            format!("{field} have a route twice, {destination} by {next_hop}: remove one")
        })
    })
}

/// A range, or what else is wanted, is written as what it is: an IPv4 range in IPv6 clothes (RFC 4291, 2.5.5.2) is none.
pub(super) fn plain(field: &str, wanted: &str, cidr: IpNet) -> Verdict {
    let mapped = matches!(cidr.addr(), IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some());
    require(!mapped, Reason::Invalid, || {
        format!("{field} {cidr} must be {wanted} in CIDR notation: write it as IPv4")
    })?;
    range(field, cidr)
}

/// A range of addresses that stations can have.
pub(super) fn stations(field: &str, cidr: IpNet) -> Verdict {
    plain(field, "an IP address or a range", cidr)?;
    require(cidr.prefix_len() > 0, Reason::Invalid, || {
        format!(
            "{field} {cidr} is every address, which is no port security by another name: write a longer prefix, or portSecurity: false"
        )
    })?;
    let ip = cidr.addr();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    require(!ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast() && !broadcast, Reason::Invalid, || {
        format!("{field} {cidr} must be of stations: not unspecified, loopback, multicast or broadcast")
    })
}
