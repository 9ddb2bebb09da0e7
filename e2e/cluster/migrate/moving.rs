//! A guest that can be at two nodes, as a hypervisor that moves it has it: its frames go to and come from one of two interfaces,
//! and wait while it is paused.

use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{LinkAddr, bind, setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};
use tenet::api;

use crate::drain::talks::{Counted, Talk};
use crate::nodes::Cluster;
use crate::support::{Call, Guest, SOON, ip, until};

const WORLD: &str = "
Network blue
Network red
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Subnet far {networkRef: {name: red}, cidr: 10.0.1.0/24}
Port m {networkRef: {name: blue}, addresses: [{ip: 10.0.0.50}]}
Port a {networkRef: {name: red}}
Port b {networkRef: {name: red}}
Port c {networkRef: {name: red}}
Port near {networkRef: {name: blue}}
PhysicalNetwork wire {attachments: [{interface: br-ext}]}
Network public {external: true, provider: {physicalNetwork: wire, type: Flat}}
Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/24, gatewayIP: 203.0.113.1, allocationPools: [{start: 203.0.113.10, end: 203.0.113.99}]}
Router r {interfaces: [{subnetRef: {name: web}}, {subnetRef: {name: far}}], externalGateway: {networkRef: {name: public}, addresses: [{ip: 203.0.113.9}]}}
FloatingIP f {networkRef: {name: public}, ip: 203.0.113.50, portRef: {name: m}}
SecurityGroup default {rules: [{direction: Ingress, protocol: TCP, port: 9000}, {direction: Ingress, protocol: UDP}, {direction: Ingress, protocol: ICMP}, {direction: Egress}]}";

/// The guest that moves.
const GUEST: &str = "10.0.0.50";
const FLOATING: &str = "203.0.113.50";
/// Nowhere: the guest is paused.
const PAUSED: usize = usize::MAX;
/// The longest frame.
const FRAME: usize = 9000;

/// An end of a wire, to read frames from and write them to.
struct End(Socket);

impl End {
    fn open(at: &Guest, device: &str) -> Self {
        at.within(|| {
            // `ETH_P_ALL`.
            let all = Protocol::from(i32::from(3_u16.to_be()));
            let socket = Socket::new(Domain::PACKET, Type::RAW, Some(all)).unwrap();
            let mut found = getifaddrs().unwrap().filter(|found| found.interface_name == device);
            let link: LinkAddr = found.find_map(|f| f.address?.as_link_addr().copied()).unwrap();
            bind(socket.as_raw_fd(), &link).unwrap();
            // What waits for a guest that is paused is not lost.
            setsockopt(&socket, sockopt::RcvBufForce, &(8 << 20)).unwrap();
            // Until it was bound it heard all interfaces.
            socket.set_nonblocking(true).unwrap();
            while (&socket).read(&mut [0; FRAME]).is_ok() {}
            socket.set_nonblocking(false).unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            Self(socket)
        })
    }

    /// A frame that came by the wire; none: nothing came for a while. An error: the interface is gone.
    fn frame<'b>(&self, buffer: &'b mut [u8; FRAME]) -> Result<Option<&'b [u8]>, ()> {
        match (&self.0).read(buffer) {
            Ok(length) => Ok(Some(&buffer[..length])),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
            Err(_) => Err(()),
        }
    }
}

/// Where the guest's frames go.
struct Machine {
    /// Number of the node, from 0, or [`PAUSED`].
    at: AtomicUsize,
    guest: End,
    mac: [u8; 6],
    nodes: [Mutex<Option<Arc<End>>>; 2],
}

impl Machine {
    /// Reads what the guest sends. What it sends while it is paused waits.
    fn run(self: &Arc<Self>) {
        let machine = self.clone();
        thread::spawn(move || {
            let mut buffer = [0; FRAME];
            loop {
                let at = machine.at.load(Ordering::SeqCst);
                if at == PAUSED {
                    thread::sleep(Duration::from_micros(200));
                    continue;
                }
                let Ok(frame) = machine.guest.frame(&mut buffer) else { return };
                let Some(frame) = frame.filter(|frame| frame[6..12] == machine.mac) else { continue };
                // It may have been paused while this was waited for.
                while machine.at.load(Ordering::SeqCst) == PAUSED {
                    thread::sleep(Duration::from_micros(200));
                }
                let at = machine.at.load(Ordering::SeqCst);
                if let Some(end) = &*machine.nodes[at].lock().unwrap() {
                    let _ = end.0.send(frame);
                }
            }
        });
    }

