//! Taps, as hypervisors hold them open.

use std::process::{Child, Command, Stdio};

use crate::addresses::BLUE;
use crate::support::{Guest, Host, ip, run, until};

const PORTS: &str = "
Port vm {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Port g {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}]}
Router r {interfaces: [{subnetRef: {name: web}}]}
";

/// Something that holds `tap0` of this host open. Behind it, as behind a hypervisor, is a machine: a namespace whose
/// interface gets the frames, with the port's address.
struct Machine {
    socat: Child,
    guest: Guest,
}

impl Machine {
    fn start(host: &Host, name: &str, mac: &str) -> Self {
        let guest = host.guest(name);
        // A hypervisor drops what it cannot write to a tap that is down; socat ends, and its tap with it. So the machine
        // says nothing of its own (neighbour discovery).
        guest.run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1").expect_ok();
        // Frames go from the tap of the host through a unix socket to a tap of the machine.
        let socket = host.dir.join(format!("{name}.sock"));
        let inside = Command::new("nsenter")
            .arg(format!("--net={}", guest.path.display()))
            .args(["socat", &format!("UNIX-LISTEN:{},type=5", socket.display())])
            .args(["TUN,tun-type=tap,tun-name=eth0,iff-no-pi,iff-up"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        std::mem::forget(inside);
        until("the machine listens", || socket.exists());
        let socat = Command::new("socat")
            .args([
                &format!("TUN,tun-type=tap,tun-name={name},iff-no-pi"),
                &format!("UNIX-CONNECT:{},type=5", socket.display()),
            ])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        until("the tap is there", || run(&format!("ip link show {name}")).ok());
        until("the machine has its interface", || guest.run("ip link show eth0").ok());
        guest.ip(&format!("link set eth0 address {mac} mtu 1450\nlink set eth0 up"));
        Self { socat, guest }
    }

    fn stop(&mut self) {
        self.socat.kill().unwrap();
        self.socat.wait().unwrap();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.socat.kill();
        let _ = self.socat.wait();
    }
}

#[test]
fn a_tap_is_a_guest_until_the_hypervisor_closes_it() {
    let mut host = Host::new();
    host.declare("all.yaml", &[BLUE, PORTS].concat());
    host.start();
    let g = host.plugged("g", "g");
    let mac = host.object("port", "vm")["status"]["macAddress"].as_str().unwrap().to_owned();
    let mut machine = Machine::start(&host, "tap0", &mac);
    let said = host.tenet("plug vm --tap tap0 --timeout 5s").expect_ok();
    assert!(said.contains("tap0") && said.contains(&mac), "{said}");
    assert!(!run("ip link show tap0").ok(), "it was moved in");
    machine.guest.ip("addr add 10.0.0.11/24 dev eth0\nroute add default via 10.0.0.1");
    g.wait_pings("10.0.0.11");
    machine.guest.wait_pings("10.0.0.1");
    host.tenet("plug vm --tap tap0 --timeout 5s").expect_ok();
    let elsewhere = host.tenet("plug vm --netns g --ifname eth1 --timeout 1s");
    assert!(elsewhere.code == Some(1) && elsewhere.err.contains("tap tap0"), "{elsewhere:?}");
    host.stop(nix::sys::signal::Signal::SIGKILL);
    assert!(g.pings("10.0.0.11"));
    host.start();
    assert!(g.pings("10.0.0.11"));
    assert_eq!(host.tenet(&format!("plan {}", host.yaml())).code, Some(0));
    machine.stop();
    until("nobody is plugged", || host.object("port", "vm")["status"]["binding"].is_null());
    host.wait_ready("port", "vm");
    assert_eq!(host.condition("port", "vm", "Ready").unwrap().1, "Unbound");
    assert_eq!(host.tenet(&format!("plan {}", host.yaml())).code, Some(0));
}

#[test]
fn a_tap_that_is_unplugged_is_given_back_by_its_name() {
    let mut host = Host::new();
    host.declare("all.yaml", &[BLUE, PORTS].concat());
    host.start();
    let g = host.plugged("g", "g");
    let machine = Machine::start(&host, "tap7", "02:00:00:00:00:07");
    for _ in 0..2 {
        host.tenet("plug vm --tap tap7 --timeout 5s").expect_ok();
        assert!(!run("ip link show tap7").ok());
        host.tenet("unplug vm").expect_ok();
        until("it is back", || run("ip link show tap7").ok());
    }
    assert!(!g.pings("10.0.0.11"));
    drop(machine);
}

#[test]
fn what_is_no_tap_is_refused() {
    let mut host = Host::new();
    host.declare("all.yaml", &[BLUE, PORTS].concat());
    host.start();
    ip("link add veth0 type veth peer name veth1");
    for (name, words) in [("veth0", "is no tap"), ("lo", "is no tap"), ("tap9", "has no tap tap9")] {
        let said = host.tenet(&format!("plug vm --tap {name} --timeout 1s"));
        assert!(said.code == Some(1) && said.err.contains(words), "{name}: {said:?}");
        assert!(host.object("port", "vm")["status"]["binding"].is_null());
    }
    assert!(run("ip link show veth0").ok() && run("ip link show lo").ok());
}
