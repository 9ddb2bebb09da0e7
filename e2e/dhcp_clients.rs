//! Real DHCP clients against the responder: busybox udhcpc, ISC dhclient, dhcpcd and systemd-networkd.
//!
//! Each test has a kernel of its own: network, mount and host name namespaces that go with the test's thread, and whatever it started
//! dies with it. Needs root and the Debian packages that a failure names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tenet::api::{DhcpOption, MacAddr};
use tenet::dataplane::dhcp::table;
use tenet::dataplane::kernel::dhcp::Server;
use tenet::dataplane::kernel::netns;
use tenet::dataplane::names::{self, Prefix};
use tenet::model::view::{GatewayHolder, InterfaceView, NetworkView, NodeView, PortView, RouterView, SubnetView};
use tenet::model::{Key, Uid};

const NETWORK: Uid = Uid(1 << 80);
const ROUTER: Uid = Uid(2 << 80);
const GUEST: &str = "02:00:00:00:00:05";

/// Who holds the gateway address of the only subnet.
#[derive(Clone, Copy, PartialEq)]
enum Gateway {
    Nobody,
    Router,
    None,
}

/// Runs `test` in a kernel of its own, with a network of one guest, `eth0` in namespace `guest`, and its responder.
fn on_a_lan(gateway: Gateway, test: impl FnOnce(Server) + Send + 'static) {
    on_a_lan_with(gateway, &[], test);
}

/// The same, and the guest's port has options of its own.
fn on_a_lan_with(gateway: Gateway, options: &[(u8, &str)], test: impl FnOnce(Server) + Send + 'static) {
    let options = options.iter().map(|(code, value)| DhcpOption { code: *code, value: (*value).into() }).collect();
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS)
            .expect("these tests need root");
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        for dir in ["/run", "/var/lib/dhcp", "/var/lib/dhcpcd", "/var/lib/systemd"] {
            if Path::new(dir).is_dir() {
                mount(Some("tmpfs"), dir, Some("tmpfs"), MsFlags::empty(), Some("mode=755")).unwrap();
            }
        }
        // Clients write resolv.conf: into a copy of /etc.
        run("mkdir /run/etc && cp -a /etc/. /run/etc && mount --bind /run/etc /etc", true);
        test(build(gateway, options));
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn run(script: &str, must: bool) -> String {
    let output = Command::new("sh").args(["-ec", script]).stderr(Stdio::inherit()).output().unwrap();
    assert!(!must || output.status.success(), "{script}");
    String::from_utf8(output.stdout).unwrap()
}

/// What the guest and the responder are told, as Neutron's users would have it.
fn view(gateway: Gateway, dhcp_options: Vec<DhcpOption>) -> NodeView {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let holder = if gateway == Gateway::Router { GatewayHolder::Router } else { GatewayHolder::Nobody };
    let subnet = Arc::new(SubnetView {
        uid: Uid(3),
        cidr: "10.0.0.0/24".parse().unwrap(),
        gateway: (gateway != Gateway::None).then(|| ip("10.0.0.1")),
        gateway_holder: holder,
        dhcp: true,
        dns_nameservers: vec![ip("192.0.2.53")],
        dns_domain: Some("blue.example".into()),
        host_routes: vec![("172.16.0.0/12".parse().unwrap(), ip("10.0.0.2"))],
    });
    let mac: MacAddr = GUEST.parse().unwrap();
    let addresses = vec![(ip("10.0.0.5"), subnet.clone())];
    let (hostname, security) = (Some("web-0".into()), None);
    let (active, stations) = (BTreeMap::new(), BTreeSet::new());
    let port = PortView { uid: Uid(4), mac, addresses, hostname, dhcp_options, security, active, stations };
    let blue = Key::new("default", "blue");
    let interface = InterfaceView {
        uid: Uid(5),
        mac,
        network: blue.clone(),
        ip: ip("10.0.0.1"),
        cidr: subnet.cidr,
        mtu: 1400,
        provider: false,
        distant: false,
        peers: BTreeMap::new(),
        askers: BTreeSet::new(),
    };
    let interfaces = if gateway == Gateway::Router { vec![interface] } else { Vec::new() };
    let router = RouterView { uid: ROUTER, interfaces, external: None, routes: BTreeMap::new(), transit: None };
    let network = NetworkView {
        uid: NETWORK,
        mtu: 1400,
        provider: None,
        subnets: [(Key::new("default", "web"), subnet)].into(),
        ports: [(Key::new("default", "web-0"), port)].into(),
        prepared: BTreeMap::new(),
        overlay: None,
    };
    NodeView {
        networks: [(blue, network)].into(),
        routers: [(Key::new("default", "main"), router)].into(),
        physical_networks: BTreeMap::new(),
        ..NodeView::default()
    }
}

