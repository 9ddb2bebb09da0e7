//! How things end: while nobody looks, by another hand than usual, with their node, and at each step of being made.

use std::time::Duration;

use super::{audit, sized};
use crate::nodes::Cluster;
use crate::support::{Guest, ip, run, until};

const OUTSIDE: &str = "
PhysicalNetwork wire {attachments: [{interface: br-ext}]}
Network public {external: true, provider: {physicalNetwork: wire, type: Flat}}
Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/24, gatewayIP: 203.0.113.1, allocationPools: [{start: 203.0.113.10, end: 203.0.113.99}]}";

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}]}
Router r {interfaces: [{subnetRef: {name: web}}], externalGateway: {networkRef: {name: public}}}
FloatingIP f {networkRef: {name: public}, ip: 203.0.113.50, portRef: {name: a}}";

const NAMES: &str = "tport/a tport/b tfip/f trtr/r tsub/web tnet/blue";

fn has_interface(guest: &Guest) -> bool {
    guest.run("ip link show eth0").ok()
}

/// Nothing is locked but by what the outside has.
fn nothing_left(cluster: &Cluster) {
    let locks = || cluster.plane.expect(&["get", "allocations", "-o", "jsonpath={.items[*].spec.owner.name}"], "");
    until("nothing is locked any more", || locks().trim().is_empty());
}

/// Plugs a port again into a guest that is there.
pub fn again(cluster: &Cluster, node: usize, port: &str) -> Guest {
    let _ = cluster.nodes[node - 1].tenet(&format!("unplug {port}"));
    ip(&format!("netns del {port}"));
    cluster.guest(node, port)
}

#[test]
fn what_ends_while_nobody_looks_or_by_hand_ends_everywhere_and_begins_anew_by_the_same_name() {
    let mut cluster = Cluster::start(2);
    let outside = cluster.wire(&[1, 2]);
    cluster.apply(&format!("{OUTSIDE}\n{WORLD}"));
    cluster.wait("trtr/r tfip/f", "Ready");
    let (mut a, mut b) = (cluster.guest(1, "a"), cluster.guest(2, "b"));
    a.wait_pings("10.0.0.12");
    outside.wait_pings("203.0.113.50");
    let uid = |cluster: &Cluster, what: &str| cluster.kubectl(&format!("get {what} -o jsonpath={{.metadata.uid}}"));

    // Deleted and made again by the same names while an agent is dead; then while the controller is.
    cluster.nodes[0].kill_agent();
    cluster.kubectl(&format!("delete {NAMES} --timeout=30s"));
    cluster.apply(WORLD);
    cluster.wait("tport/a tport/b", "Ready");
    cluster.nodes[0].start_agent();
    until("the guests of those that are gone are unplugged", || !has_interface(&a) && !has_interface(&b));
    (a, b) = (again(&cluster, 1, "a"), again(&cluster, 2, "b"));
    a.wait_pings("10.0.0.12");
    outside.wait_pings("203.0.113.50");
    let olds = ["tport/a", "tnet/blue"].map(|what| uid(&cluster, what));
    cluster.stop_controller(0);
    cluster.kubectl(&format!("delete {NAMES} --wait=false"));
    // What others depend on has a finalizer that somebody takes away by hand.
    for what in ["trtr/r", "tsub/web", "tnet/blue"] {
        cluster.plane.expect(&["patch", what, "--type=merge", "-p", "{\"metadata\":{\"finalizers\":null}}"], "");
    }
    until("all are gone", || cluster.plane.kubectl(&["get", "tnet/blue", "-o", "name"], "").stdout.is_empty());
    until("agents need no controller for that", || !has_interface(&a) && !has_interface(&b));
    cluster.apply(WORLD);
    cluster.start_controller();
    cluster.wait("tport/a tport/b", "Ready");
    (a, b) = (again(&cluster, 1, "a"), again(&cluster, 2, "b"));
    a.wait_pings("10.0.0.12");
    outside.wait_pings("203.0.113.50");
    assert!(["tport/a", "tnet/blue"].map(|what| uid(&cluster, what)).iter().zip(&olds).all(|(new, old)| new != old));
    audit::balances(&cluster);

    // The node with the gateway is gone for good, with all that told of it.
    let gateway = cluster.get("trtr", "r")["status"]["gatewayNode"].as_str().unwrap().to_owned();
    let number: usize = gateway.rsplit('-').next().unwrap().parse().unwrap();
    let (gone, stays) = if number == 1 { ("a", &b) } else { ("b", &a) };
    cluster.nodes[number - 1].fall();
    cluster.kubectl(&format!("delete node/{gateway} tagent/{gateway}"));
    cluster.kubectl(&format!("delete lease -n tenet-agents {gateway}"));
    // Who leads next knows of it by nothing but what is bound there.
    cluster.stop_controller(1);
    cluster.start_controller();
    stays.wait_pings("203.0.113.1");
    assert_ne!(cluster.get("trtr", "r")["status"]["gatewayNode"], gateway.as_str());
    until("its port is free", || cluster.get("tport", gone)["status"]["binding"].is_null());
    let other = again(&cluster, 3 - number, gone);
    other.wait_pings("203.0.113.1");
    stays.wait_pings(if number == 1 { "10.0.0.11" } else { "10.0.0.12" });
    if gone == "a" {
        outside.wait_pings("203.0.113.50");
    }
    cluster.kubectl(&format!("delete {NAMES} --timeout=30s"));
    nothing_left(&cluster);
}

