//! Port security row by row: what must pass passes, and its forged twin does not. A frame leaves one guest's packet socket
//! and is seen or not seen at another's; the one of the two that is not guarded lets everything pass, so the other decides.

mod arp;
mod inward;
mod ipv4;
mod ipv6;

use crate::frames::{Mac, SOMEBODY};
use crate::wire::{Ear, Mouth, mute, on_both_paths, to, untagged};

/// The guarded guest that sends, and its addresses.
pub const ME: Mac = [2, 0, 0, 0, 0, 0x0a];
pub const ME4: &str = "10.0.0.10";
/// A pair's, for subnets have no IPv6 yet.
pub const ME6: &str = "2001:db8::a";
/// Its link-local address: EUI-64 of its MAC address.
pub const LINK: &str = "fe80::ff:fe00:a";
/// Another MAC address of it, by a pair, which goes with 10.0.0.201 and 2001:db8::c9 alone.
pub const SECOND: Mac = [2, 0, 0, 0, 0, 0xaa];
/// A guest that is not guarded.
pub const OPEN: Mac = [2, 0, 0, 0, 0, 0x0b];
pub const OPEN4: &str = "10.0.0.11";
pub const OPEN6: &str = "2001:db8::b";
/// A guest that lets in UDP to port 5000, from anybody.
pub const GUARDED: Mac = [2, 0, 0, 0, 0, 0x0c];
pub const GUARDED4: &str = "10.0.0.12";
pub const GUARDED6: &str = "2001:db8::c";

const WORLD: &str = "
Network blue
Subnet four {networkRef: {name: blue}, cidr: 10.0.0.0/24}
SecurityGroup out {rules: [{direction: Egress}]}
SecurityGroup in {rules: [{direction: Ingress, protocol: UDP, port: 5000}]}
Port me {networkRef: {name: blue}, macAddress: '02:00:00:00:00:0a', addresses: [{ip: 10.0.0.10}],
    securityGroupRefs: [{name: out}],
    allowedAddressPairs: [{ip: 10.0.0.200}, {ip: 10.0.0.201, macAddress: '02:00:00:00:00:aa'}, {ip: 192.168.0.0/28},
        {ip: 2001:db8::a}, {ip: 2001:db8::c8}, {ip: 2001:db8::c9, macAddress: '02:00:00:00:00:aa'}]}
Port open {networkRef: {name: blue}, macAddress: '02:00:00:00:00:0b', addresses: [{ip: 10.0.0.11}],
    portSecurity: false}
Port guarded {networkRef: {name: blue}, macAddress: '02:00:00:00:00:0c', addresses: [{ip: 10.0.0.12}],
    securityGroupRefs: [{name: in}]}
Port free {networkRef: {name: blue}, portSecurity: false}
";

/// A row: what it is, whether it passes, the frame.
pub type Row = (&'static str, bool, Vec<u8>);

pub fn pass(what: &'static str, frame: Vec<u8>) -> Row {
    (what, true, frame)
}

pub fn drop(what: &'static str, frame: Vec<u8>) -> Row {
    (what, false, frame)
}

/// A frame with a tag (IEEE 802.1Q, 802.1ad).
pub fn tagged(ethertype: u16, vlan: u16, frame: &[u8]) -> Vec<u8> {
    [&frame[..12], &ethertype.to_be_bytes(), &vlan.to_be_bytes(), &frame[12..]].concat()
}

/// Each row to the receiver's MAC address, to all and to a multicast address: which it is makes no difference. `rows` makes them
/// for each of these, with numbers that no other has.
fn frames(receiver: Mac, rows: fn(u16) -> Vec<Row>) -> Vec<Row> {
    let stations = (0..).zip([receiver, [0xff; 6], [0x33, 0x33, 0, 0, 0, 1]]);
    let marked = |(round, station): (u8, Mac)| {
        (0..).zip(rows(round.into())).map(move |(number, (what, passes, frame))| {
            assert_eq!(frame[..6], SOMEBODY, "a row does not say where to");
            // Behind the packet, as padding: no two frames are alike.
            let mark: &[u8] = if frame.len() > 14 { &[0xc0, 0xde, round, number] } else { &[] };
            (what, passes, [&to(station, &frame), mark].concat())
        })
    };
    stations.flat_map(marked).collect()
}

/// Sends every row, and looks which of them are heard.
fn try_rows(mouth: &Mouth, ear: &mut Ear, rows: &[Row]) {
    for (what, passes, frame) in rows {
        mouth.say(frame);
        if *passes {
            ear.must_hear(frame, &format!("{what}: {frame:02x?}"));
        }
    }
    ear.drain();
    let dropped = || rows.iter().filter(|(_, passes, _)| !passes);
    let through: Vec<_> = dropped().filter(|(.., frame)| ear.heard.contains(&untagged(frame))).collect();
    assert!(through.is_empty(), "{} came through: {through:02x?}", through.len());
    println!("{} frames passed, {} did not", rows.len() - dropped().count(), dropped().count());
}

/// Sends every row where nobody guards: it is the filters that drop, for the network carries all of it but frames from no station,
/// which a bridge refuses, too.
fn carry_rows(mouth: &Mouth, ear: &mut Ear, rows: &[Row]) {
    let carried = |frame: &[u8]| frame[6] & 1 == 0 && frame[6..12] != [0; 6];
    for (what, _, frame) in rows.iter().filter(|(.., frame)| carried(frame)) {
        mouth.say(frame);
        ear.must_hear(frame, &format!("{what}, where nobody guards: {frame:02x?}"));
    }
}

fn try_out(rows: fn(u16) -> Vec<Row>) {
    on_both_paths(|mut host| {
        host.declare("all.yaml", WORLD);
        host.start();
        let [me, open, free] = ["me", "open", "free"].map(|name| mute(&host, name));
        let rows = frames(OPEN, rows);
        try_rows(&Mouth::of(&me), &mut Ear::of(&open), &rows);
        carry_rows(&Mouth::of(&free), &mut Ear::of(&open), &rows);
    });
}

fn try_in(rows: fn(u16) -> Vec<Row>) {
    on_both_paths(|mut host| {
        host.declare("all.yaml", WORLD);
        host.start();
        let [open, guarded, free] = ["open", "guarded", "free"].map(|name| mute(&host, name));
        try_rows(&Mouth::of(&open), &mut Ear::of(&guarded), &frames(GUARDED, rows));
        carry_rows(&Mouth::of(&free), &mut Ear::of(&open), &frames(OPEN, rows));
    });
}

#[test]
fn a_guest_speaks_by_arp_for_itself_only_and_in_untagged_ip_frames() {
    try_out(arp::rows);
}

#[test]
fn a_guest_sends_ipv4_from_its_own_addresses_and_whole_headers() {
    try_out(ipv4::rows);
}

#[test]
fn a_guest_sends_ipv6_from_its_own_addresses_and_no_chain_hides_what_it_carries() {
    try_out(ipv6::rows);
}

#[test]
fn a_guest_speaks_as_a_neighbour_and_listener_and_as_no_router() {
    try_out(ipv6::discovery);
}

#[test]
fn a_guest_hears_what_its_network_lives_by_and_what_its_groups_let_in() {
    try_in(inward::rows);
}
