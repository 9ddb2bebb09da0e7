//! A router with two tenant legs and one to the outside, guests behind it, and a host outside: each a network namespace
//! that lives as long as its descriptor, so nothing is left whatever happens to a test.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use tenet::api::{MacAddr, Protocol};
use tenet::dataplane::kernel::{conntrack::Conntrack, netns, nft::Nft};
use tenet::dataplane::nft::Ruleset;
use tenet::dataplane::router_rules::{self, Legs};
use tenet::dataplane::sysctls::{self, Sysctls};
use tenet::model::view::{ExternalView, FloatingView, ForwardingView, InterfaceView, Part, RouterView};
use tenet::model::{Key, Uid};

/// Names of the router's legs.
pub const LEGS: [&str; 3] = ["tlg0000000000aa", "tlg0000000000bb", "tlg0000000000ee"];

/// Guests: name, address, last octet of the MAC address, and the fabric's bridge.
const GUESTS: [(&str, &str, u8, &str); 6] = [
    ("a1", "10.0.0.11", 0x11, "bra"),
    ("a2", "10.0.0.12", 0x12, "bra"),
    ("a3", "10.0.0.13", 0x13, "bra"),
    ("b1", "10.0.1.11", 0x21, "brb"),
    ("b2", "10.0.1.12", 0x22, "brb"),
    ("o", "203.0.113.1", 0x31, "bre"),
];

/// Where every namespace tells callers, over TCP and UDP, by which address it sees them.
pub const PORT: u16 = 7000;

/// How long a packet that should come may take, and one that should not.
const SOON: Duration = Duration::from_secs(2);
const NEVER: Duration = Duration::from_millis(250);

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn mac(last: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, last])
}

/// The view of a router with floating IPs for a1 (.101), b2 (.102) and a3 (.103), and one with port forwardings (.110).
pub fn view() -> RouterView {
    let interface = |n: u8, net: &str| InterfaceView {
        uid: Uid(u128::from(n)),
        mac: mac(n),
        network: Key::new("t", net),
        ip: ip(&format!("{net}.1")),
        cidr: format!("{net}.0/24").parse().unwrap(),
        mtu: 1500,
        provider: false,
        distant: false,
        peers: GUESTS.iter().filter(|g| g.1.starts_with(&format!("{net}."))).map(|g| (ip(g.1), mac(g.2))).collect(),
        askers: [].into(),
    };
    let floating = [("203.0.113.101", "10.0.0.11"), ("203.0.113.102", "10.0.1.12"), ("203.0.113.103", "10.0.0.13")];
    let floating = floating
        .map(|(out, to)| (ip(out), FloatingView { key: Key::new("t", out), fixed: ip(to), home: true, answers: true }));
    let ports = [((Protocol::TCP, 80), (ip("10.0.1.11"), PORT)), ((Protocol::UDP, 53), (ip("10.0.0.12"), PORT))];
    let forwarding = ForwardingView { key: Key::new("t", "forwarding"), ports: ports.into() };
    RouterView {
        uid: Uid(1),
        interfaces: vec![interface(0xa1, "10.0.0"), interface(0xb1, "10.0.1")],
        external: Some(ExternalView {
            uid: Uid(2),
            mac: mac(0xe1),
            network: Key::new("infra", "public"),
            mtu: 1500,
            part: Part::Gateway,
            mute: false,
            settled: true,
            shared: ip("203.0.113.2"),
            addresses: vec!["203.0.113.2/24".parse().unwrap()],
            cidrs: vec!["203.0.113.0/24".parse().unwrap()],
            gateway: Some(ip("203.0.113.1")),
            routes: BTreeMap::new(),
            snat: true,
            floating: floating.into(),
            forwarding: [(ip("203.0.113.110"), forwarding)].into(),
        }),
        routes: BTreeMap::new(),
        transit: None,
    }
}

pub fn rules(view: &RouterView) -> Ruleset {
    let [a, b, external] = LEGS.map(Arc::from);
    let external = view.external.as_ref().map(|_| external);
    router_rules::ruleset(view, &Legs { interfaces: vec![a, b], external, transit: None })
}

