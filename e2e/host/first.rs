//! The main job, end to end.

use nix::sys::signal::Signal;

use crate::floating::OUTSIDE;
use crate::support::{Host, run, until};

const BLUE: &str = r"
apiVersion: tenet.network/v1alpha1
kind: Network
metadata: {name: blue}
spec: {}
---
apiVersion: tenet.network/v1alpha1
kind: Subnet
metadata: {name: web}
spec: {networkRef: {name: blue}, cidr: 10.0.0.0/24}
---
apiVersion: tenet.network/v1alpha1
kind: Port
metadata: {name: web-0}
spec: {networkRef: {name: blue}}
---
apiVersion: tenet.network/v1alpha1
kind: Port
metadata: {name: web-1}
spec: {networkRef: {name: blue}, addresses: [{ip: 10.0.0.50}]}
---
apiVersion: tenet.network/v1alpha1
kind: Router
metadata: {name: r1}
spec:
  interfaces: [{subnetRef: {name: web}}]
  externalGateway: {networkRef: {name: public}}
---
apiVersion: tenet.network/v1alpha1
kind: FloatingIP
metadata: {name: web-0}
spec: {networkRef: {name: public}, ip: 203.0.113.100, portRef: {name: web-0}}
";

#[test]
fn guests_reach_each_other_the_outside_and_are_reached_and_a_restart_changes_nothing() {
    let mut host = Host::new();
    host.bridge("br-ext", "203.0.113.1/24");
    host.declare("outside.yaml", OUTSIDE);
    host.write("blue.yaml", BLUE);
    host.start();
    let (a, b) = (host.plugged("web-0", "a"), host.plugged("web-1", "b"));
    for (guest, to) in [(&a, "10.0.0.1"), (&a, "10.0.0.50"), (&b, "10.0.0.2"), (&a, "203.0.113.1"), (&b, "203.0.113.1")]
    {
        guest.wait_pings(to);
    }
    assert!(run("ping -c 1 -W 1 203.0.113.100").ok(), "the floating IP answers");
    for (kind, name) in
        [("network", "blue"), ("subnet", "web"), ("port", "web-0"), ("router", "r1"), ("floatingip", "web-0")]
    {
        host.wait_ready(kind, name);
    }
    host.stop(Signal::SIGKILL);
    assert!(a.pings("203.0.113.1"), "forwarding outlives the agent");
    assert_eq!(host.tenet(&format!("plan {}", host.yaml())).code, Some(0), "nothing to change");
    host.start();
    assert_eq!(host.stop(Signal::SIGTERM), Some(0));
    assert!(a.pings("10.0.0.50") && b.pings("203.0.113.1"));
    host.tenet("clean --yes").expect_ok();
    assert!(!a.pings("10.0.0.1"));
}

#[test]
fn an_edit_of_mtu_or_mac_address_reaches_a_guest_that_is_plugged() {
    let mut host = Host::new();
    let yaml = |mtu: u32, mac: &str| {
        BLUE.replace("spec: {}", &format!("spec: {{mtu: {mtu}}}")).replace(
            "spec: {networkRef: {name: blue}}",
            &format!("spec: {{networkRef: {{name: blue}}, macAddress: \"{mac}\"}}"),
        )
    };
    host.write("blue.yaml", &yaml(1400, "02:00:00:00:00:05"));
    host.start();
    let guest = host.plugged("web-0", "a");
    let shows = |text: &str| guest.run("ip link show eth0").out.contains(text);
    assert!(shows("mtu 1400") && shows("02:00:00:00:00:05"));
    host.write("blue.yaml", &yaml(1300, "02:00:00:00:00:05"));
    until("the guest has the new MTU", || shows("mtu 1300"));
    assert!(guest.run("ip addr show eth0").out.contains("10.0.0.2/24"), "and keeps its address");
    host.write("blue.yaml", &yaml(1300, "02:00:00:00:00:06"));
    until("the guest has the new MAC address", || shows("02:00:00:00:00:06"));
}
