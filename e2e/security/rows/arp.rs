//! Parts 1 and 2: frames, and ARP.

use super::{ME, ME4, OPEN4, Row, SECOND, drop, pass, tagged};
use crate::frames::{ARP, IPV4, IPV6, Ip, Mac, RARP, UDP, arp, ethernet, udp};

const OWN: [u8; 4] = [10, 0, 0, 10];
const PAIR: [u8; 4] = [10, 0, 0, 200];
const SECONDS: [u8; 4] = [10, 0, 0, 201];
const NEIGHBOUR: [u8; 4] = [10, 0, 0, 11];
const GATEWAY: [u8; 4] = [10, 0, 0, 1];
const STRANGER: Mac = [2, 0, 0, 0, 0, 0x99];

fn frame(operation: u16, sender: (Mac, [u8; 4]), target: [u8; 4]) -> Vec<u8> {
    ethernet(ME, ARP, &arp(operation, sender, target))
}

/// ARP with some bytes of it changed.
fn changed(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut arp = arp(1, (ME, OWN), NEIGHBOUR);
    arp[at..at + bytes.len()].copy_from_slice(bytes);
    ethernet(ME, ARP, &arp)
}

pub fn rows(_: u16) -> Vec<Row> {
    let good = || Ip::new(ME4, OPEN4, UDP, udp(1000, 2000, b"?")).frame(ME);
    let of_type = |ethertype| ethernet(ME, ethertype, &[0; 46]);
    vec![
        pass("a request", frame(1, (ME, OWN), NEIGHBOUR)),
        drop("one in a neighbour's name", frame(1, (ME, NEIGHBOUR), GATEWAY)),
        pass("an answer", frame(2, (ME, OWN), NEIGHBOUR)),
        drop("one in the gateway's name", frame(2, (ME, GATEWAY), NEIGHBOUR)),
        pass("an announcement", frame(1, (ME, OWN), OWN)),
        drop("one for the gateway", frame(1, (ME, GATEWAY), GATEWAY)),
        drop("one for a neighbour", frame(2, (ME, NEIGHBOUR), NEIGHBOUR)),
        pass("a probe", frame(1, (ME, [0; 4]), OWN)),
        pass("a probe for another's address, which takes nothing", frame(1, (ME, [0; 4]), GATEWAY)),
        drop("an answer from nobody", frame(2, (ME, [0; 4]), OWN)),
        pass("a request from a pair's address", frame(1, (ME, PAIR), NEIGHBOUR)),
        drop("one from the address of a pair with another MAC address", frame(1, (ME, SECONDS), NEIGHBOUR)),
        pass("that pair's", ethernet(SECOND, ARP, &arp(1, (SECOND, SECONDS), NEIGHBOUR))),
        drop("its MAC address, with another's address", ethernet(SECOND, ARP, &arp(1, (SECOND, OWN), NEIGHBOUR))),
        drop("a MAC address in it that is not the frame's", frame(1, (STRANGER, OWN), NEIGHBOUR)),
        drop("another own one that is not the frame's", frame(2, (SECOND, SECONDS), NEIGHBOUR)),
        drop("a frame from a stranger's MAC address", ethernet(STRANGER, ARP, &arp(1, (ME, OWN), NEIGHBOUR))),
        drop("all of it a stranger's", ethernet(STRANGER, ARP, &arp(1, (STRANGER, OWN), NEIGHBOUR))),
        drop("from everybody", frame(1, (ME, [255; 4]), NEIGHBOUR)),
        drop("of other hardware", changed(0, &[0, 6])),
        drop("of another protocol", changed(2, &[0x86, 0xdd])),
        drop("with long hardware addresses", changed(4, &[8])),
        drop("with long addresses", changed(5, &[16])),
        drop("RARP's request by the name of ARP", changed(6, &[0, 3])),
        drop("InARP", changed(6, &[0, 8])),
        drop("a refusal", changed(6, &[0, 10])),
        drop("one that is cut off", ethernet(ME, ARP, &arp(1, (ME, OWN), NEIGHBOUR)[..23])),
        drop("one without a body", ethernet(ME, ARP, &[])),
        pass("an announcement of a station that moved", of_type(RARP)),
        drop("one by a stranger", ethernet(STRANGER, RARP, &[0; 46])),
        // Frames.
        pass("a packet", good()),
        drop("from a stranger's MAC address", Ip::new(ME4, OPEN4, UDP, udp(1000, 2000, b"?")).frame(STRANGER)),
        drop("from the neighbour's", Ip::new(ME4, OPEN4, UDP, udp(1000, 2000, b"?")).frame([2, 0, 0, 0, 0, 0x0b])),
        drop("from everybody's", Ip::new(ME4, OPEN4, UDP, udp(1000, 2000, b"?")).frame([0xff; 6])),
        drop("from nobody's", Ip::new(ME4, OPEN4, UDP, udp(1000, 2000, b"?")).frame([0; 6])),
        drop("with a tag", tagged(0x8100, 5, &good())),
        drop("with a tag of no VLAN", tagged(0x8100, 0, &good())),
        drop("with a provider's tag", tagged(0x88a8, 5, &good())),
        drop("with two tags", tagged(0x88a8, 5, &tagged(0x8100, 6, &good()))),
        drop("with three", tagged(0x8100, 4, &tagged(0x8100, 5, &tagged(0x8100, 6, &good())))),
        drop("with an old double tag", tagged(0x9100, 5, &good())),
        drop("ARP with a tag", tagged(0x8100, 5, &frame(1, (ME, OWN), NEIGHBOUR))),
        drop("an IPv4 frame and nothing in it", ethernet(ME, IPV4, &[])),
        drop("an IPv6 frame and nothing in it", ethernet(ME, IPV6, &[])),
        drop("IPv4, of which one byte is there", ethernet(ME, IPV4, &[0x45])),
        drop("IPv4 that is cut off", ethernet(ME, IPV4, &good()[14..26])),
        drop("IPv6, of which one byte is there", ethernet(ME, IPV6, &[0x60])),
        drop("IPv6 that is cut off", ethernet(ME, IPV6, &[&[0x60, 0, 0, 0, 0, 8, 17, 64], &[0x20; 20][..]].concat())),
        drop("a type of nothing", of_type(0x1234)),
        drop("MPLS", of_type(0x8847)),
        drop("PPPoE discovery", of_type(0x8863)),
        drop("PPPoE", of_type(0x8864)),
        drop("LLDP", of_type(0x88cc)),
        drop("EAPOL", of_type(0x888e)),
        drop("a local experiment", of_type(0x88b5)),
        drop("LACP", of_type(0x8809)),
        drop(
            "a length instead of a type: LLC, as of spanning trees",
            ethernet(ME, 38, &[&[0x42, 0x42, 3], &[0; 35][..]].concat()),
        ),
        drop(
            "LLC with SNAP that carries IPv4",
            ethernet(ME, 60, &[&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &good()[14..]].concat()),
        ),
    ]
}