    /// Reads what comes for the guest at a node, for as long as the port is there. What comes while it is paused waits if it
    /// is to be there next, and is lost if it was there.
    fn listen(self: &Arc<Self>, node: usize, end: Arc<End>) {
        let machine = self.clone();
        thread::spawn(move || {
            let (mut buffer, mut was_here) = ([0; FRAME], false);
            loop {
                let at = machine.at.load(Ordering::SeqCst);
                if at != node && !was_here {
                    thread::sleep(Duration::from_micros(200));
                    continue;
                }
                was_here = true;
                let Ok(frame) = end.frame(&mut buffer) else { return };
                let Some(frame) = frame.filter(|frame| frame[6..12] != machine.mac) else { continue };
                let _ = machine.guest.0.send(frame);
            }
        });
    }
}

/// Three nodes, the first two on the wire. A guest that is at one of these two; others on each node, and the outside.
pub struct World {
    pub cluster: Cluster,
    outside: Guest,
    peers: Vec<Guest>,
    guest: Guest,
    hypervisor: Guest,
    machine: Arc<Machine>,
    pauses: Mutex<Vec<(Instant, Instant)>>,
}

/// Frames are read and written here: each needs its checksum.
fn plain(guest: &Guest) {
    guest.run("ethtool -K eth0 tx off gso off gro off").expect_ok();
}

