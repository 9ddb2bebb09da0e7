//! Part 3: IPv4, and the transport's header.

use super::{ME, ME4, OPEN4, Row, SECOND, drop, pass};
use crate::frames::{ICMP, Ip, SCTP, SYN, TCP, UDP, icmp, sctp, tcp, udp};

/// UDP between some ports.
fn datagram(source: &str, destination: &str, ports: (u16, u16)) -> Ip {
    Ip::new(source, destination, UDP, udp(ports.0, ports.1, b"eight by")).hops(64)
}

fn from(source: &str) -> Vec<u8> {
    datagram(source, OPEN4, (1000, 2000)).frame(ME)
}

/// A packet with some bytes of its header changed.
fn changed(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut frame = from(ME4);
    frame[14 + at..14 + at + bytes.len()].copy_from_slice(bytes);
    frame
}

pub fn rows(round: u16) -> Vec<Row> {
    let of = |protocol, payload: &[u8]| Ip::new(ME4, OPEN4, protocol, payload.to_vec()).hops(64).frame(ME);
    let part = |id: u16, offset, more, payload: &[u8]| {
        let id = u32::from(id * 10 + round);
        Ip::new(ME4, OPEN4, UDP, payload.to_vec()).fragment(id, offset, more).frame(ME)
    };
    let port = 3000 + round;
    vec![
        pass("its own address", from(ME4)),
        drop("a neighbour's", from(OPEN4)),
        drop("the gateway's", from("10.0.0.1")),
        drop("nobody's of the subnet", from("10.0.0.77")),
        drop("a foreign one", from("198.51.100.1")),
        drop("nobody's", from("0.0.0.0")),
        drop("everybody's", from("255.255.255.255")),
        drop("everybody's of the subnet", from("10.0.0.255")),
        drop("a multicast one", from("224.0.0.1")),
        drop("a loopback", from("127.0.0.1")),
        drop("a link-local one", from("169.254.169.254")),
        pass("a pair's", from("10.0.0.200")),
        pass("one of a pair that is a range", from("192.168.0.15")),
        drop("the first behind that range", from("192.168.0.16")),
        drop("that of a pair with another MAC address", from("10.0.0.201")),
        pass("with that MAC address", datagram("10.0.0.201", OPEN4, (1000, 2000)).frame(SECOND)),
        drop("its own, with that MAC address", datagram(ME4, OPEN4, (1000, 2000)).frame(SECOND)),
        pass("with options", datagram(ME4, OPEN4, (1000, 2000)).options(3).frame(ME)),
        drop("an address like its own, with options", datagram(OPEN4, OPEN4, (1000, 2000)).options(3).frame(ME)),
        // DHCP.
        pass("a client that searches", datagram("0.0.0.0", "255.255.255.255", (68, 67)).frame(ME)),
        drop("to one server, without an address", datagram("0.0.0.0", OPEN4, (68, 67)).frame(ME)),
        drop("a search in a neighbour's name", datagram(OPEN4, "255.255.255.255", (68, 67)).frame(ME)),
        drop("from nobody to another service", datagram("0.0.0.0", "255.255.255.255", (68, 69)).frame(ME)),
        drop("from nobody, from another port", datagram("0.0.0.0", "255.255.255.255", (69, 67)).frame(ME)),
        drop("a search in parts", part_of_search(round)),
        pass("a client that renews", datagram(ME4, OPEN4, (68, 67)).frame(ME)),
        drop("a server's answer", datagram(ME4, OPEN4, (67, 68)).frame(ME)),
        drop("a server's answer to all", datagram(ME4, "255.255.255.255", (67, 68)).frame(ME)),
        drop("a server's answer from the gateway", datagram("10.0.0.1", "255.255.255.255", (67, 68)).frame(ME)),
        drop("a server's answer, the first part", part(20, 0, true, &udp(67, 68, &[0; 16]))),
        // Headers that lie.
        drop("of version 6", changed(0, &[0x65])),
        drop("of version 0", changed(0, &[0x05])),
        drop("with a short header", changed(0, &[0x44])),
        drop("with a header longer than all", changed(0, &[0x4f])),
        drop("shorter than its header", changed(2, &[0, 19])),
        drop("longer than it is", changed(2, &[1, 0])),
        // The transport's header.
        pass("a whole header of TCP", of(TCP, &tcp(port, 80, SYN, &[]))),
        drop("a header of TCP that is cut off", of(TCP, &tcp(port, 80, SYN, &[])[..19])),
        pass("a whole header of UDP", of(UDP, &udp(port, 80, &[]))),
        drop("a header of UDP that is cut off", of(UDP, &udp(port, 80, &[])[..7])),
        pass("a whole header of ICMP", of(ICMP, &icmp(8, 0, port, &[]))),
        drop("a header of ICMP that is cut off", of(ICMP, &icmp(8, 0, port, &[])[..7])),
        pass("a whole header of SCTP", of(SCTP, &sctp(port, 80, &[]))),
        drop("a header of SCTP that is cut off", of(SCTP, &sctp(port, 80, &[])[..11])),
        pass("a protocol without ports", of(47, &[])),
        // Fragments.
        pass("a first part", part(1, 0, true, &udp(port, 80, &[0; 16]))),
        pass("what follows it", part(1, 24, false, &[0; 8])),
        drop("what lies over it", part(1, 16, true, &[0; 8])),
        drop("a first part of another length", part(1, 0, true, &udp(port, 80, &[0; 24]))),
        pass("the same again", part(1, 0, true, &udp(port, 80, &[0; 16]))),
        drop("what follows nothing", part(2, 24, false, &[0; 8])),
        drop("a tiny first part", part(3, 0, true, &[0; 7])),
        drop("what follows that", part(3, 8, false, &[0; 8])),
        drop("what hides a header", part(4, 8, false, &tcp(port, 22, SYN, &[]))),
        drop("a later part from a neighbour", Ip::new(OPEN4, OPEN4, UDP, vec![0; 8]).fragment(5, 24, false).frame(ME)),
    ]
}

fn part_of_search(round: u16) -> Vec<u8> {
    let whole = datagram("0.0.0.0", "255.255.255.255", (68, 67));
    whole.fragment(u32::from(900 + round), 0, true).frame(ME)
}
