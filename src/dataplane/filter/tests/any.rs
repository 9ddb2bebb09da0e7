//! What holds of all packets, whatever the rules are and whatever was before.

use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::*;

use super::frames::{ACK, FIN, ICMP, ICMPV6, Ip, RST, SYN, TCP, UDP, icmp, tcp, udp};
use super::*;
use crate::dataplane::filter::packet::{Flags, Frame, Transport, ipv4, ipv6};
use crate::dataplane::filter::tables::Question;

/// Few of everything, so that packets meet.
fn sources() -> impl Strategy<Value = (Mac, &'static str)> {
    let v4 = ["10.0.0.5", "10.0.0.7", "10.9.0.1", "0.0.0.0"];
    let v6 = ["2001:db8::5", "2001:db8:9::1", "fe80::aaff:fe00:5", "fe80::ff:fe00:7", "fe80::1", "fe80::1:2:3:4", "::"];
    (prop_oneof![Just(MAC), Just(SECOND), Just(OTHER)], prop::sample::select([&v4[..], &v6[..]].concat()))
}

/// A packet with a chance to pass, between the guest and 10.0.0.7 or its like.
fn packets() -> impl Strategy<Value = (Direction, Vec<u8>)> {
    let flags = prop::sample::select(vec![SYN, SYN | ACK, ACK, FIN | ACK, RST, RST | ACK, SYN | FIN, 0]);
    let payload = (0..4_u16, 0..4_u16, flags, 0..6).prop_map(|(own, peer, flags, kind)| match kind {
        0..3 => (TCP, (tcp(own, peer, flags, &[0; 16]), tcp(peer, own, flags, &[0; 16]))),
        3 => (UDP, (udp(own + 66, peer + 66, &[0; 16]), udp(peer + 66, own + 66, &[0; 16]))),
        4 => (ICMP, (icmp(8, 0, own, &[]), icmp(0, 0, own, &[]))),
        _ => (ICMPV6, (icmp(130 + u8::try_from(own + peer).unwrap(), 0, 0, &[0; 16]), icmp(136, 0, 0, &[0; 16]))),
    });
    let fragment = prop::option::weighted(0.2, (0..3_u32, prop::sample::select(vec![0, 8, 24]), any::<bool>()));
    (sources(), payload, prop_oneof![Just(Egress), Just(Ingress)], fragment).prop_map(
        |((mac, own), (protocol, (there, back)), direction, fragment)| {
            let peer = if own.contains(':') { "2001:db8::7" } else { "10.0.0.7" };
            let packet = match direction {
                Egress => Ip::new(own, peer, protocol, there),
                Ingress => Ip::new(peer, own, protocol, back),
            };
            let packet = match fragment {
                Some((identification, offset, more)) => packet.fragment(identification, offset, more),
                None => packet,
            };
            (direction, packet.frame(mac))
        },
    )
}

/// Rules that now and then fit.
fn rules() -> impl Strategy<Value = Vec<&'static str>> {
    let rules =
        ["out any", "in any", "out tcp 0-1", "in tcp 2-3", "out v6 udp", "in v4 udp 66-67", "out icmp", "in tcp"];
    prop::sample::subsequence(rules.to_vec(), 0..4)
}

/// What happens to a port.
#[derive(Clone, Debug)]
enum Step {
    Packet(Direction, Vec<u8>),
    Wait(u64),
    Rules(Vec<&'static str>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        30 => packets().prop_map(|(direction, frame)| Step::Packet(direction, frame)),
        1 => prop::sample::select(vec![5, 15, 45, 200]).prop_map(Step::Wait),
        1 => rules().prop_map(Step::Rules),
    ];
    vec(step, 1..80)
}

/// Runs steps; shows each packet before its verdict is, and the verdict.
fn run(steps: Vec<Step>, mut see: impl FnMut(&Bench, Direction, &[u8], Verdict)) {
    let mut bench = Bench::new(&["out any"]);
    for step in steps {
        match step {
            Step::Wait(seconds) => bench.wait(seconds),
            Step::Rules(rules) => bench.rules(&rules),
            Step::Packet(direction, frame) => {
                let verdict = bench.judge(direction, &frame);
                see(&bench, direction, &frame, verdict);
            }
        }
    }
}

/// The IP addresses of a frame, source first, read without the code under test.
fn addresses(frame: &[u8]) -> (IpAddr, IpAddr) {
    let v4 = |at: usize| IpAddr::from(<[u8; 4]>::try_from(&frame[at..at + 4]).unwrap());
    let v6 = |at: usize| IpAddr::from(<[u8; 16]>::try_from(&frame[at..at + 16]).unwrap());
    if frame[12] == 8 { (v4(26), v4(30)) } else { (v6(22), v6(38)) }
}

