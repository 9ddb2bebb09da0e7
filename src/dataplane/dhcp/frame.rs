//! Ethernet, IPv4, UDP and ARP, as far as DHCP needs them.
//!
//! Checksums of what comes in are not looked at: a guest's kernel leaves that of UDP to the device, and between two ends of
//! a veth pair nothing ever fills it in.

use std::net::Ipv4Addr;

use crate::api::MacAddr;

/// Where DHCP servers listen (RFC 2131, 4.1).
pub const SERVER_PORT: u16 = 67;
/// Where DHCP clients listen.
pub const CLIENT_PORT: u16 = 68;

const IPV4: [u8; 2] = [0x08, 0x00];
const ARP: [u8; 2] = [0x08, 0x06];
/// Ethernet and IPv4 in an ARP packet: hardware and protocol type, and how long their addresses are (RFC 826).
const ARP_KIND: [u8; 6] = [0, 1, 0x08, 0x00, 6, 4];
const UDP: u8 = 17;
const ETHERNET_HEADER: usize = 14;
const IP_HEADER: u16 = 20;
const UDP_HEADER: u16 = 8;

/// Takes `N` bytes off the front: the only way in which anything of a packet is read. None: it ends too early.
pub fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

/// Destination, source and type of an Ethernet frame.
pub fn ethernet(frame: &mut &[u8]) -> Option<(MacAddr, MacAddr, [u8; 2])> {
    Some((MacAddr(take(frame)?), MacAddr(take(frame)?), take(frame)?))
}

/// Whether an Ethernet type is ARP's.
pub fn is_arp(kind: [u8; 2]) -> bool {
    kind == ARP
}

/// Whether an Ethernet type is IPv4's.
pub fn is_ipv4(kind: [u8; 2]) -> bool {
    kind == IPV4
}

/// A UDP datagram that was sent to the DHCP server port.
pub struct Datagram<'a> {
    /// Destination address.
    pub to: Ipv4Addr,
    /// What it carries.
    pub payload: &'a [u8],
}

/// Reads an IPv4 packet. None: it is no whole UDP datagram to the server port (fragments are never put together).
pub fn datagram(packet: &[u8]) -> Option<Datagram<'_>> {
    let mut rest = packet;
    let [version, _] = take(&mut rest)?;
    let total = usize::from(u16::from_be_bytes(take(&mut rest)?));
    let [_, _, fragment_high, fragment_low] = take(&mut rest)?;
    let [_, protocol, _, _] = take(&mut rest)?;
    let _source: [u8; 4] = take(&mut rest)?;
    let to = Ipv4Addr::from(take::<4>(&mut rest)?);
    let header = usize::from(version & 0x0f) * 4;
    let fragment = u16::from_be_bytes([fragment_high, fragment_low]) & 0x3fff != 0;
    if version >> 4 != 4 || header < usize::from(IP_HEADER) || fragment || protocol != UDP {
        return None;
    }
    let mut rest = packet.get(header..total)?;
    let [_, _, port_high, port_low] = take(&mut rest)?;
    let length = usize::from(u16::from_be_bytes(take(&mut rest)?));
    let _checksum: [u8; 2] = take(&mut rest)?;
    if u16::from_be_bytes([port_high, port_low]) != SERVER_PORT {
        return None;
    }
    let payload = rest.get(..length.checked_sub(usize::from(UDP_HEADER))?)?;
    Some(Datagram { to, payload })
}

/// A frame with a UDP datagram from the server's port to the client's. The payload fits one packet.
pub fn to_client(macs: (MacAddr, MacAddr), addresses: (Ipv4Addr, Ipv4Addr), payload: &[u8]) -> Vec<u8> {
    let ((from, to), (source, destination)) = (macs, addresses);
    let udp_length = u16::try_from(payload.len()).unwrap_or(u16::MAX).saturating_add(UDP_HEADER);
    let total = udp_length.saturating_add(IP_HEADER);
    // Don't fragment, 64 hops.
    let mut ip = vec![0x45, 0xc0];
    ip.extend(total.to_be_bytes());
    ip.extend([0, 0, 0x40, 0, 64, UDP]);
    let addresses = [source.octets(), destination.octets()].concat();
    let ip_checksum = checksum(sum(&ip) + sum(&addresses));
    ip.extend(ip_checksum);
    ip.extend(&addresses);

    let mut udp = Vec::with_capacity(usize::from(UDP_HEADER));
    udp.extend(SERVER_PORT.to_be_bytes());
    udp.extend(CLIENT_PORT.to_be_bytes());
    udp.extend(udp_length.to_be_bytes());
    let pseudo = sum(&addresses) + u32::from(UDP) + u32::from(udp_length);
    // A checksum of zero would mean that there is none (RFC 768).
    let udp_checksum = Some(checksum(pseudo + sum(&udp) + sum(payload))).filter(|c| *c != [0, 0]).unwrap_or([0xff; 2]);
    udp.extend(udp_checksum);

    let mut frame = Vec::with_capacity(ETHERNET_HEADER + usize::from(total));
    frame.extend(to.0);
    frame.extend(from.0);
    frame.extend(IPV4);
    frame.extend(ip);
    frame.extend(udp);
    frame.extend(payload);
    frame
}

/// The sum of 16-bit words of RFC 1071; of at most 64 KiB it cannot overflow.
fn sum(bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<2>();
    let last = rest.first().map_or(0, |last| u32::from(*last) << 8);
    words.iter().map(|word| u32::from(u16::from_be_bytes(*word))).sum::<u32>() + last
}

fn checksum(sum: u32) -> [u8; 2] {
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    let [_, _, high, low] = (!folded).to_be_bytes();
    [high, low]
}

/// Who asks for whom in an ARP request.
pub struct ArpRequest {
    /// MAC address of the asker.
    pub mac: MacAddr,
    /// The asker's address; 0.0.0.0 when it has none yet (RFC 5227).
    pub source: Ipv4Addr,
    /// The address asked for.
    pub target: Ipv4Addr,
}

/// Reads an ARP packet. None: it is no request for an IPv4 address on Ethernet.
pub fn arp_request(packet: &[u8]) -> Option<ArpRequest> {
    let mut rest = packet;
    let request = take::<6>(&mut rest)? == ARP_KIND && take(&mut rest)? == [0, 1];
    let mac = MacAddr(take(&mut rest)?);
    let source = Ipv4Addr::from(take::<4>(&mut rest)?);
    let _asked_for: [u8; 6] = take(&mut rest)?;
    let target = Ipv4Addr::from(take::<4>(&mut rest)?);
    request.then_some(ArpRequest { mac, source, target })
}

/// The frame that answers an ARP request: the target is at `mac`.
pub fn arp_reply(request: &ArpRequest, mac: MacAddr) -> Vec<u8> {
    let mut frame = Vec::with_capacity(ETHERNET_HEADER + 28);
    frame.extend(request.mac.0);
    frame.extend(mac.0);
    frame.extend(ARP);
    frame.extend(ARP_KIND);
    frame.extend([0, 2]);
    frame.extend(mac.0);
    frame.extend(request.target.octets());
    frame.extend(request.mac.0);
    frame.extend(request.source.octets());
    frame
}
