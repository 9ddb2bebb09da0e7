//! References: into other namespaces, to what does not exist yet, to what is being deleted.

use tenet::api::Protocol::TCP;

use crate::addresses::BLUE;
use crate::support::{Call, Host, ip, until};

const PORTS: &str = "
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}]}
";

const INFRA: &str = "
PhysicalNetwork wire {attachments: [{interface: br-ext}]}
Network infra/public {external: true, provider: {physicalNetwork: wire, type: Flat}}
Subnet infra/public {networkRef: {name: public}, cidr: 203.0.113.0/24, dhcp: false,
    allocationPools: [{start: 203.0.113.10, end: 203.0.113.20}]}
";

const ROUTER: &str = "
Router r {interfaces: [{subnetRef: {name: web}}], externalGateway: {networkRef: {name: public, namespace: infra}}}
FloatingIP f {networkRef: {name: public, namespace: infra}, ip: 203.0.113.100, portRef: {name: a}}
";

const GRANT: &str = "ReferenceGrant infra/out {from: [{namespace: default}], to: [{kind: Network, name: public}]}";

#[test]
fn the_outside_of_another_namespace_is_reached_while_it_is_granted() {
    let mut host = Host::new();
    host.bridge("br-ext", "203.0.113.1/24");
    host.declare("infra.yaml", INFRA);
    host.declare("blue.yaml", &[BLUE, PORTS, ROUTER].concat());
    host.start();
    let a = host.plugged("a", "a");
    let outside = host.outside();
    [&a, &outside].into_iter().for_each(|guest| guest.answers(80));
    let why = host.wait_refused("router", "r", "ResolvedRefs", "RefNotPermitted");
    assert!(why.contains("ReferenceGrant"), "{why}");
    host.wait_refused("floatingip", "f", "ResolvedRefs", "RefNotPermitted");
    assert!(a.silent("203.0.113.1:80") && outside.silent("203.0.113.100:80"));
    host.declare("grant.yaml", &GRANT.replace("namespace: default", "namespace: others"));
    host.declare("other.yaml", "Network infra/other");
    until("the other grant is read", || host.object("network", "infra/other")["status"].is_object());
    assert!(a.silent("203.0.113.1:80"), "a grant to others grants nothing");
    host.declare("grant.yaml", GRANT);
    outside.wait_seen(TCP, "203.0.113.100:80", "a 203.0.113.1");
    a.wait_seen(TCP, "203.0.113.1:80", "outside 203.0.113.100");
    for (kind, name) in [("router", "r"), ("floatingip", "f")] {
        host.wait_ready(kind, name);
    }
    let mut calls = [outside.call(TCP, "203.0.113.100:80").unwrap(), a.call(TCP, "203.0.113.1:80").unwrap()];
    assert!(calls.iter_mut().all(Call::alive));
    host.remove("grant.yaml");
    until("the grant is withdrawn", || a.silent("203.0.113.1:80") && outside.silent("203.0.113.100:80"));
    calls.iter_mut().for_each(Call::wait_dead);
    assert!(a.pings("10.0.0.1"), "the rest of the router goes on");
    host.declare("grant.yaml", &GRANT.replace("default", "'*'").replace(", name: public", ""));
    outside.wait_seen(TCP, "203.0.113.100:80", "a 203.0.113.1");
}

#[test]
fn a_port_on_a_network_of_another_namespace_is_cut_when_the_grant_goes() {
    let mut host = Host::new();
    host.declare("blue.yaml", &[BLUE, PORTS].concat());
    host.open("team");
    host.declare(
        "guest.yaml",
        "Port team/g {networkRef: {name: blue, namespace: default}, addresses: [{ip: 10.0.0.50}]}",
    );
    host.declare("grant.yaml", "ReferenceGrant share {from: [{namespace: team}], to: [{kind: Network}]}");
    host.start();
    let (a, g) = (host.plugged("a", "a"), host.plugged("team/g", "g"));
    g.wait_pings("10.0.0.11");
    let address = host.object("port", "team/g")["status"]["addresses"][0]["ip"].clone();
    host.remove("grant.yaml");
    until("it is cut", || !g.pings("10.0.0.11"));
    host.wait_refused("port", "team/g", "ResolvedRefs", "RefNotPermitted");
    assert!(a.pings("10.0.0.11"));
    host.declare("grant.yaml", "ReferenceGrant share {from: [{namespace: team}], to: [{kind: Network, name: blue}]}");
    host.wait_ready("port", "team/g");
    assert_eq!(host.object("port", "team/g")["status"]["addresses"][0]["ip"], address, "it gets its address back");
    // The guest's interface may be another one now: what matters is that it can be plugged again.
    host.tenet("plug team/g --netns g --force --timeout 10s").expect_ok();
}

