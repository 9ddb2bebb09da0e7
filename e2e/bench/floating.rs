//! One floating IP or ten thousand: nothing may cost more.

use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;

use tenet::dataplane::kernel::{netns, nft::Nft};
use tenet::dataplane::nft::Family;

use crate::guest::Guest;
use crate::lane::{Calls, Lane, PORT, Way, costs};
use crate::paths::outside;
use crate::plug::Client;
use crate::row::{Row, Unit};
use crate::support::traffic::hastened;
use crate::support::wire::switch;
use crate::support::{Host, run};
use crate::yaml;

const MANY: u32 = 10_000;
const ROUNDS: usize = 15;
/// The floating IPs of the two routers.
const ONE: u32 = u32::from_be_bytes([198, 19, 1, 0]);
const FIRST: u32 = u32::from_be_bytes([198, 18, 1, 1]);

/// How many floating IPs the rules of each router have.
fn translated(host: &Host) -> Vec<usize> {
    let pins = std::fs::read_dir(&host.dir).unwrap().map(|e| e.unwrap());
    let count = |entry: std::fs::DirEntry| {
        let netns = netns::open(&entry.path()).unwrap();
        let rules = Nft::open(netns.as_fd()).unwrap().observe().unwrap().unwrap_or_default();
        rules.tables[&Family::Ip].sets["floating"].elements.len()
    };
    let mut all: Vec<_> = pins.filter(|e| e.file_name().to_string_lossy().starts_with("rtr-")).map(count).collect();
    all.sort_unstable();
    all
}

pub fn rows() -> Vec<Row> {
    let mut host = Host::new();
    host.bridge("br-ext", "198.19.255.1/15");
    switch();
    let name = |n: u32| format!("m{n}");
    let mut text = yaml::outside("br-ext", "198.18.0.0/15", ("198.19.0.10", "198.19.0.20"));
    text += &(yaml::network("few", "10.1.0.0/24") + &yaml::network("many", "10.64.0.0/16"));
    text += &(yaml::router("few", &["few".into()]) + &yaml::router("many", &["many".into()]));
    text += &(yaml::port("one", "few") + &yaml::floating("one", &Ipv4Addr::from(ONE).to_string(), "one"));
    (0..MANY).for_each(|n| text += &yaml::port(&name(n), "many"));
    (0..MANY).for_each(|n| text += &yaml::floating(&name(n), &Ipv4Addr::from(FIRST + n).to_string(), &name(n)));
    host.write("world.yaml", &text);
    host.start_at("info");
    let (one, many) = (Guest::new(), Guest::new());
    let last = MANY - 1;
    for (guest, port) in [(&one, "one".into()), (&many, name(last))] {
        guest.take(&Client::plug(&host.socket(), &port, guest).plugged());
    }
    hastened(run, &host.dir.join("filters"), 2);
    assert_eq!(translated(&host), [1, MANY as usize], "floating IPs in force");
    let outside = outside("br-ext", "198.19.255.2/15");
    let ends = [(&one, Ipv4Addr::from(ONE)), (&many, Ipv4Addr::from(FIRST + last))];
    let lanes = ends.map(|(guest, to)| Lane::new(&outside, guest, to, PORT));
    let calls = ends.map(|(guest, to)| Calls::new(&outside, guest, to));
    let ways: Vec<Way> = lanes.iter().map(Way::Packets).chain(calls.iter().map(Way::Calls)).collect();
    let costs = costs(&ways, ROUNDS);
    let row = |what, few: f64, many: f64| {
        let note = format!("{few:.0} and {many:.0} ns");
        Row::new("floating-many", what, 1.03, many / few, Unit::Ratio).note(note)
    };
    vec![
        row("packets to one of 10 000 floating IPs, to the only one", costs[0], costs[1]),
        row("new connections to one of 10 000 floating IPs, to the only one", costs[2], costs[3]),
    ]
}
