//! What the programs tell of ports with allowed address pairs.

use std::net::IpAddr;
use std::sync::Arc;

use tenet::api::MacAddr;
use tenet::dataplane::filter::{Policy, Tables, Wire};
use tenet::model::active::Announcement;
use tenet::model::security::{Direction, Number, Pair, SecurityView};

use crate::frames::{self, Ip};
use crate::kernel::Kernel;

const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
const VRRP: [u8; 6] = [0, 0, 0x5e, 0, 1, 5];
const ETHERTYPE: u16 = 0x0806;

fn tables(announces: bool) -> Tables {
    let pair = |mac, net: &str| Pair { mac: MacAddr(mac), net: net.parse().unwrap() };
    let pairs = vec![
        pair(OWN, "10.0.0.5/32"),
        pair(OWN, "10.0.0.100/32"),
        pair(VRRP, "10.0.0.200/32"),
        pair(OWN, "2001:db8::100/128"),
    ];
    let security =
        SecurityView { mac: MacAddr(OWN), pairs, groups: [].into(), stateful: true, domain: Number(9), announces };
    Tables { ports: [(Number(1), Policy::Guarded(Arc::new(security)))].into(), ..Tables::default() }
}

#[test]
fn what_passes_and_says_where_an_address_is_is_told_once_and_nothing_else_is() {
    let mut kernel = Kernel::new("announcements");
    let filters = &mut kernel.filters;
    let wire = Wire { port: Number(1), network: Number(0), mac: MacAddr([0; 6]), handed: None };
    let arp = |operation, mac, ip: [u8; 4]| frames::ethernet(mac, ETHERTYPE, &frames::arp(operation, (mac, ip), ip));
    let says = |body: &str, source: &str, kind| {
        let target = body.parse::<std::net::Ipv6Addr>().unwrap().octets();
        Ip::new(source, "ff02::1", 58, frames::icmp(kind, 0, 0x2000, &target)).frame(OWN)
    };
    let all = [
        arp(1, OWN, [10, 0, 0, 100]),
        arp(2, VRRP, [10, 0, 0, 200]),
        arp(1, OWN, [10, 0, 0, 5]),
        says("2001:db8::100", "2001:db8::100", 136),
        // A probe, a frame of another's, a solicitation, and a packet.
        arp(1, OWN, [0; 4]),
        arp(1, OWN, [10, 0, 0, 200]),
        says("2001:db8::100", "2001:db8::100", 135),
        Ip::new("10.0.0.100", "10.0.0.7", 17, frames::udp(1, 2, &[])).frame(OWN),
    ];
    let told = |mac, ip: &str| {
        let ip: IpAddr = ip.parse().unwrap();
        Announcement { port: Number(1), ip, mac: MacAddr(mac), late: false }
    };
    let expected =
        [told(OWN, "10.0.0.100"), told(VRRP, "10.0.0.200"), told(OWN, "10.0.0.5"), told(OWN, "2001:db8::100")];
    for announces in [true, false] {
        filters.ready().unwrap().0.replace(&tables(announces)).unwrap();
        for frame in &all {
            filters.judge(&wire, Direction::Egress, frame).unwrap();
        }
        filters.judge(&wire, Direction::Ingress, &all[0]).unwrap();
        assert_eq!(filters.announced(), if announces { &expected[..] } else { &[] });
    }
    // Who says it without end is not listened to for a while.
    filters.ready().unwrap().0.replace(&tables(true)).unwrap();
    for _ in 0..2000 {
        filters.judge(&wire, Direction::Egress, &all[0]).unwrap();
    }
    let heard = filters.announced().len();
    assert!((200..1000).contains(&heard), "{heard}");
}