/// How the kernel of a node looks that holds nothing for a tenant.
fn bare(cluster: &Cluster) -> String {
    let node = &cluster.nodes[0];
    let links = node.run(&format!("find {} -name rtr-*", node.run_dir().display())).out;
    links + &node.run(&format!("nsenter --net={}/vswitch ip -br link", node.run_dir().display())).out
}

#[test]
fn what_is_deleted_at_any_step_of_being_made_leaves_nothing_and_the_types_may_go_first() {
    let mut cluster = Cluster::start(1);
    let _outside = cluster.wire(&[1]);
    cluster.apply(OUTSIDE);
    cluster.wait("tphys/wire", "Ready");
    cluster.apply(WORLD);
    let _a = cluster.guest(1, "a");
    cluster.kubectl(&format!("delete {NAMES} --timeout=30s"));
    until("nothing of it is in the kernel", || !bare(&cluster).contains("rtr-"));
    nothing_left(&cluster);
    let before = bare(&cluster);
    let (rounds, mut pause) = (sized(6, 60), Duration::ZERO);
    for round in 0..rounds {
        cluster.apply(WORLD);
        ip("netns del a\nnetns add a");
        let plug = std::thread::spawn({
            let node = cluster.nodes[0].socket();
            move || {
                run(&format!(
                    "{} plug a --netns a --timeout 3 --socket {}",
                    crate::support::binary().display(),
                    node.display()
                ))
            }
        });
        std::thread::sleep(pause);
        cluster.kubectl(&format!("delete {NAMES} --timeout=30s"));
        let _ = plug.join();
        nothing_left(&cluster);
        until(&format!("round {round}: nothing of it is in the kernel"), || bare(&cluster) == before);
        pause += Duration::from_millis(sized(60, 12));
    }

    // The controller is gone first, then a type, with all its objects; installed anew, all goes on.
    cluster.apply(WORLD);
    ip("netns del a\nnetns add a");
    let (a, b) = (again(&cluster, 1, "a"), cluster.guest(1, "b"));
    a.wait_pings("10.0.0.12");
    cluster.stop_controller(0);
    cluster.kubectl("delete crd ports.tenet.network --timeout=30s");
    until("ports are gone, and so are their wires", || !has_interface(&a) && !has_interface(&b));
    assert!(!cluster.nodes[0].has_no_agent());
    cluster.kubectl(&format!("apply --server-side --force-conflicts -f {}", crate::nodes::INSTALL));
    cluster.kubectl("wait --for=condition=Established crd --all --timeout=30s");
    cluster.start_controller();
    until("ports can be made again", || {
        cluster.plane.kubectl(&["apply", "-f", "-"], &crate::support::yaml(WORLD)).status.success()
    });
    let (a, _b) = (again(&cluster, 1, "a"), again(&cluster, 1, "b"));
    a.wait_pings("10.0.0.12");
    audit::balances(&cluster);
}
