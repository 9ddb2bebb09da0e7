//! A small world for the tests of DHCP, and a client that says anything.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::frame::{self, take};
use super::{Table, code, table};
use crate::api::{DhcpOption, MacAddr};
use crate::dataplane::names::{self, Prefix};
use crate::dataplane::state::Netns;
use crate::model::view::{
    GatewayHolder, InterfaceView, NetworkView, NodeView, PortView, ProviderView, RouterView, SubnetView,
};
use crate::model::{Key, Uid};

pub const NETWORK: Uid = Uid(1 << 80);
pub const WIRE: Uid = Uid(2 << 80);
pub const ROUTER: Uid = Uid(3 << 80);

pub const WEB: MacAddr = MacAddr([2, 0, 0, 0, 0, 5]);
pub const TWO: MacAddr = MacAddr([2, 0, 0, 0, 0, 7]);
pub const BARE: MacAddr = MacAddr([2, 0, 0, 0, 0, 8]);
pub const STATIC: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);
pub const ROUTED: MacAddr = MacAddr([2, 0, 0, 0, 0, 10]);
pub const STRANGER: MacAddr = MacAddr([2, 0, 0, 0, 0, 99]);

pub fn bridge() -> String {
    Prefix::Bridge.name(NETWORK).to_string()
}

pub fn router() -> Netns {
    names::router(ROUTER)
}

pub fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

pub fn subnet(cidr: &str, gateway: Option<&str>) -> SubnetView {
    SubnetView {
        uid: Uid(9),
        cidr: cidr.parse().unwrap(),
        gateway: gateway.map(|g| g.parse().unwrap()),
        gateway_holder: GatewayHolder::Nobody,
        dhcp: true,
        dns_nameservers: vec!["192.0.2.53".parse().unwrap(), "2001:db8::53".parse().unwrap()],
        dns_domain: Some("blue.example".into()),
        host_routes: vec![("172.16.0.0/12".parse().unwrap(), "10.0.0.2".parse().unwrap())],
    }
}

pub fn port(mac: MacAddr, addresses: &[(&str, &Arc<SubnetView>)]) -> PortView {
    let addresses = addresses.iter().map(|(ip, subnet)| (ip.parse().unwrap(), Arc::clone(subnet))).collect();
    PortView {
        uid: Uid(8),
        mac,
        addresses,
        hostname: Some("web-0".into()),
        dhcp_options: Vec::new(),
        security: None,
        active: BTreeMap::new(),
        stations: BTreeSet::new(),
    }
}

fn network(uid: Uid, subnets: &[&Arc<SubnetView>], ports: Vec<(&str, PortView)>) -> NetworkView {
    let subnets = subnets.iter().enumerate().map(|(n, s)| (Key::new("default", &n.to_string()), Arc::clone(s)));
    let ports = ports.into_iter().map(|(name, port)| (Key::new("default", name), port));
    NetworkView {
        uid,
        mtu: 1450,
        provider: None,
        subnets: subnets.collect(),
        ports: ports.collect(),
        prepared: BTreeMap::new(),
        overlay: None,
    }
}

