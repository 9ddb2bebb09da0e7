//! What a hostile guest sends, kind by kind. Each frame carries a mark, so that it is known wherever it arrives.

use crate::frames::{
    ACK, ARP, AUTHENTICATION, FIN, HOP_BY_HOP, ICMP, ICMPV6, IPV4, IPV6, Ip, Mac, OPTIONS, RARP, ROUTING, RST, SCTP,
    SYN, TCP, UDP, arp, cut, ethernet, icmp, sctp, tcp, udp,
};

/// The hostile guest and its addresses.
pub const ME: Mac = [2, 0, 0, 0, 0, 0x0a];
const OWN: [u8; 4] = [10, 0, 0, 10];
const ME4: &str = "10.0.0.10";
const ME6: &str = "2001:db8::a";
const LINK: &str = "fe80::ff:fe00:a";
/// Its neighbours: one that is guarded, and one that is not.
pub const GUARDED: Mac = [2, 0, 0, 0, 0, 0x0b];
pub const OPEN: Mac = [2, 0, 0, 0, 0, 0x0c];
const NEIGHBOUR: [u8; 4] = [10, 0, 0, 11];
const NEIGHBOUR4: &str = "10.0.0.11";
const NEIGHBOUR6: &str = "2001:db8::b";
const GATEWAY: [u8; 4] = [10, 0, 0, 1];
const GATEWAY4: &str = "10.0.0.1";
/// UDP port of the tunnels.
const TUNNEL: u16 = 14789;
/// Of the datagram whose first part was sent; see [`first_part`].
const PARTS: u32 = 0x7777;

