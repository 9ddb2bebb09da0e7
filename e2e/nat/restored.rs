//! Connections that are made anew from what was read of them are translated as they were.

use std::collections::HashSet;
use std::net::UdpSocket;
use std::os::fd::AsFd as _;
use std::time::Duration;

use tenet::dataplane::connection::{Connection, Told};
use tenet::dataplane::kernel::conntrack::Conntrack;
use tenet::dataplane::told::{decode, encode};

use crate::world::{PORT, World, view};

fn only(all: &[Told]) -> HashSet<Connection> {
    all.iter().map(|(connection, _)| *connection).collect()
}

#[test]
fn calls_go_on_with_connections_that_were_told_and_made_anew() {
    let world = World::new(&view());
    // From inside by SNAT and by a floating IP; from outside by a floating IP and by a port forwarding.
    let mut calls =
        [("a2", "203.0.113.1"), ("a1", "203.0.113.1"), ("o", "203.0.113.101")].map(|(from, to)| world.call(from, to));
    let udp = world.within("a2", || UdpSocket::bind("0.0.0.0:0").unwrap());
    udp.connect(("203.0.113.1", PORT)).unwrap();
    udp.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let forwarded = world.within("o", || UdpSocket::bind("0.0.0.0:0").unwrap());
    forwarded.connect("203.0.113.110:53").unwrap();
    forwarded.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let says = |socket: &UdpSocket| {
        socket.send(b"?").unwrap();
        let mut answer = [0; 64];
        socket.recv(&mut answer).map(|len| String::from_utf8_lossy(&answer[..len]).into_owned())
    };
    assert!(calls.iter_mut().all(crate::world::Call::alive));
    assert!(says(&udp).is_ok() && says(&forwarded).is_ok());
    assert!(world.pings("a2", "203.0.113.1"));

    let mut table = Conntrack::open(world.netns("r").as_fd()).unwrap();
    let before = table.read().unwrap();
    assert!(before.len() >= 6, "{before:#?}");
    table.clear().unwrap();
    assert!(table.read().unwrap().is_empty());
    let told = decode(&encode(&before)[8..]).unwrap();
    table.make(&told).unwrap();
    let after = table.read().unwrap();
    assert_eq!(only(&before), only(&after));
    for (connection, rest) in &after {
        let was = before.iter().find(|(other, _)| other == connection).unwrap().1;
        assert!(rest.abs_diff(was) <= 2, "{connection:?}: {rest} s left of {was} s");
    }
    table.make(&told).unwrap();
    assert_eq!(table.read().unwrap().len(), after.len(), "what is there is left alone");
    assert!(calls.iter_mut().all(crate::world::Call::alive));
    assert!(says(&udp).is_ok() && says(&forwarded).is_ok());
    let ways = |all: &[Told]| all.iter().map(|(c, _)| (c.protocol, c.original, c.reply)).collect::<HashSet<_>>();
    assert_eq!(ways(&table.read().unwrap()), ways(&before), "nothing was tracked anew");

    table.forget(&only(&before)).unwrap();
    assert!(table.read().unwrap().is_empty());
}
