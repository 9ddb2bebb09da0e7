//! Pods get interfaces and lose them again.

use serde_json::Value;

use crate::runtime::{Pod, first, host};
use crate::support::until;

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

#[test]
fn the_default_route_moves_only_where_it_is_asked_for() {
    let host = host();
    let a = host.guest("a");
    a.ip("link add eth0 type veth peer name far
          addr add 192.0.2.7/24 dev eth0
          link set eth0 up
          link set far up
          route add default via 192.0.2.1");
    let pod = Pod::new(&host, &a, &[("ports", "web-0"), ("default-route", "web-0")]);
    pod.add();
    let routes = a.run("ip route show default").out;
    assert_eq!(routes.trim().lines().count(), 1, "{routes}");
    assert!(routes.contains("via 10.0.0.1 dev net1"), "{routes}");
    pod.quiet("CHECK");
    a.ip("route del default");
    assert!(pod.refused("CHECK").1.contains("route to 0.0.0.0/0"));
}

#[test]
fn a_check_sees_what_was_changed_in_the_pod_and_an_edit_of_the_port_reaches_it() {
    let host = host();
    let a = host.guest("a");
    let pod = Pod::new(&host, &a, &[("ports", "web-0")]);
    pod.add();
    a.ip("addr flush dev net1");
    let (code, why) = pod.refused("CHECK");
    assert!(code == 101 && why.contains("10.0.0.50/24"), "{code} {why}");
    // An interface that is made anew is given everything anew.
    a.ip("link del net1");
    until("it is made again", || a.run("ip addr show dev net1").out.contains("10.0.0.50/24"));
    pod.quiet("CHECK");
    host.edit("blue.yaml", "ip: 10.0.0.50", "ip: 10.0.0.70");
    until("the new address is there", || {
        let shown = a.run("ip addr show dev net1").out;
        shown.contains("10.0.0.70/24") && !shown.contains("10.0.0.50/24")
    });
    pod.quiet("CHECK");
}

#[test]
fn a_meta_plugin_gets_what_it_names_and_takes_away_that_alone() {
    let host = host();
    let a = host.guest("a");
    let chained = Pod::new(&host, &a, &[("ports", "web-0@eth7")]);
    chained.add();
    let network = Pod::delegated(&host, &a, ("network", "red"));
    let result = network.add();
    assert_eq!(result["ips"][0]["address"], "10.1.0.61/24");
    assert_eq!(result["interfaces"].as_array().unwrap().len(), 1);
    assert_eq!(result["cniVersion"], "1.0.0");
    let mut port = Pod::delegated(&host, &a, ("port", "green-0"));
    port.interface = "net2".into();
    assert_eq!(port.add()["ips"][0]["address"], "10.2.0.9/24");
    for pod in [&network, &port, &chained] {
        pod.quiet("CHECK");
    }
    network.quiet("DEL");
    assert!(!a.run("ip link show net1").ok() && a.run("ip link show net2").ok() && a.run("ip link show eth7").ok());
    assert_eq!(network.refused("CHECK").0, 101);
    chained.quiet("CHECK");
}

#[test]
fn a_port_outlives_its_pod_and_the_next_one_waits_for_it() {
    let host = host();
    let (a, b) = (host.guest("a"), host.guest("b"));
    let old = Pod::new(&host, &a, &[("ports", "web-0")]);
    let mac = |result: &Value| result["interfaces"][2]["mac"].as_str().unwrap().to_owned();
    let first = mac(&old.add());
    let new = Pod::new(&host, &b, &[("ports", "web-0")]);
    let waits = new.start("ADD", new.config.to_string().as_bytes());
    assert!(!b.run("ip link show net1").ok(), "it is another's still");
    old.quiet("DEL");
    let said = crate::support::Said::of(&waits.wait_with_output().unwrap());
    assert!(said.ok(), "{said:?}");
    assert_eq!(mac(&serde_json::from_str(&said.out).unwrap()), first);
    assert!(b.run("ip addr show dev net1").out.contains("10.0.0.50/24"));
    // The old one's second DEL, late, is about the old one.
    old.quiet("DEL");
    new.quiet("CHECK");
}

#[test]
fn a_pod_gets_all_or_nothing_and_is_told_the_reason_of_the_port() {
    let host = host();
    host.declare("bad.yaml", "Port bad {networkRef: {name: nowhere}}");
    let a = host.guest("a");
    let (code, why) = Pod::new(&host, &a, &[("ports", "web-0, bad")]).refused("ADD");
    assert!(
        code == 100
            && why.contains("Port default/bad")
            && why.contains("ResolvedRefs: NotFound: Network default/nowhere"),
        "{code} {why}"
    );
    until("nothing is left", || !a.run("ip link show net1").ok());
    assert!(!std::fs::read_to_string(host.dir.join("state/plugged.json")).unwrap_or_default().contains("c0ffee"));
}

#[test]
fn garbage_is_what_the_record_has_and_the_runtime_does_not() {
    let host = host();
    let (a, b) = (host.guest("a"), host.guest("b"));
    let lives = Pod::new(&host, &a, &[("ports", "web-0")]);
    let crashed = Pod::new(&host, &b, &[("ports", "web-1")]);
    let mut elsewhere = Pod::delegated(&host, &b, ("port", "green-0"));
    elsewhere.interface = "net2".into();
    for pod in [&lives, &crashed, &elsewhere] {
        pod.add();
    }
    host.tenet("plug plain --netns a --ifname eth5").expect_ok();
    let living = serde_json::json!([{"containerID": lives.container, "ifname": "eth0"}]);
    lives.clone().with("cni.dev/valid-attachments", living).quiet("GC");
    assert!(!b.run("ip link show net1").ok(), "it was no pod's any more");
    lives.quiet("CHECK");
    elsewhere.quiet("CHECK");
    assert!(a.run("ip link show eth5").ok(), "what no pod has is nobody's garbage");
}

#[test]
fn a_hundred_pods_at_once() {
    let host = host();
    let ports: String = (0..100).map(|n| format!("Port many-{n} {{networkRef: {{name: blue}}}}\n")).collect();
    host.declare("many.yaml", &ports);
    let pods: Vec<Pod> = (0..100)
        .map(|n| {
            let guest = host.guest(&format!("g{n}"));
            Pod::new(&host, &guest, &[("ports", &format!("many-{n}"))])
        })
        .collect();
    let start = |command: &str| {
        let begun: Vec<_> = pods.iter().map(|pod| pod.start(command, pod.config.to_string().as_bytes())).collect();
        for child in begun {
            let said = crate::support::Said::of(&child.wait_with_output().unwrap());
            assert!(said.ok(), "{command}: {said:?}");
        }
    };
    start("ADD");
    start("CHECK");
    start("DEL");
    assert!(!std::fs::read_to_string(host.dir.join("state/plugged.json")).unwrap().contains("c0ffee"));
}
