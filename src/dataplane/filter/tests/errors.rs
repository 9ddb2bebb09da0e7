//! 6.1: ICMP errors and what they quote.

use super::frames::{ICMP, ICMPV6, Ip, OPTIONS, SCTP, SYN, TCP, UDP, icmp, sctp, tcp, udp};
use super::*;

const OWN: &str = "10.0.0.5";
const PEER: &str = "10.0.0.7";
/// A router on the way.
const HOP: &str = "10.0.9.1";
const ERROR: Verdict = Pass(By::Error);
const NO: Verdict = Drop(Reason::NotAllowed);

fn asked() -> Ip {
    Ip::new(OWN, PEER, UDP, udp(4000, 53, &[9; 16]))
}

/// An error of a router on the way about a packet.
fn about(kind: u8, quoted: &[u8]) -> Ip {
    Ip::new(HOP, OWN, ICMP, icmp(kind, 1, 0, quoted))
}

/// After the guest sent a packet.
fn sent(packet: &Ip) -> Bench {
    let mut bench = Bench::new(&["out any"]);
    assert_eq!(bench.sends(packet), RULE);
    bench
}

#[test]
fn errors_about_a_flow_pass_and_others_do_not() {
    let whole = asked().bytes();
    let changed = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        bytes
    };
    let rows: &[(&str, u8, Vec<u8>, bool)] = &[
        ("unreachable", 3, whole.clone(), true),
        ("time exceeded", 11, whole.clone(), true),
        ("parameter problem", 12, whole.clone(), true),
        ("redirect", 5, whole.clone(), false),
        ("source quench", 4, whole.clone(), false),
        ("28 bytes of it", 3, whole[..28].to_vec(), true),
        ("27 bytes of it", 3, whole[..27].to_vec(), false),
        ("nothing of it", 3, vec![], false),
        ("with options", 3, asked().options(10).bytes(), true),
        ("with options, cut off", 3, asked().options(10).bytes()[..60].to_vec(), false),
        ("version 6", 3, changed(0, 0x65), false),
        ("a header of 16 bytes", 3, changed(0, 0x44), false),
        ("a length that lies", 3, changed(3, 1), true),
        ("a first fragment", 3, changed(6, 0x20), true),
        ("a later fragment", 3, changed(7, 1), false),
        ("another protocol", 3, changed(9, TCP), false),
        ("another port", 3, changed(21, 1), false),
        ("another destination", 3, changed(19, 8), false),
        ("another source", 3, changed(15, 6), false),
        ("the answer, which went the same way", 3, Ip::new(PEER, OWN, UDP, udp(53, 4000, &[])).bytes(), false),
    ];
    for (what, kind, quoted, passes) in rows {
        let verdict = sent(&asked()).hears(&about(*kind, quoted));
        assert_eq!(verdict, if *passes { ERROR } else { NO }, "{what}");
    }
}

#[test]
fn errors_about_each_protocol() {
    let (own, peer) = ("2001:db8::5", "2001:db8::7");
    let rows: [(&str, Ip, bool); 9] = [
        ("TCP", Ip::new(OWN, PEER, TCP, tcp(4000, 80, SYN, &[])), true),
        ("SCTP", Ip::new(OWN, PEER, SCTP, sctp(4000, 80, &[])), true),
        ("echo", Ip::new(OWN, PEER, ICMP, icmp(8, 0, 7, &[])), true),
        ("GRE, which has no ports", Ip::new(OWN, PEER, 47, vec![0; 8]), false),
        ("UDP in IPv6", Ip::new(own, peer, UDP, udp(4000, 53, &[])), true),
        ("TCP in IPv6", Ip::new(own, peer, TCP, tcp(4000, 80, SYN, &[])), true),
        ("echo in IPv6", Ip::new(own, peer, ICMPV6, icmp(128, 0, 7, &[])), true),
        ("behind options", Ip::new(own, peer, UDP, udp(4000, 53, &[])).header(OPTIONS, 0), false),
        ("ICMP in IPv6", Ip::new(own, peer, ICMP, icmp(8, 0, 7, &[])), false),
    ];
    for (what, packet, passes) in rows {
        let kinds: &[u8] = if packet.source.is_ipv4() { &[3, 11, 12] } else { &[1, 2, 3, 4] };
        for kind in kinds {
            let error = if packet.source.is_ipv4() {
                about(*kind, &packet.bytes())
            } else {
                Ip::new("2001:db8:f::1", own, ICMPV6, icmp(*kind, 0, 0, &packet.bytes()))
            };
            let verdict = sent(&packet).hears(&error);
            assert_eq!(verdict, if passes { ERROR } else { NO }, "{what}, error {kind}");
        }
    }
}

#[test]
fn an_error_goes_to_who_sent_the_packet() {
    let error = |destination: &str| Ip::new(HOP, destination, ICMP, icmp(3, 1, 0, &asked().bytes()));
    assert_eq!(sent(&asked()).hears(&error(OWN)), ERROR);
    assert_eq!(sent(&asked()).hears(&error("10.0.0.6")), NO);
    assert_eq!(sent(&asked()).hears(&error("255.255.255.255")), NO);
    // The other way: who may talk to one may not send errors to all.
    let mut bench = Bench::new(&["out udp 53 10.0.0.7/32"]);
    assert_eq!(bench.sends(&asked()), RULE);
    let answer = Ip::new(PEER, OWN, UDP, udp(53, 4000, &[])).bytes();
    let complain = |destination: &str| Ip::new(OWN, destination, ICMP, icmp(3, 3, 0, &answer));
    assert_eq!(bench.sends(&complain("10.0.0.8")), NO);
    assert_eq!(bench.sends(&complain(PEER)), ERROR);
}

#[test]
fn an_error_does_not_keep_a_flow_alive() {
    let mut bench = sent(&asked());
    bench.wait(20);
    assert_eq!(bench.hears(&about(3, &asked().bytes())), ERROR);
    bench.wait(20);
    assert_eq!(bench.hears(&about(3, &asked().bytes())), NO);
}

#[test]
fn errors_about_what_new_tables_forbid_are_judged_as_others() {
    let mut bench = sent(&asked());
    bench.rules(&["out tcp"]);
    assert_eq!(bench.hears(&about(3, &asked().bytes())), NO);
    bench.rules(&["in icmp 3"]);
    assert_eq!(bench.hears(&about(3, &asked().bytes())), RULE);
    let mut bench = Bench::stateless(&["out any"]);
    assert_eq!(bench.sends(&asked()), RULE);
    assert_eq!(bench.hears(&about(3, &asked().bytes())), NO, "a stateless port knows no flows");
}
