//! Both ways: what comes to a guarded guest. The sender is not guarded.

use super::{GUARDED4, GUARDED6, OPEN, OPEN4, OPEN6, Row, drop, pass, tagged};
use crate::frames::{
    ACK, ARP, ICMP, ICMPV6, IPV4, IPV6, Ip, OPTIONS, RARP, SCTP, SYN, TCP, UDP, arp, ethernet, icmp, sctp, tcp, udp,
};

fn datagram(ports: (u16, u16)) -> Ip {
    Ip::new(OPEN4, GUARDED4, UDP, udp(ports.0, ports.1, b"eight by")).hops(64)
}

fn datagram6(ports: (u16, u16)) -> Ip {
    Ip::new(OPEN6, GUARDED6, UDP, udp(ports.0, ports.1, b"eight by")).hops(64)
}

fn changed(mut frame: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    frame[14 + at..14 + at + bytes.len()].copy_from_slice(bytes);
    frame
}

pub fn rows(round: u16) -> Vec<Row> {
    let port = 3000 + round;
    let good = || datagram((port, 5000)).frame(OPEN);
    let good6 = || datagram6((port, 5000)).frame(OPEN);
    let icmp6 = |kind, code, hops| Ip::new(OPEN6, GUARDED6, ICMPV6, icmp(kind, code, port, &[0; 24])).hops(hops);
    let part = |id: u16, offset, more, payload: &[u8]| {
        let id = u32::from(id * 10 + round);
        Ip::new(OPEN4, GUARDED4, UDP, payload.to_vec()).fragment(id, offset, more).frame(OPEN)
    };
    vec![
        pass("what the group lets in", good()),
        drop("another service", datagram((port, 5001)).frame(OPEN)),
        drop("the same port of TCP", Ip::new(OPEN4, GUARDED4, TCP, tcp(port, 5000, SYN, &[])).frame(OPEN)),
        drop("an answer to nothing", Ip::new(OPEN4, GUARDED4, TCP, tcp(port, 5000, ACK, &[])).frame(OPEN)),
        drop("the same port of SCTP", Ip::new(OPEN4, GUARDED4, SCTP, sctp(port, 5000, &[])).frame(OPEN)),
        drop("a ping", Ip::new(OPEN4, GUARDED4, ICMP, icmp(8, 0, port, &[])).frame(OPEN)),
        drop("a pong", Ip::new(OPEN4, GUARDED4, ICMP, icmp(0, 0, port, &[])).frame(OPEN)),
        drop(
            "an error about nothing",
            Ip::new(OPEN4, GUARDED4, ICMP, icmp(3, 3, 0, &datagram((9, 9)).bytes())).frame(OPEN),
        ),
        drop("a tunnel", Ip::new(OPEN4, GUARDED4, 47, vec![0; 8]).frame(OPEN)),
        pass("IPv6 that the group lets in", good6()),
        drop("another service by IPv6", datagram6((port, 5001)).frame(OPEN)),
        pass("ARP, whatever it says", ethernet(OPEN, ARP, &arp(2, (OPEN, [10, 0, 0, 1]), [10, 0, 0, 12]))),
        drop("RARP", ethernet(OPEN, RARP, &[0; 46])),
        drop("another type", ethernet(OPEN, 0x1234, &[0; 46])),
        drop("MPLS", ethernet(OPEN, 0x8847, &[0; 46])),
        drop("LLDP", ethernet(OPEN, 0x88cc, &[0; 46])),
        drop("LLC", ethernet(OPEN, 38, &[&[0x42, 0x42, 3], &[0; 43][..]].concat())),
        drop("a tag", tagged(0x8100, 5, &good())),
        drop("a tag of no VLAN", tagged(0x8100, 0, &good())),
        drop("a provider's tag", tagged(0x88a8, 5, &good())),
        drop("two tags", tagged(0x88a8, 5, &tagged(0x8100, 5, &good()))),
        drop(
            "ARP with a tag",
            tagged(0x8100, 5, &ethernet(OPEN, ARP, &arp(1, (OPEN, [10, 0, 0, 11]), [10, 0, 0, 12]))),
        ),
        drop("IPv4 and nothing in it", ethernet(OPEN, IPV4, &[])),
        drop("IPv4 that is cut off", ethernet(OPEN, IPV4, &good()[14..26])),
        drop("IPv6 and nothing in it", ethernet(OPEN, IPV6, &[])),
        drop("IPv6 that is cut off", ethernet(OPEN, IPV6, &good6()[14..40])),
        drop("IPv4 longer than it is", changed(good(), 2, &[1, 0])),
        drop("IPv4 of version 5", changed(good(), 0, &[0x55])),
        drop("IPv6 longer than it is", changed(good6(), 4, &[1, 0])),
        drop("UDP that is cut off", Ip::new(OPEN4, GUARDED4, UDP, udp(port, 5000, &[])[..6].to_vec()).frame(OPEN)),
        drop("IPv4's address in IPv6", Ip::new("::ffff:10.0.0.11", GUARDED6, UDP, udp(port, 5000, &[])).frame(OPEN)),
        pass("behind a header", datagram6((port, 5000)).header(OPTIONS, 0).frame(OPEN)),
        drop("another service behind a header", datagram6((port, 5001)).header(OPTIONS, 0).frame(OPEN)),
        drop("by a route", datagram6((port, 5000)).routing(1).frame(OPEN)),
        drop("behind nine headers", (0..9).fold(datagram6((port, 5000)), |ip, _| ip.header(OPTIONS, 0)).frame(OPEN)),
        // What a network lives by.
        pass("a DHCP server's answer", datagram((67, 68)).frame(OPEN)),
        drop("a client's search", datagram((68, 67)).frame(OPEN)),
        drop(
            "a DHCP server's answer, in parts",
            datagram((67, 68)).fragment(u32::from(700 + round), 0, true).frame(OPEN),
        ),
        pass("a DHCPv6 server's answer", datagram6((547, 546)).frame(OPEN)),
        drop("a DHCPv6 client's search", datagram6((546, 547)).frame(OPEN)),
        pass("a router's advertisement", icmp6(134, 0, 255).frame(OPEN)),
        drop("one that was routed", icmp6(134, 0, 254).frame(OPEN)),
        drop("one with a code", icmp6(134, 1, 255).frame(OPEN)),
        drop("one in an atomic fragment", icmp6(134, 0, 255).fragment(u32::from(800 + round), 0, false).frame(OPEN)),
        drop("one in parts", icmp6(134, 0, 255).fragment(u32::from(810 + round), 0, true).frame(OPEN)),
        pass("a solicitation", icmp6(135, 0, 255).frame(OPEN)),
        drop("a solicitation that was routed", icmp6(135, 0, 1).frame(OPEN)),
        pass("an advertisement", icmp6(136, 0, 255).frame(OPEN)),
        drop("an advertisement that was routed", icmp6(136, 0, 64).frame(OPEN)),
        drop("a redirect", icmp6(137, 0, 255).frame(OPEN)),
        drop("a search for routers", icmp6(133, 0, 255).frame(OPEN)),
        pass("a listeners' query", icmp6(130, 0, 1).frame(OPEN)),
        drop("one that was routed", icmp6(130, 0, 64).frame(OPEN)),
        drop("another's report", icmp6(143, 0, 1).frame(OPEN)),
        drop("a ping by IPv6", icmp6(128, 0, 64).frame(OPEN)),
        // Fragments.
        pass("a first part", part(1, 0, true, &udp(port, 5000, &[0; 16]))),
        pass("what follows it", part(1, 24, false, &[0; 8])),
        drop("what lies over it", part(1, 16, false, &[0; 8])),
        drop("a first part to another service", part(2, 0, true, &udp(port, 5001, &[0; 16]))),
        drop("what follows that", part(2, 24, false, &[0; 8])),
        drop("a tiny first part", part(3, 0, true, &udp(port, 5000, &[])[..4])),
        drop("what hides a header", part(4, 8, false, &udp(port, 5000, &[]))),
    ]
}
