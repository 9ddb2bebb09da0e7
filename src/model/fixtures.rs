//! Worlds for tests, one object to a line: kind, name (`default/` unless it says otherwise), spec as YAML.
//!
//! Every object is a second younger than the one on the line above it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;

use crate::api::{
    Agent, Binding, FloatingIP, Network, PhysicalNetwork, Port, ReferenceGrant, Router, SecurityGroup, Subnet,
};
use crate::model::report::Report;
use crate::model::status::{Statuses, statuses};
use crate::model::{Id, Key, Kind, NodeView, Problems, Snapshot, Topology, Uid, link};

/// One object of each kind that has a status, all in order.
pub const EVERY_KIND: &str = "
    PhysicalNetwork wire {attachments: [{interface: br0}]}
    Network public {external: true, provider: {physicalNetwork: wire, type: Flat}}
    Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/24}
    Network blue
    Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
    Router r {interfaces: [{subnetRef: {name: web}}], externalGateway: {networkRef: {name: public}}}
    SecurityGroup g {rules: [{direction: Ingress, remote: {groupRef: {name: default}}}]}
    Port p {networkRef: {name: blue}, securityGroupRefs: [{name: g}]}
    FloatingIP f {networkRef: {name: public}, portRef: {name: p}}";

/// The node of all tests.
pub const NODE: &str = "node-1";

/// Reads a world.
pub fn world(text: &str) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for (age, line) in text.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        add(&mut snapshot, age, line);
    }
    snapshot
}

/// A name as tests write it.
pub fn key(name: &str) -> Key {
    name.split_once('/').map_or_else(|| Key::new("default", name), |(ns, name)| Key::new(ns, name))
}

/// An id as tests write it: `Port web-0`.
pub fn id(text: &str) -> Id {
    let (kind, name) = text.split_once(' ').unwrap();
    let kind = Kind::named(kind).unwrap();
    Id::new(kind, if kind.namespaced() { key(name) } else { Key::new("", name) })
}

/// Adds one object, created `age` seconds after the first.
pub fn add(snapshot: &mut Snapshot, age: usize, line: &str) {
    let mut words = line.splitn(3, ' ');
    let (kind, name, spec) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap_or("{}"));
    let id = id(&format!("{kind} {name}"));
    let uid = Uid(0).part(&id.to_string());
    let metadata = ObjectMeta {
        name: Some(id.key.name.to_string()),
        namespace: id.kind.namespaced().then(|| id.key.namespace.to_string()),
        uid: Some(format!("{uid:?}")),
        generation: Some(1),
        creation_timestamp: Some(Time(at(age))),
        ..ObjectMeta::default()
    };
    macro_rules! insert {
        ($($kind:ident: $objects:ident,)+) => {
            match id.kind {
                $(Kind::$kind => {
                    let spec = serde_saphyr::from_str(spec).unwrap_or_else(|e| panic!("{line}: {e}"));
                    let mut object = $kind::new("", spec);
                    object.metadata = metadata;
                    snapshot.$objects.insert(id.key, object.into());
                })+
            }
        };
    }
    insert! {
        Network: networks,
        Subnet: subnets,
        Port: ports,
        Router: routers,
        FloatingIP: floating_ips,
        SecurityGroup: security_groups,
        PhysicalNetwork: physical_networks,
        ReferenceGrant: reference_grants,
        Agent: agents,
    }
}

/// A moment, seconds after the first.
pub fn at(age: usize) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + i64::try_from(age).unwrap()).unwrap()
}

/// Says that `name` is plugged on the node of all tests.
pub fn plug(snapshot: &mut Snapshot, name: &str) {
    let port = snapshot.ports.get_mut(&key(name)).unwrap();
    let status = std::sync::Arc::make_mut(port).status.get_or_insert_default();
    status.binding = Some(Binding { node_name: NODE.into(), device: "eth0".into(), pod: None });
}

macro_rules! each_kind {
    ($do:ident) => {
        $do!(networks, Network);
        $do!(subnets, Subnet);
        $do!(ports, Port);
        $do!(routers, Router);
        $do!(floating_ips, FloatingIP);
        $do!(security_groups, SecurityGroup);
        $do!(physical_networks, PhysicalNetwork);
    };
}

/// Somebody deletes the object.
pub fn delete(snapshot: &mut Snapshot, what: &str) {
    let id = id(what);
    macro_rules! of {
        ($objects:ident, $kind:ident) => {
            if id.kind == Kind::$kind {
                let object = snapshot.$objects.get_mut(&id.key).unwrap();
                std::sync::Arc::make_mut(object).metadata.deletion_timestamp = Some(Time(at(0)));
            }
        };
    }
    each_kind!(of);
    of!(reference_grants, ReferenceGrant);
}

/// Writes statuses down.
pub fn record(snapshot: &mut Snapshot, statuses: Statuses) {
    macro_rules! of {
        ($objects:ident, $kind:ident) => {
            for (key, status) in statuses.$objects {
                std::sync::Arc::make_mut(snapshot.$objects.get_mut(&key).unwrap()).status = Some(status);
            }
        };
    }
    each_kind!(of);
}

/// A report of the node of all tests: all is done.
pub fn done() -> Report {
    Report { node: NODE.into(), ..Report::default() }
}

/// Links, says what the node says, writes it down.
pub fn settle(snapshot: &mut Snapshot) -> (Topology, Problems) {
    let (topology, problems) = link(snapshot);
    let statuses = statuses(snapshot, &topology, &problems, Some(&done()), at(1000));
    record(snapshot, statuses);
    (topology, problems)
}

/// What the node of all tests realises.
pub fn view(snapshot: &Snapshot) -> NodeView {
    link(snapshot).0.view(NODE)
}

/// The addresses of a port after linking.
pub fn addresses(snapshot: &Snapshot, name: &str) -> Vec<String> {
    let (topology, problems) = link(snapshot);
    let statuses = statuses(snapshot, &topology, &problems, None, at(1000));
    let recorded = || snapshot.ports[&key(name)].status.clone().unwrap_or_default();
    let status = statuses.ports.get(&key(name)).cloned().unwrap_or_else(recorded);
    status.addresses.iter().map(|a| a.ip.to_string()).collect()
}
