//! Each message in each state of a client (RFC 2131, figure 5 and table 5).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::net::Ipv4Addr;

use super::fixture::*;
use super::*;
use crate::api::MacAddr;
use crate::dataplane::bridge::mac as bridge_mac;
use crate::dataplane::names::Prefix;
use crate::model::view::SubnetView;

const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const DECLINE: u8 = 4;
const ACK: u8 = 5;
const NAK: u8 = 6;
const RELEASE: u8 = 7;
const INFORM: u8 = 8;

/// An answer's type, yiaddr, server, and where it goes by IP.
type Expected = (u8, &'static str, &'static str, &'static str);

fn say(ask: &Ask) -> Result<Said, &'static str> {
    answer(&world(), &bridge(), &ask.frame()).map(|r| Said::read(&r.frame)).map_err(|silence| silence.why)
}

fn host() -> MacAddr {
    bridge_mac(view().networks.values().find(|n| n.uid == NETWORK).unwrap())
}

#[test]
fn every_message_in_every_state_gets_the_answer_of_the_rfc() {
    let ask = Ask::new;
    let table: Vec<(&str, Ask, Option<Expected>)> = vec![
        ("INIT", ask(DISCOVER, WEB), Some((OFFER, "10.0.0.5", "10.0.0.1", "10.0.0.5"))),
        (
            "INIT, deaf to unicast",
            Ask { broadcast: true, ..ask(DISCOVER, WEB) },
            Some((OFFER, "10.0.0.5", "10.0.0.1", "255.255.255.255")),
        ),
        (
            "INIT, a wish of another's",
            ask(DISCOVER, WEB).requested("10.0.0.7"),
            Some((OFFER, "10.0.0.5", "10.0.0.1", "10.0.0.5")),
        ),
        ("INIT, the first address", ask(DISCOVER, TWO), Some((OFFER, "10.1.0.7", "169.254.169.254", "10.1.0.7"))),
        (
            "INIT, the second address",
            ask(DISCOVER, TWO).requested("10.0.0.7"),
            Some((OFFER, "10.0.0.7", "10.0.0.1", "10.0.0.7")),
        ),
        ("INIT, no address", ask(DISCOVER, BARE), None),
        ("INIT, no DHCP", ask(DISCOVER, STATIC), None),
        ("INIT, a stranger", ask(DISCOVER, STRANGER), None),
        ("INIT, for another", Ask { chaddr: TWO, ..ask(DISCOVER, WEB) }, None),
        ("INIT, through a relay", Ask { giaddr: ip("10.0.0.9"), ..ask(DISCOVER, WEB) }, None),
        (
            "SELECTING",
            ask(REQUEST, WEB).server("10.0.0.1").requested("10.0.0.5"),
            Some((ACK, "10.0.0.5", "10.0.0.1", "10.0.0.5")),
        ),
        (
            "SELECTING another's address",
            ask(REQUEST, WEB).server("10.0.0.1").requested("10.0.0.7"),
            Some((NAK, "0.0.0.0", "10.0.0.1", "255.255.255.255")),
        ),
        ("SELECTING another server", ask(REQUEST, WEB).server("10.0.0.66").requested("10.0.0.5"), None),
        ("SELECTING another server's address", ask(REQUEST, WEB).server("10.0.0.66").requested("10.0.0.77"), None),
        (
            "SELECTING the second address",
            ask(REQUEST, TWO).server("10.0.0.1").requested("10.0.0.7"),
            Some((ACK, "10.0.0.7", "10.0.0.1", "10.0.0.7")),
        ),
        ("SELECTING nothing", ask(REQUEST, WEB).server("10.0.0.1"), None),
        ("SELECTING, a stranger", ask(REQUEST, STRANGER).server("10.0.0.1").requested("10.0.0.5"), None),
        ("INIT-REBOOT", ask(REQUEST, WEB).requested("10.0.0.5"), Some((ACK, "10.0.0.5", "10.0.0.1", "10.0.0.5"))),
        (
            "INIT-REBOOT, moved",
            ask(REQUEST, WEB).requested("192.168.1.2"),
            Some((NAK, "0.0.0.0", "10.0.0.1", "255.255.255.255")),
        ),
        ("INIT-REBOOT, a stranger", ask(REQUEST, STRANGER).requested("192.168.1.2"), None),
        ("INIT-REBOOT, no DHCP", ask(REQUEST, STATIC).requested("10.2.0.9"), None),
        ("REBINDING", ask(REQUEST, WEB).using("10.0.0.5"), Some((ACK, "10.0.0.5", "10.0.0.1", "10.0.0.5"))),
        (
            "REBINDING, another's",
            ask(REQUEST, WEB).using("10.0.0.7"),
            Some((NAK, "0.0.0.0", "10.0.0.1", "255.255.255.255")),
        ),
        (
            "RENEWING",
            Ask { to: (host(), ip("10.0.0.1")), ..ask(REQUEST, WEB).using("10.0.0.5") },
            Some((ACK, "10.0.0.5", "10.0.0.1", "10.0.0.5")),
        ),
        (
            "RENEWING, no gateway",
            Ask { to: (host(), ip("169.254.169.254")), ..ask(REQUEST, TWO).using("10.1.0.7") },
            Some((ACK, "10.1.0.7", "169.254.169.254", "10.1.0.7")),
        ),
        ("RENEWING elsewhere", Ask { to: (host(), ip("10.0.0.66")), ..ask(REQUEST, WEB).using("10.0.0.5") }, None),
        ("RENEWING past us", Ask { to: (STRANGER, ip("10.0.0.1")), ..ask(REQUEST, WEB).using("10.0.0.5") }, None),
        ("INFORM", ask(INFORM, WEB).using("10.0.0.5"), Some((ACK, "0.0.0.0", "10.0.0.1", "10.0.0.5"))),
        ("INFORM of another's", ask(INFORM, WEB).using("10.0.0.7"), None),
        ("INFORM of nothing", ask(INFORM, WEB), None),
        ("RELEASE", ask(RELEASE, WEB).using("10.0.0.5").server("10.0.0.1"), None),
        ("DECLINE", ask(DECLINE, WEB).requested("10.0.0.5").server("10.0.0.1"), None),
        ("a server's OFFER", ask(OFFER, WEB), None),
        ("a server's ACK", ask(ACK, WEB), None),
        ("LEASEQUERY", ask(10, WEB), None),
    ];
    for (state, ask, expected) in table {
        let said = say(&ask);
        let Some((kind, yiaddr, server, to)) = expected else {
            assert!(said.is_err(), "{state}: {said:?}");
            continue;
        };
        let said = said.unwrap_or_else(|why| panic!("{state}: {why}"));
        assert_eq!((said.kind(), said.yiaddr, said.destination), (kind, ip(yiaddr), ip(to)), "{state}");
        assert_eq!((said.source, said.address(code::SERVER)), (ip(server), Some(ip(server))), "{state}");
        assert_eq!(said.macs, (host(), ask.mac), "{state}: nobody else hears it");
        assert_eq!(said.xid, [0xaa, 0xbb, 0xcc, 0xdd], "{state}");
        assert_eq!(said.options.contains_key(&code::LEASE), kind != NAK && ask.kind != INFORM, "{state}");
        assert!(said.length >= 300, "{state}");
    }
}

