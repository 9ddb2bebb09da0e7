//! Which answer a request gets (RFC 2131, 4.3), of a port that is known.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use super::code;
use super::message::{MessageType, Request};
use super::table::Port;
use crate::model::view::SubnetView;

/// Server identifier where a subnet has no gateway.
pub const ISOLATED: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// The server identifier of a subnet.
pub fn server_of(subnet: &SubnetView) -> Ipv4Addr {
    gateway_of(subnet).unwrap_or(ISOLATED)
}

/// The gateway of a subnet of version 4.
pub fn gateway_of(subnet: &SubnetView) -> Option<Ipv4Addr> {
    match subnet.gateway {
        Some(IpAddr::V4(ip)) => Some(ip),
        _ => None,
    }
}

/// One fixed IP of a port, in a subnet with DHCP.
#[derive(Clone, Copy, Debug)]
pub struct Lease<'a> {
    /// The address.
    pub address: Ipv4Addr,
    /// Range of its subnet.
    pub range: Ipv4Net,
    /// Its subnet.
    pub subnet: &'a SubnetView,
}

/// What is to be said.
#[derive(Debug)]
pub enum Decision<'a> {
    /// This address could be yours.
    Offer(Lease<'a>),
    /// This address is yours.
    Ack(Lease<'a>),
    /// Of this address, all but the lease.
    Inform(Lease<'a>),
    /// That address is not yours, says the server of this lease.
    Nak(Lease<'a>),
}

/// Decides.
///
/// # Errors
/// Why nothing is said.
pub fn decide<'a>(port: &'a Port, request: &Request) -> Result<Decision<'a>, &'static str> {
    let first = leases(port).next().ok_or("the port has no address in a subnet with DHCP")?;
    match request.kind {
        MessageType::Discover => {
            let wish = request.address(code::REQUESTED).and_then(|ip| lease_of(port, ip));
            Ok(Decision::Offer(wish.unwrap_or(first)))
        }
        MessageType::Request => decide_request(port, request, first),
        MessageType::Inform => {
            let lease = lease_of(port, request.ciaddr).ok_or("it asks about an address that is not its own")?;
            Ok(Decision::Inform(lease))
        }
        // Its fixed IP stays the port's, whatever the guest thinks of it.
        MessageType::Release => Err("it released its address"),
        MessageType::Decline => Err("it declined its address: somebody else on the network uses it"),
        MessageType::Offer | MessageType::Ack | MessageType::Nak => Err("only servers say that"),
    }
}

/// RFC 2131, 4.3.2: what the client has filled in says which state it is in.
fn decide_request<'a>(port: &'a Port, request: &Request, first: Lease<'a>) -> Result<Decision<'a>, &'static str> {
    let requested = request.address(code::REQUESTED);
    let using = Some(request.ciaddr).filter(|ip| !ip.is_unspecified());
    let chosen = request.address(code::SERVER);
    let wanted = match chosen {
        // SELECTING: the address that one of the servers offered.
        Some(_) => requested.or(using),
        // RENEWING and REBINDING: the address in use; INIT-REBOOT: the address it had when it last ran.
        None => using.or(requested),
    };
    let wanted = wanted.ok_or("it names no address")?;
    let lease = lease_of(port, wanted);
    if let Some(server) = chosen {
        let ours = match lease {
            Some(lease) => server_of(lease.subnet) == server,
            None => leases(port).any(|lease| server_of(lease.subnet) == server),
        };
        if !ours {
            return Err("it chose another server");
        }
    }
    match lease {
        Some(lease) => Ok(Decision::Ack(lease)),
        None if port.addresses.iter().any(|(ip, _)| *ip == wanted) => Err("its address is in a subnet without DHCP"),
        None => Ok(Decision::Nak(first)),
    }
}

fn leases(port: &Port) -> impl Iterator<Item = Lease<'_>> {
    port.addresses.iter().filter_map(|(address, subnet)| match subnet.cidr {
        IpNet::V4(range) if subnet.dhcp => Some(Lease { address: *address, range, subnet }),
        _ => None,
    })
}

fn lease_of(port: &Port, ip: Ipv4Addr) -> Option<Lease<'_>> {
    leases(port).find(|lease| lease.address == ip)
}