fn build(gateway: Gateway, options: Vec<DhcpOption>) -> Server {
    let view = view(gateway, options);
    let bridge = Prefix::Bridge.name(NETWORK);
    let mac = tenet::dataplane::bridge::mac(view.networks.values().next().unwrap());
    let mut script = format!(
        "for n in vswitch router guest; do ip netns add $n; ip -n $n link set lo up; done
         ip -n vswitch link add {bridge} address {mac} mtu 1400 type bridge mcast_snooping 0
         ip -n vswitch link add port type veth peer name eth0 address {GUEST} netns guest
         ip -n vswitch link set port mtu 1400 master {bridge} up
         ip -n vswitch link set {bridge} up\n"
    );
    if gateway == Gateway::Router {
        let more = format!(
            "ip -n vswitch link add legpeer mtu 1400 type veth peer name leg mtu 1400 netns router
             ip -n vswitch link set legpeer master {bridge} up
             ip -n router link set leg up
             ip -n router address add 10.0.0.1/24 dev leg\n"
        );
        script.push_str(&more);
    }
    run(&script, true);
    let open = |name: &str| netns::open(&Path::new("/run/netns").join(name)).unwrap();
    let (vswitch, router) = (open("vswitch"), open("router"));
    let index = netns::within(vswitch.as_fd(), || nix::net::if_::if_nametoindex(&*bridge)).unwrap().unwrap();
    let server = Server::start(vswitch.as_fd()).unwrap();
    let routers = [(names::router(ROUTER), router.as_fd())];
    server.update(table(&view, |_| true).into(), [(index, bridge)].into(), routers).unwrap();
    server
}

/// A client in the guest; it dies with this, and with the test's thread.
struct Client {
    child: Child,
    log: String,
}

impl Client {
    /// Starts a program in the guest with a PID namespace of its own, so that its children die, too. A shell stays the first
    /// process there: who changes its user, as dhcpcd and networkd do, loses the signal at its parent's death.
    fn start(program: &str, package: &str, command: &str) -> Self {
        let script = format!("/run/{package}.sh");
        fs::write(&script, format!("{command} & wait")).unwrap();
        Self::spawn(program, package, &format!("unshare --pid --fork --kill-child --mount-proc sh -e {script}"))
    }

