//! 1 and 2: frames, ARP, RARP.

use super::frames::{self, ARP, IPV4, IPV6, Ip, RARP, UDP, arp, ethernet, udp};
use super::*;

const OWN: [u8; 4] = [10, 0, 0, 5];
const PEER: [u8; 4] = [10, 0, 0, 7];

#[test]
fn only_known_ports_pass_anything_and_open_ones_all() {
    let frames = [vec![], vec![0; 13], ethernet(OTHER, 0x8100, &[0; 4]), ethernet(OTHER, 0x88cc, &[1])];
    for frame in frames {
        for direction in [Egress, Ingress] {
            let mut bench = Bench::new(&[]);
            bench.tables.ports.clear();
            assert_eq!(bench.judge(direction, &frame), Drop(Reason::NoPort));
            bench.tables.ports.insert(PORT, Policy::Open);
            assert_eq!(bench.judge(direction, &frame), Pass(By::Open));
        }
    }
}

#[test]
fn frames_are_whole_untagged_and_from_their_sender() {
    let good = Ip::new("10.0.0.5", "10.0.0.7", UDP, udp(1, 2, &[]));
    let second = Ip::new("10.9.1.2", "10.0.0.7", UDP, udp(1, 2, &[])).frame(SECOND);
    each(
        &["out any", "in any"],
        &[
            ("nothing", Egress, vec![], Drop(Reason::Short)),
            ("13 bytes", Ingress, vec![0; 13], Drop(Reason::Short)),
            ("14 bytes", Ingress, vec![0; 14], Drop(Reason::EtherType)),
            ("802.1Q", Ingress, ethernet(OTHER, 0x8100, &[0; 60]), Drop(Reason::Tagged)),
            ("802.1Q", Egress, ethernet(MAC, 0x8100, &[0; 60]), Drop(Reason::Tagged)),
            ("802.1ad", Egress, ethernet(MAC, 0x88a8, &[0; 60]), Drop(Reason::Tagged)),
            ("LLDP", Egress, ethernet(MAC, 0x88cc, &[0; 60]), Drop(Reason::EtherType)),
            ("LLDP", Ingress, ethernet(OTHER, 0x88cc, &[0; 60]), Drop(Reason::EtherType)),
            ("a length, as of spanning tree", Egress, ethernet(MAC, 38, &[0x42; 60]), Drop(Reason::EtherType)),
            ("its own MAC address", Egress, good.frame(MAC), RULE),
            ("a pair's", Egress, second, RULE),
            ("another's", Egress, good.frame(OTHER), Drop(Reason::Mac)),
            ("to everybody's", Egress, good.frame([0xff; 6]), Drop(Reason::Mac)),
            ("whoever, coming in", Ingress, good.frame(OTHER), RULE_2),
            ("no packet in it", Egress, ethernet(MAC, IPV4, &[]), Drop(Reason::Header)),
            ("no packet in it", Ingress, ethernet(OTHER, IPV6, &[]), Drop(Reason::Header)),
        ],
    );
}

#[test]
fn rarp_goes_out_only() {
    each(
        &["out any", "in any"],
        &[
            ("own", Egress, ethernet(MAC, RARP, &[0; 46]), Pass(By::Rarp)),
            ("a pair's", Egress, ethernet(SECOND, RARP, &[]), Pass(By::Rarp)),
            ("another's", Egress, ethernet(OTHER, RARP, &[0; 46]), Drop(Reason::Mac)),
            ("coming in", Ingress, ethernet(OTHER, RARP, &[0; 46]), Drop(Reason::RarpIn)),
        ],
    );
}

#[test]
fn a_guest_speaks_by_arp_for_itself_only() {
    let out = |payload: &[u8]| ethernet(MAC, ARP, payload);
    let changed = |at: usize, byte: u8| {
        let mut payload = arp(1, (MAC, OWN), PEER);
        payload[at] = byte;
        out(&payload)
    };
    each(
        &[],
        &[
            ("asks", Egress, out(&arp(1, (MAC, OWN), PEER)), Pass(By::Arp)),
            ("answers", Egress, out(&arp(2, (MAC, OWN), PEER)), Pass(By::Arp)),
            ("says that it is there", Egress, out(&arp(1, (MAC, OWN), OWN)), Pass(By::Arp)),
            ("padded", Egress, out(&[arp(1, (MAC, OWN), PEER), vec![0; 18]].concat()), Pass(By::Arp)),
            ("a probe", Egress, out(&arp(1, (MAC, [0; 4]), OWN)), Pass(By::Arp)),
            ("an answer from nobody", Egress, out(&arp(2, (MAC, [0; 4]), OWN)), Drop(Reason::ArpSender)),
            ("another's address", Egress, out(&arp(1, (MAC, PEER), OWN)), Drop(Reason::ArpSender)),
            ("another's address", Egress, out(&arp(2, (MAC, PEER), OWN)), Drop(Reason::ArpSender)),
            ("another's MAC address inside", Egress, out(&arp(2, (OTHER, OWN), PEER)), Drop(Reason::ArpSender)),
            ("its second MAC address inside", Egress, out(&arp(2, (SECOND, OWN), PEER)), Drop(Reason::ArpSender)),
            ("a pair", Egress, ethernet(SECOND, ARP, &arp(2, (SECOND, [10, 9, 0, 1]), PEER)), Pass(By::Arp)),
            ("half of each pair", Egress, ethernet(SECOND, ARP, &arp(2, (SECOND, OWN), PEER)), Drop(Reason::ArpSender)),
            ("half of each pair", Egress, out(&arp(2, (MAC, [10, 9, 0, 1]), PEER)), Drop(Reason::ArpSender)),
            ("27 bytes", Egress, out(&arp(1, (MAC, OWN), PEER)[..27]), Drop(Reason::Arp)),
            ("of other hardware", Egress, changed(1, 6), Drop(Reason::Arp)),
            ("for another protocol", Egress, changed(2, 0x86), Drop(Reason::Arp)),
            ("long MAC addresses", Egress, changed(4, 8), Drop(Reason::Arp)),
            ("long addresses", Egress, changed(5, 16), Drop(Reason::Arp)),
            ("neither request nor reply", Egress, changed(7, 3), Drop(Reason::Arp)),
            ("neither request nor reply", Egress, changed(6, 1), Drop(Reason::Arp)),
            ("coming in", Ingress, ethernet(OTHER, ARP, &arp(2, (MAC, OWN), PEER)), Pass(By::Arp)),
            ("coming in cut off", Ingress, ethernet(OTHER, ARP, &[1, 2, 3]), Pass(By::Arp)),
        ],
    );
}

#[test]
fn the_builders_make_what_they_say() {
    let packet = Ip::new("10.0.0.5", "10.0.0.7", UDP, udp(1, 2, &[7; 3])).options(1).bytes();
    assert_eq!(packet.len(), 20 + 4 + 8 + 3);
    assert_eq!(packet[..4], [0x46, 0, 0, 35]);
    let [front, back] = Ip::new("2001:db8::5", "2001:db8::7", UDP, udp(1, 2, &[7; 12])).split(9, 16);
    assert_eq!(front.bytes()[40..48], [UDP, 0, 0, 1, 0, 0, 0, 9]);
    assert_eq!(back.bytes()[40..48], [UDP, 0, 0, 16, 0, 0, 0, 9]);
    assert_eq!(front.frame(MAC)[..14], [&frames::SOMEBODY[..], &MAC, &[0x86, 0xdd]].concat());
}
