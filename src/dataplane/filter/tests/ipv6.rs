//! 4 and 5: IPv6 and its extension headers, `DHCPv6`.

use super::frames::{
    AUTHENTICATION, FRAGMENT, HOP_BY_HOP, ICMP, IPV6, Ip, OPTIONS, ROUTING, SCTP, SYN, TCP, UDP, ethernet, icmp, sctp,
    tcp, udp,
};
use super::*;

const OWN: &str = "2001:db8::5";
const PEER: &str = "2001:db8::7";

fn good() -> Ip {
    Ip::new(OWN, PEER, UDP, udp(1000, 53, &[1; 4]))
}

#[test]
fn a_header_that_lies_is_dropped() {
    let changed = |at: usize, byte: u8| {
        let mut bytes = good().bytes();
        bytes[at] = byte;
        ethernet(MAC, IPV6, &bytes)
    };
    let cut = |length: usize| ethernet(MAC, IPV6, &good().bytes()[..length]);
    each(
        &["out any", "in any"],
        &[
            ("as it should be", Egress, good().frame(MAC), RULE),
            ("padded", Egress, [good().frame(MAC), vec![0; 20]].concat(), RULE),
            ("39 bytes", Egress, cut(39), Drop(Reason::Header)),
            ("40 bytes of 52", Egress, cut(40), Drop(Reason::Header)),
            ("51 bytes of 52", Ingress, cut(51), Drop(Reason::Header)),
            ("version 4", Egress, changed(0, 0x40), Drop(Reason::Header)),
            ("one byte longer than there is", Ingress, changed(5, 13), Drop(Reason::Header)),
            ("much longer than there is", Ingress, changed(4, 1), Drop(Reason::Header)),
            ("ends before its UDP header does", Ingress, changed(5, 7), Drop(Reason::TransportCut)),
            ("nothing in it", Ingress, changed(5, 0), Drop(Reason::TransportCut)),
        ],
    );
}

#[test]
fn an_ipv4_address_in_ipv6_is_on_no_wire() {
    let packet = |source: &str, destination: &str| Ip::new(source, destination, UDP, udp(1, 2, &[])).frame(MAC);
    let mut bench = Bench::new(&["out any", "in any"]);
    let every = |mac: Mac| Pair { mac: MacAddr(mac), net: "::/0".parse().unwrap() };
    bench.edit(|security| security.pairs.push(every(MAC)));
    for (source, destination) in [("::ffff:10.0.0.5", PEER), (OWN, "::ffff:10.0.0.7")] {
        for direction in [Egress, Ingress] {
            assert_eq!(bench.judge(direction, &packet(source, destination)), Drop(Reason::Mapped));
        }
    }
    assert_eq!(bench.judge(Egress, &packet("::fffe:10.0.0.5", PEER)), RULE);
}

#[test]
fn a_guest_sends_from_its_own_addresses() {
    let from = |source: &str, mac| Ip::new(source, PEER, UDP, udp(1000, 53, &[])).frame(mac);
    each(
        &["out any"],
        &[
            ("own", Egress, from(OWN, MAC), RULE),
            ("another's", Egress, from("2001:db8::6", MAC), Drop(Reason::Source)),
            ("a pair's", Egress, from("2001:db8:9:ffff::1", SECOND), RULE),
            ("half of each pair", Egress, from(OWN, SECOND), Drop(Reason::Source)),
            ("nobody", Egress, from("::", MAC), Drop(Reason::Source)),
            ("link-local, of its MAC address", Egress, from("fe80::aaff:fe00:5", MAC), RULE),
            ("link-local, of the other pair's", Egress, from("fe80::ff:fe00:99", MAC), Drop(Reason::Source)),
            ("link-local, of the pair that sends", Egress, from("fe80::ff:fe00:99", SECOND), RULE),
            ("link-local, of another's", Egress, from("fe80::ff:fe00:7", MAC), Drop(Reason::Source)),
            ("the same with the bit not turned", Egress, from("fe80::200:aaff:fe00:5", MAC), Drop(Reason::Source)),
            ("link-local, opaque", Egress, from("fe80::1234:5678:9abc:def0", MAC), RULE),
            ("link-local, nearly opaque", Egress, from("fe80::1:0:5", MAC), RULE),
            ("a router's, by hand", Egress, from("fe80::1", MAC), Drop(Reason::Source)),
            ("every router's (anycast)", Egress, from("fe80::", MAC), Drop(Reason::Source)),
            ("link-local, but not in fe80::/64", Egress, from("fe80:0:0:1::1234:5678", MAC), Drop(Reason::Source)),
            ("link-local, but not in fe80::/64", Egress, from("fe90::1234:5678:9abc:def0", MAC), Drop(Reason::Source)),
        ],
    );
    let mut bench = Bench::new(&["out any"]);
    bench.edit(|security| {
        security.pairs.push(Pair { mac: MacAddr(MAC), net: "fe80::1/128".parse().unwrap() });
    });
    assert_eq!(bench.judge(Egress, &from("fe80::1", MAC)), RULE);
}

