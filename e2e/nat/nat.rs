//! Who appears as whom, from where to where.

use tenet::api::Protocol::{TCP, UDP};

use crate::world::{Call, PORT, World, ip, view};

#[test]
fn everybody_appears_as_who_they_should_from_everywhere() {
    let world = World::new(&view());
    for (from, to, seen) in [
        // From the outside, and to it, with and without a floating IP.
        ("o", "203.0.113.101", "203.0.113.1"),
        ("o", "203.0.113.102", "203.0.113.1"),
        ("a1", "203.0.113.1", "203.0.113.101"),
        ("b2", "198.51.100.1", "203.0.113.102"),
        ("a2", "203.0.113.1", "203.0.113.2"),
        ("b1", "198.51.100.1", "203.0.113.2"),
        // A floating IP from inside: from its own subnet, from another, from itself.
        ("a2", "203.0.113.101", "203.0.113.2"),
        ("a3", "203.0.113.101", "203.0.113.103"),
        ("b1", "203.0.113.101", "203.0.113.2"),
        ("b2", "203.0.113.101", "203.0.113.102"),
        ("a1", "203.0.113.101", "203.0.113.101"),
        // Between tenants' subnets nobody is translated.
        ("a1", "10.0.1.11", "10.0.0.11"),
        ("b1", "10.0.0.12", "10.0.1.11"),
    ] {
        // A UDP server answers from its first address.
        let protocols = if to == "198.51.100.1" { &[TCP][..] } else { &[TCP, UDP] };
        for protocol in protocols {
            assert_eq!(world.seen(from, *protocol, to).as_deref(), Some(seen), "{from} to {to} by {protocol:?}");
        }
        assert!(world.pings(from, to), "{from} to {to}");
    }
}

#[test]
fn forwarded_ports_lead_to_guests_from_outside_and_inside() {
    let world = World::new(&view());
    for (from, seen) in [
        ("o", "203.0.113.1"),
        ("a1", "203.0.113.101"),
        ("a2", "203.0.113.2"),
        ("b1", "203.0.113.2"),
        ("b2", "203.0.113.102"),
    ] {
        for (protocol, to) in [(TCP, "203.0.113.110:80"), (UDP, "203.0.113.110:53")] {
            assert_eq!(world.seen(from, protocol, to).as_deref(), Some(seen), "{from} to {to}");
        }
        for (protocol, to) in [(TCP, "203.0.113.110:53"), (UDP, "203.0.113.110:80"), (TCP, "203.0.113.110:7000")] {
            assert!(world.silent(from, protocol, to), "{from} to {to} by {protocol:?}");
        }
    }
}

#[test]
fn traffic_between_tenant_subnets_is_not_tracked() {
    let world = World::new(&view());
    assert!(world.seen("a1", TCP, "10.0.1.11").is_some());
    assert!(world.pings("a1", "10.0.1.11"));
    assert_eq!(world.flush(&["10.0.0.11", "10.0.1.11"]), 0);
    assert!(world.seen("a2", UDP, "203.0.113.1").is_some());
    assert_eq!(world.flush(&["10.0.0.11"]), 0);
    assert_eq!(world.flush(&["10.0.0.12"]), 1);
}

#[test]
fn a_floating_ip_taken_away_is_cut_and_nobody_else_notices() {
    let first = view();
    let mut world = World::new(&first);
    let mut cut = world.call("o", "203.0.113.101");
    let mut outward = world.call("a1", "203.0.113.1");
    let mut hairpin = world.call("a2", "203.0.113.101");
    let mut other = world.call("o", "203.0.113.102");
    let mut plain = world.call("a2", "203.0.113.1");
    let mut calls = [&mut cut, &mut outward, &mut hairpin, &mut other, &mut plain];
    assert!(calls.iter_mut().all(|call| call.alive()));
    let mut second = first.clone();
    let gone = second.external.as_mut().unwrap().floating.remove(&ip("203.0.113.101")).unwrap();
    world.set(&second);
    assert!(hairpin.alive(), "rules alone do not cut what runs inside");
    assert_eq!(world.flush(&["203.0.113.101", &gone.fixed.to_string()]), 3);
    assert!(cut.dead());
    assert!(outward.dead());
    assert!(hairpin.dead());
    assert!(other.alive());
    assert!(plain.alive());
    assert!(world.silent("o", TCP, "203.0.113.101"));
    assert_eq!(world.seen("a1", TCP, "203.0.113.1").as_deref(), Some("203.0.113.2"));
    // Moved to another guest.
    let mut third = second.clone();
    third.external.as_mut().unwrap().floating.insert(ip("203.0.113.101"), gone);
    third.external.as_mut().unwrap().floating.get_mut(&ip("203.0.113.101")).unwrap().fixed = ip("10.0.0.12");
    world.set(&third);
    world.flush(&["203.0.113.101", "10.0.0.12"]);
    assert_eq!(world.seen("a2", TCP, "203.0.113.1").as_deref(), Some("203.0.113.101"));
    assert_eq!(world.seen("o", TCP, "203.0.113.101").as_deref(), Some("203.0.113.1"));
    assert!(other.alive());
}

