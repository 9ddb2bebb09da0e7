//! What a client is told beside its address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use super::lease::{Lease, gateway_of, server_of};
use super::message::{MessageType, Request};
use super::table::{Network, Port};
use super::{LEASE_SECONDS, code};
use crate::model::dhcp_option;

/// The protocol's own: first in every message.
const PROTOCOL: [u8; 6] = [code::MESSAGE_TYPE, code::SERVER, code::LEASE, code::T1, code::T2, code::CLIENT];
/// Without these a guest's network would not work, so they are told to who does not ask, too.
const NECESSARY: [u8; 4] = [code::MASK, code::ROUTES, code::ROUTER, code::MTU];

/// Options by code.
pub type Options = BTreeMap<u8, Vec<u8>>;

/// What belongs to the answer itself.
pub fn protocol(request: &Request, kind: MessageType, lease: &Lease) -> Options {
    let mut options = Options::new();
    options.insert(code::MESSAGE_TYPE, vec![kind as u8]);
    options.insert(code::SERVER, server_of(lease.subnet).octets().to_vec());
    // RFC 6842: the client's own identifier comes back, also in a refusal.
    if let Some(client) = request.option(code::CLIENT) {
        options.insert(code::CLIENT, client.to_vec());
    }
    options
}

/// The duration of a lease, and when to renew it: by unicast after half of it, by broadcast after seven eighths.
pub fn times() -> [(u8, Vec<u8>); 3] {
    [(code::LEASE, LEASE_SECONDS), (code::T1, LEASE_SECONDS / 2), (code::T2, LEASE_SECONDS / 8 * 7)]
        .map(|(code, seconds)| (code, seconds.to_be_bytes().to_vec()))
}

/// The configuration of the guest: its subnet's, and over that the port's own.
pub fn configuration(network: &Network, port: &Port, lease: &Lease) -> Options {
    let subnet = lease.subnet;
    let mut options = Options::new();
    options.insert(code::MASK, lease.range.netmask().octets().to_vec());
    options.insert(code::BROADCAST, lease.range.broadcast().octets().to_vec());
    options.insert(code::MTU, u16::try_from(network.mtu).unwrap_or(u16::MAX).to_be_bytes().to_vec());
    if let Some(gateway) = gateway_of(subnet) {
        options.insert(code::ROUTER, gateway.octets().to_vec());
    }
    let servers: Vec<u8> = subnet.dns_nameservers.iter().filter_map(v4).flat_map(|ip| ip.octets()).collect();
    options.insert(code::DNS, servers);
    options.insert(code::DOMAIN, subnet.dns_domain.clone().unwrap_or_default().into_bytes());
    options.insert(code::HOSTNAME, port.hostname.clone().unwrap_or_default().into_bytes());
    options.retain(|_, value| !value.is_empty());
    options.extend(port.options.clone());

    let mut routes: Vec<(Ipv4Net, Ipv4Addr)> = subnet.host_routes.iter().filter_map(host_route).collect();
    if !routes.is_empty() && !options.contains_key(&code::ROUTES) {
        // RFC 3442: who reads this option ignores the router option, so the default route is said again.
        let gateway = options.get(&code::ROUTER).and_then(|value| value.first_chunk::<4>());
        let has_default = routes.iter().any(|(to, _)| to.prefix_len() == 0);
        routes.extend(gateway.filter(|_| !has_default).map(|hop| (Ipv4Net::default(), Ipv4Addr::from(*hop))));
        options.insert(code::ROUTES, dhcp_option::routes(&routes));
    }
    if let Some(routes) = options.get(&code::ROUTES).cloned() {
        options.entry(code::ROUTES_MICROSOFT).or_insert(routes);
    }
    options
}

fn v4(ip: &IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(ip) => Some(*ip),
        IpAddr::V6(_) => None,
    }
}

fn host_route((destination, hop): &(IpNet, IpAddr)) -> Option<(Ipv4Net, Ipv4Addr)> {
    match destination {
        IpNet::V4(destination) => Some((*destination, v4(hop)?)),
        IpNet::V6(_) => None,
    }
}

/// Codes that get room first.
pub fn urgent() -> Vec<u8> {
    [PROTOCOL.as_slice(), &NECESSARY].concat()
}

/// Which options are sent, in which order: the protocol's, then as the client lists them, then what it must know anyway.
/// When the client takes no message that long, what it asked for last is left out.
pub fn order(options: &Options, own: &Options, request: &Request) -> Vec<u8> {
    // A client without a list gets everything but what only one vendor's ever ask for.
    let all: Vec<u8> = options.keys().copied().filter(|code| *code != code::ROUTES_MICROSOFT).collect();
    let listed = request.option(code::PARAMETERS).unwrap_or(&all);
    let mut seen = BTreeSet::new();
    let wanted = PROTOCOL.iter().chain(listed).chain(&NECESSARY).chain(own.keys()).copied();
    wanted.filter(|code| options.contains_key(code) && seen.insert(*code)).collect()
}
