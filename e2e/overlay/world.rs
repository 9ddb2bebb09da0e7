//! A cluster: nodes on one underlay, one wire to the outside, and one snapshot that all of them look at.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde::de::DeserializeOwned;
use tenet::agent::Outcome;
use tenet::api::{AgentStatus, Binding};
use tenet::dataplane::attachment::{Attachment, Target};
use tenet::model::status::statuses;
use tenet::model::view::{self, Takeover, Takeovers};
use tenet::model::{Key, Linker, NodeView, Role, Snapshot, Uid};

use crate::node::Node;
use crate::support::{Guest, Host, OPEN, ip};

/// Physical networks.
const WIRES: [&str; 2] = ["wire", "lan"];

/// A cluster.
pub struct World {
    pub nodes: Vec<Node>,
    /// The outside: an address on the wire and a default gateway of the external network.
    pub outside: Guest,
    pub snapshot: Snapshot,
    _host: Host,
}

impl World {
    /// So many nodes; the first `wired` of them touch the wires. Groups keep nobody from anybody.
    pub fn new(nodes: usize, wired: usize) -> Self {
        let host = Host::bare();
        ip("link add underlay type bridge mcast_snooping 0\nlink set underlay up");
        for wire in WIRES {
            ip(&format!("link add {wire} type bridge\nlink set {wire} up"));
        }
        ip("addr add 203.0.113.1/24 dev wire");
        let dir = host.dir.clone();
        let mut world = Self { nodes: Vec::new(), outside: host.outside(), snapshot: Snapshot::default(), _host: host };
        world.nodes = (1..=nodes).map(|n| Node::new(n, &dir)).collect();
        for (n, node) in world.nodes.iter().enumerate() {
            let mut agent: tenet::api::Agent = object("Agent", "", &node.name, "{}");
            let wires = WIRES.iter().filter(|_| n < wired).map(|wire| (*wire).to_owned());
            agent.status = Some(AgentStatus {
                tunnel_address: Some(node.address.parse().unwrap()),
                tunnel_mtu: Some(1500),
                physical_networks: wires.collect(),
                ..AgentStatus::default()
            });
            world.snapshot.agents.insert(Key::new("", &node.name), Arc::new(agent));
        }
        world.declare(&format!("SecurityGroup default {OPEN}"));
        world
    }

