//! Any state to any other, on a real kernel: what a node holds in the end depends on what is wanted last, and on nothing
//! before it; and once it is so, there is nothing left to do.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde::de::DeserializeOwned;
use support::{Host, ip};
use tenet::agent::{Agent, Options};
use tenet::api::Binding;
use tenet::dataplane::attachment::{Attachment, Target};
use tenet::dataplane::filter::Filtering;
use tenet::dataplane::kernel::filter::Filters;
use tenet::dataplane::state::State;
use tenet::model::{Key, NodeView, Snapshot, Uid, link};

const NODE: &str = "node";
/// Ports with a guest: half of them are bound in any one state.
const GUESTS: usize = 4;
/// Steps of the walk; `TENET_WALK` takes more.
const STEPS: usize = 40;

/// Objects that may or may not be there, each by its own bit.
const OBJECTS: [(&str, &str, &str); 17] = [
    ("PhysicalNetwork", "p", "attachments: [{interface: br-ext}]"),
    ("Network", "out", "{external: true, provider: {physicalNetwork: p, type: Flat}}"),
    ("Network", "blue", "{}"),
    ("Network", "red", "{mtu: 1400}"),
    ("Subnet", "out", "{networkRef: {name: out}, cidr: 203.0.113.0/24, dhcp: false}"),
    ("Subnet", "blue", "{networkRef: {name: blue}, cidr: 10.0.0.0/24}"),
    ("Subnet", "red", "{networkRef: {name: red}, cidr: 10.0.1.0/24, dnsNameservers: [192.0.2.53]}"),
    ("SecurityGroup", "default", "{rules: [{direction: Ingress}, {direction: Egress}]}"),
    (
        "SecurityGroup",
        "web",
        "{rules: [{direction: Ingress, protocol: TCP, port: 8080, remote: {groupRef: {name: default}}}]}",
    ),
    ("Port", "g0", "{networkRef: {name: blue}, allowedAddressPairs: [{ip: 172.16.0.0/12}]}"),
    ("Port", "g1", "{networkRef: {name: blue}, addresses: [{ip: 10.0.0.77}], securityGroupRefs: [{name: web}]}"),
    ("Port", "g2", "{networkRef: {name: red}}"),
    ("Port", "g3", "{networkRef: {name: red}, ipAllocation: None, portSecurity: false}"),
    ("Router", "r", "{interfaces: [{subnetRef: {name: blue}}], externalGateway: {networkRef: {name: out}}}"),
    (
        "Router",
        "s",
        "{interfaces: [{subnetRef: {name: red}}, {subnetRef: {name: blue}, ip: 10.0.0.200}], \
          routes: [{destination: 172.16.0.0/12, nextHop: 10.0.1.9}, {destination: 172.16.0.0/12, nextHop: 10.0.1.8}]}",
    ),
    ("FloatingIP", "f", "{networkRef: {name: out}, portRef: {name: g0}}"),
    (
        "FloatingIP",
        "h",
        "{networkRef: {name: out}, portForwardings: [{protocol: TCP, port: 80, targetPort: 8080, portRef: {name: g1}}]}",
    ),
];

