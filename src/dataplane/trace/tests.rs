use proptest::prelude::*;

use super::*;
use crate::dataplane::filter::{self, Asked, Tables};
use crate::dataplane::state::Item;
use crate::model::fixtures::{NODE, key, plug, settle, world};
use crate::model::security::Direction;
use crate::model::view::PortView;
use crate::model::{Id, Kind, Snapshot, link};

const SHOP: &str = "
    PhysicalNetwork wire {attachments: [{interface: br0}]}
    Network public {external: true, provider: {physicalNetwork: wire, type: Flat}}
    Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/24}
    Network front
    Subnet front {networkRef: {name: front}, cidr: 10.0.1.0/24}
    Network back
    Subnet back {networkRef: {name: back}, cidr: 10.0.2.0/24}
    Router edge {interfaces: [{subnetRef: {name: front}}, {subnetRef: {name: back}}], externalGateway: {networkRef: {name: public}}}
    SecurityGroup web {rules: [{direction: Ingress, protocol: TCP, port: 443, description: shop}, {direction: Egress}]}
    SecurityGroup db {rules: [{direction: Ingress, protocol: TCP, port: 5432, remote: {groupRef: {name: web}}}]}
    SecurityGroup mute {rules: [{direction: Ingress, protocol: ICMP}, {direction: Egress, protocol: TCP}]}
    Port web-0 {networkRef: {name: front}, addresses: [{ip: 10.0.1.10}], securityGroupRefs: [{name: web}]}
    Port db-0 {networkRef: {name: back}, addresses: [{ip: 10.0.2.20}], securityGroupRefs: [{name: db}]}
    Port mute {networkRef: {name: front}, addresses: [{ip: 10.0.1.11}], securityGroupRefs: [{name: mute}]}
    Port idle {networkRef: {name: front}, addresses: [{ip: 10.0.1.12}]}
    FloatingIP shop {networkRef: {name: public}, portRef: {name: web-0}, ip: 203.0.113.10}";

fn shop() -> Snapshot {
    let mut snapshot = world(SHOP);
    settle(&mut snapshot);
    for port in ["web-0", "db-0", "mute"] {
        plug(&mut snapshot, port);
    }
    settle(&mut snapshot);
    snapshot
}

fn ask(snapshot: &Snapshot, from: &str, to: &str, sent: Sent) -> Trace {
    let target = to.parse().unwrap();
    let trace = trace(&link(snapshot).0, &Question { port: key(from), source: None, target, sent }).unwrap();
    println!("{from} {to} {sent:?}: {}", trace.end.sentence());
    for hop in &trace.hops {
        println!("    {:24} {:8} {}", hop.at, hop.node.as_deref().unwrap_or("-"), hop.says);
    }
    trace
}

#[test]
fn a_trace_says_which_rule_decides() {
    let snapshot = shop();
    let says = |from: &str, to: &str, sent: Sent| ask(&snapshot, from, to, sent).end.sentence();
    let allowed = says("web-0", "10.0.2.20", Sent::Tcp(5432));
    assert_eq!(allowed, "allowed: it reaches Port default/db-0, and the answer comes back");
    assert_eq!(
        says("web-0", "10.0.2.20", Sent::Tcp(22)),
        "dropped at Port default/db-0, because no rule of default/db allows Ingress from 10.0.1.10, TCP 22"
    );
    assert_eq!(
        says("mute", "10.0.2.20", Sent::Echo),
        "dropped at Port default/mute, because no rule of default/mute allows Egress to 10.0.2.20, ICMP echo request"
    );
    assert_eq!(says("web-0", "10.0.1.12", Sent::Echo), "dropped at Port default/idle, because nobody has plugged it");
    assert_eq!(
        says("web-0", "10.0.1.99", Sent::Echo),
        "dropped at Network default/front, because nobody has the address 10.0.1.99"
    );
    assert_eq!(says("idle", "10.0.1.10", Sent::Echo), "dropped at Port default/idle, because nobody has plugged it");
    assert_eq!(
        says("web-0", "10.0.1.1", Sent::Echo),
        "allowed: it reaches Router default/edge, and the answer comes back"
    );
    let trace = ask(&snapshot, "mute", "203.0.113.10", Sent::Tcp(443));
    assert!(trace.end.passes(), "{trace:?}");
    let rule = "rule 0 of SecurityGroup default/web (\"shop\"): Ingress TCP 443 from anywhere";
    assert!(trace.hops.iter().any(|hop| hop.says.contains(rule)), "{trace:?}");
    assert!(!says("db-0", "198.51.100.1", Sent::Udp(53)).starts_with("allowed"), "no group lets it out");
    assert!(says("web-0", "198.51.100.1", Sent::Udp(53)).ends_with("as 203.0.113.10"), "by its floating IP");
    assert!(says("mute", "198.51.100.1", Sent::Tcp(80)).ends_with("as 203.0.113.2"), "by the router's address");
    assert!(
        says("web-0", "10.0.9.9", Sent::Tcp(80)).contains("to the wire of Network default/public"),
        "it is nobody's"
    );
}

