use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::api::{AddressPair, AddressRange, AgentStatus, Binding, Port};
use crate::dataplane::attachment::{Attachment, Attachments, Target};
use crate::dataplane::facts::Facts;
use crate::dataplane::render::render;
use crate::model::fixtures::{NODE, add, at, delete, key, record, world};
use crate::model::status::{Statuses, statuses};
use crate::model::{Linker, Role, Snapshot, Topology};

const NODES: [&str; 3] = [NODE, "node-2", "node-3"];

const BASE: &str = "
    Network public {external: true}
    Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/28}
    Network n0
    Subnet s0 {networkRef: {name: n0}, cidr: 10.0.0.0/24}
    Network n1
    Subnet s1 {networkRef: {name: n1}, cidr: 10.0.0.0/24}
    Subnet s2 {networkRef: {name: n1}, cidr: 10.0.2.0/24}
    Network n2
    Subnet s3 {networkRef: {name: n2}, cidr: 10.0.2.0/24}
    SecurityGroup g0 {rules: [{direction: Ingress, remote: {groupRef: {name: g1}}}, {direction: Egress}]}
    SecurityGroup g1 {rules: [{direction: Egress, remote: {groupRef: {name: default}}}]}
    SecurityGroup g2 {stateful: false, rules: [{direction: Ingress, remote: {groupRef: {name: g0}}}]}";

/// A node that has walked once, and then follows.
struct Follower {
    linker: Linker,
    topology: Topology,
    view: NodeView,
    state: State,
    rules: Memory,
}

impl Follower {
    fn new(snapshot: &Snapshot) -> Self {
        let mut linker = Linker::new(Role::Node);
        let (topology, _) = linker.link(snapshot);
        let (view, mut rules) = (topology.view(NODE), Memory::default());
        let state = wanted(&view, &mut rules);
        Self { linker, topology, view, state, rules }
    }

    /// What the node was about to do, if it needs no walk.
    fn follow(&mut self, snapshot: &Snapshot, changed: &[Key]) -> Option<Plan> {
        let mut moved = Moved::default();
        for key in changed {
            if self.topology.is_on(NODE, key) {
                return None;
            }
            let before = self.topology.trace(key);
            if !self.linker.take_in(snapshot, &mut self.topology, key) || self.topology.is_on(NODE, key) {
                return None;
            }
            let after = self.topology.trace(key);
            if !self.topology.mend(NODE, key, (before.as_ref(), after.as_ref()), &mut self.view, &mut moved) {
                return None;
            }
        }
        Some(Touched::render(&self.view, &moved, &self.state, &mut self.rules).plan(&self.state))
    }

    /// Follows, and is what a walk would have made of it. Whether it needed none.
    fn check(&mut self, snapshot: &Snapshot, changed: &[Key]) -> bool {
        let fresh = Self::new(snapshot);
        let Some(plan) = self.follow(snapshot, changed) else {
            *self = fresh;
            return false;
        };
        assert!(self.topology.is_like(&fresh.topology), "{:?} {:?}", self.topology, fresh.topology);
        assert_eq!(self.view, fresh.view);
        assert_eq!(plan, plan::diff(&fresh.state, &self.state));
        self.state = fresh.state;
        true
    }
}

fn wanted(view: &NodeView, rules: &mut Memory) -> State {
    let all = view.networks.values().flat_map(|network| network.ports.iter().chain(&network.prepared));
    let guest = |inode| Target::Netns { path: "/guest".into(), inode, device: "eth0".into() };
    let plugged = all
        .zip(0..)
        .map(|((key, port), inode)| (key.clone(), Attachment { port: port.uid, target: guest(inode), pod: None }));
    render(view, &plugged.collect::<Attachments>(), &Facts::default(), rules).state
}

fn port(snapshot: &mut Snapshot, name: &str, edit: impl FnOnce(&mut Port)) {
    if let Some(port) = snapshot.ports.get_mut(&key(name)) {
        edit(Arc::make_mut(port));
    }
}

fn bind(snapshot: &mut Snapshot, name: &str, node: Option<&str>) {
    let binding = node.map(|node| Binding { node_name: node.into(), device: "eth0".into(), pod: None });
    port(snapshot, name, |port| port.status.get_or_insert_default().binding = binding);
}

fn decided(snapshot: &Snapshot) -> Statuses {
    let (topology, problems) = Linker::new(Role::Controller).link(snapshot);
    statuses(snapshot, &topology, &problems, None, at(500))
}

/// What the controller has to say of ports.
fn decide(snapshot: &mut Snapshot) {
    let ports = decided(snapshot).ports;
    record(snapshot, Statuses { ports, ..Statuses::default() });
}