/// All namespaces of one test.
pub struct World {
    netns: BTreeMap<&'static str, OwnedFd>,
    rules: Option<Ruleset>,
}

impl World {
    /// Everything wired, and the rules of `view` in place.
    pub fn new(view: &RouterView) -> Self {
        let names = GUESTS.iter().map(|g| g.0).chain(["fabric", "r"]);
        let mut world = Self { netns: names.map(|name| (name, fresh())).collect(), rules: None };
        for bridge in ["bra", "brb", "bre"] {
            world.ip("fabric", &format!("link add {bridge} type bridge\nlink set {bridge} up"));
        }
        for path in ["ipv6/conf/all/disable_ipv6", "ipv6/conf/default/disable_ipv6"] {
            world.within("r", || fs::write(format!("/proc/sys/net/{path}"), "1").unwrap());
        }
        let sysctls = Sysctls::of(&sysctls::all().map(str::to_owned).collect());
        world.within("r", || {
            for (path, value) in sysctls.router.iter() {
                fs::write(format!("/proc/sys/net/{path}"), value).unwrap();
            }
        });
        world.set(view);
        for ((leg, bridge), n) in LEGS.iter().zip(["bra", "brb", "bre"]).zip([0xa1, 0xb1, 0xe1]) {
            world.plug("r", leg, bridge, n);
        }
        let router = [
            "addr add 10.0.0.1/24 dev LA\naddr add 10.0.1.1/24 dev LB\naddr add 203.0.113.2/24 dev LE",
            "addr add 203.0.113.101/32 dev LE\naddr add 203.0.113.102/32 dev LE\naddr add 203.0.113.103/32 dev LE",
            "addr add 203.0.113.110/32 dev LE\nroute add default via 203.0.113.1",
        ];
        let router = router.join("\n").replace("LA", LEGS[0]).replace("LB", LEGS[1]).replace("LE", LEGS[2]);
        world.ip("r", &router);
        for (name, address, n, bridge) in GUESTS {
            world.plug(name, "eth0", bridge, n);
            let gateway = address.rsplit_once('.').unwrap().0;
            world.ip(name, &format!("addr add {address}/24 dev eth0\nlink set lo up"));
            if name == "o" {
                world.ip(name, "addr add 198.51.100.1/32 dev eth0");
            } else {
                world.ip(name, &format!("route add default via {gateway}.1"));
            }
            world.serve(name, PORT);
        }
        world
    }

    /// Changes the router's rules from what they are to those of `view`.
    pub fn set(&mut self, view: &RouterView) {
        let to = rules(view);
        let mut nft = Nft::open(self.netns["r"].as_fd()).unwrap();
        nft.apply(self.rules.as_ref(), Some(&to)).unwrap();
        assert_eq!(nft.observe().unwrap().as_ref(), Some(&to));
        self.rules = Some(to);
    }

    /// Takes all rules away, to see that they were the reason.
    pub fn unset(&mut self) {
        Nft::open(self.netns["r"].as_fd()).unwrap().apply(self.rules.as_ref(), None).unwrap();
        self.rules = None;
    }

    /// Makes the router forget the connections of addresses.
    pub fn flush(&self, addresses: &[&str]) -> usize {
        let addresses = addresses.iter().map(|a| ip(a)).collect();
        Conntrack::open(self.netns["r"].as_fd()).unwrap().flush(&addresses).unwrap()
    }

    /// A namespace.
    pub fn netns(&self, name: &str) -> &OwnedFd {
        &self.netns[name]
    }

    pub fn within<T>(&self, name: &str, f: impl FnOnce() -> T) -> T {
        netns::within(self.netns[name].as_fd(), f).unwrap()
    }

    fn plug(&self, name: &str, device: &str, bridge: &str, n: u8) {
        let path = format!("/proc/{}/fd/{}", std::process::id(), self.netns[name].as_raw_fd());
        let lines = [
            format!("link add v{n:x} type veth peer name {device} address {} netns {path}", mac(n)),
            format!("link set v{n:x} master {bridge} up"),
        ];
        self.ip("fabric", &lines.join("\n"));
        self.ip(name, &format!("link set {device} up"));
    }

