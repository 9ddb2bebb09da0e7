//! A router on every node with a port behind it.

use std::time::Duration;

use crate::flow::Flow;
use crate::world::World;

const ROUTED: &str = "
    Network blue
    Network red
    Subnet blue {networkRef: {name: blue}, cidr: 10.0.0.0/24}
    Subnet red {networkRef: {name: red}, cidr: 10.0.1.0/24}
    Router r {interfaces: [{subnetRef: {name: blue}}, {subnetRef: {name: red}}]}
    Port a {networkRef: {name: blue}}
    Port b {networkRef: {name: red}}
    Port c {networkRef: {name: blue}}
    Port d {networkRef: {name: red}}";

#[test]
fn packets_are_routed_where_they_start_and_arrive_once() {
    let mut world = World::new(3, 0);
    world.declare(ROUTED);
    let guests = world.guests(&[("a", 0), ("b", 1), ("c", 2), ("d", 0)]);
    let flows: Vec<Flow> = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "b"), ("a", "d"), ("c", "d")]
        .iter()
        .map(|(from, to)| Flow::start(&guests[*from], &guests[*to], &world.address(to)))
        .collect();
    std::thread::sleep(Duration::from_secs(3));
    flows.into_iter().for_each(Flow::whole);
    // One hop, whichever way.
    let said = guests["a"].run(&format!("ping -c 1 -W 1 {}", world.address("b"))).expect_ok();
    assert!(said.contains("ttl=63"), "{said}");
    // The gateway answers on every node, and is the same one.
    let at = |guest: &str| {
        guests[guest].run("ping -c 1 -W 1 10.0.0.1").expect_ok();
        guests[guest].run("ip neigh show 10.0.0.1").expect_ok().split(' ').nth(4).unwrap().to_owned()
    };
    assert_eq!(at("a"), at("c"));
}

#[test]
fn what_is_too_big_is_told_so() {
    let mut world = World::new(2, 0);
    world.declare(ROUTED);
    let guests = world.guests(&[("a", 0), ("b", 1), ("c", 1)]);
    let ping = |from: &str, to: &str, size: u32| {
        guests[from].run(&format!("ping -c 2 -i 0.2 -W 1 -M do -s {} {}", size - 28, world.address(to)))
    };
    // Guests are told what fits.
    let link = guests["a"].run("ip -o link show eth0").expect_ok();
    assert!(link.contains("mtu 1450"), "{link}");
    assert!(ping("a", "b", 1450).ok() && ping("a", "c", 1450).ok());
    // One that does not listen hears it from its router.
    guests["a"].ip("link set eth0 mtu 1500");
    let said = ping("a", "b", 1500);
    assert!(!said.ok() && said.out.contains("mtu = 1450"), "{said:?}");
    guests["a"].ip("route flush cache");
    // TCP finds its way, whoever offers too much.
    let answer = |size: usize| {
        use std::io::{Read as _, Write as _};
        let server = guests["b"].within(|| std::net::TcpListener::bind("0.0.0.0:7002").unwrap());
        let sink = std::thread::spawn(move || {
            let (mut stream, mut all) = (server.accept().unwrap().0, Vec::new());
            stream.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
            let _ = stream.read_to_end(&mut all);
            all.len()
        });
        let to = format!("{}:7002", world.address("b"));
        let mut stream = guests["a"].within(|| std::net::TcpStream::connect(to).unwrap());
        stream.write_all(&vec![0; size]).unwrap();
        drop(stream);
        sink.join().unwrap()
    };
    assert_eq!(answer(1 << 20), 1 << 20);
}