#[test]
fn what_refers_to_nothing_waits_and_heals_when_it_appears_in_any_order() {
    let lines = [BLUE, PORTS].concat();
    let lines: Vec<&str> = lines.lines().filter(|line| !line.is_empty()).collect();
    for backwards in [false, true] {
        let mut host = Host::new();
        host.declare(
            "0.yaml",
            "FloatingIP f {networkRef: {name: nowhere}}\nRouter r {interfaces: [{subnetRef: {name: web}}]}",
        );
        host.start();
        let why = host.wait_refused("router", "r", "ResolvedRefs", "NotFound");
        assert!(why.contains("Subnet default/web does not exist"), "{why}");
        let mut order: Vec<usize> = (0..lines.len()).collect();
        if backwards {
            order.reverse();
        }
        for n in order {
            host.declare(&format!("{}.yaml", n + 1), lines[n]);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let (a, _b) = (host.plugged("a", "a"), host.plugged("b", "b"));
        a.wait_pings("10.0.0.12");
        a.wait_pings("10.0.0.1");
        host.wait_ready("router", "r");
        host.wait_refused("floatingip", "f", "ResolvedRefs", "NotFound");
        drop(host);
        if !backwards {
            // The second round is on the same thread: the guests' names are free again.
            ["a", "b"].iter().for_each(|name| ip(&format!("netns del {name}")));
        }
    }
}

#[test]
fn what_is_in_use_stays_names_its_users_and_goes_after_them() {
    let mut host = Host::new();
    host.declare("network.yaml", "Network blue");
    host.declare("subnets.yaml", BLUE.trim_start().split_once('\n').unwrap().1);
    host.declare("ports.yaml", PORTS);
    host.declare("router.yaml", "Router r {interfaces: [{subnetRef: {name: web}}]}");
    // Beside what is taken away, enough stays for nobody to suspect a mistake.
    host.declare("others.yaml", &(0..9).map(|n| format!("Network n{n}\n")).collect::<String>());
    host.start();
    let (a, b) = (host.plugged("a", "a"), host.plugged("b", "b"));
    a.wait_pings("10.0.0.12");
    let flow = a.stream_to(&b, "10.0.0.12");
    host.remove("network.yaml");
    host.remove("subnets.yaml");
    let why = host.wait_refused("network", "blue", "Ready", "InUse");
    assert!(why.contains("Port default/a") || why.contains("Subnet default/"), "{why}");
    let why = host.wait_refused("subnet", "web", "Ready", "InUse");
    assert!(why.contains("Port default/a") && why.contains("Port default/b"), "{why}");
    assert!(a.pings("10.0.0.1"));
    let (sent, lost) = flow.end();
    assert_eq!(lost, 0, "of {sent}");
    host.remove("router.yaml");
    until("the router is gone", || !a.pings("10.0.0.1"));
    assert!(a.pings("10.0.0.12"));
    host.remove("ports.yaml");
    until("all of it is gone", || {
        ["network blue", "subnet web", "subnet db", "port a", "port b"]
            .iter()
            .all(|o| host.tenet(&format!("get {o}")).code == Some(1))
    });
    // What is gone from the record is taken from the node right after.
    until("no packet passes", || !a.pings("10.0.0.12"));
}

#[test]
fn everything_deleted_at_once_goes_after_it_was_confirmed() {
    let mut host = Host::bare();
    host.bridge("br-ext", "203.0.113.1/24");
    let grant = GRANT;
    host.declare("all.yaml", &[INFRA, BLUE, PORTS, ROUTER, grant].concat());
    host.start();
    let a = host.plugged("a", "a");
    a.wait_pings("203.0.113.1");
    host.remove("all.yaml");
    until("it is held back", || host.tenet("get").err.contains("tenet confirm"));
    assert!(a.pings("203.0.113.1"));
    host.tenet("confirm").expect_ok();
    until("all is gone", || !a.pings("10.0.0.1") && host.tenet("get -A").err.contains("No resources found"));
    assert!(!host.dir.join("vswitch").exists(), "no namespace is left behind");
    assert!(crate::support::run("ip -br link").out.lines().all(|line| !line.starts_with('t')), "nor a link");
    assert!(a.run("ip link show eth0").code != Some(0));
}
