//! 6: flows, from their beginning to their end.

use super::frames::{ACK, FIN, ICMP, ICMPV6, Ip, RST, SCTP, SYN, TCP, UDP, icmp, sctp, tcp, udp};
use super::*;

const OWN: &str = "10.0.0.5";
const PEER: &str = "10.0.0.7";
/// Which way, and its flags.
type Segment = (Direction, u8);

const NO: Verdict = Drop(Reason::NotAllowed);
const MIDDLE: Verdict = Drop(Reason::NoConnection);
const TURN: Verdict = Drop(Reason::OutOfTurn);

/// From the guest's port 4000 to 80, or back.
fn segment(direction: Direction, flags: u8) -> Ip {
    match direction {
        Egress => Ip::new(OWN, PEER, TCP, tcp(4000, 80, flags, &[])),
        Ingress => Ip::new(PEER, OWN, TCP, tcp(80, 4000, flags, &[])),
    }
}

/// A bench after some TCP packets, all of which passed.
fn after(packets: &[Segment]) -> Bench {
    let mut bench = Bench::new(&["out tcp 80"]);
    for (direction, flags) in packets {
        let verdict = bench.judge(*direction, &segment(*direction, *flags).frame(MAC));
        assert!(verdict.passes(), "{direction:?} {flags:x}: {verdict:?}");
    }
    bench
}

const PENDING: &[Segment] = &[(Egress, SYN)];
const ESTABLISHED: &[Segment] = &[(Egress, SYN), (Ingress, SYN | ACK), (Egress, ACK)];
const CLOSING: &[Segment] = &[(Egress, SYN), (Ingress, SYN | ACK), (Egress, FIN | ACK)];
const CLOSED: &[Segment] = &[(Egress, SYN), (Ingress, SYN | ACK), (Egress, RST)];

#[test]
fn each_tcp_packet_at_each_stage() {
    type Row = (&'static str, &'static [Segment], Direction, u8, Verdict);
    let rows: &[Row] = &[
        ("no flow", &[], Egress, SYN, RULE),
        ("no flow", &[], Egress, ACK, MIDDLE),
        ("no flow", &[], Egress, SYN | ACK, MIDDLE),
        ("no flow", &[], Egress, SYN | FIN, MIDDLE),
        ("no flow", &[], Egress, SYN | RST, MIDDLE),
        ("no flow", &[], Egress, RST, MIDDLE),
        ("no flow", &[], Egress, FIN, MIDDLE),
        ("no flow", &[], Egress, 0, MIDDLE),
        ("no flow", &[], Ingress, SYN, NO),
        ("no flow", &[], Ingress, SYN | ACK, MIDDLE),
        ("pending", PENDING, Egress, SYN, FLOW),
        ("pending", PENDING, Egress, SYN | FIN, FLOW),
        ("pending", PENDING, Egress, RST, FLOW),
        ("pending", PENDING, Egress, ACK, TURN),
        ("pending", PENDING, Egress, SYN | ACK, TURN),
        ("pending", PENDING, Egress, FIN, TURN),
        ("pending", PENDING, Egress, 0, TURN),
        ("pending", PENDING, Ingress, SYN | ACK, FLOW),
        ("pending", PENDING, Ingress, SYN, FLOW),
        ("pending", PENDING, Ingress, ACK, FLOW),
        ("pending", PENDING, Ingress, RST | ACK, FLOW),
        ("pending", PENDING, Ingress, FIN, TURN),
        ("pending", PENDING, Ingress, 0, TURN),
        ("established", ESTABLISHED, Egress, ACK, FLOW),
        ("established", ESTABLISHED, Egress, SYN, FLOW),
        ("established", ESTABLISHED, Egress, 0, FLOW),
        ("established", ESTABLISHED, Ingress, SYN, FLOW),
        ("established", ESTABLISHED, Ingress, FIN | ACK, FLOW),
        ("established", ESTABLISHED, Ingress, RST, FLOW),
        ("closing", CLOSING, Egress, ACK, FLOW),
        ("closing", CLOSING, Ingress, FIN | ACK, FLOW),
        ("closing", CLOSING, Ingress, SYN | ACK, FLOW),
        ("closing: anew", CLOSING, Egress, SYN, RULE),
        ("closing: anew, which no rule allows", CLOSING, Ingress, SYN, NO),
        ("closing", CLOSING, Egress, SYN | FIN, FLOW),
        ("closed", CLOSED, Egress, ACK, FLOW),
        ("closed", CLOSED, Ingress, RST, FLOW),
        ("closed: anew", CLOSED, Egress, SYN, RULE),
        ("closed: anew, which no rule allows", CLOSED, Ingress, SYN, NO),
    ];
    for (stage, packets, direction, flags, expected) in rows {
        let verdict = after(packets).judge(*direction, &segment(*direction, *flags).frame(MAC));
        assert_eq!(verdict, *expected, "{stage}: {direction:?} {flags:#04x}");
    }
}

