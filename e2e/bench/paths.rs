//! What a packet costs, by the ways it may go, beside the plainest way that the kernel has.

use std::net::Ipv4Addr;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::guest::{Guest, join};
use crate::lane::{self, Counted, Lane, PORT, Way, costs};
use crate::meter::Dice;
use crate::plug::Client;
use crate::row::{Row, Unit};
use crate::support::traffic::hastened;
use crate::support::{Host, ip, run, until};
use crate::yaml;

const ROUNDS: usize = 9;
const KILLS: usize = 100;
const FLOATING: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 100);
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);

/// A station outside, on a bridge of the host.
pub fn outside(bridge: &str, cidr: &str) -> Guest {
    let guest = Guest::new();
    let path = guest.path();
    ip(&format!("link add o type veth peer name eth0 netns {path}\nlink set o master {bridge} up"));
    guest.up("eth0");
    guest.set("eth0", cidr.parse().unwrap(), None);
    guest
}

/// What the kernel does without us: a veth pair, and one that forwards between two.
struct Plain {
    guests: [Guest; 5],
}

impl Plain {
    fn new() -> Self {
        let guests: [Guest; 5] = std::array::from_fn(|_| Guest::new());
        let [a, b, left, router, right] = &guests;
        join((a, "eth0", "10.9.0.1/24"), (b, "eth0", "10.9.0.2/24"));
        join((left, "eth0", "10.9.1.2/24"), (router, "eth0", "10.9.1.1/24"));
        join((right, "eth0", "10.9.2.2/24"), (router, "eth1", "10.9.2.1/24"));
        router.within(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap());
        left.set("eth0", "10.9.3.1/32".parse().unwrap(), Some([10, 9, 1, 1].into()));
        right.set("eth0", "10.9.4.1/32".parse().unwrap(), Some([10, 9, 2, 1].into()));
        Self { guests }
    }

    fn lanes(&self) -> [Lane; 2] {
        let [a, b, left, _, right] = &self.guests;
        [Lane::new(a, b, [10, 9, 0, 2].into(), PORT), Lane::new(left, right, [10, 9, 2, 2].into(), PORT)]
    }
}

/// Two subnets behind a router with a gateway; the first guest has a floating IP.
struct Cloud {
    host: Host,
    guests: [Guest; 3],
    outside: Guest,
}

impl Cloud {
    fn new() -> Self {
        let mut host = Host::new();
        host.bridge("br-ext", "203.0.113.1/24");
        // As the condition of the PhysicalNetwork asks: the host's iptables are not for guests.
        let _ = std::fs::write("/proc/sys/net/bridge/bridge-nf-call-iptables", "0");
        let ports = [("a", "n0"), ("b", "n0"), ("c", "n1")];
        let ports_yaml: String = ports.iter().map(|(name, network)| yaml::port(name, network)).collect();
        host.write("world.yaml", &(yaml::world(2, 1) + &ports_yaml + &yaml::floating("a", &FLOATING.to_string(), "a")));
        host.start_at("info");
        let guests: [Guest; 3] = std::array::from_fn(|_| Guest::new());
        for ((name, _), guest) in ports.iter().zip(&guests) {
            guest.take(&Client::plug(&host.socket(), name, guest).plugged());
        }
        hastened(run, &host.dir.join("filters"), 3);
        host.wait_ready("floatingip", "a");
        let outside = outside("br-ext", &format!("{OUTSIDE}/24"));
        Self { host, guests, outside }
    }

    /// Same node, routed, SNAT, floating IP.
    fn lanes(&self) -> [Lane; 4] {
        let [a, b, c] = &self.guests;
        let at = |guest: &Guest| -> Ipv4Addr {
            guest.within(|| {
                let all = nix::ifaddrs::getifaddrs().unwrap().filter(|i| i.interface_name == "eth0");
                all.filter_map(|i| Some(i.address?.as_sockaddr_in()?.ip())).next().unwrap()
            })
        };
        [
            Lane::new(a, b, at(b), PORT),
            Lane::new(a, c, at(c), PORT),
            Lane::new(b, &self.outside, OUTSIDE, PORT),
            Lane::new(&self.outside, a, FLOATING, PORT),
        ]
    }
}

pub fn rows() -> Vec<Row> {
    let (cloud, plain) = (Cloud::new(), Plain::new());
    let ([raw, forward], ours) = (plain.lanes(), cloud.lanes());
    let ways: Vec<Way> = [&raw, &forward].into_iter().chain(&ours).map(Way::Packets).collect();
    let costs = costs(&ways, ROUNDS);
    let row = |name, what, target, at: usize, base: usize| {
        let note = format!("{:.0} ns a packet, {:.0} plain", costs[at], costs[base]);
        Row::new(name, what, target, costs[at] / costs[base], Unit::Ratio).note(note)
    };
    vec![
        row("same-node", "UDP on one node, to a raw veth pair", 1.30, 2, 0),
        row("routed", "UDP through a router that also translates, to ip_forward", 1.50, 3, 1),
        row("snat", "UDP with SNAT through a host bridge, to ip_forward", 1.60, 4, 1),
        row("floating", "UDP to a floating IP through a host bridge, to ip_forward", 1.60, 5, 1),
    ]
}

/// Flows of 1000 packets a second while the agent is killed at random moments.
pub fn kills() -> Vec<Row> {
    let mut cloud = Cloud::new();
    let lanes = cloud.lanes();
    let ((), counted) = lane::counted(&lanes, || {
        let mut dice = Dice(0x7e7e_0002);
        for kill in 0..KILLS {
            std::thread::sleep(Duration::from_millis(dice.below(60) as u64));
            cloud.host.stop(Signal::SIGKILL);
            if kill % 4 == 0 {
                // A restart that finds something to do.
                cloud.host.write("more.yaml", &yaml::port("more", if kill % 8 == 0 { "n0" } else { "n1" }));
            }
            cloud.host.spawn("info");
        }
        until("the last instance answers", || std::os::unix::net::UnixStream::connect(cloud.host.socket()).is_ok());
    });
    let names = ["same node", "routed", "SNAT", "floating IP"];
    let row = |(name, flow): (&str, &Counted)| {
        let what = format!("packets lost over {KILLS} kills, 1000 a second, {name}");
        Row::new("kills", &what, 0.0, flow.lost as f64, Unit::Count).note(format!("of {}", flow.sent))
    };
    names.into_iter().zip(&counted).map(row).collect()
}
