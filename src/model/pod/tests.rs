use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::*;
use crate::api::{BoundPod, PortStatus, StatusAddress};
use crate::model::fixtures::{add, at, key, settle, world};

const WORLD: &str = "
    Network blue
    Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
    Network infra/red
    Subnet infra/db {networkRef: {name: red}, cidr: 10.0.1.0/24}
    Port kept {networkRef: {name: blue}}";

fn meta(name: &str, uid: &str, annotations: &[(&str, &str)]) -> ObjectMeta {
    let annotations = annotations.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    ObjectMeta {
        name: Some(name.into()),
        namespace: Some("default".into()),
        uid: Some(uid.into()),
        resource_version: Some("7".into()),
        annotations: Some(annotations),
        ..ObjectMeta::default()
    }
}

fn put(snapshot: &mut Snapshot, name: &str, uid: &str, annotations: &[(&str, &str)]) {
    let pod = Pod::of(&meta(name, uid, annotations), Vec::new()).unwrap();
    snapshot.pods.known.insert(key(name), Arc::new(pod));
    snapshot.pods.whole = true;
}

/// What is to be done, also when it was looked at before.
fn chores(snapshot: &Snapshot) -> Chores {
    let mut settled = Settled::default();
    let first = super::chores(snapshot, &mut settled);
    assert_eq!(first, super::chores(snapshot, &mut settled));
    first
}

/// Makes what is wanted.
fn make(snapshot: &mut Snapshot) -> usize {
    let wanted = chores(snapshot).wanted;
    let count = wanted.len();
    for Wanted { port, pod, network, interface } in wanted {
        let network = serde_json::to_string(&network).unwrap();
        add(snapshot, 50, &format!("Port {}/{} {{networkRef: {network}}}", port.namespace, port.name));
        let object = Arc::make_mut(snapshot.ports.get_mut(&port).unwrap());
        object.metadata.annotations = Some([(pod::INTERFACE.to_owned(), interface)].into());
        object.metadata.owner_references = Some(vec![owner_of(&pod.key.name, &pod.uid)]);
    }
    count
}

fn owner_of(name: &str, uid: &str) -> OwnerReference {
    let (api_version, kind, name, uid) = ("v1".into(), "Pod".into(), name.into(), uid.into());
    OwnerReference { api_version, kind, name, uid, controller: Some(true), block_owner_deletion: Some(false) }
}

fn plug(snapshot: &mut Snapshot, port: &str) {
    crate::model::fixtures::plug(snapshot, port);
    settle(snapshot);
}

fn reasons(snapshot: &Snapshot) -> Vec<(String, String)> {
    let all = chores(snapshot).complaints;
    all.into_iter().map(|(who, complaint)| (who.key.name.to_string(), complaint.reason)).collect()
}

#[test]
fn each_network_of_a_pod_is_a_port_of_its_own_namespace_and_is_wanted_once() {
    let mut snapshot = world(WORLD);
    put(&mut snapshot, "web-0", "u", &[(pod::NETWORKS, "blue, infra/red@eth2"), (pod::PORTS, "kept")]);
    let wanted = chores(&snapshot).wanted;
    let said: Vec<_> =
        wanted.iter().map(|w| (w.port.to_string(), w.network.namespace.as_deref(), &*w.interface)).collect();
    let expected =
        [("default/web-0-net1".to_owned(), None, "net1"), ("default/web-0-eth2".to_owned(), Some("infra"), "eth2")];
    assert_eq!(said, expected);
    make(&mut snapshot);
    assert!(chores(&snapshot).wanted.is_empty());
}

#[test]
fn before_all_pods_are_known_nothing_is_done() {
    let mut snapshot = world(WORLD);
    put(&mut snapshot, "web-0", "u", &[(pod::NETWORKS, "blue")]);
    make(&mut snapshot);
    snapshot.pods = Pods::default();
    assert_eq!(chores(&snapshot), Chores::default());
}

