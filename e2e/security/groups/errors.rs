//! ICMP errors: those about a flow come in, made-up ones do not.

use super::steps::{Ends, FAMILIES};
use crate::frames::{ICMP, ICMPV6, Ip, SYN, TCP, UDP, icmp, tcp, udp};
use crate::wire::on_both_paths;

/// An error from somebody about a packet.
fn about(kind: u8, source: &str, destination: &str, quoted: &Ip) -> Ip {
    let protocol = if quoted.source.is_ipv4() { ICMP } else { ICMPV6 };
    Ip::new(source, destination, protocol, icmp(kind, 0, 0, &quoted.bytes())).hops(64)
}

#[test]
fn errors_about_a_flow_come_in_and_made_up_ones_do_not() {
    on_both_paths(|mut host| {
        let mut ends = Ends::new(&mut host);
        for (v6, [me, other, third]) in FAMILIES.into_iter().enumerate() {
            let kinds = if v6 == 1 { [1, 2, 3, 4] } else { [3, 11, 12, 3] };
            let (echo, protocol) = if v6 == 1 { (128, ICMPV6) } else { (8, ICMP) };
            let sent = [
                Ip::new(me, other, UDP, udp(4000, 7, b"?")),
                Ip::new(me, other, TCP, tcp(4000, 7, SYN, &[])),
                Ip::new(me, other, protocol, icmp(echo, 0, 4000, &[])),
            ];
            for packet in &sent {
                for kind in kinds {
                    ends.hears("an error about what was not sent yet", false, &about(kind, other, me, packet));
                }
                ends.sends("a packet", true, packet);
                for kind in kinds {
                    ends.hears("an error about it", true, &about(kind, other, me, packet));
                    ends.hears("one by a router on its way", true, &about(kind, third, me, packet));
                    ends.hears("one to somebody else", false, &about(kind, other, third, packet));
                }
                let turned = Ip { source: packet.destination, destination: packet.source, ..packet.clone() };
                ends.hears("one about a packet of the other's", false, &about(kinds[0], other, other, &turned));
                ends.hears("one about a packet to the guest", false, &about(kinds[0], other, me, &turned));
                let elsewhere = Ip { destination: third.parse().unwrap(), ..packet.clone() };
                ends.hears("one about a packet to another", false, &about(kinds[0], other, me, &elsewhere));
                let mut cut = about(kinds[0], other, me, packet);
                cut.payload.truncate(if v6 == 1 { 8 + 40 + 7 } else { 8 + 20 + 7 });
                ends.hears("one that does not quote enough", false, &cut);
            }
            ends.hears(
                "one about another port",
                false,
                &about(kinds[0], other, me, &Ip::new(me, other, UDP, udp(4001, 7, b"?"))),
            );
            ends.hears("one about nothing", false, &Ip::new(other, me, protocol, icmp(kinds[0], 0, 0, &[])));
            let deep = about(kinds[0], me, other, &sent[0]);
            ends.hears("one about an error", false, &about(kinds[0], other, me, &deep));
        }
    });
}
