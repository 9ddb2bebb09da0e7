//! Lists that lie, to an agent that has just started and knows nothing but what is plugged; and objects that cannot be read.

use serde_json::Value;

use super::proxy::{Manner, Proxy};
use super::{World, audit, etcd};
use crate::flow::Flow;
use crate::nodes::Cluster;
use crate::page::converged;
use crate::support::until;

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}]}
Port c {networkRef: {name: blue}, addresses: [{ip: 10.0.0.13}]}";

const API: &str = "/apis/tenet.network/v1alpha1";

/// What a server says on a watch that would go on from what is forgotten.
pub const EXPIRED: &str = r#"{"type":"ERROR","object":{"apiVersion":"v1","kind":"Status","status":"Failure","code":410,"reason":"Expired"}}
"#;

/// The kind and the selector of a list of objects of all namespaces.
fn listed(line: &str) -> Option<(&str, &str)> {
    let (resource, query) = line.strip_prefix("GET ")?.strip_prefix(API)?.strip_prefix('/')?.split_once('?')?;
    (!query.contains("watch=")).then_some((resource, query))
}

/// A list as the server has it now.
fn raw(cluster: &Cluster, resource: &str, selector: &str) -> String {
    cluster.plane.expect(&["get", "--raw", &format!("{API}/{resource}?{selector}")], "")
}

/// All lists of ours are empty.
fn empty(cluster: &Cluster) -> impl Fn(&str) -> Manner + Send + 'static {
    let mut list: Value = serde_json::from_str(&raw(cluster, "ports", "limit=1")).unwrap();
    list["items"] = Value::Array(Vec::new());
    let metadata = list["metadata"].as_object_mut().unwrap();
    metadata.retain(|field, _| field == "resourceVersion");
    move |line| match listed(line) {
        Some((resource, _)) => {
            let mut list = list.clone();
            let kind = match resource {
                "networks" => "Network",
                "subnets" => "Subnet",
                "routers" => "Router",
                "floatingips" => "FloatingIP",
                "securitygroups" => "SecurityGroup",
                "physicalnetworks" => "PhysicalNetwork",
                "referencegrants" => "ReferenceGrant",
                "agents" => "Agent",
                _ => "Port",
            };
            list["kind"] = format!("{kind}List").into();
            Manner::Say("200 OK", "", list.to_string())
        }
        None => Manner::Pass,
    }
}

/// Lists of ports are as they were, and nothing new is told of ports.
fn behind(cluster: &Cluster) -> impl Fn(&str) -> Manner + Send + 'static {
    let own = raw(cluster, "ports", "fieldSelector=status.binding.nodeName%3Dnode-1");
    let all = raw(cluster, "ports", "");
    let none = raw(cluster, "ports", "fieldSelector=metadata.name%3Dnone");
    move |line| match listed(line) {
        Some(("ports", query)) if query.contains("nodeName") => Manner::Say("200 OK", "", own.clone()),
        Some(("ports", query)) if query.contains("metadata.name") => Manner::Say("200 OK", "", none.clone()),
        Some(("ports", _)) => Manner::Say("200 OK", "", all.clone()),
        None if line.contains(&format!("{API}/ports?")) => Manner::Never,
        _ => Manner::Pass,
    }
}

fn lies(cluster: &mut Cluster, proxy: &Proxy, lie: impl Fn(&str) -> Manner + Send + 'static) {
    let doubts = |cluster: &Cluster| cluster.said().matches("a list lacks it, and it is there").count();
    let (before, doubted) = (cluster.nodes[0].kernel(), doubts(cluster));
    cluster.nodes[0].kill_agent();
    proxy.treat(lie);
    cluster.nodes[0].start_agent();
    until("it asks the server itself", || doubts(cluster) > doubted);
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(before, cluster.nodes[0].kernel());
    proxy.treat(|_| Manner::Pass);
}

/// A port as it is stored.
pub fn stored(cluster: &Cluster, port: &str) -> Value {
    let mut stored = cluster.get("tport", port);
    // The server keeps them apart from what is stored.
    stored["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    stored
}

/// Writes a port into the store that no API server would have taken.
fn spoil(cluster: &Cluster, port: &str) -> Vec<u8> {
    let mut stored = stored(cluster, port);
    let good = stored.to_string().into_bytes();
    stored["spec"]["networkRef"] = 7.into();
    etcd::put("ports", &format!("default/{port}"), stored.to_string().as_bytes());
    good
}

/// There is nothing of some kinds any more, and whoever watches them has to read them anew.
fn forgets(
    kinds: &'static [&str],
    lie: impl Fn(&str) -> Manner + Send + 'static,
) -> impl Fn(&str) -> Manner + Send + 'static {
    move |line| match kinds.iter().any(|kind| line.contains(&format!("{API}/{kind}?"))) {
        true if listed(line).is_some() => lie(line),
        true => Manner::Say("200 OK", "", EXPIRED.into()),
        false => Manner::Pass,
    }
}

