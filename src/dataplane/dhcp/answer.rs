//! From a frame or datagram to its answer.

use std::net::Ipv4Addr;

use super::frame;
use super::lease::{Decision, decide, server_of};
use super::message::{self, Fields, MessageType, Request};
use super::options;
use super::place;
use super::table::{Network, Port, Table};
use crate::api::MacAddr;
use crate::dataplane::state::Netns;
use crate::model::Key;

/// An Ethernet frame to send out of the bridge that the request came up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The port that asked.
    pub port: Key,
    /// The frame.
    pub frame: Vec<u8>,
}

/// A datagram to send from the router's address that the request came to, port 67.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutedReply {
    /// The port that asked.
    pub port: Key,
    /// Where to: the port's own address; UDP port 68.
    pub to: Ipv4Addr,
    /// The message.
    pub payload: Vec<u8>,
}

/// Why nothing is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// The port that asked, as far as it is one.
    pub port: Option<Key>,
    /// Half a sentence.
    pub why: &'static str,
}

fn silence<T>(why: &'static str) -> Result<T, Silence> {
    Err(Silence { port: None, why })
}

/// Broadcast, by MAC.
const EVERYBODY: MacAddr = MacAddr([0xff; 6]);

/// Answers a frame that went up a bridge: a DHCP request, or an ARP request for a gateway that nobody else is.
///
/// # Errors
/// Why there is no answer.
pub fn answer(table: &Table, bridge: &str, frame: &[u8]) -> Result<Reply, Silence> {
    let Some(network) = table.networks.get(bridge) else { return silence("the bridge is not known yet") };
    let mut packet = frame;
    let Some((to, from, kind)) = frame::ethernet(&mut packet) else { return silence("the frame is too short") };
    if to != EVERYBODY && to != network.mac {
        return silence("it is for another station");
    }
    let Some(port) = network.ports.get(&from) else { return silence("its sender is no port of this node's") };
    let named = |why| Silence { port: Some(port.key.clone()), why };
    let answer = if frame::is_arp(kind) {
        answer_arp(network, port, from, packet)
    } else if frame::is_ipv4(kind) {
        answer_dhcp(network, port, from, packet)
    } else {
        Err("it is neither IPv4 nor ARP")
    };
    answer.map(|frame| Reply { port: port.key.clone(), frame }).map_err(named)
}

fn answer_arp(network: &Network, port: &Port, from: MacAddr, packet: &[u8]) -> Result<Vec<u8>, &'static str> {
    let request = frame::arp_request(packet).ok_or("it is no ARP request")?;
    if request.mac != from {
        return Err("its ARP request names another station as the sender");
    }
    if !request.source.is_unspecified() && !port.addresses.iter().any(|(ip, _)| *ip == request.source) {
        return Err("its ARP request claims an address that is not its own");
    }
    if !network.held.contains(&request.target) {
        return Err("it asks for an address that is not ours to answer for");
    }
    Ok(frame::arp_reply(&request, network.mac))
}

fn answer_dhcp(network: &Network, port: &Port, from: MacAddr, packet: &[u8]) -> Result<Vec<u8>, &'static str> {
    let datagram = frame::datagram(packet).ok_or("it is no datagram to a DHCP server")?;
    if !datagram.to.is_broadcast() && !network.servers.contains(&datagram.to) {
        return Err("it is for another server");
    }
    let request = Request::parse(datagram.payload)?;
    if request.chaddr != from {
        return Err("its request names another station as the client");
    }
    let decision = decide(port, &request)?;
    let (Decision::Offer(lease) | Decision::Ack(lease) | Decision::Inform(lease) | Decision::Nak(lease)) = decision;
    let using = request.ciaddr == lease.address;
    // RFC 2131, 4.1. What is broadcast by IP still goes to one station: nobody else needs to hear it.
    let to = match decision {
        Decision::Nak(_) => Ipv4Addr::BROADCAST,
        _ if using => request.ciaddr,
        _ if request.broadcast() => Ipv4Addr::BROADCAST,
        _ => lease.address,
    };
    let payload = write(network, port, &request, &decision);
    Ok(frame::to_client((network.mac, from), (server_of(lease.subnet), to), &payload))
}

/// Answers a datagram that came to UDP port 67 of `local`, an address of router `router`, from address `source`.
/// Only a client that has its address already sends such.
///
/// # Errors
/// Why there is no answer.
pub fn answer_routed(
    table: &Table,
    router: &Netns,
    local: Ipv4Addr,
    source: Ipv4Addr,
    payload: &[u8],
) -> Result<RoutedReply, Silence> {
    let bridge = table.routed.get(&(router.clone(), local));
    let Some(network) = bridge.and_then(|bridge| table.networks.get(bridge)) else {
        return silence("the router is not known yet");
    };
    let request = Request::parse(payload).or_else(silence)?;
    let Some(port) = network.ports.get(&request.chaddr) else { return silence("its sender is no port of this node's") };
    let named = |why| Silence { port: Some(port.key.clone()), why };
    let decision = decide(port, &request).map_err(named)?;
    match decision {
        Decision::Ack(lease) | Decision::Inform(lease)
            if lease.address == source && request.ciaddr == source && server_of(lease.subnet) == local =>
        {
            let payload = write(network, port, &request, &decision);
            Ok(RoutedReply { port: port.key.clone(), to: source, payload })
        }
        // A refusal has to be broadcast, and from a router it would be heard by everybody. The client asks again, by broadcast.
        _ => Err(named("it asks a router and does not use the address that it asks for")),
    }
}

/// The message that a decision makes.
fn write(network: &Network, port: &Port, request: &Request, decision: &Decision) -> Vec<u8> {
    let (kind, lease) = match decision {
        Decision::Offer(lease) => (MessageType::Offer, lease),
        Decision::Ack(lease) | Decision::Inform(lease) => (MessageType::Ack, lease),
        Decision::Nak(lease) => (MessageType::Nak, lease),
    };
    let mut all = options::protocol(request, kind, lease);
    let mut fields = Fields::default();
    if !matches!(decision, Decision::Nak(_)) {
        all.extend(options::configuration(network, port, lease));
        place::boot(&port.options, &mut fields);
    }
    match decision {
        Decision::Offer(_) => fields.yiaddr = lease.address,
        Decision::Ack(_) => {
            fields.yiaddr = lease.address;
            // RFC 2131, table 3: as the client said, which is its own address or none.
            fields.ciaddr = if request.ciaddr == lease.address { lease.address } else { Ipv4Addr::UNSPECIFIED };
        }
        Decision::Inform(_) => fields.ciaddr = lease.address,
        Decision::Nak(_) => {}
    }
    // RFC 2131, 4.3.5: who already has an address learns no lease time.
    if matches!(decision, Decision::Offer(_) | Decision::Ack(_)) {
        all.extend(options::times());
    }
    let order = options::order(&all, &port.options, request);
    let placed = place::place(&all, (&order, &options::urgent()), request.room(network.mtu), &mut fields);
    message::write(request, &fields, placed.into_iter())
}