#[test]
fn replacing_the_whole_table_keeps_connections() {
    let first = view();
    let mut world = World::new(&first);
    let mut calls = [("o", "203.0.113.101"), ("a2", "203.0.113.1"), ("b1", "203.0.113.101"), ("a1", "10.0.1.11")]
        .map(|(from, to)| world.call(from, to));
    let mut second = first.clone();
    second.interfaces[0].mtu = 1400;
    for view in [&second, &first] {
        world.set(view);
        assert!(calls.iter_mut().all(Call::alive));
    }
}

#[test]
fn without_snat_guests_are_routed_as_themselves_and_floating_ips_still_work() {
    let mut plain = view();
    plain.external.as_mut().unwrap().snat = false;
    let world = World::new(&plain);
    world.ip("o", "route add 10.0.0.0/16 via 203.0.113.2");
    for (from, to, seen) in [
        ("a2", "203.0.113.1", "10.0.0.12"),
        ("o", "10.0.0.12", "203.0.113.1"),
        ("a1", "203.0.113.1", "203.0.113.101"),
        ("o", "203.0.113.101", "203.0.113.1"),
        ("o", "10.0.0.11", "203.0.113.1"),
        ("a2", "203.0.113.101", "203.0.113.2"),
        ("b2", "203.0.113.101", "203.0.113.102"),
        ("o", "203.0.113.110:80", "203.0.113.1"),
    ] {
        assert_eq!(world.seen(from, TCP, to).as_deref(), Some(seen), "{from} to {to}");
    }
    assert!(world.seen("a2", UDP, "203.0.113.1").is_some());
    assert_eq!(world.flush(&["10.0.0.13"]), 0, "what is not translated is not tracked");
}

#[test]
fn a_static_route_leads_through_a_guest_both_ways() {
    let mut routed = view();
    routed.routes.insert("172.16.0.0/24".parse().unwrap(), vec![ip("10.0.0.12")]);
    let world = World::new(&routed);
    world.ip("r", "route add 172.16.0.0/24 via 10.0.0.12");
    world.ip("a2", "addr add 172.16.0.1/32 dev eth0");
    assert_eq!(world.seen("b1", TCP, "172.16.0.1").as_deref(), Some("10.0.1.11"));
    assert!(world.run("a2", "ping -n -c 1 -W 1 -I 172.16.0.1 10.0.1.11").0);
    assert!(world.run("a2", "ping -n -c 1 -W 1 -I 172.16.0.1 203.0.113.1").0, "and is translated to the outside");
}

#[test]
fn what_is_too_big_is_told_and_syns_are_clamped() {
    let mut small = view();
    small.interfaces[0].mtu = 1400;
    let world = World::new(&small);
    world.ip("r", &format!("link set {} mtu 1400", crate::world::LEGS[0]));
    for (from, to) in [("o", "203.0.113.101"), ("b1", "10.0.0.12"), ("b2", "203.0.113.101")] {
        let (_, said) = world.run(from, &format!("ping -n -c 1 -W 1 -M do -s 1450 {to}"));
        assert!(said.contains("mtu") && said.contains("1400"), "{from} to {to}: {said}");
    }
    let mut call = world.call("o", "203.0.113.103");
    assert!(call.alive());
    let mss = nix::sys::socket::getsockopt(&call.0, nix::sys::socket::sockopt::TcpMaxSeg).unwrap();
    assert!(mss <= 1360, "{mss}");
    assert!(world.seen("o", TCP, &format!("203.0.113.103:{PORT}")).is_some());
}