#[test]
fn extension_headers_are_walked_to_the_end() {
    let many = |count: usize, kind| (0..count).fold(good(), |packet, _| packet.header(kind, 0));
    let all = || {
        let packet = good().header(HOP_BY_HOP, 1).header(OPTIONS, 0).routing(0).header(AUTHENTICATION, 0);
        packet.header(AUTHENTICATION, 4).fragment(7, 0, false).header(OPTIONS, 31)
    };
    let broken = |mut packet: Ip, length: usize| {
        // The last header says that it is longer.
        packet.payload.truncate(0);
        let mut bytes = packet.bytes();
        let at = bytes.len() - length;
        bytes[at + 1] += 1;
        ethernet(MAC, IPV6, &bytes)
    };
    let cut = |packet: Ip, by: usize| {
        let mut bytes = Ip { payload: vec![], ..packet }.bytes();
        bytes.truncate(bytes.len() - by);
        bytes[5] -= u8::try_from(by).unwrap();
        ethernet(MAC, IPV6, &bytes)
    };
    each(
        &["out udp 53", "in any"],
        &[
            ("one of each", Egress, all().frame(MAC), RULE),
            ("an eighth", Egress, many(8, OPTIONS).frame(MAC), RULE),
            ("a ninth", Egress, many(9, OPTIONS).frame(MAC), Drop(Reason::ManyExtensions)),
            ("a ninth", Ingress, many(9, HOP_BY_HOP).frame(MAC), Drop(Reason::ManyExtensions)),
            ("an eighth, which is a fragment's", Egress, many(7, OPTIONS).fragment(1, 0, false).frame(MAC), RULE),
            ("a ninth", Egress, many(8, OPTIONS).fragment(1, 0, false).frame(MAC), Drop(Reason::ManyExtensions)),
            ("a ninth", Egress, many(8, OPTIONS).fragment(1, 8, false).frame(MAC), Drop(Reason::ManyExtensions)),
            ("a routing header that is through", Egress, good().routing(0).frame(MAC), RULE),
            ("one that leads on", Egress, good().routing(1).frame(MAC), Drop(Reason::Routing)),
            ("one that leads on", Ingress, good().header(OPTIONS, 0).routing(255).frame(MAC), Drop(Reason::Routing)),
            (
                "two fragment headers",
                Egress,
                good().fragment(1, 0, false).fragment(1, 0, false).frame(MAC),
                Drop(Reason::FragmentTwice),
            ),
            (
                "two fragment headers",
                Egress,
                good().fragment(1, 0, true).fragment(1, 8, true).frame(MAC),
                Drop(Reason::FragmentTwice),
            ),
            ("longer than all", Egress, broken(good().header(OPTIONS, 0), 8), Drop(Reason::ExtensionCut)),
            ("longer than all", Egress, broken(good().header(AUTHENTICATION, 0), 8), Drop(Reason::ExtensionCut)),
            ("cut off", Egress, cut(good().header(HOP_BY_HOP, 0), 1), Drop(Reason::ExtensionCut)),
            ("cut off", Egress, cut(good().routing(0), 1), Drop(Reason::ExtensionCut)),
            ("cut off", Egress, cut(good().fragment(1, 0, true), 1), Drop(Reason::ExtensionCut)),
            ("cut off", Egress, cut(good().fragment(1, 8, true), 8), Drop(Reason::ExtensionCut)),
            ("all but cut off: UDP is missing", Egress, cut(good().header(OPTIONS, 0), 0), Drop(Reason::TransportCut)),
        ],
    );
    let none = |protocol| Ip::new(OWN, PEER, protocol, vec![]).frame(MAC);
    each(
        &["out any"],
        &[
            ("no next header", Egress, none(59), RULE),
            ("ESP", Egress, none(50), RULE),
            ("mobility, which we do not walk", Egress, none(135), RULE),
            ("a header type of later days", Egress, none(200), RULE),
            ("hop by hop without anything", Egress, none(HOP_BY_HOP), Drop(Reason::ExtensionCut)),
            ("fragment without anything", Egress, none(FRAGMENT), Drop(Reason::ExtensionCut)),
            ("routing without anything", Egress, none(ROUTING), Drop(Reason::ExtensionCut)),
        ],
    );
}

