//! Tables that are full, and tables that are replaced.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tenet::api::MacAddr;
use tenet::dataplane::filter::{Filtering, Handed, Policy, Tables, Wire};
use tenet::dataplane::kernel::filter::Fate;
use tenet::model::security::{Direction, Number, Pair, Remote, RuleView, SecurityView, Span};

use crate::frames::{Ip, tcp};
use crate::kernel::{FLOWS, Kernel};

const SYN: u8 = 2;
const SYN_ACK: u8 = 18;
const ACK: u8 = 16;
const FIN_ACK: u8 = 17;
const RST: u8 = 4;
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

/// Two ports that may call whom they like.
fn tables() -> Tables {
    let rule = RuleView {
        direction: Direction::Egress,
        family: None,
        protocol: None,
        first: Span::ALL,
        second: Span::ALL,
        remote: Remote::Anywhere,
    };
    let port = |n: u8| {
        let mac = mac(n);
        let pairs = vec![Pair { mac, net: "10.0.0.0/8".parse().unwrap() }];
        let (groups, domain) = ([Number(9)].into(), Number(0));
        let security = SecurityView { mac, pairs, groups, stateful: true, domain, announces: false };
        (Number(n.into()), Policy::Guarded(Arc::new(security)))
    };
    let groups = [(Number(9), vec![rule].into())].into();
    Tables { ports: [port(1), port(2)].into(), groups, ..Tables::default() }
}

fn mac(n: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, n])
}

/// Whether a packet of a connection that port `n` begins to `to` passes: from the guest, or with `back` to it.
fn passes(kernel: &mut Kernel, n: u8, to: Ipv4Addr, port: u16, flags: u8, back: bool) -> bool {
    let own = Ipv4Addr::new(10, 0, 0, n);
    let (source, destination) = if back { (to, own) } else { (own, to) };
    let payload = if back { tcp(80, port, flags, b"") } else { tcp(port, 80, flags, b"") };
    let bytes = Ip::between(source.into(), destination.into(), 6, payload).frame(mac(n).0);
    let direction = if back { Direction::Ingress } else { Direction::Egress };
    let wire = Wire { port: Number(n.into()), network: Number(0), mac: mac(n), handed: None };
    kernel.filters.judge(&wire, direction, &bytes).unwrap() != Fate::Dropped
}

/// Whether a connection comes about.
fn connects(kernel: &mut Kernel, n: u8, to: Ipv4Addr, port: u16) -> bool {
    let mut step = |flags, back| passes(kernel, n, to, port, flags, back);
    step(SYN, false) && step(SYN_ACK, true) && step(ACK, false)
}

fn goes_on(kernel: &mut Kernel, n: u8, port: u16) -> bool {
    passes(kernel, n, OTHER, port, ACK, false) && passes(kernel, n, OTHER, port, ACK, true)
}

fn world(name: &str) -> Kernel {
    let mut kernel = Kernel::new(name);
    kernel.filters.ready().unwrap().0.replace(&tables()).unwrap();
    kernel
}

#[test]
fn a_flood_of_beginnings_ends_no_connection() {
    let mut kernel = world("flood");
    assert!(connects(&mut kernel, 1, OTHER, 4000));
    for n in 0..FLOWS / 2 {
        let to = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 128, 0, 0)) + n);
        assert!(passes(&mut kernel, 2, to, 5000, SYN, false));
    }
    assert!(goes_on(&mut kernel, 1, 4000) && connects(&mut kernel, 1, OTHER, 4001));
    assert!(!passes(&mut kernel, 1, OTHER, 4002, ACK, true), "a stray packet is still none of it");
}

#[test]
fn a_port_with_more_than_its_share_of_flows_ends_none_of_others() {
    let mut kernel = world("share");
    let share = Filtering { flows: FLOWS, ..Filtering::default() }.share();
    assert!(connects(&mut kernel, 1, OTHER, 4000));
    for n in 0..2 * FLOWS {
        let to = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 128, 0, 0)) + n);
        assert!(connects(&mut kernel, 2, to, 5000), "{n} of {share}: it has more than its share, where there is room");
    }
    assert!(goes_on(&mut kernel, 1, 4000) && connects(&mut kernel, 1, OTHER, 4001), "others have theirs");
    // What nobody uses makes room, when it is swept.
    let (tables, _) = kernel.filters.ready().unwrap();
    tables.age(std::time::Duration::from_secs(500_000)).unwrap();
    assert!(tables.sweep_now(share).unwrap() >= share as usize);
}

#[test]
fn a_port_may_have_short_connections_without_end() {
    let mut kernel = world("short");
    let share = Filtering { flows: FLOWS, ..Filtering::default() }.share();
    for n in 0..3 * share {
        let to = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 128, 0, 0)) + n);
        assert!(connects(&mut kernel, 2, to, 5000), "{n} of {share}");
        let fin = if n % 2 == 0 { FIN_ACK } else { RST };
        assert!(passes(&mut kernel, 2, to, 5000, fin, false) && passes(&mut kernel, 2, to, 5000, FIN_ACK, true));
    }
    let (tables, _) = kernel.filters.ready().unwrap();
    assert_eq!(tables.sweep_now(1).unwrap(), 0, "none of them has a share to be swept");
}

#[test]
fn connections_go_on_when_filters_of_another_size_take_over() {
    let mut kernel = world("upgrade");
    assert!(connects(&mut kernel, 1, OTHER, 4000));
    assert!(passes(&mut kernel, 1, OTHER, 4001, SYN, false), "it is not answered yet");
    kernel.open_again(2 * FLOWS);
    kernel.filters.ready().unwrap().0.replace(&tables()).unwrap();
    assert!(goes_on(&mut kernel, 1, 4000));
    assert!(passes(&mut kernel, 1, OTHER, 4001, SYN_ACK, true));
    assert!(!passes(&mut kernel, 1, OTHER, 4002, ACK, false));
    kernel.filters.replaced();
    assert!(goes_on(&mut kernel, 1, 4000));
    // And back, as after a failed upgrade.
    kernel.open_again(FLOWS);
    kernel.filters.ready().unwrap().0.replace(&tables()).unwrap();
    assert!(goes_on(&mut kernel, 1, 4000) && goes_on(&mut kernel, 1, 4001));
}

#[test]
fn interfaces_that_vanish_with_their_guests_take_no_room() {
    let mut kernel = world("wires");
    let wire = |n: u8| Wire { port: Number(n.into()), network: Number(0), mac: mac(n), handed: Some(Handed::Peer) };
    let (there, _) = kernel.filters.ready().unwrap();
    // A guest that comes and goes, each time behind another interface, and one that stays.
    there.set_wire(1000, &wire(1)).unwrap();
    for index in 2000..2000 + 20_000 {
        there.set_wire(index, &wire(2)).unwrap();
        assert_eq!(there.wire(index - 1), None, "a port is behind one interface");
    }
    there.set_port(Number(2), None).unwrap();
    assert_eq!(there.wire(2000 + 20_000 - 1), None, "and a port that is gone behind none");
    assert_eq!(there.wire(1000), Some(wire(1)));
    // The kernel gives an index again.
    there.set_wire(1000, &wire(2)).unwrap();
    there.set_port(Number(2), tables().ports.get(&Number(2))).unwrap();
    there.set_port(Number(1), None).unwrap();
    assert_eq!(there.wire(1000), Some(wire(2)));
}