#[test]
fn a_lease_carries_all_that_a_guest_needs() {
    let said = say(&Ask::new(DISCOVER, WEB).option(code::CLIENT, &[1, 2, 3])).unwrap();
    let expected: [(u8, &[u8]); 14] = [
        (code::MASK, &[255, 255, 255, 0]),
        (code::ROUTER, &[10, 0, 0, 1]),
        (code::DNS, &[192, 0, 2, 53]),
        (code::HOSTNAME, b"web-0"),
        (code::DOMAIN, b"blue.example"),
        (code::MTU, &[5, 170]),
        (code::BROADCAST, &[10, 0, 0, 255]),
        (code::LEASE, &86400_u32.to_be_bytes()),
        (code::MESSAGE_TYPE, &[OFFER]),
        (code::SERVER, &[10, 0, 0, 1]),
        (code::T1, &43200_u32.to_be_bytes()),
        (code::T2, &75600_u32.to_be_bytes()),
        (code::CLIENT, &[1, 2, 3]),
        (code::ROUTES, &[12, 172, 16, 10, 0, 0, 2, 0, 10, 0, 0, 1]),
    ];
    for (code, value) in expected {
        assert_eq!(said.options.get(&code).map(Vec::as_slice), Some(value), "option {code}");
    }
    assert_eq!(said.options.len(), 14, "{:?}", said.options);
}