    fn spawn(program: &str, package: &str, command: &str) -> Self {
        assert!(Path::new(program).exists(), "{program} is missing: install the Debian package {package}");
        let log = format!("/run/{package}.log");
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "nsenter", "--net=/run/netns/guest"])
            .args(command.split(' '))
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits for as long as a client may take to ask a second time. Else panics with the last of `seen` and the log.
    fn wait_until(&mut self, mut seen: impl FnMut() -> Result<(), String>) {
        let end = Instant::now() + Duration::from_secs(20);
        while let Err(mut state) = seen() {
            if Instant::now() > end {
                write!(state, "\n--- {}\n{}", self.log, self.said()).unwrap();
                panic!("not within 20 s; what there is instead:\n{state}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the guest has its address, routes, MTU and DNS server.
    fn configured(&mut self, resolver: &str) {
        let state = || {
            let mut text = String::new();
            for what in ["-4 address show dev eth0", "-4 route show dev eth0", "link show dev eth0"] {
                text += &run(&format!("ip -n guest {what}"), false);
            }
            text + &run(&format!("cat {resolver} 2>/dev/null || true"), false)
        };
        let wanted =
            ["inet 10.0.0.5/24", "default via 10.0.0.1 ", "172.16.0.0/12 via 10.0.0.2", " mtu 1400 ", "192.0.2.53"];
        self.wait_until(|| wanted.iter().all(|w| state().contains(w)).then_some(()).ok_or_else(state));
    }

    /// Waits until the log holds `text` `times` times.
    fn says(&mut self, text: &str, times: usize) {
        let log = self.log.clone();
        let said = || fs::read_to_string(&log).unwrap().matches(text).count() >= times;
        self.wait_until(|| said().then_some(()).ok_or_else(|| format!("no `{text}`")));
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// udhcpc itself, without a PID namespace, so that it can be sent signals. Debian's script leaves routes (121) to others.
fn udhcpc(args: &str) -> Client {
    let script = "#!/bin/sh\n/etc/udhcpc/default.script \"$@\"\n[ \"$1\" = bound ] || exit 0\nenv > /run/told\nset -- $staticroutes\n\
                  while [ $# -ge 2 ]; do ip route replace $1 via $2 dev $interface; shift 2; done\n";
    fs::write("/run/udhcpc.script", script).unwrap();
    run("chmod +x /run/udhcpc.script; ip -n guest link set eth0 up", true);
    Client::spawn("/usr/sbin/udhcpc", "udhcpc", &format!("udhcpc -f -i eth0 -s /run/udhcpc.script -T 1 {args}"))
}

const OBTAINED: &str = "lease of 10.0.0.5 obtained from 10.0.0.1, lease time 86400";

#[test]
fn udhcpc_gets_renews_and_releases_a_lease_where_nobody_holds_the_gateway() {
    on_a_lan(Gateway::Nobody, |_server| {
        let mut client = udhcpc("-O mtu -O staticroutes");
        client.says(OBTAINED, 1);
        client.configured("/etc/resolv.conf");
        client.signal(Signal::SIGUSR1);
        client.says("sending renew to server 10.0.0.1", 1);
        client.says(OBTAINED, 2);
        client.signal(Signal::SIGUSR2);
        client.says("entering released state", 1);
        client.signal(Signal::SIGUSR1);
        client.says(OBTAINED, 3);
    });
}

#[test]
fn udhcpc_reads_what_boot_loaders_read_and_options_that_did_not_fit_in_their_field() {
    let (long, short) = ("x".repeat(180), "z".repeat(50));
    let options = [(67, "pxelinux.0"), (150, "192.0.2.7"), (224, &*long), (226, &*short)];
    on_a_lan_with(Gateway::Nobody, &options, |_server| {
        let mut client = udhcpc("-O 224 -O 226");
        client.says(OBTAINED, 1);
        let told = || fs::read_to_string("/run/told").unwrap_or_default();
        let hex = format!("opt226={}", "7a".repeat(50));
        for wanted in [&*hex, "opt224=7878", "siaddr=192.0.2.7", "boot_file=pxelinux.0"] {
            let seen = || told().contains(wanted).then_some(()).ok_or_else(|| format!("no {wanted} in {}", told()));
            client.wait_until(seen);
        }
    });
}

#[test]
fn udhcpc_renews_at_the_router_that_holds_the_gateway() {
    on_a_lan(Gateway::Router, |server| {
        // -B: the answers come by broadcast.
        let mut client = udhcpc("-B -O mtu -O staticroutes");
        client.configured("/etc/resolv.conf");
        client.signal(Signal::SIGUSR1);
        client.says("sending renew to server 10.0.0.1", 1);
        client.says(OBTAINED, 2);
        // Without a responder nobody answers: what came before was ours.
        drop(server);
        client.signal(Signal::SIGUSR1);
        client.says("sending renew to server 10.0.0.1", 2);
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(client.said().matches(OBTAINED).count(), 2, "{}", client.said());
    });
}

#[test]
fn udhcpc_renews_by_broadcast_where_there_is_no_gateway() {
    on_a_lan(Gateway::None, |_server| {
        let mut client = udhcpc("");
        client.says("lease of 10.0.0.5 obtained from 169.254.169.254", 1);
        client.signal(Signal::SIGUSR1);
        client.says("lease of 10.0.0.5 obtained from 169.254.169.254", 2);
    });
}

#[test]
fn a_stranger_gets_no_lease() {
    on_a_lan(Gateway::Nobody, |_server| {
        run("ip -n guest link set eth0 address 02:00:00:00:00:99", true);
        let mut client = udhcpc("-n -t 3 -A 0");
        assert!(!client.child.wait().unwrap().success());
        assert!(client.said().contains("no lease, failing"), "{}", client.said());
    });
}

#[test]
fn the_responder_sleeps_through_what_is_not_for_it() {
    on_a_lan(Gateway::Nobody, |_server| {
        run("ip -n guest link set eth0 up; ip -n guest address add 10.0.0.5/24 dev eth0", true);
        std::thread::sleep(Duration::from_millis(500));
        // The responder's thread was started here, so it is the one of that name in this namespace.
        let here = fs::read_link("/proc/thread-self/ns/net").unwrap();
        let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
        let ours = |task: &Path| {
            let name = fs::read_to_string(task.join("comm")).unwrap_or_default();
            name == "dhcp\n" && fs::read_link(task.join("ns/net")).is_ok_and(|netns| netns == here)
        };
        let task = tasks.into_iter().find(|task| ours(task)).unwrap();
        let wakeups = || {
            let status = fs::read_to_string(task.join("status")).unwrap();
            status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap().to_owned()
        };
        let before = wakeups();
        run("ip netns exec guest ping -c 3 -i 0.2 -W 1 10.0.0.7 >&2", false);
        assert_eq!(wakeups(), before, "woken by ARP for a port");
        run("ip netns exec guest ping -c 1 -W 1 10.0.0.1 >&2", false);
        assert_ne!(wakeups(), before, "not woken by ARP for the gateway");
        assert!(run("ip -n guest neighbour show 10.0.0.1", true).contains("lladdr"));
    });
}

#[test]
fn dhclient_gets_a_lease_and_confirms_it_when_it_starts_again() {
    on_a_lan(Gateway::Nobody, |_server| {
        let start = || Client::start("/usr/sbin/dhclient", "isc-dhcp-client", "dhclient -4 -d -v eth0");
        let mut client = start();
        client.says("DHCPACK of 10.0.0.5 from 10.0.0.1", 1);
        client.configured("/etc/resolv.conf");
        drop(client);
        run("ip -n guest address flush dev eth0", true);
        let mut client = start();
        client.says("DHCPACK of 10.0.0.5 from 10.0.0.1", 2);
        client.configured("/etc/resolv.conf");
        assert_eq!(client.said().matches("DHCPDISCOVER").count(), 1, "{}", client.said());
    });
}

#[test]
fn dhcpcd_gets_a_lease() {
    on_a_lan(Gateway::Nobody, |_server| {
        let mut client = Client::start("/usr/sbin/dhcpcd", "dhcpcd-base", "dhcpcd -4 -B -d eth0");
        client.configured("/etc/resolv.conf");
    });
}

#[test]
fn systemd_networkd_gets_a_lease() {
    on_a_lan(Gateway::Nobody, |_server| {
        // Without udev there is nobody to say that a link is ready; networkd asks no udev where /sys is read-only.
        fs::create_dir_all("/etc/systemd/network").unwrap();
        let network = "[Match]\nName=eth0\n[Network]\nDHCP=ipv4\n[DHCPv4]\nUseMTU=yes\n";
        fs::write("/etc/systemd/network/10-eth0.network", network).unwrap();
        run(
            "mkdir -p /run/systemd/netif/leases /run/systemd/netif/links /run/systemd/netif/lldp
             chown -R systemd-network: /run/systemd/netif",
            true,
        );
        let program = "/lib/systemd/systemd-networkd";
        let mut client = Client::start(program, "systemd", &format!("mount -t sysfs -o ro sysfs /sys; {program}"));
        client.configured("/run/systemd/netif/leases/*");
    });
}