/// Whether the guest may send from there: said once more, in other words.
fn owns(mac: &[u8], ip: IpAddr) -> bool {
    let text = ip.to_string();
    let opaque = text.starts_with("fe80::") && !text.contains("ff:fe") && text != "fe80::1";
    match (mac, ip) {
        _ if mac == MAC => ["10.0.0.5", "2001:db8::5", "fe80::aaff:fe00:5"].contains(&text.as_str()) || opaque,
        _ if mac == SECOND => text.starts_with("10.9.") || text.starts_with("2001:db8:9:") || opaque,
        _ => false,
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..120), kind in 0..5_usize, ingress: bool) {
        let mut bytes = bytes;
        if bytes.len() > 15 {
            bytes[6..12].copy_from_slice(&MAC);
            let kinds: [[u8; 3]; 5] = [[8, 0, 0x45], [8, 6, 0], [0x86, 0xdd, 0x60], [0x81, 0, 0], [8, 0, bytes[14]]];
            bytes[12..15].copy_from_slice(&kinds[kind]);
        }
        let mut bench = Bench::new(&["out any", "in any"]);
        bench.judge(if ingress { Ingress } else { Egress }, &bytes);
    }

    #[test]
    fn no_damage_makes_it_panic((direction, mut frame) in packets(), damage in vec((any::<u16>(), any::<u8>()), 0..6), cut: u16) {
        for (at, byte) in damage {
            let at = usize::from(at) % frame.len();
            frame[at] = byte;
        }
        frame.truncate(frame.len().saturating_sub(usize::from(cut % 200)));
        Bench::new(&["out any", "in any"]).judge(direction, &frame);
    }

    /// Exceptions are from nobody: DHCP, duplicate address detection, solicitations and reports, which are from nobody.
    #[test]
    fn what_a_guarded_port_sends_is_its_own(steps in steps()) {
        run(steps, |_, direction, frame, verdict| {
            if direction == Egress && verdict.passes() {
                let (source, _) = addresses(frame);
                let always = matches!(verdict, Pass(By::Dhcp | By::Discovery | By::Listener));
                let own = owns(&frame[6..12], source) || (source.is_unspecified() && always);
                assert!(own, "{source} passed: {verdict:?}");
                assert_ne!(frame[6..12], OTHER);
            }
        });
    }

    /// What passes is allowed by a rule of now, or answers what is.
    #[test]
    fn nothing_passes_that_the_rules_forbid_both_ways(steps in steps()) {
        run(steps, |bench, direction, frame, verdict| {
            if !matches!(verdict, Pass(By::Rule { .. } | By::Flow)) {
                return;
            }
            let Some(Policy::Guarded(security)) = bench.tables.ports.get(&PORT) else { panic!("the port") };
            let read = Frame::read(frame).unwrap();
            let packet = ipv4(read.payload).or_else(|_| ipv6(read.payload)).unwrap();
            let (source, destination) = addresses(frame);
            let (remote, _) = if direction == Egress { (destination, source) } else { (source, destination) };
            let (same, other) = match packet.transport {
                Transport::Tcp(from, to, _) | Transport::Udp(from, to) => ((to, 0), (from, 0)),
                Transport::Icmp(icmp) => ((icmp.kind.into(), 0), (8, 0)),
                _ => ((0, 0), (0, 0)),
            };
            let allows = |direction, numbers| {
                let question = Question { direction, remote, protocol: packet.protocol, numbers };
                bench.tables.rule(security, &question).is_some()
            };
            let back = if direction == Egress { Ingress } else { Egress };
            let begins = allows(direction, same);
            assert!(begins || (verdict == FLOW && allows(back, other)), "{packet:?}");
        });
    }

    /// A TCP packet without SYN passes only between ends where a SYN passed before, within a flow's longest time and under
    /// rules that allowed it all the while.
    #[test]
    fn tcp_without_syn_belongs_to_a_flow(steps in steps()) {
        let mut begun = std::collections::BTreeSet::new();
        run(steps, |_, direction, frame, verdict| {
            let read = Frame::read(frame).unwrap();
            let Ok(packet) = ipv4(read.payload).or_else(|_| ipv6(read.payload)) else { return };
            let Transport::Tcp(from, to, flags) = packet.transport else { return };
            let (source, destination) = addresses(frame);
            let ends = match direction {
                Egress => ((source, from), (destination, to)),
                Ingress => ((destination, to), (source, from)),
            };
            match verdict {
                Pass(By::Rule { .. }) => {
                    assert!(Flags::begins(flags));
                    begun.insert(ends);
                }
                Pass(by) => assert!(by == By::Flow && begun.contains(&ends), "{packet:?}"),
                Drop(_) => {}
            }
        });
    }

    /// Once a flow is forgotten only its beginning, allowed by a rule, brings it back.
    #[test]
    fn a_flow_forgotten_stays_forgotten(steps in steps(), how in 0..3, flags in 0..64_u8) {
        let mut bench = Bench::new(&["out any"]);
        let segment = |flags| Ip::new("10.0.0.5", "10.0.0.7", TCP, tcp(4000, 80, flags, &[]));
        assert_eq!(bench.sends(&segment(SYN)), RULE);
        match how {
            0 => bench.wait(61),
            1 => assert_eq!(bench.sends(&segment(RST)), FLOW),
            _ => {
                bench.rules(&[]);
                assert!(!bench.sends(&segment(ACK)).passes());
            }
        }
        for step in steps {
            match step {
                Step::Packet(direction, frame) => _ = bench.judge(direction, &frame),
                Step::Wait(seconds) => bench.wait(seconds),
                Step::Rules(rules) => bench.rules(&rules),
            }
        }
        let verdict = bench.sends(&segment(flags));
        assert!(!verdict.passes() || Flags(flags).begins() && matches!(verdict, Pass(By::Rule { .. })));
    }
}