#[test]
fn a_port_is_left_over_once_its_pod_is_not_seen_and_another_of_the_name_waits() {
    let mut snapshot = world(WORLD);
    put(&mut snapshot, "web-0", "u", &[(pod::NETWORKS, "blue")]);
    make(&mut snapshot);
    // What somebody edits takes nothing from a pod that runs.
    put(&mut snapshot, "web-0", "u", &[(pod::NETWORKS, "")]);
    assert!(chores(&snapshot).left.is_empty());
    put(&mut snapshot, "web-0", "v", &[(pod::NETWORKS, "blue")]);
    let Chores { wanted, left, complaints, .. } = chores(&snapshot);
    assert!(wanted.is_empty() && complaints.is_empty());
    assert_eq!(left.iter().map(|left| (&*left.port.name, &*left.pod.uid)).collect::<Vec<_>>(), [("web-0-net1", "u")]);
    // It is going already.
    let going = |snapshot: &mut Snapshot| {
        let port = Arc::make_mut(snapshot.ports.get_mut(&key("web-0-net1")).unwrap());
        port.metadata.deletion_timestamp = Some(Time(at(0)));
    };
    going(&mut snapshot);
    assert_eq!(chores(&snapshot), Chores::default());
    snapshot.ports.remove(&key("web-0-net1"));
    assert_eq!(make(&mut snapshot), 1);
}

#[test]
fn what_is_somebody_elses_is_left_alone_and_said() {
    let mut snapshot = world(&format!("{WORLD}\nPort taken-net1 {{networkRef: {{name: blue}}}}"));
    put(&mut snapshot, "taken", "u", &[(pod::NETWORKS, "blue")]);
    let Chores { wanted, left, .. } = chores(&snapshot);
    assert!(wanted.is_empty() && left.is_empty());
    assert_eq!(reasons(&snapshot), [("taken".to_owned(), "NameInUse".to_owned())]);
    // A Port that a person gave to a pod is not left over: only what we made is.
    let port = Arc::make_mut(snapshot.ports.get_mut(&key("taken-net1")).unwrap());
    port.metadata.owner_references = Some(vec![owner_of("taken", "gone")]);
    assert!(chores(&snapshot).left.is_empty());
}

#[test]
fn what_cannot_be_is_said_and_its_port_is_there_to_say_it_too() {
    let mut snapshot = world(WORLD);
    put(&mut snapshot, "a", "1", &[(pod::NETWORKS, "Blue")]);
    put(&mut snapshot, "b", "2", &[(pod::NETWORKS, "infra/red")]);
    put(&mut snapshot, "c", "3", &[(pod::NETWORKS, "green")]);
    put(&mut snapshot, "d", "4", &[(pod::PORTS, "none")]);
    put(&mut snapshot, "e", "5", &[(pod::NETWORKS, "blue"), (pod::PORTS, "e-net1")]);
    put(&mut snapshot, "f", "6", &[(pod::NETWORKS, "blue")]);
    assert_eq!(make(&mut snapshot), 4);
    settle(&mut snapshot);
    let said = reasons(&snapshot);
    let said: Vec<(&str, &str)> = said.iter().map(|(name, reason)| (&**name, &**reason)).collect();
    let expected = [("a", "Invalid"), ("b", "RefNotPermitted"), ("c", "NotFound"), ("d", "NotFound"), ("e", "Invalid")];
    assert_eq!(said, expected);
    // A grant helps at once.
    add(&mut snapshot, 60, "ReferenceGrant infra/all {from: [{namespace: default}], to: [{kind: Network}]}");
    settle(&mut snapshot);
    assert!(!reasons(&snapshot).iter().any(|(name, _)| name == "b"));
}

