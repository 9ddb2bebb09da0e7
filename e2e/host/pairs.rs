//! Allowed address pairs that move between two guests of one host.

use std::time::{Duration, Instant};

use serde_json::Value;
use tenet::api::Protocol::TCP;

use crate::addresses::BLUE;
use crate::floating::OUTSIDE;
use crate::support::moving::{Senders, announced, took};
use crate::support::{Guest, Host, until};

/// Guests a and b share the address of `vip`; they have another one with VRRP's MAC address, which they may use from their own, too.
const GUESTS: &str = "
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}], allowedAddressPairs: [{ip: 10.0.0.100},
    {ip: 10.0.0.200}, {ip: 10.0.0.200, macAddress: '00:00:5e:00:01:05'}]}
Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}], allowedAddressPairs: [{ip: 10.0.0.100},
    {ip: 10.0.0.200}, {ip: 10.0.0.200, macAddress: '00:00:5e:00:01:05'}]}
Port c {networkRef: {name: blue}, addresses: [{ip: 10.0.0.13}]}
Port vip {networkRef: {name: blue}, addresses: [{ip: 10.0.0.100}]}
Router r {interfaces: [{subnetRef: {name: web}}], externalGateway: {networkRef: {name: public}}}
FloatingIP f {networkRef: {name: public}, ip: 203.0.113.100, portRef: {name: vip}}
";

/// How soon all have to follow, on a machine that does much else.
const SOON: Duration = Duration::from_secs(1);

fn world() -> (Host, [Guest; 3], Guest) {
    let mut host = Host::new();
    host.bridge("br-ext", "203.0.113.1/24");
    host.declare("all.yaml", &[OUTSIDE, BLUE, GUESTS].concat());
    host.start();
    let guests = ["a", "b", "c"].map(|name| host.plugged(name, name));
    let outside = host.outside();
    guests.iter().chain([&outside]).for_each(|guest| guest.answers(80));
    (host, guests, outside)
}