    /// Lines for `ip -batch`.
    pub fn ip(&self, name: &str, lines: &str) {
        let mut ip = Command::new("ip");
        ip.args(["-batch", "-"]).stdin(Stdio::piped());
        let mut child = self.within(name, || ip.spawn().unwrap());
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "in {name}: {lines}");
    }

    /// What a command prints there, and whether it succeeds.
    pub fn run(&self, name: &str, line: &str) -> (bool, String) {
        let mut words = line.split(' ');
        let mut command = Command::new(words.next().unwrap());
        let child = command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = self.within(name, || child.spawn().unwrap()).wait_with_output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    pub fn pings(&self, name: &str, to: &str) -> bool {
        self.run(name, &format!("ping -n -c 3 -i 0.05 -W 0.3 {to}")).0
    }

    /// Tells callers, over TCP and UDP, by which address they are seen; TCP callers again for each octet that they send.
    pub fn serve(&self, name: &str, port: u16) {
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let (tcp, udp) = self.within(name, || (TcpListener::bind(any).unwrap(), UdpSocket::bind(any).unwrap()));
        thread::spawn(move || {
            for stream in tcp.incoming() {
                thread::spawn(move || tell(stream.unwrap()));
            }
        });
        thread::spawn(move || {
            while let Ok((_, peer)) = udp.recv_from(&mut [0; 16]) {
                let _ = udp.send_to(peer.ip().to_string().as_bytes(), peer);
            }
        });
    }

    /// By which address `to` sees `name`; none: no answer.
    pub fn seen(&self, name: &str, protocol: Protocol, to: &str) -> Option<String> {
        self.ask(name, protocol, to, SOON)
    }

    /// Whether there is no answer.
    pub fn silent(&self, name: &str, protocol: Protocol, to: &str) -> bool {
        self.ask(name, protocol, to, NEVER).is_none()
    }

    fn ask(&self, name: &str, protocol: Protocol, to: &str, wait: Duration) -> Option<String> {
        let to: SocketAddr = to.parse().unwrap_or_else(|_| SocketAddr::new(ip(to), PORT));
        match protocol {
            Protocol::TCP => {
                let mut call = self.within(name, || TcpStream::connect_timeout(&to, wait)).ok().map(Call)?;
                call.again(wait)
            }
            Protocol::UDP => {
                let socket = self.within(name, || UdpSocket::bind("0.0.0.0:0").unwrap());
                socket.set_read_timeout(Some(wait)).unwrap();
                socket.connect(to).ok()?;
                socket.send(b"?").ok()?;
                let mut answer = [0; 64];
                let len = socket.recv(&mut answer).ok()?;
                Some(String::from_utf8_lossy(&answer[..len]).into_owned())
            }
        }
    }

    /// A connection that stays.
    pub fn call(&self, name: &str, to: &str) -> Call {
        let to = SocketAddr::new(ip(to), PORT);
        Call(self.within(name, || TcpStream::connect_timeout(&to, SOON)).unwrap())
    }
}

/// A TCP connection to a namespace that tells by which address it sees it.
pub struct Call(pub TcpStream);

impl Call {
    pub fn alive(&mut self) -> bool {
        self.again(SOON).is_some()
    }

    pub fn dead(&mut self) -> bool {
        self.again(2 * NEVER).is_none()
    }

    fn again(&mut self, wait: Duration) -> Option<String> {
        self.0.set_read_timeout(Some(wait)).unwrap();
        self.0.write_all(b"?").ok()?;
        let mut answer = [0; 64];
        match self.0.read(&mut answer) {
            Ok(len) if len > 0 => Some(String::from_utf8_lossy(&answer[..len]).into_owned()),
            _ => None,
        }
    }
}

fn tell(mut stream: TcpStream) {
    let Ok(peer) = stream.peer_addr() else { return };
    while matches!(stream.read(&mut [0]), Ok(1)) {
        let _ = stream.write_all(peer.ip().to_string().as_bytes());
    }
}

fn fresh() -> OwnedFd {
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            netns::current().unwrap()
        });
        worker.join().unwrap()
    })
}
