//! Part 4: IPv6, neighbour and listener discovery.

use super::{LINK, ME, ME6, OPEN6, Row, SECOND, drop, pass};
use crate::frames::{
    AUTHENTICATION, FRAGMENT, HOP_BY_HOP, ICMPV6, IPV6, Ip, OPTIONS, SYN, TCP, UDP, ethernet, icmp, tcp, udp,
};

fn datagram(source: &str) -> Ip {
    Ip::new(source, OPEN6, UDP, udp(1000, 2000, b"eight by")).hops(64)
}

fn from(source: &str) -> Vec<u8> {
    datagram(source).frame(ME)
}

/// A packet with some bytes of its header changed.
fn changed(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut frame = from(ME6);
    frame[14 + at..14 + at + bytes.len()].copy_from_slice(bytes);
    frame
}

pub fn rows(round: u16) -> Vec<Row> {
    let port = 3000 + round;
    let of = |protocol, payload: &[u8]| Ip::new(ME6, OPEN6, protocol, payload.to_vec()).frame(ME);
    let chain = |count: u8, source: &str| (0..count).fold(datagram(source), |ip, _| ip.header(OPTIONS, 0)).frame(ME);
    let part = |id: u16, offset, more, payload: &[u8]| {
        let id = u32::from(id * 10 + round);
        Ip::new(ME6, OPEN6, UDP, payload.to_vec()).fragment(id, offset, more).frame(ME)
    };
    let dhcp = |source: &str, from, to| Ip::new(source, "ff02::1:2", UDP, udp(from, to, b"?")).frame(ME);
    vec![
        pass("its own address", from(ME6)),
        drop("a neighbour's", from(OPEN6)),
        drop("nobody's of the subnet", from("2001:db8::77")),
        drop("a foreign one", from("2001:db8:1::a")),
        drop("nobody's", from("::")),
        drop("a loopback", from("::1")),
        drop("a multicast one", from("ff02::1")),
        pass("a pair's", from("2001:db8::c8")),
        drop("that of a pair with another MAC address", from("2001:db8::c9")),
        pass("with that MAC address", datagram("2001:db8::c9").frame(SECOND)),
        drop("its own, with that MAC address", datagram(ME6).frame(SECOND)),
        pass("the link-local address of its MAC address", from(LINK)),
        drop("that of its neighbour's MAC address", from("fe80::ff:fe00:b")),
        drop("that of its MAC address, not turned", from("fe80::200:ff:fe00:a")),
        pass("that of its pair's MAC address", datagram("fe80::ff:fe00:aa").frame(SECOND)),
        drop("that of its own, with its pair's MAC address", datagram(LINK).frame(SECOND)),
        pass("an opaque one", from("fe80::1234:5678:9abc:def0")),
        drop("an opaque one of another prefix", from("fe80:0:0:1:1234:5678:9abc:def0")),
        drop("one as routers have by hand", from("fe80::1")),
        drop("a long one by hand", from("fe80::ffff")),
        drop("IPv4's address of its own in IPv6", from("::ffff:10.0.0.10")),
        drop("IPv4's as the destination", Ip::new(ME6, "::ffff:10.0.0.11", UDP, udp(1, 2, b"?")).frame(ME)),
        // DHCP.
        pass("a client that searches", dhcp(LINK, 546, 547)),
        drop("one in a neighbour's name", dhcp("fe80::ff:fe00:b", 546, 547)),
        drop("a server's answer", dhcp(LINK, 547, 546)),
        drop(
            "a server's answer, the first part",
            Ip::new(LINK, "ff02::1:2", UDP, udp(547, 546, &[0; 8])).fragment(u32::from(900 + round), 0, true).frame(ME),
        ),
        // Headers that lie.
        drop("of version 4", changed(0, &[0x40])),
        drop("longer than it is", changed(4, &[1, 0])),
        drop("shorter than its transport", changed(4, &[0, 7])),
        // Chains of headers.
        pass("with a header", chain(1, ME6)),
        drop("a neighbour's, behind a header", chain(1, OPEN6)),
        pass("with eight", chain(8, ME6)),
        drop("with nine", chain(9, ME6)),
        pass(
            "with hop-by-hop options and authentication",
            datagram(ME6).header(HOP_BY_HOP, 0).header(AUTHENTICATION, 1).frame(ME),
        ),
        pass("by a route that is at its end", datagram(ME6).routing(0).frame(ME)),
        drop("by a route (type 0, RFC 5095)", datagram(ME6).routing(1).frame(ME)),
        drop("by a route behind options", datagram(ME6).header(OPTIONS, 0).routing(2).frame(ME)),
        drop(
            "a header that does not fit",
            ethernet(ME, IPV6, &[&datagram(ME6).header(OPTIONS, 0).bytes()[..41], &[200][..], &[0; 22][..]].concat()),
        ),
        pass("nothing behind its headers", of(59, &[])),
        drop("a header of TCP that is cut off", of(TCP, &tcp(port, 80, SYN, &[])[..19])),
        drop("a header of ICMPv6 that is cut off", of(ICMPV6, &icmp(128, 0, port, &[])[..7])),
        pass("ICMPv6 that is whole", of(ICMPV6, &icmp(128, 0, port, &[]))),
        drop("ICMPv6 from a neighbour", Ip::new(OPEN6, OPEN6, ICMPV6, icmp(128, 0, port, &[])).frame(ME)),
        drop(
            "an error from a neighbour",
            Ip::new(OPEN6, OPEN6, ICMPV6, icmp(1, 0, 0, &datagram(OPEN6).bytes())).frame(ME),
        ),
        // Fragments.
        pass("a first part", part(1, 0, true, &udp(port, 80, &[0; 16]))),
        pass("what follows it", part(1, 24, false, &[0; 8])),
        drop("what lies over it", part(1, 16, true, &[0; 8])),
        drop("a first part of another length", part(1, 0, true, &udp(port, 80, &[0; 24]))),
        drop("what follows nothing", part(2, 24, false, &[0; 8])),
        drop("a tiny first part", part(3, 0, true, &[0; 7])),
        pass("an atomic fragment", part(4, 0, false, &udp(port, 80, &[]))),
        drop("parts of parts", datagram(ME6).fragment(7, 0, false).fragment(8, 0, false).frame(ME)),
        drop("a later part from a neighbour", Ip::new(OPEN6, OPEN6, UDP, vec![0; 8]).fragment(5, 24, false).frame(ME)),
        drop("a part without its header", Ip::new(ME6, OPEN6, FRAGMENT, vec![17, 0, 0]).frame(ME)),
    ]
}