/// `web`: one address; `two`: one in a subnet without gateway, one beside `web`; `bare`: none; `static`: one without DHCP;
/// `routed`: one whose gateway is a router's. The wire has one port with the same address and MAC as `web`.
pub fn view() -> NodeView {
    let blue = Arc::new(subnet("10.0.0.0/24", Some("10.0.0.1")));
    let isolated = Arc::new(SubnetView { host_routes: Vec::new(), ..subnet("10.1.0.0/24", None) });
    let quiet = Arc::new(SubnetView { dhcp: false, ..subnet("10.2.0.0/24", Some("10.2.0.1")) });
    let routed = SubnetView { gateway_holder: GatewayHolder::Router, ..subnet("10.3.0.0/24", Some("10.3.0.1")) };
    let routed = Arc::new(routed);
    let ports = vec![
        ("web", port(WEB, &[("2001:db8::5", &blue), ("10.0.0.5", &blue)])),
        ("two", port(TWO, &[("10.1.0.7", &isolated), ("10.0.0.7", &blue)])),
        ("bare", port(BARE, &[])),
        ("static", port(STATIC, &[("10.2.0.9", &quiet)])),
        ("routed", port(ROUTED, &[("10.3.0.10", &routed)])),
    ];
    let blue_network = network(NETWORK, &[&blue, &isolated, &quiet, &routed], ports);
    let mut wire = network(WIRE, &[&blue], vec![("outer", port(WEB, &[("10.0.0.5", &blue)]))]);
    wire.provider = Some(ProviderView { physical_network: Key::new("", "public"), vlan: None });
    let interface = InterfaceView {
        uid: Uid(7),
        mac: MacAddr([2; 6]),
        network: Key::new("default", "blue"),
        ip: "10.3.0.1".parse().unwrap(),
        cidr: routed.cidr,
        mtu: 1450,
        provider: false,
        distant: false,
        peers: BTreeMap::new(),
        askers: BTreeSet::new(),
    };
    let main =
        RouterView { uid: ROUTER, interfaces: vec![interface], external: None, routes: BTreeMap::new(), transit: None };
    NodeView {
        networks: [(Key::new("default", "blue"), blue_network), (Key::new("infra", "public"), wire)].into(),
        routers: [(Key::new("default", "main"), main)].into(),
        physical_networks: BTreeMap::new(),
        ..NodeView::default()
    }
}

pub fn world() -> Table {
    table(&view(), |_| true)
}

/// The world, with further options and another MTU for `web`.
pub fn world_with(options: &[(u8, &str)], mtu: u32) -> Table {
    let mut view = view();
    let network = view.networks.get_mut(&Key::new("default", "blue")).unwrap();
    network.mtu = mtu;
    let web = network.ports.get_mut(&Key::new("default", "web")).unwrap();
    web.dhcp_options = options.iter().map(|(code, value)| DhcpOption { code: *code, value: (*value).into() }).collect();
    table(&view, |_| true)
}

/// What a client says.
#[derive(Clone, Debug)]
pub struct Ask {
    pub kind: u8,
    pub mac: MacAddr,
    pub chaddr: MacAddr,
    pub ciaddr: Ipv4Addr,
    pub giaddr: Ipv4Addr,
    pub broadcast: bool,
    pub to: (MacAddr, Ipv4Addr),
    pub options: Vec<(u8, Vec<u8>)>,
}

impl Ask {
    pub fn new(kind: u8, mac: MacAddr) -> Self {
        let none = Ipv4Addr::UNSPECIFIED;
        let to = (MacAddr([0xff; 6]), Ipv4Addr::BROADCAST);
        Self { kind, mac, chaddr: mac, ciaddr: none, giaddr: none, broadcast: false, to, options: Vec::new() }
    }

    pub fn option(mut self, code: u8, value: &[u8]) -> Self {
        self.options.push((code, value.to_vec()));
        self
    }

    pub fn requested(self, address: &str) -> Self {
        self.option(code::REQUESTED, &ip(address).octets())
    }

    pub fn server(self, address: &str) -> Self {
        self.option(code::SERVER, &ip(address).octets())
    }

    pub fn using(self, address: &str) -> Self {
        Self { ciaddr: ip(address), ..self }
    }

    pub fn message(&self) -> Vec<u8> {
        let mut out = vec![1, 1, 6, 0, 0xaa, 0xbb, 0xcc, 0xdd, 0, 0, u8::from(self.broadcast) << 7, 0];
        for address in [self.ciaddr, Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED, self.giaddr] {
            out.extend(address.octets());
        }
        out.extend(self.chaddr.0);
        out.resize(236, 0);
        out.extend([99, 130, 83, 99, code::MESSAGE_TYPE, 1, self.kind]);
        for (code, value) in &self.options {
            out.extend([*code, u8::try_from(value.len()).unwrap()]);
            out.extend(value);
        }
        out.push(code::END);
        out
    }

    pub fn frame(&self) -> Vec<u8> {
        let mut frame = frame::to_client((self.mac, self.to.0), (self.ciaddr, self.to.1), &self.message());
        // From a client's port to a server's.
        frame[34..38].copy_from_slice(&[0, 68, 0, 67]);
        frame
    }
}

