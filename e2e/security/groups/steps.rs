//! Frames one after the other, between a guarded guest and one that is not: each is heard or not at the other's.

use std::fmt::Write as _;
use std::time::Duration;

use crate::frames::{ACK, FIN, ICMP, ICMPV6, Ip, Mac, RST, SCTP, SYN, TCP, UDP, icmp, sctp, tcp, udp};
use crate::support::{Host, until};
use crate::wire::{Ear, Mouth, mute, on_both_paths, to};

const IN: Mac = [2, 0, 0, 0, 0, 0x0a];
const OUT: Mac = [2, 0, 0, 0, 0, 0x0b];

/// The guarded guest lets in TCP to port 80 and the queries that rules name, and begins what it likes.
const WORLD: &str = "
Network blue
Subnet four {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port in {networkRef: {name: blue}, macAddress: '02:00:00:00:00:0a', addresses: [{ip: 10.0.0.10}],
    securityGroupRefs: [{name: in}], allowedAddressPairs: [{ip: 2001:db8::a}]}
Port out {networkRef: {name: blue}, macAddress: '02:00:00:00:00:0b', addresses: [{ip: 10.0.0.11}], portSecurity: false}
";

const GROUP: &str = "SecurityGroup in {rules: [{direction: Egress}, {direction: Ingress, protocol: TCP, port: 80},
    {direction: Ingress, protocol: UDP, port: 80, remote: {cidr: 10.0.0.11/32}}]}";

/// The two families: the guest's address, the other's, a third one's.
pub const FAMILIES: [[&str; 3]; 2] =
    [["10.0.0.10", "10.0.0.11", "10.0.0.77"], ["2001:db8::a", "2001:db8::b", "2001:db8::77"]];

/// Both ends of a wire.
pub struct Ends {
    inside: (Mouth, Ear),
    outside: (Mouth, Ear),
    mark: u32,
}

impl Ends {
    pub fn new(host: &mut Host) -> Self {
        host.declare("all.yaml", WORLD);
        host.declare("group.yaml", GROUP);
        host.start();
        let [inside, outside] = ["in", "out"].map(|name| mute(host, name));
        let end = |guest| (Mouth::of(guest), Ear::of(guest));
        Self { inside: end(&inside), outside: end(&outside), mark: 0 }
    }

    /// The guarded guest sends.
    #[track_caller]
    pub fn sends(&mut self, what: &str, passes: bool, packet: &Ip) {
        let frame = self.marked(&to(OUT, &packet.frame(IN)));
        self.inside.0.say(&frame);
        heard(&mut self.outside.1, what, passes, &frame);
    }

    /// It would receive.
    #[track_caller]
    pub fn hears(&mut self, what: &str, passes: bool, packet: &Ip) {
        self.hears_at(IN, what, passes, packet);
    }

    #[track_caller]
    pub fn hears_at(&mut self, station: Mac, what: &str, passes: bool, packet: &Ip) {
        let frame = self.marked(&to(station, &packet.frame(OUT)));
        self.outside.0.say(&frame);
        heard(&mut self.inside.1, what, passes, &frame);
    }

    /// No two frames are alike.
    fn marked(&mut self, frame: &[u8]) -> Vec<u8> {
        self.mark += 1;
        [frame, &self.mark.to_be_bytes()].concat()
    }
}

#[track_caller]
fn heard(ear: &mut Ear, what: &str, passes: bool, frame: &[u8]) {
    if passes {
        ear.must_hear(frame, what);
    } else {
        assert!(!ear.hears(frame, Duration::from_millis(20)), "heard: {what}");
    }
}

