//! 6: which packets a rule fits.

use super::frames::{ICMP, ICMPV6, Ip, SCTP, SYN, TCP, UDP, icmp, sctp, tcp, udp};
use super::*;

fn v4(protocol: u8, payload: Vec<u8>) -> Ip {
    Ip::new("10.0.0.5", "10.0.0.7", protocol, payload)
}

fn v6(protocol: u8, payload: Vec<u8>) -> Ip {
    Ip::new("2001:db8::5", "2001:db8::7", protocol, payload)
}

#[test]
fn a_rule_fits_in_all_of_its_parts() {
    let http = || tcp(4000, 80, SYN, &[]);
    let rows: &[(&str, Ip, bool)] = &[
        ("out any", v4(TCP, http()), true),
        ("out any", v6(47, vec![]), true),
        ("in any", v4(TCP, http()), false),
        ("out v4 any", v4(TCP, http()), true),
        ("out v4 any", v6(TCP, http()), false),
        ("out v6 any", v6(TCP, http()), true),
        ("out v6 any", v4(TCP, http()), false),
        ("out tcp", v4(TCP, http()), true),
        ("out tcp", v4(UDP, udp(4000, 80, &[])), false),
        ("out udp", v6(UDP, udp(4000, 80, &[])), true),
        ("out tcp 80", v4(TCP, http()), true),
        ("out tcp 79-81", v6(TCP, http()), true),
        ("out tcp 81-90", v4(TCP, http()), false),
        ("out tcp 70-79", v4(TCP, http()), false),
        ("out tcp 4000", v4(TCP, http()), false),
        ("out sctp 80", v4(SCTP, sctp(4000, 80, &[])), true),
        ("out sctp 81", v4(SCTP, sctp(4000, 80, &[])), false),
        ("out tcp 80/0", v4(TCP, http()), true),
        ("out tcp 80/1", v4(TCP, http()), false),
        ("out icmp 8", v4(ICMP, icmp(8, 0, 1, &[])), true),
        ("out icmp 8/0", v4(ICMP, icmp(8, 0, 1, &[])), true),
        ("out icmp 8/1-9", v4(ICMP, icmp(8, 0, 1, &[])), false),
        ("out icmp 8/1-9", v4(ICMP, icmp(8, 9, 1, &[])), true),
        ("out icmp 13", v4(ICMP, icmp(8, 0, 1, &[])), false),
        ("out icmp", v6(ICMPV6, icmp(128, 0, 1, &[])), false),
        ("out icmpv6 128", v6(ICMPV6, icmp(128, 0, 1, &[])), true),
        ("out icmpv6 129", v6(ICMPV6, icmp(128, 0, 1, &[])), false),
        ("out gre", v4(47, vec![]), true),
        ("out gre 0", v4(47, vec![]), true),
        ("out gre 1-65535", v4(47, vec![]), false),
        ("out any 80", v4(TCP, http()), true),
        ("out any 81", v4(TCP, http()), false),
        ("out any 10.0.0.7/32", v4(TCP, http()), true),
        ("out any 10.0.0.5/32", v4(TCP, http()), false),
        ("out any 10.0.0.6/31", v4(TCP, http()), true),
        ("out any 0.0.0.0/0", v4(TCP, http()), true),
        ("out any 0.0.0.0/0", v6(TCP, http()), false),
        ("out any ::/0", v6(TCP, http()), true),
        ("out any ::/0", v4(TCP, http()), false),
        ("out any 2001:db8::/64", v6(TCP, http()), true),
        ("out any 2001:db8:1::/64", v6(TCP, http()), false),
        ("out v6 any 10.0.0.7/32", v4(TCP, http()), false),
    ];
    for (rule, packet, fits) in rows {
        for mut bench in [Bench::new(&[rule]), Bench::stateless(&[rule])] {
            let expected = if *fits { RULE } else { Drop(Reason::NotAllowed) };
            assert_eq!(bench.sends(packet), expected, "{rule}: {packet:?}");
        }
    }
}

#[test]
fn the_remote_of_what_comes_in_is_its_source() {
    let packet = Ip::new("10.0.0.7", "10.0.0.5", UDP, udp(4000, 53, &[]));
    for (rule, expected) in [
        ("in udp 53 10.0.0.7/32", RULE),
        ("in udp 53 10.0.0.5/32", Drop(Reason::NotAllowed)),
        ("in udp 4000", Drop(Reason::NotAllowed)),
        ("out udp 53", Drop(Reason::NotAllowed)),
    ] {
        assert_eq!(Bench::new(&[rule]).hears(&packet), expected, "{rule}");
    }
}

#[test]
fn members_count_in_the_ports_own_domain() {
    let packet = v4(UDP, udp(4000, 53, &[]));
    let mut bench = Bench::new(&["out any group"]);
    assert_eq!(bench.sends(&packet), Drop(Reason::NotAllowed));
    bench.member(Number(1001), "10.0.0.7");
    assert_eq!(bench.sends(&packet), Drop(Reason::NotAllowed), "the same address elsewhere");
    bench.member(DOMAIN, "10.0.0.8");
    assert_eq!(bench.sends(&packet), Drop(Reason::NotAllowed), "another address");
    bench.member(DOMAIN, "10.0.0.7");
    assert_eq!(bench.sends(&packet), RULE);
}

#[test]
fn what_any_rule_of_any_group_allows_is_allowed() {
    let mut bench = Bench::new(&["out tcp", "out udp"]);
    assert_eq!(bench.sends(&v4(UDP, udp(1, 2, &[]))), Pass(By::Rule { group: GROUP, index: 1 }));
    let second = Number(71);
    bench.tables.groups.insert(second, [rule("out gre")].into());
    assert_eq!(bench.sends(&v4(47, vec![])), Drop(Reason::NotAllowed), "a group that it is not in");
    bench.edit(|security| security.groups = [Number(1), GROUP, second].into());
    assert_eq!(bench.sends(&v4(47, vec![])), Pass(By::Rule { group: second, index: 0 }));
    bench.tables.groups.clear();
    assert_eq!(bench.sends(&v4(50, vec![])), Drop(Reason::NotAllowed), "groups that are not there");
    bench.edit(|security| security.groups.clear());
    assert_eq!(bench.sends(&v4(50, vec![])), Drop(Reason::NotAllowed), "no groups");
}

#[test]
fn a_stateless_port_remembers_nothing() {
    let ask = v4(UDP, udp(4000, 53, &[]));
    let answer = Ip::new("10.0.0.7", "10.0.0.5", UDP, udp(53, 4000, &[]));
    let mut bench = Bench::stateless(&["out any", "in tcp", "in icmp 0"]);
    assert_eq!(bench.sends(&ask), RULE);
    assert_eq!(bench.sends(&ask), RULE);
    assert_eq!(bench.hears(&answer), Drop(Reason::NotAllowed));
    let middle = Ip::new("10.0.0.7", "10.0.0.5", TCP, tcp(1, 2, super::frames::ACK, &[]));
    assert!(bench.hears(&middle).passes(), "TCP in the middle of a connection");
    let pong = Ip::new("10.0.0.7", "10.0.0.5", ICMP, icmp(0, 0, 1, &[]));
    assert!(bench.hears(&pong).passes(), "an answer to nothing");
}
