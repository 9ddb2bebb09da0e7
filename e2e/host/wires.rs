//! Physical networks: an interface given to us whole, a shared one, and what cannot be.

use nix::sys::signal::Signal;
use tenet::api::Protocol::TCP;

use crate::support::{Guest, Host, ip, run, until};

/// A wire: `nic` in the host stands for a network card, and `peer` is a machine at its other end.
fn wire(host: &Host) -> Guest {
    let peer = host.guest("peer");
    ip("link add nic type veth peer name eth0 netns peer
        link set nic up
        -n peer addr add 203.0.113.1/24 dev eth0
        -n peer link set eth0 up");
    peer
}

fn objects(attachment: &str) -> String {
    format!(
        "PhysicalNetwork public {{attachments: [{attachment}]}}
Network public {{external: true, provider: {{physicalNetwork: public, type: Flat}}}}
Subnet public {{networkRef: {{name: public}}, cidr: 203.0.113.0/24, dhcp: false,
    allocationPools: [{{start: 203.0.113.10, end: 203.0.113.20}}]}}
Network blue
Subnet web {{networkRef: {{name: blue}}, cidr: 10.0.0.0/24}}
Port a {{networkRef: {{name: blue}}}}
Router r {{interfaces: [{{subnetRef: {{name: web}}}}], externalGateway: {{networkRef: {{name: public}}}}}}
FloatingIP f {{networkRef: {{name: public}}, ip: 203.0.113.100, portRef: {{name: a}}}}
"
    )
}

/// SNAT and the floating IP work over the wire.
fn works(guest: &Guest, peer: &Guest) {
    guest.answers(80);
    peer.answers(80);
    reach(guest, peer);
}

fn reach(guest: &Guest, peer: &Guest) {
    guest.wait_seen(TCP, "203.0.113.1:80", "peer 203.0.113.100");
    peer.wait_seen(TCP, "203.0.113.100:80", &format!("{} 203.0.113.1", guest.name));
}

fn host_has(link: &str) -> bool {
    run(&format!("ip link show {link}")).ok()
}

#[test]
fn an_interface_is_moved_in_whole_and_given_back() {
    let mut host = Host::new();
    let peer = wire(&host);
    host.declare("all.yaml", &objects("{interface: nic}"));
    host.start();
    let guest = host.plugged("a", "a");
    works(&guest, &peer);
    assert!(!host_has("nic"), "it is in the vswitch");
    host.stop(Signal::SIGKILL);
    host.start();
    host.wait_ready("physicalnetwork", "public");
    assert!(guest.pings("203.0.113.1"));
    host.stop(Signal::SIGTERM);
    host.tenet("clean --yes").expect_ok();
    assert!(host_has("nic"), "it is given back under its own name");
    let nic = run("ip -d link show nic").expect_ok();
    assert!(!nic.contains("alias") && !nic.contains("master"), "{nic}");
}

#[test]
fn an_interface_that_the_host_uses_is_not_taken_until_it_is_free() {
    let mut host = Host::new();
    let peer = wire(&host);
    ip("addr add 198.51.100.7/24 dev nic");
    host.declare("all.yaml", &objects("{interface: nic}"));
    host.start();
    let why = host.wait_refused("physicalnetwork", "public", "Programmed", "InterfaceInUse");
    assert!(why.contains("nic") && why.contains("mode: Shared"), "{why}");
    assert!(host_has("nic"));
    host.declare("all.yaml", &objects("{interface: nic, mode: Shared}"));
    let guest = host.plugged("a", "a");
    works(&guest, &peer);
    let (.., message) = host.condition("physicalnetwork", "public", "Programmed").unwrap();
    assert!(message.contains("macvlan"), "{message}");
    assert!(run("ip addr show nic").out.contains("198.51.100.7"), "the host keeps it");
}

#[test]
fn an_interface_is_one_physical_networks_and_the_next_ones_when_it_is_given_up() {
    let mut host = Host::new();
    let peer = wire(&host);
    let second = "PhysicalNetwork another {attachments: [{interface: nic}]}";
    // Nothing but the interface is in the way: which nodes the selectors mean is not looked at here.
    let third = "PhysicalNetwork far {attachments: [{nodeSelector: {matchLabels: {rack: b}}, interface: spare}]}
PhysicalNetwork near {attachments: [{nodeSelector: {matchLabels: {rack: a}}, interface: spare}]}";
    ip("link add spare type veth peer name end");
    host.declare("a.yaml", &objects("{interface: nic}"));
    host.start();
    let guest = host.plugged("a", "a");
    works(&guest, &peer);
    host.declare("b.yaml", &format!("{second}\n{third}"));
    let why = host.wait_refused("physicalnetwork", "another", "Accepted", "InterfaceInUse");
    assert!(why.contains("PhysicalNetwork public's"), "{why}");
    let why = host.wait_refused("physicalnetwork", "near", "Programmed", "InterfaceInUse");
    assert!(why.contains("PhysicalNetwork far's on this node"), "{why}");
    host.wait_ready("physicalnetwork", "far");
    assert!(guest.pings("203.0.113.1"), "who has it keeps it");
    host.remove("b.yaml");
    let other = objects("{interface: nic}").replace("public", "another").replace("FloatingIP f", "FloatingIP g");
    host.declare("a.yaml", &other);
    until("the removals were held back and let go", || host.tenet("confirm").ok());
    host.wait_ready("physicalnetwork", "another");
    reach(&guest, &peer);
    let gone = host.log().lines().any(|line| line.contains("in order again") && line.ends_with("PhysicalNetwork near"));
    assert!(!gone, "nobody says that what is gone is in order");
}

#[test]
fn a_wire_that_is_missing_is_named_and_heals_when_it_appears() {
    let mut host = Host::new();
    host.declare("all.yaml", &objects("{interface: br-ext}"));
    host.start();
    let why = host.wait_refused("physicalnetwork", "public", "Programmed", "NoAttachment");
    assert!(why.contains("br-ext"), "{why}");
    host.wait_refused("router", "r", "Ready", "NoAttachment");
    host.bridge("br-ext", "203.0.113.1/24");
    host.wait_ready("physicalnetwork", "public");
    let guest = host.plugged("a", "a");
    guest.wait_pings("203.0.113.1");
}

#[test]
fn what_a_wire_cannot_carry_is_refused() {
    let mut host = Host::new();
    host.bridge("br-ext", "203.0.113.1/24");
    host.declare(
        "all.yaml",
        &objects("{interface: br-ext}").replace("public {attachments", "public {mtu: 9000, attachments"),
    );
    host.start();
    let why = host.wait_refused("physicalnetwork", "public", "Programmed", "InvalidMTU");
    assert!(why.contains("1500") && why.contains("9000"), "{why}");
    let vlan = "
PhysicalNetwork public {attachments: [{interface: br-ext}]}
Network tagged {provider: {physicalNetwork: public, type: VLAN, vlan: 7}}
Subnet tagged {networkRef: {name: tagged}, cidr: 10.7.0.0/24}
Port t {networkRef: {name: tagged}}
";
    host.declare("all.yaml", vlan);
    until("so many removals at once are held back", || host.log().contains("tenet confirm"));
    host.tenet("confirm").expect_ok();
    host.guest("t");
    if std::path::Path::new("/proc/net/vlan").exists() {
        host.tenet("plug t --netns t --timeout 5s").expect_ok();
    } else {
        let said = host.tenet("plug t --netns t --timeout 1s");
        assert!(said.code == Some(1) && said.err.contains("802.1Q"), "{said:?}");
    }
    until("the router is gone", || host.object("router", "r").is_null());
}

#[test]
fn a_bridge_that_the_hosts_iptables_filter_is_named_with_the_sysctl_to_set() {
    let sysctl = "net.bridge.bridge-nf-call-iptables";
    let mut host = Host::new();
    host.bridge("br-ext", "203.0.113.1/24");
    if !run(&format!("sysctl -w {sysctl}=1")).ok() {
        // Without the module br_netfilter nothing is filtered.
        return;
    }
    host.declare("all.yaml", crate::floating::OUTSIDE);
    host.start();
    let named = |host: &Host| host.condition("physicalnetwork", "public", "Programmed");
    until("it is named", || named(&host).is_some_and(|(_, reason, _)| reason == "BridgeFiltered"));
    let (status, _, message) = named(&host).unwrap();
    assert_eq!(status, "True", "it is a hint: whether packets are lost is up to the host's rules");
    assert!(message.contains(sysctl) && message.contains("br-ext"), "{message}");
    run(&format!("sysctl -w {sysctl}=0")).expect_ok();
    host.declare("more.yaml", "Network more");
    until("it is named no more", || named(&host).is_some_and(|(_, reason, _)| reason == "Programmed"));
}