/// What a server said, read by other code than the server's.
#[derive(Debug)]
pub struct Said {
    pub macs: (MacAddr, MacAddr),
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub xid: [u8; 4],
    pub ciaddr: Ipv4Addr,
    pub yiaddr: Ipv4Addr,
    pub siaddr: Ipv4Addr,
    /// As a boot loader reads them: nothing if they hold options.
    pub sname: String,
    pub file: String,
    /// Codes, field after field.
    pub order: Vec<u8>,
    pub options: BTreeMap<u8, Vec<u8>>,
    pub length: usize,
}

impl Said {
    /// Reads a frame, with all checksums.
    pub fn read(frame: &[u8]) -> Self {
        let mut rest = frame;
        let (to, from, kind) = frame::ethernet(&mut rest).unwrap();
        assert!(frame::is_ipv4(kind));
        let [ip_header, udp] = [&rest[..20], &rest[20..]];
        assert_eq!(words(ip_header), 0xffff, "checksum of the IP header");
        assert_eq!(usize::from(u16::from_be_bytes([rest[2], rest[3]])), rest.len());
        let pseudo = [&rest[12..20], &[0, 17], &udp[4..6]].concat();
        assert_eq!(words(&[&pseudo, udp].concat()), 0xffff, "checksum of UDP");
        assert_eq!(udp[..4], [0, 67, 0, 68]);
        let at = |n: usize| Ipv4Addr::from(<[u8; 4]>::try_from(&rest[n..n + 4]).unwrap());
        let mut said = Self::message(&udp[8..]);
        (said.macs, said.source, said.destination) = ((from, to), at(12), at(16));
        said
    }

    pub fn message(message: &[u8]) -> Self {
        assert_eq!(message[..4], [2, 1, 6, 0]);
        let xid = message[4..8].try_into().unwrap();
        let at = |n: usize| Ipv4Addr::from(<[u8; 4]>::try_from(&message[n..n + 4]).unwrap());
        let (none, no_mac) = (Ipv4Addr::UNSPECIFIED, MacAddr([0; 6]));
        let (mut order, mut options) = (Vec::new(), BTreeMap::<u8, Vec<u8>>::new());
        let (sname, file) = (&message[44..108], &message[108..236]);
        let mut collect = |mut rest: &[u8], options: &mut BTreeMap<u8, Vec<u8>>| {
            while let Some([code]) = take(&mut rest).filter(|[code]| *code != code::END) {
                let [length] = take(&mut rest).unwrap();
                let (value, after) = rest.split_at(length.into());
                order.push(code);
                options.entry(code).or_default().extend(value);
                rest = after;
            }
            assert!(rest.iter().all(|byte| *byte == 0), "only padding follows the end");
        };
        collect(&message[240..], &mut options);
        let overload = options.get(&code::OVERLOAD).map_or(0, |value| value[0]);
        let mut text = |field: &[u8], bit: u8| {
            if overload & bit > 0 {
                collect(field, &mut options);
                return String::new();
            }
            String::from_utf8(field.split(|byte| *byte == 0).next().unwrap().to_vec()).unwrap()
        };
        let (file, sname) = (text(file, 1), text(sname, 2));
        let (ciaddr, yiaddr, siaddr) = (at(12), at(16), at(20));
        let (source, destination, macs, length) = (none, none, (no_mac, no_mac), message.len());
        Self { macs, source, destination, xid, ciaddr, yiaddr, siaddr, sname, file, order, options, length }
    }

    pub fn kind(&self) -> u8 {
        self.options[&code::MESSAGE_TYPE][0]
    }

    pub fn address(&self, code: u8) -> Option<Ipv4Addr> {
        self.options.get(&code).map(|v| Ipv4Addr::from(<[u8; 4]>::try_from(v.as_slice()).unwrap()))
    }
}

/// The folded sum of 16-bit words: 0xffff of what includes its own right checksum.
fn words(bytes: &[u8]) -> u64 {
    let mut sum = 0;
    for pair in bytes.chunks(2) {
        sum += u64::from(pair[0]) << 8 | u64::from(pair.get(1).copied().unwrap_or(0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}