fn object<T: DeserializeOwned>(kind: &str, name: &str, spec: &str) -> T {
    let namespace = if kind == "PhysicalNetwork" { "" } else { ", namespace: default" };
    let spec = if spec.starts_with('{') { spec.to_owned() } else { format!("{{{spec}}}") };
    let yaml = format!(
        "{{apiVersion: tenet.network/v1alpha1, kind: {kind}, metadata: {{name: {name}{namespace}, uid: {kind}-{name}, \
         generation: 1}}, spec: {spec}}}"
    );
    serde_saphyr::from_str(&yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"))
}

/// The objects of one state; `bound` says which ports have their guest.
fn snapshot(objects: u32, bound: u32) -> Snapshot {
    let mut all = Snapshot::default();
    let chosen = OBJECTS.iter().enumerate().filter(|(n, _)| objects >> n & 1 == 1).map(|(_, object)| object);
    for (kind, name, spec) in chosen {
        let key = Key::new(if *kind == "PhysicalNetwork" { "" } else { "default" }, name);
        macro_rules! put {
            ($field:ident) => {{
                let mut object = object(kind, name, spec);
                stamp(&mut object);
                all.$field.insert(key, Arc::new(object));
            }};
        }
        match *kind {
            "PhysicalNetwork" => put!(physical_networks),
            "Network" => put!(networks),
            "Subnet" => put!(subnets),
            "Router" => put!(routers),
            "FloatingIP" => put!(floating_ips),
            "SecurityGroup" => put!(security_groups),
            _ => {
                let mut port: tenet::api::Port = object(kind, name, spec);
                stamp(&mut port);
                if guest(name).is_some_and(|n| bound >> n & 1 == 1) {
                    let binding = Binding { node_name: NODE.into(), device: "eth0".into(), pod: None };
                    port.status.get_or_insert_default().binding = Some(binding);
                }
                all.ports.insert(key, Arc::new(port));
            }
        }
    }
    all
}

fn stamp(object: &mut impl kube::Resource) {
    object.meta_mut().creation_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
}

fn guest(port: &str) -> Option<usize> {
    port.strip_prefix('g')?.parse().ok()
}

/// Goes to a state; asserts that nothing is left to do there.
fn go(agent: &mut Agent, objects: u32, bound: u32) -> NodeView {
    let snapshot = snapshot(objects, bound);
    for n in 0..GUESTS {
        let key = Key::new("default", &format!("g{n}"));
        let path = format!("/run/netns/g{n}");
        let inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&path).unwrap());
        let target = Target::Netns { path, inode, device: "eth0".into() };
        match snapshot.ports.get(&key).filter(|_| bound >> n & 1 == 1) {
            Some(_) => {
                let port = Uid::parse(&format!("Port-g{n}"));
                agent.attach(&key, Attachment { port, target, pod: None }, false).unwrap();
            }
            None => agent.detach(&key).unwrap(),
        }
    }
    let (topology, _) = link(&snapshot);
    let view = topology.view(NODE);
    let outcome = agent.converge(&view);
    assert_eq!(outcome.report.faults, BTreeMap::new(), "objects {objects:b} bound {bound:b}");
    assert_eq!(outcome.vanished, []);
    let left = agent.plan(&view).unwrap();
    assert!(left.0.is_empty(), "objects {objects:b} bound {bound:b}: {left:#?}");
    view
}

#[test]
fn any_state_to_any_state_on_a_real_kernel() {
    let host = Host::bare();
    host.bridge("br-ext", "203.0.113.1/24");
    (0..GUESTS).for_each(|n| ip(&format!("netns add g{n}")));
    let filtering = Filtering { fast_path: true, flows: Filtering::FLOWS };
    let (run_dir, state_dir) = (host.dir.join("run"), host.dir.join("state"));
    let options = Options { run_dir, state_dir, node: NODE.into(), filtering };
    std::fs::create_dir_all(&options.run_dir).unwrap();
    let before = support::run("ip -o link").expect_ok();
    let mut agent = Agent::open(&options).unwrap();
    let steps = std::env::var("TENET_WALK").ok().and_then(|n| n.parse().ok()).unwrap_or(STEPS);
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    for step in 0..steps {
        // Everything, now and then: few random states have whole chains.
        let objects = if step % 4 == 0 { u32::MAX } else { rng.next_u32() };
        go(&mut agent, objects, rng.next_u32());
        if step % 7 == 0 {
            // A new agent, with no memory, finds everything as it is to be.
            agent = Agent::open(&options).unwrap();
        }
    }
    let view = go(&mut agent, u32::MAX, u32::MAX);
    assert_eq!((view.networks.len(), view.routers.len()), (3, 2));
    go(&mut agent, 0, 0);
    assert_eq!(
        support::run("ip -o link").expect_ok().lines().count(),
        before.lines().count(),
        "nothing of ours is left"
    );
    // The filters wait for the next port, with nothing to go by.
    let (mut filters, mut state) = (Filters::open(&options.run_dir, filtering), State::default());
    filters.observe(std::iter::empty(), &mut state).unwrap();
    assert!(state.0.is_empty(), "{:?}", state.0.keys());
    assert!((0..100_000).all(|index| filters.tables().unwrap().wire(index).is_none()), "no interface leads to a port");
    agent.clean().unwrap();
    assert_eq!(std::fs::read_dir(&options.run_dir).unwrap().count(), 0, "no pin is left");
}