#[test]
fn each_stage_lasts_its_time() {
    let reset = [ESTABLISHED, &[(Ingress, FIN), (Ingress, RST), (Egress, FIN)]].concat();
    let rows: &[(&str, &[Segment], u64)] = &[
        ("pending", PENDING, 60),
        ("established", ESTABLISHED, 432_000),
        ("established by ACK alone", &[(Egress, SYN), (Ingress, ACK)], 432_000),
        ("established by SYN alone", &[(Egress, SYN), (Ingress, SYN)], 432_000),
        ("established, although with FIN", &[(Egress, SYN), (Ingress, ACK | FIN)], 432_000),
        ("closing", CLOSING, 120),
        ("closed", CLOSED, 10),
        ("closed stays so with FIN", &reset, 10),
    ];
    for (stage, packets, time) in rows {
        for (wait, lives) in [(*time, true), (time + 1, false)] {
            let mut bench = after(packets);
            bench.wait(wait);
            let answer = bench.hears(&segment(Ingress, SYN | ACK));
            assert_eq!(answer, if lives { FLOW } else { MIDDLE }, "{stage} after {wait} s");
        }
        // What passes makes it young again; what is dropped does not.
        let mut bench = after(packets);
        bench.wait(time - 1);
        let first = bench.hears(&segment(Ingress, ACK));
        assert_eq!(first, FLOW, "{stage}");
        bench.state.age(Duration::from_secs(time - 1));
        assert_eq!(bench.hears(&segment(Ingress, ACK)), FLOW, "{stage} again");
    }
    let mut bench = after(PENDING);
    bench.wait(40);
    assert_eq!(bench.sends(&segment(Egress, ACK)), TURN);
    bench.wait(40);
    assert_eq!(bench.hears(&segment(Ingress, SYN | ACK)), MIDDLE, "what was dropped was not seen");
}

#[test]
fn a_reset_ends_what_only_began() {
    for direction in [Egress, Ingress] {
        let mut bench = after(&[(Egress, SYN), (direction, RST | ACK)]);
        assert_eq!(bench.hears(&segment(Ingress, SYN | ACK)), MIDDLE, "{direction:?}");
        assert_eq!(bench.sends(&segment(Egress, SYN)), RULE, "{direction:?}");
    }
}

/// Ask, answer, and something that is neither.
type Talk = (Ip, Ip, Ip);

fn talk(protocol: u8, payload: fn(u16, u16) -> Vec<u8>) -> Talk {
    let back = |from, to| Ip::new(PEER, OWN, protocol, payload(from, to));
    (Ip::new(OWN, PEER, protocol, payload(4000, 53)), back(53, 4000), back(53, 4001))
}

fn ping(query: u8, answer: u8) -> Talk {
    let back = |kind, identifier| Ip::new(PEER, OWN, ICMP, icmp(kind, 0, identifier, &[]));
    (Ip::new(OWN, PEER, ICMP, icmp(query, 0, 7, &[])), back(answer, 7), back(answer, 8))
}

#[test]
fn answers_pass_for_their_time() {
    let six = |a: &str, b: &str, kind, id| Ip::new(a, b, ICMPV6, icmp(kind, 0, id, &[]));
    let (own, peer) = ("2001:db8::5", "2001:db8::7");
    let rows: [(&str, Talk, u64); 8] = [
        ("UDP", talk(UDP, |a, b| udp(a, b, &[])), 180),
        ("SCTP", talk(SCTP, |a, b| sctp(a, b, &[])), 180),
        ("echo", ping(8, 0), 30),
        ("timestamp", ping(13, 14), 30),
        ("address mask", ping(17, 18), 30),
        ("echo in IPv6", (six(own, peer, 128, 7), six(peer, own, 129, 7), six(peer, own, 129, 8)), 30),
        ("GRE", (Ip::new(OWN, PEER, 47, vec![]), Ip::new(PEER, OWN, 47, vec![]), Ip::new(PEER, OWN, 50, vec![])), 180),
        (
            "ICMP in IPv6",
            (Ip::new(own, peer, ICMP, vec![]), Ip::new(peer, own, ICMP, vec![]), Ip::new(peer, own, 50, vec![])),
            180,
        ),
    ];
    for (what, (ask, answer, other), time) in rows {
        let mut bench = Bench::new(&["out any"]);
        assert!(!bench.hears(&answer).passes(), "{what}: nobody asked");
        assert_eq!(bench.sends(&ask), RULE, "{what}");
        assert_eq!(bench.sends(&ask), FLOW, "{what}: asks again");
        assert!(!bench.hears(&other).passes(), "{what}: another answer");
        bench.wait(30);
        assert_eq!(bench.hears(&answer), FLOW, "{what}: pending for 30 s");
        bench.wait(time);
        assert_eq!(bench.hears(&answer), FLOW, "{what}: established for {time} s");
        bench.wait(time + 1);
        assert!(!bench.hears(&answer).passes(), "{what}: long ago");
        assert_eq!(bench.sends(&ask), RULE, "{what}: begins anew");
        bench.wait(31);
        assert!(!bench.hears(&answer).passes(), "{what}: answered too late");
    }
}