#[test]
fn rules_see_what_stands_behind_extension_headers() {
    let hidden = Ip::new(OWN, PEER, TCP, tcp(1000, 22, SYN, &[])).header(OPTIONS, 0).fragment(1, 0, false);
    let mut bench = Bench::new(&["out tcp 80", "out udp", "out any 0"]);
    assert_eq!(bench.sends(&hidden), Drop(Reason::NotAllowed));
    assert!(bench.sends(&Ip::new(OWN, PEER, TCP, tcp(1000, 80, SYN, &[])).header(HOP_BY_HOP, 2)).passes());
}

#[test]
fn the_transports_header_must_be_there() {
    let rows: [(&str, u8, Vec<u8>, usize); 5] = [
        ("TCP", TCP, tcp(1, 2, SYN, &[]), 20),
        ("UDP", UDP, udp(1, 2, &[]), 8),
        ("SCTP", SCTP, sctp(1, 2, &[]), 12),
        ("ICMPv6", 58, icmp(128, 0, 1, &[]), 8),
        ("ICMP, which is nothing here", ICMP, vec![], 0),
    ];
    for (what, protocol, payload, least) in rows {
        let packet = |length: usize| Ip::new(OWN, PEER, protocol, payload[..length].to_vec());
        for direction in [Egress, Ingress] {
            let judge = |packet: Ip| Bench::new(&["out any", "in any"]).judge(direction, &packet.frame(MAC));
            assert!(judge(packet(least)).passes(), "{what}");
            assert!(judge(packet(least).fragment(1, 0, true)).passes(), "{what}, first fragment");
            for length in 0..least {
                assert_eq!(judge(packet(length)), Drop(Reason::TransportCut), "{what} {length}");
                let first = packet(length).header(OPTIONS, 3).fragment(1, 0, true);
                assert_eq!(judge(first), Drop(Reason::TransportCut), "{what} {length}, first fragment");
            }
        }
    }
}

#[test]
fn a_guest_is_a_dhcp_client_and_no_server() {
    let own = "fe80::aaff:fe00:5";
    let dhcp = |source: &str, from, to| Ip::new(source, "ff02::1:2", UDP, udp(from, to, &[0; 16]));
    let part = |packet: &Ip| packet.split(1, 16)[0].frame(MAC);
    each(
        &[],
        &[
            ("asks", Egress, dhcp(own, 546, 547).frame(MAC), Pass(By::Dhcp)),
            ("asks from its fixed IP", Egress, dhcp(OWN, 546, 547).frame(MAC), Pass(By::Dhcp)),
            ("asks in one part of one", Egress, dhcp(own, 546, 547).fragment(1, 0, false).frame(MAC), Pass(By::Dhcp)),
            ("asks in parts", Egress, part(&dhcp(own, 546, 547)), Drop(Reason::NotAllowed)),
            ("asks from another's", Egress, dhcp(PEER, 546, 547).frame(MAC), Drop(Reason::Source)),
            ("asks from nobody", Egress, dhcp("::", 546, 547).frame(MAC), Drop(Reason::Source)),
            ("is asked", Ingress, dhcp(PEER, 546, 547).frame(OTHER), Drop(Reason::NotAllowed)),
            ("is answered", Ingress, dhcp(PEER, 547, 546).frame(OTHER), Pass(By::Dhcp)),
            ("is answered in parts", Ingress, part(&dhcp(PEER, 547, 546)), Drop(Reason::NotAllowed)),
        ],
    );
    each(
        &["out any"],
        &[
            ("answers", Egress, dhcp(own, 547, 546).frame(MAC), Drop(Reason::DhcpServer)),
            (
                "answers behind options",
                Egress,
                dhcp(own, 547, 546).header(OPTIONS, 2).frame(MAC),
                Drop(Reason::DhcpServer),
            ),
            ("answers in parts", Egress, part(&dhcp(own, 547, 546)), Drop(Reason::DhcpServer)),
        ],
    );
}
