//! Pods get interfaces and lose them again, whatever happens in between.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::runtime::{Pod, first};
use crate::support::{Host, until};

const BLUE: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port web-0 {networkRef: {name: blue}, addresses: [{ip: 10.0.0.50}]}
Port web-1 {networkRef: {name: blue}, addresses: [{ip: 10.0.0.51}]}
Network red
Subnet far {networkRef: {name: red}, cidr: 10.1.0.0/24, hostRoutes: [{destination: 172.16.0.0/12, nextHop: 10.1.0.9}]}
Port a-net1 {networkRef: {name: red}, addresses: [{ip: 10.1.0.61}]}
";

fn host() -> Host {
    let mut host = Host::new();
    host.declare("blue.yaml", BLUE);
    host.start();
    host
}

#[test]
fn a_pod_with_annotations_gets_its_interfaces_and_loses_them() {
    let host = host();
    let (a, b) = (host.guest("a"), host.guest("b"));
    let pod = Pod::new(&host, &a, &[("networks", "red"), ("ports", "web-0@eth7")]);
    let result = pod.add();
    let other = Pod::new(&host, &b, &[("ports", "web-1")]);
    other.add();
    let names: Vec<_> = result["interfaces"].as_array().unwrap().iter().map(|i| i["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["veth1", "eth0", "net1", "eth7"]);
    assert_eq!(result["interfaces"][2]["sandbox"], "/var/run/netns/a");
    assert_eq!(result["interfaces"][2]["mtu"], 1450);
    assert_eq!((&result["ips"], &result["theirs"]), (&first()["ips"], &first()["theirs"]), "the first's stay");
    let shown = a.run("ip addr show dev net1").out;
    assert!(shown.contains("inet 10.1.0.61/24") && shown.contains("UP"), "{shown}");
    assert!(shown.contains(result["interfaces"][2]["mac"].as_str().unwrap()), "{shown}");
    assert!(a.run("ip route").out.contains("172.16.0.0/12 via 10.1.0.9"), "the subnet's routes");
    assert!(!a.run("ip route").out.contains("default"), "no default route that nobody asked for");
    b.wait_pings("10.0.0.50");
    pod.quiet("CHECK");
    pod.add();
    pod.quiet("DEL");
    assert!(!a.run("ip link show net1").ok() && !a.run("ip link show eth7").ok());
    pod.quiet("DEL");
    other.quiet("CHECK");
}