#[test]
fn queries_of_both_ends_are_apart() {
    let (ask, answer, _) = ping(8, 0);
    let mut bench = Bench::new(&["out icmp", "in icmp 0"]);
    assert_eq!(bench.hears(&answer), Drop(Reason::NoQuery), "although a rule allows it");
    assert_eq!(bench.sends(&ask), RULE);
    let asked = Ip::new(PEER, OWN, ICMP, icmp(8, 0, 7, &[]));
    assert_eq!(bench.hears(&asked), NO, "the same identifier, asked from there");
    let reply = Ip::new(OWN, PEER, ICMP, icmp(0, 0, 7, &[]));
    assert_eq!(bench.sends(&reply), Drop(Reason::NoQuery));
    assert_eq!(bench.hears(&answer), FLOW);
    let stamp = Ip::new(PEER, OWN, ICMP, icmp(14, 0, 7, &[]));
    assert_eq!(bench.hears(&stamp), Drop(Reason::NoQuery), "the answer to another query");
}

#[test]
fn a_flow_is_its_ports_own() {
    let mut bench = Bench::new(&["out udp"]);
    let security = bench.tables.ports[&PORT].clone();
    bench.tables.ports.insert(Number(6), security);
    let (ask, answer, _) = talk(UDP, |a, b| udp(a, b, &[]));
    assert_eq!(bench.sends(&ask), RULE);
    let there = verdict(&bench.tables, &mut bench.state, Number(6), Ingress, &answer.frame(OTHER), bench.now);
    assert_eq!(there, NO);
    assert_eq!(bench.hears(&answer), FLOW);
}

#[test]
fn new_tables_judge_flows_anew() {
    // What the rules become, and whether a flow that the guest, or the other end, began lives on.
    let rows: &[(&str, bool, bool)] = &[
        ("out udp 53", true, false),
        ("out udp 53 10.0.0.7/32", true, false),
        ("out udp 4000", false, false),
        ("out udp 53 10.0.0.8/32", false, false),
        ("in udp 4000", false, true),
        ("in udp 4000 10.0.0.7/32", false, true),
        ("in udp 53", false, false),
        ("out tcp 53", false, false),
        ("out any", true, false),
    ];
    let (ask, answer, _) = talk(UDP, |a, b| udp(a, b, &[]));
    for (rule, guest, peer) in rows {
        let mut bench = Bench::new(&["out udp 53"]);
        assert_eq!(bench.sends(&ask), RULE);
        bench.rules(&[rule]);
        assert_eq!(bench.hears(&answer) == FLOW, *guest, "{rule}, begun by the guest");
        let mut bench = Bench::new(&["in udp 4000"]);
        assert_eq!(bench.hears(&answer), RULE);
        bench.rules(&[rule]);
        assert_eq!(bench.sends(&ask) == FLOW, *peer, "{rule}, begun by the other end");
    }
}

#[test]
fn new_tables_judge_queries_anew() {
    let (ask, answer, _) = ping(13, 14);
    let rows = [
        ("out icmp 13", true),
        ("out icmp 13/0", true),
        ("out icmp 8", false),
        ("out icmp 14", false),
        ("in icmp 13", false),
    ];
    for (rule, lives) in rows {
        let mut bench = Bench::new(&["out icmp"]);
        assert_eq!(bench.sends(&ask), RULE);
        bench.rules(&[rule]);
        assert_eq!(bench.hears(&answer) == FLOW, lives, "{rule}, asked by the guest");
        let asked = Ip::new(PEER, OWN, ICMP, icmp(13, 0, 7, &[]));
        let replies = Ip::new(OWN, PEER, ICMP, icmp(14, 0, 7, &[]));
        let mut bench = Bench::new(&["in icmp"]);
        assert_eq!(bench.hears(&asked), RULE);
        bench.rules(&[&if rule.starts_with("in") { rule.replace("in", "out") } else { rule.replace("out", "in") }]);
        assert_eq!(bench.sends(&replies) == FLOW, lives, "{rule}, the other way round");
    }
}