#[test]
fn a_subnet_without_gateway_gives_no_way_out() {
    let said = say(&Ask::new(DISCOVER, TWO)).unwrap();
    assert_eq!(said.address(code::MASK), Some(ip("255.255.255.0")));
    assert!(!said.options.contains_key(&code::ROUTER) && !said.options.contains_key(&code::ROUTES));
}

#[test]
fn the_clients_list_decides_what_comes_and_in_which_order() {
    let said = say(&Ask::new(DISCOVER, WEB).option(code::PARAMETERS, &[15, 121, 1, 250, 249, 15])).unwrap();
    assert_eq!(said.order, [53, 54, 51, 58, 59, 15, 121, 1, 249, 3, 26]);
    assert_eq!(said.options[&code::ROUTES], said.options[&code::ROUTES_MICROSOFT]);
}

#[test]
fn the_ports_own_options_win() {
    let world = world_with(&[(3, "10.0.0.254"), (6, "198.51.100.1"), (66, "tftp.example"), (224, "0x0102")], 1450);
    let ask = Ask::new(DISCOVER, WEB).option(code::PARAMETERS, &[1, 3, 6]);
    let said = Said::read(&answer(&world, &bridge(), &ask.frame()).unwrap().frame);
    assert_eq!(said.address(code::ROUTER), Some(ip("10.0.0.254")));
    assert_eq!(said.address(code::DNS), Some(ip("198.51.100.1")));
    assert_eq!(said.options[&66], b"tftp.example");
    assert_eq!(said.options[&224], [1, 2]);
    assert_eq!(said.options[&code::ROUTES], [12, 172, 16, 10, 0, 0, 2, 0, 10, 0, 0, 254]);
}

#[test]
fn a_message_is_no_longer_than_the_client_takes_and_keeps_what_is_necessary() {
    let long = "x".repeat(255);
    let options: Vec<(u8, &str)> = (224..=230).map(|code| (code, long.as_str())).collect();
    let longest = |size: Option<u16>, mtu| {
        let mut ask = Ask::new(DISCOVER, WEB);
        if let Some(size) = size {
            ask = ask.option(code::MAX_SIZE, &size.to_be_bytes());
        }
        let said = Said::read(&answer(&world_with(&options, mtu), &bridge(), &ask.frame()).unwrap().frame);
        assert!([1, 3, 26, 51, 53, 54, 121].iter().all(|code| said.options.contains_key(code)), "{:?}", said.order);
        said.length
    };
    for (size, mtu, most) in [
        (None, 1450, 548),
        (Some(0), 1450, 548),
        (Some(1000), 1450, 972),
        (Some(65535), 9000, 1472),
        (Some(1500), 1280, 1252),
        (None, 68, 300),
    ] {
        let length = longest(size, mtu);
        assert!(length <= most, "{size:?} {mtu}: {length}");
        assert!(length + 257 > most || mtu == 68, "{size:?} {mtu}: {length} leaves room");
    }
}

#[test]
fn long_options_come_and_go_in_parts() {
    // Two routes a host: 260 bytes of option 121.
    let mut view = view();
    let network = view.networks.values_mut().find(|n| n.uid == NETWORK).unwrap();
    let routes = (0..40).map(|n| (format!("172.16.{n}.0/24").parse().unwrap(), "10.0.0.2".parse().unwrap())).collect();
    let long = SubnetView { host_routes: routes, ..subnet("10.0.0.0/24", Some("10.0.0.1")) };
    let web = network.ports.values_mut().find(|p| p.mac == WEB).unwrap();
    web.addresses = vec![("10.0.0.5".parse().unwrap(), long.into())];
    let ask = Ask::new(DISCOVER, WEB).option(code::MAX_SIZE, &[5, 0]);
    // The client's list comes in parts, too.
    let ask = ask.option(code::PARAMETERS, &[1, 3]).option(code::PARAMETERS, &[121]);
    let said = Said::read(&answer(&table(&view, |_| true), &bridge(), &ask.frame()).unwrap().frame);
    assert_eq!(said.options[&code::ROUTES].len(), 40 * 8 + 5);
    assert_eq!(said.order, [53, 54, 51, 58, 59, 1, 3, 121, 121, 26]);
}