/// A message with a target and the source's MAC address.
fn message(kind: u8, source: &str, destination: &str, target: &str) -> Ip {
    let target: std::net::Ipv6Addr = target.parse().unwrap();
    let body = [&target.octets()[..], &[if kind == 136 { 2 } else { 1 }, 1], &ME].concat();
    Ip::new(source, destination, ICMPV6, icmp(kind, 0, 0, &body))
}

/// A message of listener discovery about a group.
fn listener(kind: u8, source: &str, hops: u8) -> Vec<u8> {
    let group: std::net::Ipv6Addr = "ff02::fb".parse().unwrap();
    Ip::new(source, "ff02::16", ICMPV6, icmp(kind, 0, 0, &group.octets())).hops(hops).frame(ME)
}

pub fn discovery(round: u16) -> Vec<Row> {
    let coded = |kind, code| Ip::new(ME6, OPEN6, ICMPV6, icmp(kind, code, 0, &[0; 24])).frame(ME);
    let ask = || message(135, ME6, OPEN6, OPEN6);
    let detect = |target: &str, solicited: &str| message(135, "::", solicited, target).frame(ME);
    let routers = |source: &str, to: &str| Ip::new(source, to, ICMPV6, icmp(133, 0, 0, &[])).frame(ME);
    vec![
        pass("a solicitation", ask().frame(ME)),
        drop("one in a neighbour's name", message(135, OPEN6, ME6, ME6).frame(ME)),
        drop("a solicitation that was routed", ask().hops(254).frame(ME)),
        drop("a solicitation with a code", coded(135, 1)),
        drop("a solicitation in an atomic fragment", ask().fragment(u32::from(round), 0, false).frame(ME)),
        drop("a solicitation in parts", ask().fragment(u32::from(100 + round), 0, true).frame(ME)),
        drop("a solicitation without a target", Ip::new(ME6, OPEN6, ICMPV6, icmp(135, 0, 0, &[0; 12])).frame(ME)),
        pass("a solicitation behind a header", ask().header(HOP_BY_HOP, 0).frame(ME)),
        drop("a routed one behind a header", ask().hops(64).header(HOP_BY_HOP, 0).frame(ME)),
        pass("an advertisement", message(136, ME6, "ff02::1", ME6).frame(ME)),
        drop("one of a neighbour's address", message(136, ME6, "ff02::1", OPEN6).frame(ME)),
        drop("one of the gateway's address", message(136, ME6, "ff02::1", "2001:db8::1").frame(ME)),
        drop("one of a router's link-local address", message(136, ME6, "ff02::1", "fe80::1").frame(ME)),
        drop("one by a neighbour", message(136, OPEN6, "ff02::1", ME6).frame(ME)),
        drop("one by a neighbour of its own", message(136, OPEN6, "ff02::1", OPEN6).frame(ME)),
        drop("one by nobody", message(136, "::", "ff02::1", ME6).frame(ME)),
        drop("one that was routed", message(136, ME6, "ff02::1", ME6).hops(64).frame(ME)),
        drop("one behind a header of a neighbour's", message(136, ME6, "ff02::1", OPEN6).header(OPTIONS, 0).frame(ME)),
        pass("an advertisement of its link-local address", message(136, LINK, "ff02::1", LINK).frame(ME)),
        pass("an advertisement of a pair's address", message(136, ME6, "ff02::1", "2001:db8::c8").frame(ME)),
        drop(
            "one of the address of a pair with another MAC address",
            message(136, ME6, "ff02::1", "2001:db8::c9").frame(ME),
        ),
        pass("duplicate address detection", detect(ME6, "ff02::1:ff00:a")),
        pass("that of its link-local address", detect(LINK, "ff02::1:ff00:a")),
        drop("that of a neighbour's address", detect(OPEN6, "ff02::1:ff00:b")),
        drop("that of a router's", detect("fe80::1", "ff02::1:ff00:1")),
        drop("to all nodes", detect(ME6, "ff02::1")),
        pass("a search for routers", routers(LINK, "ff02::2")),
        pass("one by nobody", routers("::", "ff02::2")),
        drop("one by nobody to one", routers("::", OPEN6)),
        drop("one by a neighbour", routers(OPEN6, "ff02::2")),
        drop("a router's advertisement", Ip::new(LINK, "ff02::1", ICMPV6, icmp(134, 0, 0, &[0; 8])).frame(ME)),
        drop("one in a router's name", Ip::new("fe80::1", "ff02::1", ICMPV6, icmp(134, 0, 0, &[0; 8])).frame(ME)),
        drop(
            "one behind nine headers",
            (0..9)
                .fold(Ip::new(LINK, "ff02::1", ICMPV6, icmp(134, 0, 0, &[0; 8])), |ip, _| ip.header(OPTIONS, 0))
                .frame(ME),
        ),
        drop(
            "one behind a header",
            Ip::new(LINK, "ff02::1", ICMPV6, icmp(134, 0, 0, &[0; 8])).header(HOP_BY_HOP, 0).frame(ME),
        ),
        drop(
            "one in parts",
            Ip::new(LINK, "ff02::1", ICMPV6, icmp(134, 0, 0, &[0; 8]))
                .fragment(u32::from(200 + round), 0, true)
                .frame(ME),
        ),
        drop("a redirect", Ip::new(LINK, OPEN6, ICMPV6, icmp(137, 0, 0, &[0; 32])).frame(ME)),
        pass("a listener's report", listener(143, LINK, 1)),
        pass("one by nobody, before it has an address", listener(143, "::", 1)),
        drop("one by a neighbour", listener(143, "fe80::ff:fe00:b", 1)),
        drop("one that was routed", listener(143, LINK, 64)),
        drop("one to one station", Ip::new(LINK, OPEN6, ICMPV6, icmp(143, 0, 0, &[])).hops(1).frame(ME)),
        pass("an old report", listener(131, LINK, 1)),
        pass("an old leave", listener(132, LINK, 1)),
        drop("a leave by a neighbour", listener(132, "fe80::ff:fe00:b", 1)),
        pass("a query", listener(130, LINK, 1)),
        drop("one by nobody", listener(130, "::", 1)),
        drop("one by a router", listener(130, "fe80::1", 1)),
    ]
}