fn settled(text: &str) -> Snapshot {
    let mut snapshot = world(&format!("{BASE}\n{text}"));
    for (number, node) in NODES.into_iter().enumerate() {
        add(&mut snapshot, 0, &format!("Agent {node}"));
        let agent = Arc::make_mut(snapshot.agents.get_mut(&Key::new("", node)).unwrap());
        let tunnel_address = Some(format!("192.0.2.{}", number + 1).parse().unwrap());
        agent.status = Some(AgentStatus { tunnel_address, tunnel_mtu: Some(9000), ..AgentStatus::default() });
    }
    for _ in 0..2 {
        let all = decided(&snapshot);
        record(&mut snapshot, all);
    }
    snapshot
}

fn changed(before: &Snapshot, after: &Snapshot) -> Vec<Key> {
    let keys: BTreeSet<&Key> = before.ports.keys().chain(after.ports.keys()).collect();
    let is_same = |key: &Key| match (before.ports.get(key), after.ports.get(key)) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        _ => false,
    };
    keys.into_iter().filter(|key| !is_same(key)).cloned().collect()
}

/// Does something to the ports, and says whether that needed no walk.
fn step(follower: &mut Follower, snapshot: &mut Snapshot, edit: impl FnOnce(&mut Snapshot)) -> bool {
    let before = snapshot.clone();
    edit(snapshot);
    let changed = changed(&before, snapshot);
    follower.check(snapshot, &changed)
}

fn start(text: &str) -> (Follower, Snapshot) {
    let mut snapshot = settled(text);
    for (name, node) in [("a", NODE), ("b", "node-2"), ("c", "node-2")] {
        bind(&mut snapshot, name, Some(node));
    }
    decide(&mut snapshot);
    (Follower::new(&snapshot), snapshot)
}

const THREE: &str = "
    Port a {networkRef: {name: n0}, securityGroupRefs: [{name: g0}]}
    Port b {networkRef: {name: n0}}
    Port c {networkRef: {name: n1}}
    Router r {interfaces: [{subnetRef: {name: s0}}, {subnetRef: {name: s2}}]}";

#[test]
fn what_ports_of_other_nodes_do_all_day_needs_no_walk() {
    let (mut follower, mut snapshot) = start(THREE);
    let mut step = |edit: &dyn Fn(&mut Snapshot)| step(&mut follower, &mut snapshot, edit);
    let member = "Port m {networkRef: {name: n0}, securityGroupRefs: [{name: g1}]}";
    assert!(step(&|s| add(s, 300, member)), "created");
    assert!(step(&decide), "given its addresses");
    assert!(step(&|s| bind(s, "m", Some("node-3"))), "plugged");
    assert!(step(&|s| port(s, "m", |p| p.metadata.resource_version = Some("7".into()))), "written to");
    assert!(step(&|s| bind(s, "m", Some("node-2"))), "moved");
    assert!(step(&|s| port(s, "m", |p| p.spec.security_group_refs = None)), "in other groups");
    assert!(step(&|s| bind(s, "m", None)), "unplugged");
    assert!(step(&|s| delete(s, "Port m")), "deleted");
    assert!(step(&|s| drop(s.ports.remove(&key("m")))), "gone");
    assert!(
        step(&|s| {
            add(s, 300, &member.replace("n0", "n1"));
            decide(s);
            bind(s, "m", Some("node-3"));
        }),
        "all at once, in another network"
    );
}

#[test]
fn where_more_may_depend_on_a_port_all_is_looked_at() {
    let more = "
        Port t {networkRef: {name: n0}}
        Port g {networkRef: {name: n2}, addresses: [{ip: 10.0.2.1}]}
        Port p {networkRef: {name: n2}, allowedAddressPairs: [{ip: 10.0.2.9}]}
        Port q {networkRef: {name: n2}}
        FloatingIP f {networkRef: {name: public}, portRef: {name: t}}";
    let (mut follower, mut snapshot) = start(&format!("{THREE}{more}"));
    let mut step = |edit: &dyn Fn(&mut Snapshot)| step(&mut follower, &mut snapshot, edit);
    assert!(!step(&|s| bind(s, "t", Some("node-2"))), "a floating IP leads to it");
    assert!(!step(&|s| bind(s, "g", Some("node-2"))), "it is a gateway");
    assert!(!step(&|s| bind(s, "p", Some("node-2"))), "its address pairs may move");
    assert!(!step(&|s| bind(s, "q", Some("node-2"))), "beside it somebody's address pairs may move");
    assert!(!step(&|s| bind(s, "a", Some("node-2"))), "it was here");
    assert!(!step(&|s| bind(s, "b", Some(NODE))), "it comes here");
    assert!(!step(&|s| bind(s, "t", None)), "a floating IP leads to it still");
    assert!(step(&|s| bind(s, "a", Some("node-3"))), "it is of others by now");
    assert!(!step(&|s| bind(s, "a", None)), "it was the last one behind the tunnels");
    assert!(!step(&|s| bind(s, "a", Some("node-2"))), "it is the first one behind the tunnels");
    let twin = |s: &mut Snapshot| {
        add(s, 300, "Port u {networkRef: {name: n0}}");
        let status = s.ports[&key("a")].status.clone();
        port(s, "u", |port| port.status = status);
    };
    assert!(!step(&twin), "two have one address");
}

