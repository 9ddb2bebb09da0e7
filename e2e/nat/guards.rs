//! What a router refuses, and that it would not without its rules.

use std::net::UdpSocket;

use tenet::api::Protocol::{TCP, UDP};

use crate::world::{Call, LEGS, PORT, World, ip, rules, view};

#[test]
fn the_external_wire_cannot_inject_to_private_addresses() {
    let mut world = World::new(&view());
    world.ip("o", "route add 10.0.0.0/16 via 203.0.113.2");
    for to in ["10.0.0.12", "10.0.0.11", "10.0.1.11"] {
        assert!(!world.pings("o", to), "{to}");
        assert!(world.silent("o", UDP, to), "{to}");
    }
    assert!(!world.pings("o", "10.0.0.1"), "the router's own inner address");
    // A source from inside, sent from outside.
    world.ip("o", "addr add 10.0.0.12/32 dev eth0");
    assert!(!world.run("o", "ping -n -c 1 -W 0.3 -I 10.0.0.12 203.0.113.2").0);
    world.unset();
    assert!(world.pings("o", "10.0.0.13"), "without rules it can");
}

#[test]
fn a_guest_that_scans_gets_refusals_and_fills_no_neighbour_table() {
    let mut world = World::new(&view());
    let scan = |world: &World| {
        let socket = world.within("a1", || UdpSocket::bind("0.0.0.0:0").unwrap());
        for last in 100..200 {
            let _ = socket.send_to(b"?", (format!("10.0.1.{last}"), PORT));
        }
        let entries = world.run("r", &format!("ip neigh show dev {}", LEGS[1])).1;
        entries.lines().filter(|line| line.starts_with("10.0.1.1") && !line.starts_with("10.0.1.11")).count()
    };
    // First, because the kernel sends one source few refusals a second.
    let (_, said) = world.run("a1", "ping -n -c 1 -W 1 10.0.1.50");
    assert!(said.contains("From 10.0.0.1 icmp_seq=1 Destination Host Unreachable"), "{said}");
    assert_eq!(scan(&world), 0);
    assert!(world.seen("a1", TCP, "10.0.1.11").is_some());
    world.unset();
    assert!(scan(&world) > 50, "without rules it does");
}

#[test]
fn a_guest_that_scans_the_outside_fills_no_neighbour_table_and_stops_no_call_in_progress() {
    let mut wide = view();
    wide.external.as_mut().unwrap().cidrs = vec!["203.0.0.0/16".parse().unwrap()];
    let world = World::new(&wide);
    world.ip("r", &format!("route add 203.0.0.0/16 dev {}", LEGS[2]));
    let mut calls = [world.call("a2", "203.0.113.1"), world.call("o", "203.0.113.101")];
    let socket = world.within("a1", || UdpSocket::bind("0.0.0.0:0").unwrap());
    for n in 0..2000 {
        let _ = socket.send_to(b"?", (format!("203.0.{}.{}", n / 250, n % 250), PORT));
    }
    let found = world.run("r", &format!("ip neigh show dev {}", LEGS[2])).1;
    let found = found.lines().filter(|line| line.starts_with("203.0.")).count();
    assert!((1..=130).contains(&found), "{found}");
    assert!(calls.iter_mut().all(Call::alive));
    assert!(world.seen("o", TCP, "203.0.113.102").is_some());
    assert!(world.seen("b1", TCP, "198.51.100.1").is_some(), "what goes through the gateway goes on");
}

#[test]
fn a_source_that_nobody_has_is_not_forwarded() {
    let world = World::new(&view());
    world.ip("a2", "addr add 10.0.0.99/32 dev eth0\naddr add 192.0.2.7/32 dev eth0");
    for from in ["10.0.0.99", "192.0.2.7"] {
        for to in ["203.0.113.1", "10.0.1.11", "203.0.113.102"] {
            assert!(!world.run("a2", &format!("ping -n -c 1 -W 0.3 -I {from} {to}")).0, "{from} to {to}");
        }
    }
    assert_eq!(world.flush(&["10.0.0.99", "192.0.2.7"]), 0, "and no connection of it is kept");
}

#[test]
fn forged_arp_is_not_heard() {
    let mut world = World::new(&view());
    let neighbours = |world: &World| world.run("r", &format!("ip neigh show dev {}", LEGS[0])).1;
    assert!(world.pings("a1", "10.0.0.1"));
    assert!(neighbours(&world).contains("10.0.0.11 lladdr 02:00:00:00:00:11"));
    world.ip("a2", "addr add 10.0.0.11/24 dev eth0\naddr add 10.0.0.77/24 dev eth0");
    let forge = |world: &World| {
        for sender in ["10.0.0.11", "10.0.0.77"] {
            world.run("a2", &format!("arping -c 2 -w 1 -U -I eth0 {sender}"));
            world.run("a2", &format!("arping -c 1 -w 1 -I eth0 -s {sender} 10.0.0.1"));
        }
    };
    forge(&world);
    let found = neighbours(&world);
    assert!(found.contains("10.0.0.11 lladdr 02:00:00:00:00:11") && !found.contains("10.0.0.77"), "{found}");
    let probe = world.run("a3", "arping -D -c 1 -w 1 -I eth0 10.0.0.1").1;
    assert!(probe.contains("Received 1 response"), "a probe is answered: {probe}");
    world.unset();
    forge(&world);
    assert!(neighbours(&world).contains("10.0.0.77 lladdr 02:00:00:00:00:12"), "without rules it is");
}