/// A kind: its name, and a frame by its number and mark.
pub struct Kind(pub &'static str, pub fn(u16, &[u8]) -> Vec<u8>);

fn low(n: u16) -> u8 {
    n.to_be_bytes()[1]
}

/// Somebody else of the subnet.
fn other(n: u16) -> [u8; 4] {
    [10, 0, 0, 11 + low(n) % 200]
}

fn dotted(ip: [u8; 4]) -> String {
    std::net::Ipv4Addr::from(ip).to_string()
}

fn stranger(n: u16) -> Mac {
    [2, 0x5e, 0, 1, 2, low(n)]
}

/// A datagram from some address.
fn from(source: &str, n: u16, mark: &[u8]) -> Ip {
    let to = if source.contains(':') { NEIGHBOUR6 } else { NEIGHBOUR4 };
    Ip::new(source, to, UDP, udp(1024 + n, 53, mark)).hops(64)
}

fn of(source: &str, protocol: u8, payload: Vec<u8>) -> Vec<u8> {
    let to = if source.contains(':') { NEIGHBOUR6 } else { NEIGHBOUR4 };
    Ip::new(source, to, protocol, payload).hops(64).frame(ME)
}

fn says(operation: u16, sender: (Mac, [u8; 4]), target: [u8; 4]) -> Vec<u8> {
    ethernet(ME, ARP, &arp(operation, sender, target))
}

/// ARP with a byte of it changed.
fn odd(at: usize, byte: u8) -> Vec<u8> {
    let mut arp = arp(1, (ME, OWN), NEIGHBOUR);
    arp[at] = byte;
    ethernet(ME, ARP, &arp)
}

/// Neighbour discovery about a target, with the guest's MAC address.
fn about(kind: u8, source: &str, to: &str, target: &str) -> Ip {
    let target: std::net::Ipv6Addr = target.parse().unwrap();
    Ip::new(source, to, ICMPV6, icmp(kind, 0, 0xa000, &[&target.octets()[..], &[2, 1], &ME].concat()))
}

fn advertises(source: &str) -> Ip {
    Ip::new(source, "ff02::1", ICMPV6, icmp(134, 0, 0x4000, &[0; 24]))
}

fn listener(kind: u8, source: &str) -> Vec<u8> {
    Ip::new(source, "ff02::16", ICMPV6, icmp(kind, 0, 0, &[0; 16])).hops(1).frame(ME)
}

fn tagged(ethertype: u16, vlan: u16, frame: &[u8]) -> Vec<u8> {
    [&frame[..12], &ethertype.to_be_bytes(), &vlan.to_be_bytes(), &frame[12..]].concat()
}

fn of_type(ethertype: u16, mark: &[u8]) -> Vec<u8> {
    ethernet(ME, ethertype, &[mark, &[0; 40]].concat())
}

/// A good packet with a byte of its IP header changed.
fn lies(source: &str, n: u16, mark: &[u8], at: usize, byte: u8) -> Vec<u8> {
    let mut frame = from(source, n, mark).frame(ME);
    frame[14 + at] = byte;
    frame
}

/// A good packet that is cut off, and its header says so.
fn short(source: &str, protocol: u8, payload: &[u8], left: usize) -> Vec<u8> {
    let mut frame = of(source, protocol, payload.to_vec());
    let length = 14 + if source.contains(':') { 40 } else { 20 } + left;
    cut(&mut frame, length);
    frame
}

fn chain(count: u8, n: u16, mark: &[u8]) -> Ip {
    let kinds = [HOP_BY_HOP, OPTIONS, AUTHENTICATION, OPTIONS];
    (0..count).fold(from(ME6, n, mark), |ip, at| ip.header(kinds[usize::from(at) % 4], low(n) % 2))
}

/// A routing header of some type.
fn routed(kind: u8, n: u16, mark: &[u8]) -> Vec<u8> {
    let mut ip = from(ME6, n, mark);
    ip.headers.push((ROUTING, [&[0, 2, kind, 1 + low(n) % 7, 0, 0, 0, 0], &[0x20; 16][..]].concat()));
    ip.frame(ME)
}

fn vxlan(source: &str, to: &str, mark: &[u8]) -> Vec<u8> {
    let inner = ethernet(stranger(1), IPV4, &from(NEIGHBOUR4, 1, mark).bytes());
    let packet = [&[8, 0, 0, 0, 0, 0, 1, 0], &inner[..]].concat();
    Ip::new(source, to, UDP, udp(5000, TUNNEL, &packet)).hops(64).frame(ME)
}

/// The first part of the datagram that kinds of overlaps lie over; it is the guest's own and passes.
pub fn first_part() -> Vec<u8> {
    Ip::new(ME4, NEIGHBOUR4, UDP, udp(1000, 53, &[0; 24])).fragment(PARTS, 0, true).frame(ME)
}

/// What arrives nowhere: neither at neighbours, guarded or not, nor at the router, nor outside.
pub fn forged() -> Vec<Kind> {
    vec![
        Kind("from a neighbour's MAC address", |n, m| from(ME4, n, m).frame(if n % 2 == 0 { GUARDED } else { OPEN })),
        Kind("from a stranger's MAC address", |n, m| from(ME4, n, m).frame(stranger(n))),
        Kind("a stranger's MAC address and a neighbour's address", |n, m| {
            from(&dotted(other(n)), n, m).frame(stranger(n))
        }),
        Kind("ARP from a stranger's MAC address", |n, _| {
            ethernet(stranger(n), ARP, &arp(1, (stranger(n), OWN), NEIGHBOUR))
        }),
        Kind("a neighbour's ARP request", |n, _| says(1, (ME, other(n)), GATEWAY)),
        Kind("a neighbour's ARP answer", |n, _| says(2, (ME, other(n)), [10, 0, 0, low(n)])),
        Kind("the gateway's ARP answer", |n, _| says(2, (ME, GATEWAY), other(n))),
        Kind("gratuitous ARP for the gateway", |n, _| says(1 + n % 2, (ME, GATEWAY), GATEWAY)),
        Kind("gratuitous ARP for a neighbour", |n, _| says(1 + n % 2, (ME, other(n)), other(n))),
        Kind("ARP with another MAC address inside", |n, _| says(1 + n % 2, (stranger(n), OWN), NEIGHBOUR)),
        Kind("ARP from a foreign address", |n, _| says(1, (ME, [198, 51, 100, low(n)]), NEIGHBOUR)),
        Kind("an ARP answer from nobody", |n, _| says(2, (ME, [0; 4]), other(n))),
        Kind("ARP of odd operations", |n, _| says(3 + n, (ME, OWN), NEIGHBOUR)),
        Kind("ARP of odd hardware and lengths", |n, _| odd([1, 2, 4, 5][usize::from(n) % 4], 0x77)),
        Kind("ARP that is cut off", |n, _| ethernet(ME, ARP, &arp(1, (ME, OWN), NEIGHBOUR)[..usize::from(n % 18)])),
        Kind("RARP from a stranger", |n, m| ethernet(stranger(n), RARP, &[m, &[0; 40]].concat())),
        Kind("IPv4 from a neighbour", |n, m| from(&dotted(other(n)), n, m).frame(ME)),
        Kind("IPv4 from the gateway", |n, m| from(GATEWAY4, n, m).frame(ME)),
        Kind("IPv4 from outside", |n, m| from(&dotted([198, 51, 100, low(n)]), n, m).frame(ME)),
        Kind("IPv4 from the router's address outside", |n, m| from("203.0.113.10", n, m).frame(ME)),
        Kind("IPv4 from broadcast", |n, m| {
            from(if n % 2 == 0 { "255.255.255.255" } else { "10.0.0.255" }, n, m).frame(ME)
        }),
        Kind("IPv4 from multicast", |n, m| from(&dotted([224, 0, 0, low(n)]), n, m).frame(ME)),
        Kind("IPv4 from loopback", |n, m| from(&dotted([127, 0, 0, low(n)]), n, m).frame(ME)),
        Kind("IPv4 from nobody", |n, m| from("0.0.0.0", n, m).frame(ME)),
        Kind("IPv4 with options from a neighbour", |n, m| {
            from(NEIGHBOUR4, n, m).options(1 + usize::from(n % 9)).frame(ME)
        }),
        Kind("to the outside from a neighbour", |n, m| {
            Ip::new(&dotted(other(n)), "203.0.113.1", UDP, udp(1024 + n, 53, m)).hops(64).frame(ME)
        }),
        Kind("to the outside from a foreign address", |n, m| {
            Ip::new(&dotted([192, 0, 2, low(n)]), "203.0.113.1", TCP, tcp(1024 + n, 80, SYN, m)).hops(64).frame(ME)
        }),
        Kind("TCP connections in a neighbour's name", |n, m| of(&dotted(other(n)), TCP, tcp(1024 + n, 80, SYN, m))),
        Kind("TCP resets in a neighbour's name", |n, m| of(&dotted(other(n)), TCP, tcp(80, 1024 + n, RST, m))),
        Kind("pings in a neighbour's name", |n, m| of(&dotted(other(n)), ICMP, icmp(8, 0, n, m))),
        Kind("a redirect in the gateway's name", |n, m| {
            of(GATEWAY4, ICMP, icmp(5, 1, n, &[m, &from(NEIGHBOUR4, n, m).bytes()].concat()))
        }),
        Kind("ICMP errors in the gateway's name", |n, m| {
            of(GATEWAY4, ICMP, icmp(3, 1, n, &[&from(NEIGHBOUR4, n, m).bytes()[..], m].concat()))
        }),
        Kind("SCTP in a neighbour's name", |n, m| of(&dotted(other(n)), SCTP, sctp(n, 80, m))),
        Kind("GRE in a neighbour's name", |n, m| of(&dotted(other(n)), 47, m.to_vec())),
        Kind("ESP in a neighbour's name", |n, m| of(&dotted(other(n)), 50, m.to_vec())),
        Kind("IP in IP in a neighbour's name", |n, m| of(&dotted(other(n)), 4, from(ME4, n, m).bytes())),
        Kind("VRRP and OSPF in the gateway's name", |n, m| of(GATEWAY4, if n % 2 == 0 { 112 } else { 89 }, m.to_vec())),
        Kind("IGMP in a neighbour's name", |n, m| {
            of(&dotted(other(n)), 2, [&[0x16, 0, 0, 0, 224, 0, 0, 5], m].concat())
        }),
        Kind("tunnel packets in a node's name", |n, m| vxlan(&dotted([192, 0, 2, low(n)]), "203.0.113.1", m)),
        Kind("tunnel packets in a neighbour's name", |n, m| vxlan(&dotted(other(n)), NEIGHBOUR4, m)),
        Kind("a DHCP server's answers", |_, m| Ip::new(ME4, "255.255.255.255", UDP, udp(67, 68, m)).hops(64).frame(ME)),
        Kind("a DHCP server's answers in the gateway's name", |n, m| {
            Ip::new(GATEWAY4, &dotted(other(n)), UDP, udp(67, 68, m)).frame(ME)
        }),
        Kind("a DHCP search in a neighbour's name", |n, m| {
            Ip::new(&dotted(other(n)), "255.255.255.255", UDP, udp(68, 67, m)).frame(ME)
        }),
        Kind("a DHCPv6 server's answers", |_, m| Ip::new(LINK, "ff02::1", UDP, udp(547, 546, m)).frame(ME)),
        Kind("TCP without a connection", |n, m| {
            let flags = [ACK, SYN | ACK, FIN, FIN | ACK, RST, RST | ACK, SYN | FIN, SYN | RST, 0, 0x3f];
            of(if n % 2 == 0 { ME4 } else { ME6 }, TCP, tcp(1024 + n, 8080, flags[usize::from(n / 2) % 10], m))
        }),
        Kind("pongs that nobody asked for", |n, m| of(ME4, ICMP, icmp(0, 0, n, m))),
        Kind("pongs in IPv6", |n, m| of(ME6, ICMPV6, icmp(129, 0, n, m))),
        Kind("IPv6 from a neighbour", |n, m| from(NEIGHBOUR6, n, m).frame(ME)),
        Kind("IPv6 from elsewhere", |n, m| from(&format!("2001:db8:1::{n:x}"), n, m).frame(ME)),
        Kind("IPv6 from a neighbour's link-local address", |n, m| {
            from(&format!("fe80::ff:fe00:{:x}", 11 + n), n, m).frame(ME)
        }),
        Kind("IPv6 from a router's link-local address", |n, m| from(&format!("fe80::{:x}", 1 + n), n, m).frame(ME)),
        Kind("IPv6 from multicast", |n, m| from("ff02::1", n, m).frame(ME)),
        Kind("IPv6 from nobody", |n, m| from("::", n, m).frame(ME)),
        Kind("IPv4's addresses in IPv6", |n, m| match n % 3 {
            0 => from("::ffff:10.0.0.10", n, m).frame(ME),
            1 => from("::ffff:10.0.0.11", n, m).frame(ME),
            _ => Ip::new(ME6, "::ffff:10.0.0.11", UDP, udp(n, 53, m)).frame(ME),
        }),
        Kind("routing headers of type 0", |n, m| routed(0, n, m)),
        Kind("other routing headers", |n, m| routed([2, 3, 4, 253][usize::from(n) % 4], n, m)),
        Kind("a routing header behind others", |n, m| chain(1 + low(n) % 6, n, m).routing(1).frame(ME)),
        Kind("chains of more than eight headers", |n, m| chain(9 + low(n) % 4, n, m).frame(ME)),
        Kind("a neighbour's, behind headers", |n, m| {
            let mut ip = chain(1 + low(n) % 8, n, m);
            ip.source = NEIGHBOUR6.parse().unwrap();
            ip.frame(ME)
        }),
        Kind("headers that do not fit", |n, m| {
            let mut frame = from(ME6, n, m).header(OPTIONS, 0).frame(ME);
            frame[14 + 41] = 20 + low(n) % 200;
            frame
        }),
        Kind("tiny first fragments", |n, _| {
            Ip::new(ME4, NEIGHBOUR4, TCP, vec![0; usize::from(n % 20)]).fragment(n.into(), 0, true).frame(ME)
        }),
        Kind("fragments whose first was never sent", |n, m| {
            Ip::new(ME4, NEIGHBOUR4, UDP, m.to_vec())
                .fragment(u32::from(n) + 20_000, 8 * (1 + n % 100), n % 2 == 0)
                .frame(ME)
        }),
        Kind("fragments that lie over the first", |n, m| {
            Ip::new(ME4, NEIGHBOUR4, UDP, m.to_vec()).fragment(PARTS, 8 * (1 + n % 3), n % 2 == 0).frame(ME)
        }),
        Kind("a first fragment of another length", |n, m| {
            Ip::new(ME4, NEIGHBOUR4, UDP, udp(1000, 53, &[m, &vec![0; 32 + 8 * usize::from(n % 8)]].concat()))
                .fragment(PARTS, 0, true)
                .frame(ME)
        }),
        Kind("a neighbour's fragments", |n, m| {
            Ip::new(NEIGHBOUR4, NEIGHBOUR4, UDP, udp(n, 53, m)).fragment(n.into(), 0, true).frame(ME)
        }),
        Kind("fragments of IPv6 without the first", |n, m| {
            Ip::new(ME6, NEIGHBOUR6, UDP, m.to_vec()).fragment(n.into(), 8 * (1 + n % 90), true).frame(ME)
        }),
        Kind("tiny first fragments of IPv6", |n, _| {
            Ip::new(ME6, NEIGHBOUR6, UDP, vec![0; usize::from(n % 8)]).fragment(n.into(), 0, true).frame(ME)
        }),
        Kind("fragments of fragments", |n, m| {
            from(ME6, n, m).fragment(1, 0, false).fragment(2, 0, n % 2 == 0).frame(ME)
        }),
        Kind("a neighbour's solicitations", |_, _| about(135, NEIGHBOUR6, "ff02::1:ff00:c", "2001:db8::c").frame(ME)),
        Kind("advertisements of a neighbour's address", |n, _| {
            about(136, if n % 2 == 0 { ME6 } else { NEIGHBOUR6 }, "ff02::1", NEIGHBOUR6).frame(ME)
        }),
        Kind("advertisements of a router's address", |n, _| {
            about(136, ME6, "ff02::1", &format!("fe80::{:x}", 1 + n)).frame(ME)
        }),
        Kind("duplicate detection of others' addresses", |n, _| {
            about(135, "::", "ff02::1:ff00:b", &format!("2001:db8::b:{n:x}")).frame(ME)
        }),
        Kind("neighbour discovery from afar", |n, _| {
            about(135, ME6, NEIGHBOUR6, NEIGHBOUR6).hops(low(n).min(254)).frame(ME)
        }),
        Kind("neighbour discovery in fragments", |n, _| {
            about(136, ME6, "ff02::1", ME6).fragment(n.into(), 0, n % 2 == 0).frame(ME)
        }),
        Kind("router advertisements", |n, _| advertises(if n % 2 == 0 { LINK } else { "fe80::1" }).frame(ME)),
        Kind("router advertisements behind headers", |n, _| {
            (0..=n % 10).fold(advertises(LINK), |ip, _| ip.header(OPTIONS, 0)).frame(ME)
        }),
        Kind("router advertisements in fragments", |n, _| advertises(LINK).fragment(n.into(), 0, n % 2 == 0).frame(ME)),
        Kind("redirects of IPv6", |n, _| {
            about(137, if n % 2 == 0 { LINK } else { "fe80::1" }, NEIGHBOUR6, NEIGHBOUR6).frame(ME)
        }),
        Kind("others' listener reports", |n, _| listener([131, 132, 143][usize::from(n) % 3], NEIGHBOUR6)),
        Kind("a router's listener queries", |n, _| listener(130, if n % 2 == 0 { "fe80::1" } else { "::" })),
        Kind("listener reports that leave the link", |n, _| {
            Ip::new(LINK, "ff02::16", ICMPV6, icmp(143, 0, 0, &[0; 16])).hops(2 + low(n) % 200).frame(ME)
        }),
        Kind("VLAN tags", |n, m| tagged(0x8100, n % 4096, &from(ME4, n, m).frame(ME))),
        Kind("providers' tags", |n, m| tagged(0x88a8, n % 4096, &from(ME4, n, m).frame(ME))),
        Kind("two tags", |n, m| tagged(0x88a8, 5, &tagged(0x8100, n % 4096, &from(ME4, n, m).frame(ME)))),
        Kind("old double tags", |n, m| tagged(0x9100, n % 4096, &from(ME4, n, m).frame(ME))),
        Kind("ARP in a tag", |n, _| tagged(0x8100, n % 4096, &says(1, (ME, OWN), NEIGHBOUR))),
        Kind("LLDP", |_, m| of_type(0x88cc, m)),
        Kind("spanning tree", |_, m| ethernet(ME, 38, &[&[0x42, 0x42, 3, 0, 0, 0, 0], m, &[0; 30]].concat())),
        Kind("LLC and SNAP", |n, m| {
            ethernet(ME, 60, &[&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &from(ME4, n, m).bytes()[..]].concat())
        }),
        Kind("slow protocols, pause, EAPOL", |n, m| of_type([0x8809, 0x8808, 0x888e][usize::from(n) % 3], m)),
        Kind("MPLS", |n, m| {
            ethernet(
                ME,
                if n % 2 == 0 { 0x8847 } else { 0x8848 },
                &[&[0, 1, 1, 64], &from(ME4, n, m).bytes()[..]].concat(),
            )
        }),
        Kind("PPPoE", |n, m| of_type(if n % 2 == 0 { 0x8863 } else { 0x8864 }, m)),
        Kind("any other type", |n, m| of_type(0x1000 + n, m)),
        Kind("IPv4 headers that are cut off", |n, m| {
            ethernet(ME, IPV4, &from(ME4, n, m).bytes()[..usize::from(n % 10)])
        }),
        Kind("IPv6 headers that are cut off", |n, m| {
            ethernet(ME, IPV6, &from(ME6, n, m).bytes()[..usize::from(n % 30)])
        }),
        Kind("IPv4 of other versions", |n, m| lies(ME4, n, m, 0, [0x05, 0x65, 0x55, 0xf5][usize::from(n) % 4])),
        Kind("IPv4 headers of no length", |n, m| lies(ME4, n, m, 0, 0x40 + low(n) % 5)),
        Kind("IPv4 shorter than its header", |n, m| lies(ME4, n, m, 3, low(n) % 20)),
        Kind("IPv4 longer than it is", |n, m| lies(ME4, n, m, 2, 1 + low(n) % 200)),
        Kind("IPv6 of other versions", |n, m| lies(ME6, n, m, 0, [0, 0x40, 0x50, 0xf0][usize::from(n) % 4])),
        Kind("IPv6 longer than it is", |n, m| lies(ME6, n, m, 4, 1 + low(n) % 200)),
        Kind("TCP that is cut off", |n, _| short(ME4, TCP, &tcp(n, 80, SYN, &[]), usize::from(n % 20))),
        Kind("UDP and ICMP that are cut off", |n, _| {
            short(ME4, if n % 2 == 0 { UDP } else { ICMP }, &[8; 8], usize::from(n % 8))
        }),
        Kind("TCP and ICMPv6 that are cut off", |n, _| {
            short(ME6, if n % 2 == 0 { TCP } else { ICMPV6 }, &[128; 20], usize::from(n % 8))
        }),
    ]
}

/// What the guest may send, and nobody of the group `default` hears.
pub fn uninvited() -> Vec<Kind> {
    vec![
        Kind("own UDP", |n, m| from(ME4, n, m).frame(ME)),
        Kind("own UDP to many ports", |n, m| of(ME4, UDP, udp(4000, 1 + n, m))),
        Kind("own TCP connections", |n, m| of(ME4, TCP, tcp(1024 + n, 80, SYN, m))),
        Kind("own SCTP", |n, m| of(ME4, SCTP, sctp(n, 80, m))),
        Kind("own GRE", |_, m| of(ME4, 47, m.to_vec())),
        Kind("own ESP", |_, m| of(ME4, 50, m.to_vec())),
        Kind("own IP in IP", |n, m| of(ME4, 4, from(NEIGHBOUR4, n, m).bytes())),
        Kind("own tunnel packets", |_, m| vxlan(ME4, NEIGHBOUR4, m)),
        Kind("own pings", |n, m| of(ME4, ICMP, icmp(8, 0, n, m))),
        Kind("errors that are made up", |n, m| {
            let quoted = Ip::new(NEIGHBOUR4, ME4, UDP, udp(53, 1024 + n, m)).bytes();
            of(ME4, ICMP, icmp([3, 11, 12][usize::from(n) % 3], 0, 0, &quoted))
        }),
        Kind("redirects", |n, m| of(ME4, ICMP, icmp(5, 1, 0, &[m, &from(NEIGHBOUR4, n, m).bytes()].concat()))),
        Kind("IGMP", |_, m| of(ME4, 2, [&[0x16, 0, 0, 0, 224, 0, 0, 5], m].concat())),
        Kind("first fragments", |n, m| {
            Ip::new(ME4, NEIGHBOUR4, UDP, udp(n, 53, m)).fragment(u32::from(n) + 40_000, 0, true).frame(ME)
        }),
        Kind("a search for DHCP servers", |_, m| Ip::new("0.0.0.0", "255.255.255.255", UDP, udp(68, 67, m)).frame(ME)),
        Kind("to everybody", |n, m| Ip::new(ME4, "255.255.255.255", UDP, udp(n, 53, m)).frame(ME)),
        Kind("to some", |n, m| Ip::new(ME4, "224.0.0.251", UDP, udp(n, 5353, m)).frame(ME)),
        Kind("RARP", |_, m| of_type(RARP, m)),
        Kind("own UDP in IPv6", |n, m| from(ME6, n, m).frame(ME)),
        Kind("own UDP behind eight headers", |n, m| chain(8, n, m).frame(ME)),
        Kind("own TCP connections in IPv6", |n, m| of(ME6, TCP, tcp(1024 + n, 80, SYN, m))),
        Kind("own pings in IPv6", |n, m| of(ME6, ICMPV6, icmp(128, 0, n, m))),
        Kind("too big, made up", |n, m| {
            let quoted = Ip::new(NEIGHBOUR6, ME6, UDP, udp(53, 1024 + n, m)).bytes();
            of(ME6, ICMPV6, icmp(2, 0, 0, &quoted))
        }),
        Kind("listener reports", |n, m| Ip::new(LINK, "ff02::16", ICMPV6, icmp(143, 0, n, m)).hops(1).frame(ME)),
        Kind("a search for routers", |_, m| Ip::new(LINK, "ff02::2", ICMPV6, icmp(133, 0, 0, m)).frame(ME)),
    ]
}