#[test]
fn the_first_port_behind_a_router_elsewhere_brings_tunnels_to_its_other_networks() {
    let (mut follower, mut snapshot) = start(THREE);
    let mut step = |edit: &dyn Fn(&mut Snapshot)| step(&mut follower, &mut snapshot, edit);
    assert!(!step(&|s| bind(s, "b", None)), "it was the last one of its network");
    assert!(step(&|s| {
        add(s, 300, "Port w {networkRef: {name: n1}, addresses: [{subnetRef: {name: s2}}]}");
        decide(s);
    }));
    assert!(!step(&|s| bind(s, "w", Some("node-2"))), "its own network has tunnels, the router's other one has none");
    assert!(!step(&|s| bind(s, "w", None)), "and has none again");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_followed_is_what_a_walk_would_come_to(
        homes in prop::collection::vec((0..3usize, 0..5usize), 8..12),
        more in 0..8u8,
        steps in prop::collection::vec((0..12usize, 0..20u8, 0..4usize, 0..6u8), 1..24),
    ) {
        let line = |name: usize, network: usize, groups: u8| {
            let groups = match groups {
                0 => ", securityGroupRefs: [{name: g0}]".to_owned(),
                1 => ", securityGroupRefs: [{name: g1}, {name: default}]".to_owned(),
                2 => ", securityGroupRefs: [{name: g1}, {name: g2}]".to_owned(),
                3 => ", portSecurity: false".to_owned(),
                5 if network == 1 => ", addresses: [{subnetRef: {name: s2}}]".to_owned(),
                4 => format!(", addresses: [{{ip: 10.0.{}.{}}}]", network, name % 4 + 1),
                _ => String::new(),
            };
            format!("Port p{name} {{networkRef: {{name: n{network}}}{groups}}}")
        };
        let mut text = String::new();
        for (bit, object) in [
            "Router r {interfaces: [{subnetRef: {name: s0}}, {subnetRef: {name: s2}}], externalGateway: {networkRef: {name: public}}}",
            "Router q {interfaces: [{subnetRef: {name: s1}}, {subnetRef: {name: s3}}], routes: [{destination: 192.168.0.0/16, nextHop: 10.0.2.3}]}",
            "FloatingIP f {networkRef: {name: public}, portRef: {name: p2}}",
        ].into_iter().enumerate() {
            text += if more & (1 << bit) == 0 { "" } else { object };
            text.push('\n');
        }
        for (name, (network, _)) in homes.iter().enumerate() {
            text += &line(name, *network, u8::try_from(name).unwrap_or(0) % 6);
            text.push('\n');
        }
        let mut snapshot = settled(&text);
        for (name, (_, node)) in homes.iter().enumerate() {
            bind(&mut snapshot, &format!("p{name}"), NODES.get(*node).or(NODES.last()).copied());
        }
        let mut follower = Follower::new(&snapshot);
        for (name, what, to, groups) in &steps {
            let (p, to) = (format!("p{name}"), *to);
            step(&mut follower, &mut snapshot, |s| match what {
                0 => bind(s, &p, NODES.get(to).copied()),
                1 | 2 => bind(s, &p, None),
                3 | 11..16 => bind(s, &p, NODES.get(1 + to % 2).copied()),
                4 => drop(s.ports.remove(&key(&p))),
                5 if s.ports.contains_key(&key(&p)) => delete(s, &format!("Port {p}")),
                6 => port(s, &p, |port| {
                    let node_name = NODES[to % 3].to_owned();
                    let status = port.status.get_or_insert_default();
                    status.migration = (to < 3).then(|| Binding { node_name, device: "eth0".into(), pod: None });
                }),
                7 if *groups < 2 => port(s, &p, |port| {
                    let pair = AddressPair { ip: AddressRange("10.0.2.7/32".parse().unwrap()), mac_address: None };
                    port.spec.allowed_address_pairs = vec![pair];
                }),
                7 | 8 => port(s, &p, |port| port.spec.port_security = (to == 0).then_some(false)),
                _ => {
                    add(s, 300, &line(*name, to % 3, *groups));
                    if what % 2 == 0 {
                        decide(s);
                        bind(s, &p, NODES.get(1 + to).copied());
                    }
                }
            });
            step(&mut follower, &mut snapshot, decide);
        }

    }
}
