//! 7: fragments.

use super::frames::{FRAGMENT, Ip, OPTIONS, SYN, TCP, UDP, tcp, udp};
use super::*;

const REST: Verdict = Pass(By::Fragment);
const UNKNOWN: Verdict = Drop(Reason::FirstUnknown);

/// A datagram of each family, with 8 and 32 bytes in its UDP.
fn datagrams() -> [Ip; 2] {
    let payload = udp(4000, 53, &[7; 32]);
    [Ip::new("10.0.0.5", "10.0.0.7", UDP, payload.clone()), Ip::new("2001:db8::5", "2001:db8::7", UDP, payload)]
}

#[test]
fn later_fragments_follow_the_first() {
    for datagram in datagrams() {
        let [first, rest] = datagram.split(9, 24);
        let mut bench = Bench::new(&["out udp 53"]);
        assert_eq!(bench.sends(&rest), UNKNOWN, "before the first");
        assert_eq!(bench.sends(&first), RULE);
        assert_eq!(bench.sends(&rest), REST);
        assert_eq!(bench.sends(&rest), REST, "again");
        assert_eq!(bench.hears(&rest), UNKNOWN, "the other way");
        let [_, overlap] = datagram.split(9, 16);
        assert_eq!(bench.sends(&overlap), Drop(Reason::Overlap));
        let [_, far] = datagram.split(9, 32);
        assert_eq!(bench.sends(&far), REST, "a third one, before the second");
        let [_, other] = datagram.split(10, 24);
        assert_eq!(bench.sends(&other), UNKNOWN, "another datagram");
        bench.wait(30);
        assert_eq!(bench.sends(&rest), REST);
        bench.wait(1);
        assert_eq!(bench.sends(&rest), UNKNOWN, "after 31 s");
    }
}

#[test]
fn what_follows_a_first_that_did_not_pass_is_dropped() {
    for datagram in datagrams() {
        let [first, rest] = datagram.split(9, 24);
        let mut bench = Bench::new(&["out udp 54"]);
        assert_eq!(bench.sends(&first), Drop(Reason::NotAllowed));
        assert_eq!(bench.sends(&rest), UNKNOWN);
        bench.rules(&["out udp 53"]);
        assert_eq!(bench.sends(&rest), UNKNOWN);
        assert_eq!(bench.sends(&first), RULE);
        bench.rules(&["out udp 53", "out tcp"]);
        assert_eq!(bench.sends(&rest), UNKNOWN, "the tables have changed");
        assert_eq!(bench.sends(&first), FLOW);
        assert_eq!(bench.sends(&rest), REST);
    }
}

#[test]
fn stateless_ports_remember_fragments_too() {
    for datagram in datagrams() {
        let [first, rest] = datagram.split(9, 24);
        let mut bench = Bench::stateless(&["in udp 53"]);
        assert_eq!(bench.hears(&rest), UNKNOWN);
        assert_eq!(bench.hears(&first), RULE);
        assert_eq!(bench.hears(&rest), REST);
    }
}

#[test]
fn later_fragments_are_their_senders_own() {
    for datagram in datagrams() {
        let [first, rest] = datagram.split(9, 24);
        let mut bench = Bench::new(&["out any"]);
        assert_eq!(bench.sends(&first), RULE);
        let other = if rest.source.is_ipv4() { "10.0.0.6" } else { "2001:db8::6" };
        let spoofed = Ip { source: other.parse().unwrap(), ..rest.clone() };
        assert_eq!(bench.sends(&spoofed), Drop(Reason::Source));
        assert_eq!(bench.judge(Egress, &rest.frame(OTHER)), Drop(Reason::Mac));
    }
}

#[test]
fn a_second_first_of_another_length_is_dropped() {
    for datagram in datagrams() {
        let [first, rest] = datagram.split(9, 24);
        let [shorter, _] = datagram.split(9, 8);
        let [longer, _] = datagram.split(9, 32);
        let mut bench = Bench::new(&["out any"]);
        assert_eq!(bench.sends(&first), RULE);
        assert_eq!(bench.sends(&shorter), Drop(Reason::FirstAgain));
        assert_eq!(bench.sends(&longer), Drop(Reason::FirstAgain));
        bench.wait(20);
        assert_eq!(bench.sends(&first), FLOW, "the same again");
        bench.wait(20);
        assert_eq!(bench.sends(&rest), REST, "which is remembered from then on");
        bench.wait(20);
        assert_eq!(bench.sends(&shorter), RULE, "the number is used anew, by a new flow");
        bench.tables.epoch += 1;
        assert_eq!(bench.sends(&longer), FLOW, "other tables");
    }
}

#[test]
fn in_ipv4_the_protocol_is_part_of_the_key_and_in_ipv6_not() {
    let [v4, v6] = datagrams();
    let rest = |datagram: &Ip| Ip { protocol: TCP, ..datagram.split(9, 24)[1].clone() };
    let mut bench = Bench::new(&["out any"]);
    assert_eq!(bench.sends(&v4.split(9, 24)[0]), RULE);
    assert_eq!(bench.sends(&rest(&v4)), UNKNOWN);
    assert_eq!(bench.sends(&v6.split(9, 24)[0]), RULE);
    assert_eq!(bench.sends(&rest(&v6)), REST);
    let four = Ip { protocol: FRAGMENT, ..v4.split(9, 24)[1].clone() };
    assert_eq!(bench.sends(&four), UNKNOWN);
}

#[test]
fn in_ipv6_a_first_fragment_holds_what_stands_behind_its_header() {
    let datagram = Ip::new("2001:db8::5", "2001:db8::7", UDP, udp(4000, 53, &[7; 8])).header(OPTIONS, 3);
    let first = datagram.fragment(9, 0, true).header(OPTIONS, 0);
    let later = |offset| Ip::new("2001:db8::5", "2001:db8::7", UDP, vec![0; 8]).fragment(9, offset, false);
    let mut bench = Bench::new(&["out any"]);
    assert_eq!(bench.sends(&first), RULE);
    assert_eq!(bench.sends(&later(16)), Drop(Reason::Overlap), "8 of options and 8 of UDP, then 8 more");
    assert_eq!(bench.sends(&later(24)), REST);
}

#[test]
fn an_atomic_fragment_is_a_whole_packet() {
    let mut bench = Bench::new(&["out tcp 80"]);
    let atom = Ip::new("2001:db8::5", "2001:db8::7", TCP, tcp(4000, 80, SYN, &[])).fragment(9, 0, false);
    assert_eq!(bench.sends(&atom), RULE);
    let later = Ip::new("2001:db8::5", "2001:db8::7", TCP, vec![0; 8]).fragment(9, 24, false);
    assert_eq!(bench.sends(&later), UNKNOWN, "nothing is remembered of it");
}

#[test]
fn nothing_is_remembered_of_what_always_passes() {
    let dhcp = Ip::new("10.0.0.7", "10.0.0.5", UDP, udp(67, 68, &[0; 32]));
    let mut bench = Bench::new(&[]);
    assert_eq!(bench.hears(&dhcp), Pass(By::Dhcp));
    assert_eq!(bench.hears(&dhcp.split(0, 8)[1]), UNKNOWN);
}