/// Active pairs of a port, each as address and MAC address.
fn active(host: &Host, port: &str) -> Vec<(String, String)> {
    let pairs = host.object("port", port)["status"]["activePairs"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    pairs.iter().map(|pair| (text(&pair["ip"]), text(&pair["macAddress"]))).collect()
}

fn mac(host: &Host, port: &str) -> String {
    host.object("port", port)["status"]["macAddress"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn an_address_moves_by_one_gratuitous_arp_seen_from_guest_router_and_outside() {
    let (host, [a, b, c], outside) = world();
    host.wait_ready("floatingip", "f");
    host.wait_ready("port", "vip");
    assert!(outside.silent("203.0.113.100:80") && c.silent("10.0.0.100:80"), "nobody has it yet");
    let senders = Senders::start(&[(&c, "10.0.0.100"), (&outside, "203.0.113.100")]);
    let moved = |from: &Guest, to: &Guest| {
        from.run("ip addr del 10.0.0.100/32 dev eth0");
        to.ip("addr add 10.0.0.100/32 dev eth0");
        let (announced, heard) = (announced(to, "10.0.0.100"), senders.heard(to));
        to.announces("10.0.0.100", "eth0");
        let took = took(announced.join().unwrap(), heard);
        println!("from the announcement at {} to a guest's first packet, to one from outside: {took:?}", to.name);
        assert!(took.iter().all(|took| *took < SOON), "{took:?}");
    };
    moved(&b, &a);
    assert_eq!(active(&host, "a"), [("10.0.0.100".to_owned(), mac(&host, "a"))]);
    assert!(host.tenet("get port a -o yaml").out.contains("activePairs:"));
    assert_eq!(outside.seen(TCP, "203.0.113.100:80").as_deref(), Some("a 203.0.113.1"));
    moved(&a, &b);
    assert_eq!(outside.seen(TCP, "203.0.113.100:80").as_deref(), Some("b 203.0.113.1"));
    assert_eq!(c.seen(TCP, "10.0.0.100:80").as_deref(), Some("b 10.0.0.13"));
    assert_eq!((active(&host, "a"), active(&host, "b")), (vec![], vec![("10.0.0.100".to_owned(), mac(&host, "b"))]));
    drop(senders);

    // What was announced outlives the process; what is unplugged, or not allowed any more, is gone.
    let mut host = host;
    host.stop(nix::sys::signal::Signal::SIGKILL);
    host.start();
    assert_eq!(outside.seen(TCP, "203.0.113.100:80").as_deref(), Some("b 203.0.113.1"));
    assert_eq!(host.tenet(&format!("plan {}", host.yaml())).code, Some(0));
    a.announces("10.0.0.100", "eth0");
    until("it is at the first again", || active(&host, "a").len() == 1 && active(&host, "b").is_empty());
    host.edit(
        "all.yaml",
        "10.0.0.11}], allowedAddressPairs: [{ip: 10.0.0.100}",
        "10.0.0.11}], allowedAddressPairs: [{ip: 10.0.0.101}",
    );
    until("it is nobody's", || active(&host, "a").is_empty());
    b.announces("10.0.0.100", "eth0");
    until("it is at the second", || active(&host, "b").len() == 1);
    host.tenet("unplug b").expect_ok();
    until("it is gone with the guest", || active(&host, "b").is_empty());
    assert!(outside.silent("203.0.113.100:80"));
}

#[test]
fn an_address_moves_with_a_mac_address_of_its_own_and_answers_from_the_ports() {
    let (host, [a, b, c], outside) = world();
    let vrrp = |guest: &Guest| {
        guest.ip("link add vrrp link eth0 type macvlan mode private
                  link set vrrp address 00:00:5e:00:01:05 up
                  addr add 10.0.0.200/32 dev vrrp");
        guest.announces("10.0.0.200", "vrrp");
    };
    let pair = || vec![("10.0.0.200".to_owned(), "00:00:5e:00:01:05".to_owned())];
    vrrp(&a);
    until("the first has it", || active(&host, "a") == pair());
    c.wait_seen(TCP, "10.0.0.200:80", "a 10.0.0.13");
    assert!(c.run("ip neigh show 10.0.0.200").out.contains("00:00:5e:00:01:05") || c.pings("10.0.0.200"));
    // It speaks from it through the router, which it asks for from its port's own MAC address.
    a.run("ip neigh flush dev eth0").expect_ok();
    a.run("ping -c 1 -W 2 -I 10.0.0.200 203.0.113.1").expect_ok();
    assert_eq!(active(&host, "a"), pair(), "that changes nothing");

    a.ip("link del vrrp");
    let since = Instant::now();
    vrrp(&b);
    c.wait_seen(TCP, "10.0.0.200:80", "b 10.0.0.13");
    println!("followed after {:?}", since.elapsed());
    assert_eq!((active(&host, "a"), active(&host, "b")), (vec![], pair()));
    assert!(outside.silent("10.0.0.200:80"));
}

#[test]
fn who_announces_again_and_again_is_heard_only_so_often_and_the_last_word_counts() {
    let (host, [a, b, c], _) = world();
    a.ip("addr add 10.0.0.100/32 dev eth0");
    for _ in 0..50 {
        a.announces("10.0.0.100", "eth0");
        b.announces("10.0.0.100", "eth0");
    }
    std::thread::sleep(Duration::from_millis(300));
    let moves = host.object("port", "b")["status"]["activePairs"][0]["transitions"].as_u64();
    let moves = moves.or_else(|| host.object("port", "a")["status"]["activePairs"][0]["transitions"].as_u64());
    assert!(moves.is_none_or(|moves| moves < 20), "{moves:?}");
    let start = Instant::now();
    until("the last word counts", || {
        a.announces("10.0.0.100", "eth0");
        c.seen(TCP, "10.0.0.100:80").is_some()
    });
    println!("heard after {:?}", start.elapsed());
    // What others have stays theirs.
    b.announces("10.0.0.13", "eth0");
    b.announces("10.0.0.1", "eth0");
    b.announces("10.0.0.99", "eth0");
    std::thread::sleep(Duration::from_millis(100));
    assert!(active(&host, "b").iter().all(|(ip, _)| ip == "10.0.0.100"), "{:?}", active(&host, "b"));
}
