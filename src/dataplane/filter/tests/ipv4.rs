//! 3 and 5: IPv4, DHCP, and headers that are cut off.

use super::frames::{ACK, ICMP, ICMPV6, IPV4, Ip, SCTP, SYN, TCP, UDP, ethernet, icmp, sctp, tcp, udp};
use super::*;

const OWN: &str = "10.0.0.5";
const PEER: &str = "10.0.0.7";

#[test]
fn a_header_that_lies_is_dropped() {
    let good = || Ip::new(OWN, PEER, UDP, udp(1000, 53, &[1; 4]));
    let changed = |at: usize, byte: u8| {
        let mut bytes = good().bytes();
        bytes[at] = byte;
        ethernet(MAC, IPV4, &bytes)
    };
    let cut = |length: usize| ethernet(MAC, IPV4, &good().bytes()[..length]);
    each(
        &["out any", "in any"],
        &[
            ("as it should be", Egress, good().frame(MAC), RULE),
            ("padded", Egress, [good().frame(MAC), vec![0; 20]].concat(), RULE),
            ("with options", Egress, good().options(10).frame(MAC), RULE),
            ("19 bytes", Egress, cut(19), Drop(Reason::Header)),
            ("20 bytes of 32", Egress, cut(20), Drop(Reason::Header)),
            ("31 bytes of 32", Egress, cut(31), Drop(Reason::Header)),
            ("version 6", Egress, changed(0, 0x65), Drop(Reason::Header)),
            ("version 5", Ingress, changed(0, 0x55), Drop(Reason::Header)),
            ("a header of 16 bytes", Egress, changed(0, 0x44), Drop(Reason::Header)),
            ("a header longer than all", Egress, changed(0, 0x4f), Drop(Reason::Header)),
            ("shorter than its header", Ingress, changed(3, 19), Drop(Reason::Header)),
            ("one byte longer than there is", Ingress, changed(3, 33), Drop(Reason::Header)),
            ("much longer than there is", Ingress, changed(2, 1), Drop(Reason::Header)),
            ("ends before its UDP header does", Ingress, changed(3, 27), Drop(Reason::TransportCut)),
            ("the evil bit", Ingress, changed(6, 0x80), RULE_2),
            ("do not fragment", Ingress, changed(6, 0x40), RULE_2),
        ],
    );
}

#[test]
fn a_guest_sends_from_its_own_addresses() {
    let from = |source: &str, mac| Ip::new(source, PEER, UDP, udp(1000, 53, &[])).frame(mac);
    each(
        &["out any"],
        &[
            ("own", Egress, from(OWN, MAC), RULE),
            ("another's", Egress, from("10.0.0.6", MAC), Drop(Reason::Source)),
            ("a pair's", Egress, from("10.9.255.255", SECOND), RULE),
            ("beside the pair", Egress, from("10.10.0.0", SECOND), Drop(Reason::Source)),
            ("half of each pair", Egress, from(OWN, SECOND), Drop(Reason::Source)),
            ("half of each pair", Egress, from("10.9.0.1", MAC), Drop(Reason::Source)),
            ("nobody", Egress, from("0.0.0.0", MAC), Drop(Reason::Source)),
            ("everybody", Egress, from("255.255.255.255", MAC), Drop(Reason::Source)),
        ],
    );
}