#[test]
fn what_is_not_there_or_not_routed_is_told() {
    let mut snapshot = world(
        "
        Network blue
        Subnet blue {networkRef: {name: blue}, cidr: 10.0.0.0/24, gatewayIP: None}
        Network red
        Subnet red {networkRef: {name: red}, cidr: 10.0.0.0/24}
        Port a {networkRef: {name: blue}}
        Port b {networkRef: {name: red}}
        Port none {networkRef: {name: red}, ipAllocation: None}
        Port lost {networkRef: {name: gone}}",
    );
    settle(&mut snapshot);
    for port in ["a", "b", "none", "lost"] {
        plug(&mut snapshot, port);
    }
    settle(&mut snapshot);
    let says = |from: &str, to: &str| ask(&snapshot, from, to, Sent::Echo).end.sentence();
    assert!(says("a", "10.9.9.9").contains("no route to 10.9.9.9"));
    assert!(says("b", "10.9.9.9").contains("nobody has the address 10.0.0.1"), "there is no router");
    assert!(says("none", "10.0.0.9").contains("name one with --source"));
    assert!(says("lost", "10.0.0.9").contains("it is not in force: NotFound"));
    assert!(says("a", "10.0.0.1").contains("Port default/a itself"));
    let question =
        Question { port: key("nobody"), source: None, target: "10.0.0.1".parse().unwrap(), sent: Sent::Echo };
    assert!(trace(&link(&snapshot).0, &question).is_err());
    let from = |source: &str| {
        let source = Some(source.parse().unwrap());
        let question = Question { port: key("b"), source, target: "10.0.0.77".parse().unwrap(), sent: Sent::Echo };
        trace(&link(&snapshot).0, &question).unwrap().end.sentence()
    };
    assert!(from("10.0.0.66").contains("10.0.0.66 is none of the port's addresses (port security)"));
}

/// Rules of both groups, whom they let in, and what is asked.
fn rules() -> impl Strategy<Value = String> {
    let rule = (any::<bool>(), 0..3u8, 0..3u16, 0..4u8).prop_map(|(ingress, protocol, port, remote)| {
        let direction = if ingress { "Ingress" } else { "Egress" };
        let protocol = match protocol {
            0 => String::new(),
            1 => ", protocol: ICMP".into(),
            _ => format!(", protocol: TCP, port: {}", 80 + port),
        };
        let remote = match remote {
            0 => String::new(),
            1 => ", remote: {cidr: 10.0.0.0/30}".into(),
            2 => ", remote: {groupRef: {name: g0}}".into(),
            _ => ", remote: {groupRef: {name: g1}}".into(),
        };
        format!("{{direction: {direction}{protocol}{remote}}}")
    });
    proptest::collection::vec(rule, 0..5).prop_map(|rules| rules.join(", "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// The way on one network is nothing but the rules of both ends, and those stand in the filters' tables.
    #[test]
    fn a_trace_goes_by_the_tables_that_filters_have(a in rules(), b in rules(), c in rules(), port in 79..84u16, tcp: bool) {
        let mut snapshot = world(&format!("
            Network blue
            Subnet blue {{networkRef: {{name: blue}}, cidr: 10.0.0.0/24}}
            SecurityGroup g0 {{rules: [{a}]}}
            SecurityGroup g1 {{rules: [{b}]}}
            SecurityGroup g2 {{rules: [{c}]}}
            Port x {{networkRef: {{name: blue}}, securityGroupRefs: [{{name: g0}}, {{name: g2}}]}}
            Port y {{networkRef: {{name: blue}}, securityGroupRefs: [{{name: g1}}]}}"));
        settle(&mut snapshot);
        for port in ["x", "y"] {
            plug(&mut snapshot, port);
        }
        settle(&mut snapshot);
        let topology = link(&snapshot).0;
        let view = topology.view(NODE);
        let tables = Tables::of(&view);
        let ports = &view.networks[&key("blue")].ports;
        let (x, y) = (&ports[&key("x")], &ports[&key("y")]);
        let allows = |of: &PortView, other: &PortView, direction| {
            let (protocol, numbers) = if tcp { (6, (port, 0)) } else { (1, (8, 0)) };
            let question = Asked { direction, remote: other.addresses[0].0, protocol, numbers };
            tables.rule(of.security.as_ref().unwrap(), &question).is_some()
        };
        let expected = allows(x, y, Direction::Egress) && allows(y, x, Direction::Ingress);
        let sent = if tcp { Sent::Tcp(port) } else { Sent::Echo };
        let IpAddr::V4(target) = y.addresses[0].0 else { panic!() };
        let said = trace(&topology, &Question { port: key("x"), source: None, target, sent }).unwrap();
        prop_assert_eq!(said.end.passes(), expected, "{:?}", said);
        // Every rule that decides is one that somebody wrote.
        prop_assert!(said.hops.iter().all(|hop| !hop.says.contains("what is implied")), "{:?}", said);
    }
}

#[test]
fn filters_have_the_tables_that_a_trace_goes_by() {
    let view = link(&shop()).0.view(NODE);
    let (tables, mut state) = (Tables::of(&view), crate::dataplane::state::State::default());
    for network in view.networks.values() {
        for (key, port) in &network.ports {
            filter::render::port(port, network, None, &Id::new(Kind::Port, key.clone()), &mut state);
        }
    }
    filter::render::groups(&view, &mut state);
    let wanted = |item: &Item| state.0.contains_key(item);
    assert!(tables.ports.keys().all(|port| wanted(&Item::Policy(*port))) && tables.ports.len() == 3);
    assert!(tables.groups.keys().all(|group| wanted(&Item::Group(*group))) && tables.groups.len() == 3);
    assert!(tables.members.iter().all(|member| wanted(&Item::Member(*member))) && !tables.members.is_empty());
    assert_eq!(state.0.len(), 6 + tables.members.len());
}