#[test]
fn a_pod_says_what_it_has_once_all_of_it_passes_and_others_words_stay() {
    let mut snapshot = world(WORLD);
    let asks = [
        (pod::NETWORKS, "blue@eth2"),
        (pod::PORTS, "kept"),
        (pod::NETWORK_STATUS, r#"[{"name":"x","interface":"eth0"},{"name":"old","interface":"eth2"}]"#),
    ];
    put(&mut snapshot, "web", "u", &asks);
    make(&mut snapshot);
    settle(&mut snapshot);
    plug(&mut snapshot, "kept");
    assert!(chores(&snapshot).shown.is_empty());
    plug(&mut snapshot, "web-eth2");
    let shown = chores(&snapshot).shown.remove(0);
    assert_eq!((shown.version.as_deref(), &*shown.pod.uid), (Some("7"), "u"));
    let said: Value = serde_json::from_str(&shown.text).unwrap();
    let names: Vec<_> = said
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["name"].as_str().unwrap(), line["interface"].as_str().unwrap()))
        .collect();
    assert_eq!(names, [("x", "eth0"), ("default/blue", "eth2"), ("default/blue", "net2")]);
    let PortStatus { addresses, mac_address, mtu, .. } = snapshot.ports[&key("web-eth2")].status.clone().unwrap();
    let ips: Vec<String> = addresses.iter().map(|StatusAddress { ip, .. }| ip.to_string()).collect();
    assert_eq!((&said[1]["ips"], &said[1]["mtu"]), (&json!(ips), &json!(mtu)));
    assert_eq!(said[1]["mac"], mac_address.unwrap().to_string());
    // Said again, it is the same.
    let asks = [asks[0], asks[1], (pod::NETWORK_STATUS, &*shown.text)];
    put(&mut snapshot, "web", "u", &asks);
    assert!(chores(&snapshot).shown.is_empty());
    // Nobody knows what this is.
    put(&mut snapshot, "web", "u", &[asks[0], asks[1], (pod::NETWORK_STATUS, "{")]);
    assert!(chores(&snapshot).shown.is_empty());
}

#[test]
fn a_pod_that_is_going_gets_nothing_more_and_keeps_what_it_has() {
    let mut snapshot = world(WORLD);
    put(&mut snapshot, "web", "u", &[(pod::NETWORKS, "blue")]);
    make(&mut snapshot);
    let mut going = meta("web", "u", &[(pod::NETWORKS, "blue, blue, Blue")]);
    going.deletion_timestamp = Some(Time(at(0)));
    snapshot.pods.known.insert(key("web"), Arc::new(Pod::of(&going, Vec::new()).unwrap()));
    assert_eq!(chores(&snapshot), Chores::default());
}

#[test]
fn what_multus_gives_is_made_and_not_said_by_us() {
    let mut snapshot = world(WORLD);
    let network = What::Network { namespace: "default".into(), name: "blue".into() };
    let others = vec![Entry { what: network, interface: "net1".into() }];
    assert_eq!(Pod::of(&meta("web", "u", &[]), Vec::new()), None);
    snapshot.pods.known.insert(key("web"), Arc::new(Pod::of(&meta("web", "u", &[]), others).unwrap()));
    snapshot.pods.whole = true;
    assert_eq!(make(&mut snapshot), 1);
    settle(&mut snapshot);
    plug(&mut snapshot, "web-net1");
    assert_eq!(chores(&snapshot), Chores::default());
}

#[test]
fn a_holder_that_is_not_seen_is_named() {
    let mut snapshot = world(WORLD);
    put(&mut snapshot, "web", "u", &[(pod::PORTS, "kept")]);
    let binding = |pod: Option<(&str, &str)>| Binding {
        node_name: "node-1".into(),
        device: "net1".into(),
        pod: pod.map(|(name, uid)| BoundPod { name: name.into(), uid: uid.into() }),
    };
    let gone = |pod| gone(&snapshot, &key("kept"), &binding(pod)).map(|who| who.uid.to_string());
    assert_eq!(gone(Some(("web", "u"))), None);
    assert_eq!(gone(Some(("web", "v"))), Some("v".into()));
    assert_eq!(gone(Some(("other", "u"))), Some("u".into()));
    assert_eq!(gone(None), None);
    snapshot.pods.whole = false;
    assert_eq!(super::gone(&snapshot, &key("kept"), &binding(Some(("other", "u")))), None);
}