#[test]
fn a_guest_is_a_dhcp_client_and_no_server() {
    let all = "255.255.255.255";
    let dhcp = |source: &str, destination: &str, from, to| Ip::new(source, destination, UDP, udp(from, to, &[0; 16]));
    let part = |packet: &Ip| packet.split(1, 16)[0].frame(MAC);
    let searches = || dhcp("0.0.0.0", all, 68, 67);
    let renews = || dhcp(OWN, PEER, 68, 67);
    let offers = || dhcp(OWN, all, 67, 68);
    each(
        &[],
        &[
            ("searches", Egress, searches().frame(MAC), Pass(By::Dhcp)),
            ("searches with its second address", Egress, searches().frame(SECOND), Pass(By::Dhcp)),
            ("searches in parts", Egress, part(&searches()), Drop(Reason::Source)),
            ("searches one", Egress, dhcp("0.0.0.0", PEER, 68, 67).frame(MAC), Drop(Reason::Source)),
            ("searches by another port", Egress, dhcp("0.0.0.0", all, 69, 67).frame(MAC), Drop(Reason::Source)),
            (
                "searches by TCP",
                Egress,
                Ip::new("0.0.0.0", all, TCP, tcp(68, 67, SYN, &[])).frame(MAC),
                Drop(Reason::Source),
            ),
            ("renews", Egress, renews().frame(MAC), Pass(By::Dhcp)),
            ("renews in parts", Egress, part(&renews()), Drop(Reason::NotAllowed)),
            ("renews from another's", Egress, dhcp(PEER, all, 68, 67).frame(MAC), Drop(Reason::Source)),
            ("asks as a relay", Egress, dhcp(OWN, PEER, 67, 67).frame(MAC), Drop(Reason::NotAllowed)),
            ("is asked", Ingress, dhcp("0.0.0.0", all, 68, 67).frame(OTHER), Drop(Reason::NotAllowed)),
            ("is answered", Ingress, dhcp(PEER, OWN, 67, 68).frame(OTHER), Pass(By::Dhcp)),
            ("is answered in parts", Ingress, part(&dhcp(PEER, OWN, 67, 68)), Drop(Reason::NotAllowed)),
        ],
    );
    each(
        &["out any"],
        &[
            ("offers", Egress, offers().frame(MAC), Drop(Reason::DhcpServer)),
            ("offers in parts", Egress, part(&offers()), Drop(Reason::DhcpServer)),
            ("offers with options", Egress, offers().options(3).frame(MAC), Drop(Reason::DhcpServer)),
            ("renews in parts, which a rule allows", Egress, part(&renews()), RULE),
        ],
    );
}

#[test]
fn the_transports_header_must_be_there() {
    let rows: [(&str, u8, Vec<u8>, usize); 5] = [
        ("TCP", TCP, tcp(1, 2, SYN, &[]), 20),
        ("UDP", UDP, udp(1, 2, &[]), 8),
        ("SCTP", SCTP, sctp(1, 2, &[]), 12),
        ("ICMP", ICMP, icmp(8, 0, 1, &[]), 8),
        ("GRE, which has none that we know", 47, vec![], 0),
    ];
    for (what, protocol, payload, least) in rows {
        let packet = |length: usize| Ip::new(OWN, PEER, protocol, payload[..length].to_vec());
        for direction in [Egress, Ingress] {
            let judge = |packet: &Ip| Bench::new(&["out any", "in any"]).judge(direction, &packet.frame(MAC));
            assert!(judge(&packet(least)).passes(), "{what}");
            assert!(judge(&packet(least).fragment(1, 0, true)).passes(), "{what}, first fragment");
            for length in 0..least {
                assert_eq!(judge(&packet(length)), Drop(Reason::TransportCut), "{what} {length}");
                let first = packet(length).fragment(1, 0, true);
                assert_eq!(judge(&first), Drop(Reason::TransportCut), "{what} {length}, first fragment");
            }
        }
    }
}

#[test]
fn icmpv6_in_ipv4_is_a_protocol_without_ports() {
    let packet = |payload: Vec<u8>| Ip::new(OWN, PEER, ICMPV6, payload).frame(MAC);
    each(
        &["out icmpv6 0/0"],
        &[
            ("too short for ICMPv6", Egress, packet(vec![134]), RULE),
            ("what a guest must not say", Egress, packet(icmp(134, 0, 0, &[])), RULE),
        ],
    );
    let mut bench = Bench::new(&["out icmpv6 128"]);
    assert_eq!(bench.judge(Egress, &packet(icmp(128, 0, 0, &[]))), Drop(Reason::NotAllowed));
    let middle = Ip::new(OWN, PEER, TCP, tcp(1, 2, ACK, &[]));
    assert_eq!(Bench::new(&["out any"]).sends(&middle), Drop(Reason::NoConnection));
}