#[test]
fn a_next_hop_is_heard_under_addresses_behind_it_and_the_neighbour_table_learns_none() {
    let mut routed = view();
    routed.routes.insert("172.16.0.0/16".parse().unwrap(), vec![ip("10.0.0.12")]);
    let mut world = World::new(&routed);
    world.ip("r", "route add 172.16.0.0/16 via 10.0.0.12");
    // As Linux does, each asks for the router from the address that it speaks from.
    let asks = |world: &World, guest, from: &str| {
        world.ip(guest, &format!("addr add {from}/32 dev eth0\nneigh flush dev eth0"));
        world.run(guest, "sysctl -w net.ipv4.conf.all.arp_announce=0 net.ipv4.conf.eth0.arp_announce=0");
        let _ = world.run(guest, &format!("ping -n -c 1 -W 1 -I {from} 10.0.1.11"));
        let found = world.run(guest, "ip neigh show 10.0.0.1").1;
        world.ip(guest, &format!("addr del {from}/32 dev eth0"));
        found.contains("02:00:00:00:00:a1")
    };
    for n in 1..=3 {
        assert!(asks(&world, "a2", &format!("172.16.{n}.9")));
    }
    let learnt = |world: &World| world.run("r", "ip neigh").1.matches("172.16.").count();
    assert_eq!(learnt(&world), 0);
    assert!(!asks(&world, "a1", "172.16.0.9"), "it is no next hop");
    assert!(!asks(&world, "a2", "192.0.2.9"), "that is not behind it");
    assert!(!asks(&world, "a2", "10.0.0.99"), "nor is that");
    world.unset();
    assert!(asks(&world, "a2", "172.16.9.9") && learnt(&world) == 1, "without rules it does");
}

#[test]
fn a_provider_subnet_may_hold_stations_that_nobody_knows() {
    let mut provider = view();
    provider.interfaces[1].provider = true;
    provider.interfaces[1].peers.clear();
    let world = World::new(&provider);
    assert_eq!(world.seen("a1", TCP, "10.0.1.11").as_deref(), Some("10.0.0.11"));
    assert_eq!(world.seen("b1", TCP, "203.0.113.1").as_deref(), Some("203.0.113.2"));
    world.ip("b1", "addr add 192.0.2.7/24 dev eth0");
    world.run("b1", "arping -c 1 -w 1 -I eth0 -s 192.0.2.7 10.0.1.1");
    assert!(!world.run("r", "ip neigh").1.contains("192.0.2.7"), "but only in the subnet");
}

#[test]
fn one_guest_has_so_many_connections_and_no_more() {
    let world = World::new(&view());
    let socket = world.within("a2", || UdpSocket::bind("0.0.0.0:0").unwrap());
    for port in 10_000..15_000 {
        let _ = socket.send_to(b"?", (ip("203.0.113.1"), port));
    }
    assert!(world.silent("a2", TCP, "203.0.113.1"));
    assert!(world.seen("a1", TCP, "203.0.113.1").is_some(), "others go on");
    assert!(world.seen("a2", TCP, "10.0.1.11").is_some(), "and so does what is not translated");
    let connections = world.flush(&["10.0.0.12"]);
    assert!((4000..=4097).contains(&connections), "{connections}");
    assert!(world.seen("a2", TCP, "203.0.113.1").is_some());
}

#[test]
fn the_router_answers_ping_and_dhcp_and_nothing_else() {
    let world = World::new(&view());
    world.serve("r", PORT);
    world.serve("r", 67);
    for (from, to) in [
        ("a1", "10.0.0.1"),
        ("a1", "10.0.1.1"),
        ("a2", "203.0.113.2"),
        ("o", "203.0.113.2"),
        ("o", "203.0.113.110"),
        ("b1", "203.0.113.110"),
    ] {
        assert!(world.pings(from, to), "{from} to {to}");
        for protocol in [TCP, UDP] {
            assert!(world.silent(from, protocol, to), "{from} to {to} by {protocol:?}");
        }
        assert!(world.silent(from, TCP, &format!("{to}:67")), "{from} to {to}");
    }
    assert_eq!(world.seen("a1", UDP, "10.0.0.1:67").as_deref(), Some("10.0.0.11"));
    assert!(world.silent("o", UDP, "203.0.113.2:67"));
    assert!(!world.pings("o", "203.0.113.120"), "an address that leads nowhere");
}

#[test]
fn a_router_without_an_outside_routes_and_guards() {
    let mut inner = view();
    inner.external = None;
    let world = World::new(&inner);
    assert_eq!(world.seen("a1", TCP, "10.0.1.11").as_deref(), Some("10.0.0.11"));
    assert!(world.pings("a1", "10.0.0.1"));
    assert!(world.run("a1", "ping -n -c 1 -W 1 10.0.1.50").1.contains("Destination Host Unreachable"));
    assert_eq!(world.flush(&["10.0.0.11", "10.0.1.11"]), 0);
}

#[test]
fn nft_takes_what_a_plan_prints() {
    let mut views = vec![view(), view(), view()];
    views[0].routes.insert("172.16.0.0/16".parse().unwrap(), vec![ip("10.0.0.12")]);
    views[1].external.as_mut().unwrap().snat = false;
    views[2].external = None;
    views[2].interfaces[1].provider = true;
    for view in views {
        let world = World::new(&view);
        let ours = world.run("r", "nft list ruleset").1;
        let file = std::env::temp_dir().join(format!("nat-{}-{:p}", std::process::id(), &world));
        std::fs::write(&file, format!("flush ruleset\n{}", rules(&view))).unwrap();
        let taken = world.run("r", &format!("nft -f {}", file.display())).0;
        std::fs::remove_file(&file).unwrap();
        assert!(taken);
        assert_eq!(ours, world.run("r", "nft list ruleset").1);
    }
}