#[test]
fn lists_without_routers_subnets_or_groups_take_nothing_away_from_an_agent_that_runs_or_has_just_started() {
    let mut world = World::start(&[]);
    world.cluster.apply("FloatingIP f {networkRef: {name: public}, ip: 203.0.113.50, portRef: {name: a}}");
    world.outside.wait_pings("203.0.113.50");
    let at = usize::from(world.gateway() != "node-1");
    let proxy = Proxy::start(&world.cluster, world.cluster.nodes[at].kubeconfig());
    let node = &mut world.cluster.nodes[at];
    node.kill_agent();
    node.takes(Some(&proxy.kubeconfig));
    node.start_agent();
    converged(node);
    let (before, flows) = (world.kernel(), world.flows());
    let floating = Flow::start(&world.outside, &world.a, "203.0.113.50");
    let doubts = |world: &World| world.cluster.said().matches("a list lacks it, and it is there").count();
    let unmoved = |world: &World, doubted: usize| {
        until("it asks the server itself", || doubts(world) >= doubted + 2);
        std::thread::sleep(std::time::Duration::from_secs(1));
        assert_eq!(before, world.kernel());
    };
    proxy.treat(forgets(&["routers", "floatingips"], empty(&world.cluster)));
    unmoved(&world, 0);
    for kinds in [&["routers", "floatingips"][..], &["subnets", "securitygroups"]] {
        world.cluster.nodes[at].kill_agent();
        let doubted = doubts(&world);
        proxy.treat(forgets(kinds, empty(&world.cluster)));
        world.cluster.nodes[at].start_agent();
        unmoved(&world, doubted);
    }
    floating.whole();
    // What goes meanwhile is gone once the server is asked.
    world.cluster.kubectl("delete tfip/f");
    proxy.treat(|_| Manner::Pass);
    until("the floating IP leads nowhere", || !world.outside.pings("203.0.113.50"));
    world.serves("late");
    flows.hold();
}

#[test]
fn lists_that_are_empty_or_old_and_objects_that_cannot_be_read_take_nothing_away_from_an_agent() {
    let mut cluster = Cluster::start(1);
    cluster.apply(WORLD);
    let [a, b] = ["a", "b"].map(|port| cluster.guest(1, port));
    a.wait_pings("10.0.0.12");
    cluster.wait("tport/a tport/b", "Programmed");
    let proxy = Proxy::start(&cluster, cluster.nodes[0].kubeconfig());
    cluster.nodes[0].takes(Some(&proxy.kubeconfig));
    let flow = Flow::start(&a, &b, "10.0.0.12");
    let (nothing, old) = (empty(&cluster), behind(&cluster));
    let c = cluster.guest(1, "c");
    c.wait_pings("10.0.0.12");
    cluster.wait("tport/c", "Programmed");
    lies(&mut cluster, &proxy, nothing);
    cluster.apply("Port after-nothing {networkRef: {name: blue}}");
    cluster.guest(1, "after-nothing").wait_pings("10.0.0.11");
    lies(&mut cluster, &proxy, old);
    let before = cluster.nodes[0].kernel();
    cluster.apply("Port after-old {networkRef: {name: blue}}");
    cluster.guest(1, "after-old").wait_pings("10.0.0.11");
    // What went while the agent was dead is gone: the server says so when it is asked.
    cluster.nodes[0].kill_agent();
    cluster.kubectl("delete tport/after-old");
    cluster.nodes[0].start_agent();
    until("its guest is unplugged", || cluster.nodes[0].tenet("unplug after-old").out.contains("nothing was plugged"));
    cluster.nodes[0].wait_kernel(&before);

    // An object that cannot be read is as it was known.
    let good = spoil(&cluster, "a");
    let unread = |cluster: &Cluster| cluster.said().matches("an object cannot be read").count();
    until("controller and agent say so", || unread(&cluster) >= 2);
    cluster.apply("Port beside {networkRef: {name: blue}}");
    cluster.guest(1, "beside").wait_pings("10.0.0.11");
    cluster.nodes[0].tenet("unplug beside").expect_ok();
    // Nothing else has changed.
    cluster.nodes[0].wait_kernel(&before);
    flow.whole();
    // Who never knew it serves all others, and gives its address to nobody.
    let said = unread(&cluster);
    cluster.nodes[0].kill_agent();
    cluster.nodes[0].start_agent();
    cluster.start_controller();
    cluster.kill_controller(0);
    until("the new ones say so, too", || unread(&cluster) >= said + 2);
    c.wait_pings("10.0.0.12");
    cluster.apply(
        "Port thief {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}\nPort next {networkRef: {name: blue}}",
    );
    cluster.wait("tport/next", "Ready");
    let thief = cluster.get("tport", "thief");
    assert!(thief["status"]["addresses"].as_array().is_none_or(Vec::is_empty), "{thief}");
    cluster.kubectl("delete tport/thief");
    etcd::put("ports", "default/a", &good);
    // It was never unplugged, so its wire comes back by itself.
    until("its guest has an interface again", || a.run("ip addr add 10.0.0.11/24 dev eth0").ok());
    a.wait_pings("10.0.0.12");
    audit::balances(&cluster);
}