/// The protocols whose packets are answered from the port that they went to.
fn talks(v6: bool) -> [(&'static str, u8, [Vec<u8>; 4]); 3] {
    let queries = if v6 { (128, 129) } else { (8, 0) };
    let protocol = if v6 { ICMPV6 } else { ICMP };
    // Asked, its answer, one to another port, a question from there.
    let of = |make: fn(u16, u16, &[u8]) -> Vec<u8>| {
        [(4000, 7), (7, 4000), (7, 4001), (8, 4000)].map(|(a, b)| make(a, b, b"?"))
    };
    let echo = |(kind, identifier)| icmp(kind, 0, identifier, &[]);
    let pings = [(queries.0, 4000), (queries.1, 4000), (queries.1, 4001), (queries.0, 4000)];
    [("UDP", UDP, of(udp)), ("SCTP", SCTP, of(sctp)), ("ICMP", protocol, pings.map(echo))]
}

#[test]
fn datagrams_and_queries_are_answered_and_nothing_else_comes_in() {
    on_both_paths(|mut host| {
        let mut ends = Ends::new(&mut host);
        for (v6, [me, other, third]) in FAMILIES.into_iter().enumerate() {
            for (name, protocol, [asked, answer, elsewhere, from_elsewhere]) in talks(v6 == 1) {
                let said = |what: &str| format!("{name} {me}: {what}");
                let from = |source: &str, payload: &[u8]| Ip::new(source, me, protocol, payload.to_vec()).hops(64);
                ends.hears(&said("an answer to nothing"), false, &from(other, &answer));
                ends.hears(&said("a question"), false, &from(other, &from_elsewhere));
                ends.sends(&said("it asks"), true, &Ip::new(me, other, protocol, asked).hops(64));
                ends.hears(&said("an answer to another port"), false, &from(other, &elsewhere));
                ends.hears(&said("an answer from another port"), false, &from(other, &from_elsewhere));
                ends.hears(&said("an answer from another station"), false, &from(third, &answer));
                ends.hears(&said("the answer"), true, &from(other, &answer));
                ends.hears(&said("another"), true, &from(other, &answer));
                for station in [[0xff; 6], [1, 0, 0x5e, 0, 0, 1]] {
                    ends.hears_at(station, &said("the answer to all stations"), true, &from(other, &answer));
                    ends.hears_at(station, &said("one from another station"), false, &from(third, &answer));
                }
            }
        }
    });
}

#[test]
fn a_tcp_packet_without_syn_begins_nothing() {
    on_both_paths(|mut host| {
        let mut ends = Ends::new(&mut host);
        for [me, other, _] in FAMILIES {
            let from_me = |port, to, flags| Ip::new(me, other, TCP, tcp(port, to, flags, &[]));
            let to_me = |port, to, flags| Ip::new(other, me, TCP, tcp(port, to, flags, &[]));
            for flags in (0..64_u8).filter(|flags| flags & (SYN | ACK | RST | FIN) != SYN) {
                let mut what = String::new();
                write!(what, "{me}: a stray packet with flags {flags:06b}").unwrap();
                ends.hears(&what, false, &to_me(5000 + u16::from(flags), 80, flags));
                ends.sends(&what, false, &from_me(5000 + u16::from(flags), 80, flags));
            }
            ends.hears("a connection to where nobody is let in", false, &to_me(6000, 81, SYN));
            ends.hears("a connection", true, &to_me(6000, 80, SYN));
            ends.hears("nobody has answered it yet", false, &to_me(6000, 80, ACK));
            ends.sends("the answer", true, &from_me(80, 6000, SYN | ACK));
            ends.hears("it goes on", true, &to_me(6000, 80, ACK));
            ends.hears("not from another port", false, &to_me(6001, 80, ACK));
            ends.sends("it resets", true, &from_me(80, 6000, RST));
            ends.hears("what is on its way passes", true, &to_me(6000, 80, ACK));
            ends.sends("a connection outwards", true, &from_me(7000, 443, SYN));
            ends.hears("the answer", true, &to_me(443, 7000, SYN | ACK));
            ends.sends("it goes on", true, &from_me(7000, 443, ACK));
            ends.hears("not to another port", false, &to_me(443, 7001, ACK));
            ends.hears("nor a new one the same way", false, &to_me(443, 7001, SYN));
        }
    });
}

/// To whom a frame goes makes no difference: one station, all of the network, some.
#[test]
fn unicast_broadcast_and_multicast_pass_the_same_rules() {
    on_both_paths(|mut host| {
        let mut ends = Ends::new(&mut host);
        let places = [
            (IN, "10.0.0.10"),
            ([0xff; 6], "10.0.0.255"),
            ([0xff; 6], "255.255.255.255"),
            ([1, 0, 0x5e, 0, 0, 0xfb], "224.0.0.251"),
            ([0xff; 6], "10.0.0.10"),
            (IN, "255.255.255.255"),
        ];
        for (number, (station, destination)) in (0..).zip(places) {
            let packet =
                |source: &str, to_port| Ip::new(source, destination, UDP, udp(3000 + number, to_port, b"?")).hops(1);
            let what = |what: &str| format!("{what} to {destination} at {station:02x?}");
            ends.hears_at(station, &what("what is let in"), true, &packet("10.0.0.11", 80));
            ends.hears_at(station, &what("another service"), false, &packet("10.0.0.11", 81));
            ends.hears_at(station, &what("from another"), false, &packet("10.0.0.12", 80));
        }
    });
}

/// Whoever answers may begin what it likes, but an answer that comes when the rule has just gone is no beginning.
#[test]
fn an_answer_after_the_edit_does_not_keep_a_flow_up() {
    on_both_paths(|mut host| {
        let mut ends = Ends::new(&mut host);
        let asks = |port| Ip::new("10.0.0.11", "10.0.0.10", UDP, udp(port, 80, b"?")).hops(64);
        let answers = |port| Ip::new("10.0.0.10", "10.0.0.11", UDP, udp(80, port, b"!")).hops(64);
        for port in [4000, 4001, 4002] {
            ends.hears("a question", true, &asks(port));
            ends.sends("its answer", true, &answers(port));
        }
        host.edit("group.yaml", "port: 80, remote", "port: 81, remote");
        until("the rule is gone", || {
            let frame = ends.marked(&to(IN, &asks(5000).frame(OUT)));
            ends.outside.0.say(&frame);
            !ends.inside.1.hears(&frame, Duration::from_millis(20))
        });
        ends.sends("an answer that was under way", false, &answers(4000));
        ends.hears("a question", false, &asks(4000));
        ends.sends("another answer", false, &answers(4000));
        ends.hears("a question first", false, &asks(4001));
        ends.sends("then an answer", false, &answers(4001));
        ends.sends("the guest begins something else", true, &answers(6000));
        ends.hears("and is answered", true, &asks(6000));
        host.edit("group.yaml", "port: 81, remote", "port: 80, remote");
        until("the rule is back", || {
            let frame = ends.marked(&to(IN, &asks(5001).frame(OUT)));
            ends.outside.0.say(&frame);
            ends.inside.1.hears(&frame, Duration::from_millis(20))
        });
        ends.sends("an answer to what was cut", false, &answers(4000));
        ends.hears("a question anew", true, &asks(4000));
        ends.sends("its answer", true, &answers(4000));
    });
}
