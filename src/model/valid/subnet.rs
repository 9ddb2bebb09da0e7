//! A Subnet by itself (Neutron: `_validate_subnet`, `validate_allocation_pools`).

use std::net::IpAddr;

use ipnet::IpNet;

use super::address::{self, has_edges, number};
use super::{Valid, Verdict, double, immutable, name, require, size};
use crate::api::{AllocationPool, GatewayIP, Reason, Subnet, SubnetSpec};

impl Valid for Subnet {
    fn valid(&self) -> Verdict {
        name::object(&self.metadata)?;
        name::reference("networkRef", &self.spec.network_ref)?;
        cidr(self.spec.cidr)?;
        gateway(&self.spec)?;
        pools(&self.spec)?;
        told_by_dhcp(&self.spec)
    }

    fn edit(&self, old: &Self) -> Verdict {
        immutable("Subnet", "networkRef", &self.spec.network_ref, &old.spec.network_ref)?;
        immutable("Subnet", "cidr", &self.spec.cidr, &old.spec.cidr)
    }
}

fn cidr(range: IpNet) -> Verdict {
    address::range("cidr", range)?;
    let IpNet::V4(v4) = range else {
        return require(false, Reason::Unsupported, || {
            format!("cidr {range} is an IPv6 range, and IPv6 subnets are not supported yet: write an IPv4 range")
        });
    };
    let [first, ..] = v4.network().octets();
    // 0/8 means "this network" (RFC 1122), 127/8 loopback, 169.254/16 is never routed (RFC 3927), 224/3 is multicast and
    // reserved.
    let hosts = v4.prefix_len() >= 8 && !matches!(first, 0 | 127 | 224..) && !v4.network().is_link_local();
    require(hosts, Reason::Invalid, || {
        format!(
            "cidr {range} is no range for hosts: write a prefix of /8 or longer, outside 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16 and 224.0.0.0/3"
        )
    })
}

/// Network or broadcast address, where the range has them.
fn is_edge(cidr: IpNet, ip: IpAddr) -> bool {
    has_edges(cidr) && (ip == cidr.network() || ip == cidr.broadcast())
}

fn gateway(spec: &SubnetSpec) -> Verdict {
    let Some(GatewayIP::Address(ip)) = spec.gateway_ip else { return Ok(()) };
    let cidr = spec.cidr;
    require(cidr.contains(&ip), Reason::AddressOutOfRange, || {
        format!("gatewayIP is outside the cidr: {ip} is not in {cidr}; write an address of the subnet, or None")
    })?;
    require(!is_edge(cidr, ip), Reason::AddressOutOfRange, || {
        format!("gatewayIP is the network or broadcast address, {ip}: write another address of the subnet, or None")
    })
}

/// The gateway in force: the one given, else the first host (Neutron's default); a /32 has none by default.
fn gateway_in_force(spec: &SubnetSpec) -> Option<u128> {
    match spec.gateway_ip {
        Some(GatewayIP::None) => None,
        Some(GatewayIP::Address(ip)) => Some(number(ip)),
        None if spec.cidr.prefix_len() == spec.cidr.max_prefix_len() => None,
        None => Some(number(spec.cidr.network()) + u128::from(has_edges(spec.cidr))),
    }
}

fn pools(spec: &SubnetSpec) -> Verdict {
    let Some(pools) = &spec.allocation_pools else { return Ok(()) };
    let cidr = spec.cidr;
    size("allocationPools", pools.len(), 1, 32)?;
    for AllocationPool { start, end } in pools {
        require(cidr.contains(start) && cidr.contains(end), Reason::AddressOutOfRange, || {
            format!("allocationPools reach outside the cidr: {start} to {end} is not in {cidr}")
        })?;
        require(number(*start) <= number(*end), Reason::Invalid, || {
            format!("allocationPools have a start after its end: exchange {start} and {end}")
        })?;
        require(!is_edge(cidr, *start) && !is_edge(cidr, *end), Reason::AddressOutOfRange, || {
            let (network, broadcast) = (cidr.network(), cidr.broadcast());
            format!("allocationPools hold the network or broadcast address: leave {network} and {broadcast} out")
        })?;
        let within = |gateway: u128| (number(*start)..=number(*end)).contains(&gateway);
        require(!gateway_in_force(spec).is_some_and(within), Reason::AddressOutOfRange, || {
            format!(
                "allocationPools hold the gateway (by default the first host): leave it out of {start} to {end}, or move gatewayIP"
            )
        })?;
    }
    let overlap =
        |a: &AllocationPool, b: &AllocationPool| number(a.start) <= number(b.end) && number(b.start) <= number(a.end);
    double(pools, overlap).map_or(Ok(()), |AllocationPool { start, end }| {
        require(false, Reason::Invalid, || {
            format!("allocationPools overlap: {start} to {end} meets another; make one pool of them, or part them")
        })
    })
}

fn told_by_dhcp(spec: &SubnetSpec) -> Verdict {
    let cidr = spec.cidr;
    require(has_edges(cidr) || spec.dhcp == Some(false), Reason::Invalid, || {
        format!("dhcp has no room in a /31 or /32 such as {cidr}: write dhcp: false, or a wider cidr")
    })?;
    size("dnsNameservers", spec.dns_nameservers.len(), 0, 5)?;
    for ip in &spec.dns_nameservers {
        require(ip.is_ipv4() && !ip.is_unspecified(), Reason::Invalid, || {
            format!("dnsNameservers need IPv4 addresses of servers, and {ip} is none: DHCPv4 can tell no others")
        })?;
    }
    double(&spec.dns_nameservers, |a, b| a == b).map_or(Ok(()), |ip| {
        require(false, Reason::Invalid, || format!("dnsNameservers name a server twice, {ip}: remove one"))
    })?;
    spec.dns_domain.as_deref().map_or(Ok(()), |domain| name::domain("dnsDomain", domain))?;
    size("hostRoutes", spec.host_routes.len(), 0, 20)?;
    let routes: Vec<_> = spec.host_routes.iter().map(|r| (r.destination, r.next_hop)).collect();
    address::routes("hostRoutes", &routes)?;
    for (destination, next_hop) in routes {
        require(cidr.contains(&next_hop), Reason::InvalidNextHop, || {
            format!(
                "hostRoutes have a nextHop outside the cidr: {next_hop} to {destination} is not in {cidr}, and guests reach only addresses of the subnet directly"
            )
        })?;
    }
    Ok(())
}
