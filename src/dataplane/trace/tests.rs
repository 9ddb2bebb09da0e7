use super::*;
use crate::model::fixtures::{key, plug, settle, world};
use crate::model::{Snapshot, link};

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