#[test]
fn an_answer_under_way_does_not_begin_anew_what_was_cut() {
    let own: fn(u16, u16) -> Vec<u8> = |a, b| udp(a, b, &[]);
    let rows: [(&str, Talk); 3] = [
        ("UDP", talk(UDP, own)),
        ("SCTP", talk(SCTP, |a, b| sctp(a, b, &[]))),
        ("GRE", (Ip::new(OWN, PEER, 47, vec![]), Ip::new(PEER, OWN, 47, vec![]), Ip::new(PEER, OWN, 50, vec![]))),
    ];
    for (what, (here, there, other)) in rows {
        // The other end began; the guest may begin what it likes, but its answers are no beginning.
        let established = |rules: &[&str]| {
            let mut bench = Bench::new(&["in any", "out any"]);
            assert_eq!(bench.hears(&there), RULE, "{what}");
            assert_eq!(bench.sends(&here), FLOW, "{what}");
            bench.rules(rules);
            bench
        };
        let mut bench = established(&["out any"]);
        for _ in 0..2 {
            assert_eq!(bench.sends(&here), Drop(Reason::Cut), "{what}: an answer under way");
            assert_eq!(bench.hears(&there), NO, "{what}: who began");
        }
        bench.rules(&["out any", "in icmp"]);
        assert_eq!(bench.sends(&here), Drop(Reason::Cut), "{what}: whatever becomes of the rules");
        bench.rules(&["in any", "out any"]);
        assert_eq!(bench.sends(&here), Drop(Reason::Cut), "{what}: the rule is back, the flow is not");
        assert_eq!(bench.hears(&there), RULE, "{what}: who began begins anew");
        assert_eq!(bench.sends(&here), FLOW, "{what}: and is answered");

        let mut bench = established(&["out any"]);
        assert_eq!(bench.hears(&there), NO, "{what}: who began sends first");
        bench.wait(10);
        assert_eq!(bench.sends(&here), Drop(Reason::Cut), "{what}: for 10 s");
        bench.wait(1);
        assert_eq!(bench.sends(&here), RULE, "{what}: then the guest may begin");
        assert!(!bench.hears(&other).passes());

        // The same with a flow that the guest began.
        let mut bench = Bench::new(&["out any", "in any"]);
        assert_eq!(bench.sends(&here), RULE, "{what}");
        bench.rules(&["in any"]);
        assert_eq!(bench.hears(&there), Drop(Reason::Cut), "{what}: nobody had answered yet");
        assert_eq!(bench.sends(&here), NO, "{what}");
    }
}

#[test]
fn who_begins_anew_gives_up_what_was() {
    for packets in [CLOSING, CLOSED] {
        let mut bench = after(packets);
        assert_eq!(bench.hears(&segment(Ingress, SYN)), NO);
        assert_eq!(bench.sends(&segment(Egress, ACK)), MIDDLE);
    }
}

#[test]
fn what_new_tables_forbid_stays_forgotten() {
    let mut bench = after(ESTABLISHED);
    bench.rules(&[]);
    assert_eq!(bench.sends(&segment(Egress, ACK)), MIDDLE);
    bench.rules(&["out tcp 80"]);
    assert_eq!(bench.sends(&segment(Egress, ACK)), MIDDLE, "the rule is back, the flow is not");
    let mut bench = after(ESTABLISHED);
    bench.rules(&[]);
    bench.rules(&["out tcp 80"]);
    assert_eq!(bench.sends(&segment(Egress, ACK)), FLOW, "nobody looked meanwhile");
    let mut bench = Bench::new(&["out icmp 8/9"]);
    assert_eq!(bench.sends(&Ip::new(OWN, PEER, ICMP, icmp(8, 9, 7, &[]))), RULE);
    bench.tables.epoch += 1;
    let answer = bench.hears(&Ip::new(PEER, OWN, ICMP, icmp(0, 9, 7, &[])));
    assert_eq!(answer, Drop(Reason::NoQuery), "anew, a query has code 0");
}