#[test]
fn renewals_at_a_router_are_answered_to_the_port_that_has_the_address() {
    let renew = |mac, address| Ask::new(REQUEST, mac).using(address);
    let ask = |local: &str, source: &str, ask: &Ask| {
        answer_routed(&world(), &router(), ip(local), ip(source), &ask.message()).map_err(|silence| silence.why)
    };
    let said = ask("10.3.0.1", "10.3.0.10", &renew(ROUTED, "10.3.0.10")).unwrap();
    assert_eq!(said.to, ip("10.3.0.10"));
    let message = Said::message(&said.payload);
    assert_eq!((message.kind(), message.yiaddr, message.ciaddr), (ACK, ip("10.3.0.10"), ip("10.3.0.10")));
    assert_eq!(message.address(code::SERVER), Some(ip("10.3.0.1")));
    let inform = ask("10.3.0.1", "10.3.0.10", &Ask::new(INFORM, ROUTED).using("10.3.0.10")).unwrap();
    assert!(!Said::message(&inform.payload).options.contains_key(&code::LEASE));

    for (what, local, source, request) in [
        ("another's address", "10.3.0.1", "10.0.0.5", renew(ROUTED, "10.0.0.5")),
        ("another source", "10.3.0.1", "10.3.0.11", renew(ROUTED, "10.3.0.10")),
        ("a port of another subnet", "10.3.0.1", "10.0.0.5", renew(WEB, "10.0.0.5")),
        ("a stranger", "10.3.0.1", "10.3.0.10", renew(STRANGER, "10.3.0.10")),
        ("an address that is no gateway", "10.0.0.1", "10.0.0.5", renew(WEB, "10.0.0.5")),
        ("a discovery", "10.3.0.1", "10.3.0.10", Ask::new(DISCOVER, ROUTED).using("10.3.0.10")),
        ("a release", "10.3.0.1", "10.3.0.10", Ask::new(RELEASE, ROUTED).using("10.3.0.10")),
    ] {
        assert!(ask(local, source, &request).is_err(), "{what}");
    }
}

#[test]
fn arp_is_answered_only_for_gateways_that_nobody_is_and_only_to_honest_ports() {
    let ask = |bridge: &str, from: MacAddr, sender: MacAddr, source: &str, target: &str| {
        let request = [
            &[0xff; 6][..],
            &from.0,
            &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1],
            &sender.0,
            &ip(source).octets(),
            &[0; 6],
            &ip(target).octets(),
        ];
        answer(&world(), bridge, &request.concat())
    };
    let reply = ask(&bridge(), WEB, WEB, "10.0.0.5", "10.0.0.1").unwrap().frame;
    let expected =
        [&WEB.0[..], &host().0, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 2], &host().0, &[10, 0, 0, 1], &WEB.0, &[10, 0, 0, 5]];
    assert_eq!(reply, expected.concat());
    assert!(ask(&bridge(), WEB, WEB, "0.0.0.0", "10.0.0.1").is_ok(), "a probe");
    assert!(ask(&bridge(), TWO, TWO, "10.1.0.7", "169.254.169.254").is_ok(), "no gateway");
    let wire = Prefix::Bridge.name(WIRE);
    for (what, bridge, from, sender, source, target) in [
        ("another's address", bridge(), WEB, WEB, "10.0.0.7", "10.0.0.1"),
        ("another's MAC address", bridge(), WEB, TWO, "10.0.0.7", "10.0.0.1"),
        ("a stranger", bridge(), STRANGER, STRANGER, "0.0.0.0", "10.0.0.1"),
        ("a port's address", bridge(), WEB, WEB, "10.0.0.5", "10.0.0.7"),
        ("a router's address", bridge(), ROUTED, ROUTED, "10.3.0.10", "10.3.0.1"),
        ("a gateway without DHCP", bridge(), STATIC, STATIC, "10.2.0.9", "10.2.0.1"),
        ("a gateway on the wire", wire.to_string(), WEB, WEB, "10.0.0.5", "10.0.0.1"),
        ("an unknown bridge", "br0".into(), WEB, WEB, "10.0.0.5", "10.0.0.1"),
    ] {
        assert!(ask(&bridge, from, sender, source, target).is_err(), "{what}");
    }
}

#[test]
fn the_same_view_makes_the_same_table_and_only_of_bridges_that_are_here() {
    assert_eq!(world(), world());
    let wire = Prefix::Bridge.name(WIRE);
    let other = table(&view(), |bridge| *bridge == wire);
    assert!(other != world() && other.routed(&router()).next().is_none());
    assert!(answer(&other, &bridge(), &Ask::new(DISCOVER, WEB).frame()).is_err());
    assert_eq!(world().routed(&router()).collect::<Vec<Ipv4Addr>>(), [ip("10.3.0.1")]);
}