impl World {
    /// The guest is at the first node.
    pub fn start() -> Self {
        let cluster = Cluster::bare(3);
        let outside = cluster.wire(&[1, 2]);
        cluster.apply(WORLD);
        cluster.wait("trtr/r", "Ready");
        let peers: Vec<Guest> =
            [(1, "a"), (2, "b"), (3, "c"), (3, "near")].map(|(node, port)| cluster.guest(node, port)).into();
        ip("netns add vm
            netns add hypervisor
            -n vm link add eth0 type veth peer name g netns hypervisor");
        let (guest, hypervisor) = (Guest::named("vm"), Guest::named("hypervisor"));
        hypervisor.run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1").expect_ok();
        let mac = cluster.get("tport", "m")["status"]["macAddress"].as_str().unwrap().to_owned();
        hypervisor.ip("link set g up");
        guest.ip(&format!(
            "link set lo up
             link set eth0 address {mac} mtu 1400
             link set eth0 up
             addr add {GUEST}/24 dev eth0
             route add default via 10.0.0.1"
        ));
        peers.iter().chain([&outside, &guest]).for_each(plain);
        let octets: Vec<u8> = mac.split(':').map(|octet| u8::from_str_radix(octet, 16).unwrap()).collect();
        let machine = Arc::new(Machine {
            at: AtomicUsize::new(PAUSED),
            guest: End::open(&hypervisor, "g"),
            mac: octets.try_into().unwrap(),
            nodes: [Mutex::new(None), Mutex::new(None)],
        });
        machine.run();
        let world = Self { cluster, outside, peers, guest, hypervisor, machine, pauses: Mutex::default() };
        world.cluster.nodes[0].tenet("plug m --netns hypervisor --ifname n0").expect_ok();
        world.hold(0);
        world.machine.at.store(0, Ordering::SeqCst);
        world.cluster.wait("tfip/f", "Ready");
        world.peers.iter().for_each(|peer| peer.wait_pings(GUEST));
        world.outside.wait_pings(FLOATING);
        world
    }

    /// The hypervisor holds the interface of a node.
    fn hold(&self, node: usize) {
        let end = Arc::new(End::open(&self.hypervisor, &format!("n{node}")));
        *self.machine.nodes[node].lock().unwrap() = Some(end.clone());
        self.machine.listen(node, end);
    }

    /// Says that the port may move to a node, and prepares it there.
    pub fn prepare(&self, to: usize) {
        let name = &self.cluster.nodes[to].name;
        self.cluster
            .kubectl(&format!("patch tport m --type=merge -p {{\"spec\":{{\"migrationNodeName\":\"{name}\"}}}}"));
        let plug = format!("plug m --netns hypervisor --ifname n{to} --prepare");
        until("the agent has heard that it may", || self.cluster.nodes[to].tenet(&plug).ok());
        self.hold(to);
    }

    /// The guest is paused, its port is switched, and it goes on; how long it was paused.
    pub fn switch(&self, from: usize, to: usize) -> Duration {
        let pause = self.pause();
        let end = self.machine.nodes[to].lock().unwrap().clone().unwrap();
        end.0.set_nonblocking(true).unwrap();
        assert!((&end.0).read(&mut [0; FRAME]).is_err(), "a frame came where the port is only prepared");
        end.0.set_nonblocking(false).unwrap();
        self.cluster.nodes[to].tenet("plug m --switch").expect_ok();
        self.go_on(pause, to);
        until("the first has let go", || !self.has(from));
        pause.elapsed()
    }

    /// The guest stands still from now on.
    pub fn pause(&self) -> Instant {
        let pause = Instant::now();
        self.machine.at.store(PAUSED, Ordering::SeqCst);
        pause
    }

    /// It goes on at a node.
    pub fn go_on(&self, pause: Instant, at: usize) {
        self.machine.at.store(at, Ordering::SeqCst);
        self.pauses.lock().unwrap().push((pause, Instant::now()));
    }

    /// Whether the hypervisor has an interface of a node.
    pub fn has(&self, node: usize) -> bool {
        self.hypervisor.run(&format!("ip link show n{node}")).ok()
    }

    /// The node that the port is plugged on, and the one where it is prepared.
    pub fn recorded(&self) -> [String; 2] {
        let status = self.cluster.get("tport", "m")["status"].take();
        ["binding", "migration"].map(|field| status[field]["nodeName"].as_str().unwrap_or("-").to_owned())
    }

    /// Waits until that is recorded.
    #[track_caller]
    pub fn is_recorded(&self, what: &str, wanted: [&str; 2]) {
        until(what, || self.recorded() == wanted);
    }

    /// Asks once more over all connections. On a busy machine frames wait for who carries them here.
    pub fn everybody_is_answered(calls: &mut [(&'static str, Call)]) {
        for (name, call) in calls {
            assert!(call.ask(SOON).is_some(), "{name}: the connection is cut");
        }
    }

    fn all(&self) -> Vec<(&'static str, &Guest, &'static str)> {
        let names = ["from the first node, routed", "from the second node, routed", "from the third node, routed"];
        let names = names.into_iter().chain(["from the third node"]);
        let peers = names.zip(&self.peers).map(|(name, peer)| (name, peer, GUEST));
        peers.chain([("from outside, by the floating IP", &self.outside, FLOATING)]).collect()
    }

    /// Everybody sends to the guest, a packet a millisecond, and is answered.
    pub fn talks(&self) -> Vec<(&'static str, Talk)> {
        self.all().into_iter().map(|(name, peer, to)| (name, Talk::start(peer, &self.guest, to, None))).collect()
    }

    /// Everybody has a TCP connection to the guest, and the guest has one to the outside.
    pub fn calls(&self) -> Vec<(&'static str, Call)> {
        self.guest.answers(9000);
        let to =
            |name, from: &Guest, to: &str| (name, from.call(api::Protocol::TCP, &format!("{to}:9000")).expect(name));
        self.all().into_iter().map(|(name, peer, ip)| to(name, peer, ip)).collect()
    }

    /// Ends it: each may have lost one packet for each move, beside what was sent while the guest was paused.
    pub fn count(&self, talks: Vec<(&'static str, Talk)>) {
        let pauses = self.pauses.lock().unwrap().clone();
        let counted: Vec<(&str, Counted)> =
            talks.into_iter().map(|(name, talk)| (name, talk.end_but(&pauses))).collect();
        for (name, counted) in &counted {
            println!("{name}: {counted:?}");
        }
        for (name, counted) in counted {
            assert!(counted.lost <= pauses.len(), "{name}: {counted:?} in {} moves", pauses.len());
            assert!(counted.doubled == 0 && counted.ports == 1, "{name}: {counted:?}");
        }
    }
}