    /// Adds objects, one to a line: kind, name (`namespace/name`, or of `default`), spec.
    pub fn declare(&mut self, text: &str) {
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let mut words = line.splitn(3, ' ');
            let (kind, name, spec) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap_or("{}"));
            let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
            macro_rules! put {
                ($field:ident, $namespace:expr) => {{
                    let object = object(kind, $namespace, name, spec);
                    self.snapshot.$field.insert(Key::new($namespace, name), Arc::new(object));
                }};
            }
            match kind {
                "Network" => put!(networks, namespace),
                "Subnet" => put!(subnets, namespace),
                "Port" => put!(ports, namespace),
                "Router" => put!(routers, namespace),
                "FloatingIP" => put!(floating_ips, namespace),
                "SecurityGroup" => put!(security_groups, namespace),
                "PhysicalNetwork" => put!(physical_networks, ""),
                _ => panic!("{line}"),
            }
        }
    }

    /// The controller's part: chooses, and writes down what it chose.
    pub fn decide(&mut self) {
        let (topology, problems) = Linker::new(Role::Controller).link(&self.snapshot);
        assert!(problems.is_empty(), "{problems:#?}");
        let all = statuses(&self.snapshot, &topology, &problems, None, Timestamp::UNIX_EPOCH);
        macro_rules! record {
            ($($field:ident)+) => {
                $(for (key, status) in all.$field {
                    Arc::make_mut(self.snapshot.$field.get_mut(&key).unwrap()).status = Some(status);
                })+
            };
        }
        record!(networks subnets ports routers floating_ips security_groups physical_networks);
    }

    /// What a node is to hold.
    pub fn view(&self, node: usize) -> NodeView {
        Linker::new(Role::Node).link(&self.snapshot).0.view(&self.nodes[node].name)
    }

    /// What a node is to hold while it takes the router over, or has just let go of it.
    pub fn view_while(&self, node: usize, takeover: Takeover) -> NodeView {
        let takeovers = Takeovers::from([(key("r"), takeover)]);
        let node = view::Node { takeovers: &takeovers, ..(&self.nodes[node].name).into() };
        Linker::new(Role::Node).link(&self.snapshot).0.view(node)
    }

    /// A router moves from one node to another, step by step, as its agents and the controller do it.
    pub fn hand_over(&mut self, from: usize, to: usize, others: &[usize]) {
        let word = |world: &mut Self, word: Option<String>| {
            let router = Arc::make_mut(world.snapshot.routers.get_mut(&key("r")).unwrap());
            router.status.as_mut().unwrap().prepared_node = word;
        };
        let uid = Uid::parse(self.snapshot.routers[&key("r")].metadata.uid.as_deref().unwrap());
        let copy = |world: &Self| {
            let all = world.nodes[from].ask(move |agent| agent.connections().read(uid).unwrap());
            world.nodes[to].ask(move |agent| agent.connections().make(uid, &all).unwrap());
        };
        self.decide();
        assert_eq!(self.gateway("r"), self.nodes[from].name, "the other is not prepared");
        self.converge_one(from);
        self.converge_one(to);
        copy(self);
        let name = self.nodes[to].name.clone();
        word(self, Some(name));
        self.decide();
        assert_eq!(self.gateway("r"), self.nodes[to].name);
        others.iter().for_each(|node| drop(self.converge_one(*node)));
        self.nodes[to].converge(self.view_while(to, Takeover::Waits));
        self.converge_one(from);
        copy(self);
        self.nodes[to].converge(self.view_while(to, Takeover::Takes));
        self.converge_one(to);
        word(self, None);
        self.decide();
        self.nodes[from].converge(self.view_while(from, Takeover::Leaves));
        for node in others.iter().chain(&[to, from]) {
            self.converge_one(*node);
        }
    }

    /// Brings a node to what it is to hold.
    #[track_caller]
    pub fn converge_one(&self, node: usize) -> Outcome {
        self.nodes[node].converge(self.view(node))
    }

    /// Decides, and brings all nodes to it.
    #[track_caller]
    pub fn converge(&mut self) {
        self.decide();
        (0..self.nodes.len()).for_each(|node| drop(self.converge_one(node)));
    }

    /// Plugs a guest that is there already into a port, on a node; [`Self::converge`] wires it.
    pub fn plug(&mut self, port: &str, node: usize) {
        let guest = Guest::named(&port.replace('/', "-"));
        let key = key(port);
        let uid = Uid::parse(self.snapshot.ports[&key].metadata.uid.as_deref().unwrap());
        let inode = std::fs::metadata(&guest.path).unwrap().ino();
        let target = Target::Netns { path: guest.path.display().to_string(), inode, device: "eth0".into() };
        let at = key.clone();
        self.nodes[node].ask(move |agent| {
            agent.attach(&at, Attachment { port: uid, target, pod: None }, false).unwrap();
        });
        self.bind(&key, Some(node));
    }

    /// Says where a port is.
    pub fn bind(&mut self, port: &Key, node: Option<usize>) {
        let binding = node.map(|n| Binding { node_name: self.nodes[n].name.clone(), device: "eth0".into(), pod: None });
        let port = self.snapshot.ports.get_mut(port).unwrap();
        Arc::make_mut(port).status.get_or_insert_default().binding = binding;
    }

    /// Unplugs a port from a node.
    pub fn unplug(&mut self, port: &str, node: usize) {
        let key = key(port);
        self.bind(&key, None);
        self.nodes[node].ask(move |agent| agent.detach(&key).unwrap());
    }

    /// Guests, one in each port; each has its address and gateway once all nodes converged.
    #[track_caller]
    pub fn guests(&mut self, ports: &[(&str, usize)]) -> BTreeMap<String, Guest> {
        for (port, node) in ports {
            let name = port.replace('/', "-");
            ip(&format!("netns add {name}\n-n {name} link set lo up"));
            self.plug(port, *node);
        }
        self.converge();
        ports.iter().map(|(port, _)| ((*port).to_owned(), self.addressed(port))).collect()
    }

    /// Gives a plugged guest the addresses of its port.
    pub fn addressed(&self, port: &str) -> Guest {
        let guest = Guest::named(&port.replace('/', "-"));
        let status = self.snapshot.ports[&key(port)].status.clone().unwrap();
        for address in &status.addresses {
            let subnet = Key::new(&key(port).namespace, &address.subnet_ref.name);
            let spec = &self.snapshot.subnets[&subnet].spec;
            guest.ip(&format!("addr add {}/{} dev eth0", address.ip, spec.cidr.prefix_len()));
            let gateway = self.snapshot.subnets[&subnet].status.as_ref().and_then(|s| s.gateway_ip);
            if let Some(gateway) = gateway {
                guest.ip(&format!("route replace default via {gateway}"));
            }
        }
        guest
    }

    /// The node that translates for a router.
    pub fn gateway(&self, router: &str) -> String {
        self.snapshot.routers[&key(router)].status.as_ref().unwrap().gateway_node.clone().unwrap()
    }

    /// The node that translates a floating IP.
    pub fn translated_on(&self, floating: &str) -> String {
        self.snapshot.floating_ips[&key(floating)].status.as_ref().unwrap().node_name.clone().unwrap()
    }

    /// Asks a node to hand over what it translates for, or takes that back.
    pub fn drain(&mut self, node: usize, drain: bool) {
        let agent = self.snapshot.agents.get_mut(&Key::new("", &self.nodes[node].name)).unwrap();
        Arc::make_mut(agent).spec.drain = Some(drain);
    }

    /// The first address of a port.
    pub fn address(&self, port: &str) -> String {
        self.snapshot.ports[&key(port)].status.as_ref().unwrap().addresses[0].ip.to_string()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() && std::env::var_os("TENET_TEST_DUMP").is_some() {
            self.nodes.iter().for_each(Node::show);
        }
    }
}

/// A name as tests write it.
pub fn key(name: &str) -> Key {
    name.split_once('/').map_or_else(|| Key::new("default", name), |(ns, name)| Key::new(ns, name))
}

/// The MAC address of a guest.
pub fn mac(guest: &Guest) -> String {
    guest.run("ip -br link show dev eth0").expect_ok().split_whitespace().nth(2).unwrap().to_owned()
}

fn object<T: DeserializeOwned + kube::Resource>(kind: &str, namespace: &str, name: &str, spec: &str) -> T {
    let place = if namespace.is_empty() { String::new() } else { format!("namespace: {namespace}, ") };
    let uid = format!("{:?}", Uid(0).part(&format!("{kind} {namespace}/{name}")));
    let yaml = format!(
        "{{apiVersion: tenet.network/v1alpha1, kind: {kind}, metadata: {{name: {name}, {place}uid: {uid}, \
         generation: 1}}, spec: {spec}}}"
    );
    let mut object: T = serde_saphyr::from_str(&yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"));
    object.meta_mut().creation_timestamp = Some(Time(Timestamp::UNIX_EPOCH));
    object
}
