//! Floating IPs: which router, which fixed IP, what happens when they move.

use std::sync::Arc;

use crate::api::{Protocol, Reason};
use crate::model::fixtures::{id, key, settle, view, world};
use crate::model::{Snapshot, link};

const BASE: &str = "
    Network public {external: true}
    Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/24, allocationPools: [{start: 203.0.113.10, end: 203.0.113.20}]}
    Network blue
    Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
    Router aside {interfaces: [{subnetRef: {name: web}, ip: 10.0.0.250}], externalGateway: {networkRef: {name: public}}}
    Router gate {interfaces: [{subnetRef: {name: web}}], externalGateway: {networkRef: {name: public}}}
    Port p {networkRef: {name: blue}}
    Port q {networkRef: {name: blue}}";

fn with(lines: &str) -> Snapshot {
    world(&format!("{BASE}\n{lines}"))
}

/// Floating addresses and what they lead to, on one router.
fn leads(snapshot: &Snapshot, router: &str) -> Vec<(String, String)> {
    let view = view(snapshot);
    let external = view.routers[&key(router)].external.clone().unwrap();
    external.floating.iter().map(|(ip, f)| (ip.to_string(), f.fixed.to_string())).collect()
}

fn pair(a: &str, b: &str) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

#[test]
fn the_router_that_is_the_gateway_translates_although_another_is_older() {
    let mut snapshot = with("FloatingIP f {networkRef: {name: public}, ip: 203.0.113.77, portRef: {name: p}}");
    assert!(settle(&mut snapshot).1.is_empty());
    assert_eq!(leads(&snapshot, "gate"), [pair("203.0.113.77", "10.0.0.2")]);
    assert!(leads(&snapshot, "aside").is_empty());
    let status = snapshot.floating_ips[&key("f")].status.clone().unwrap();
    assert_eq!(status.router_ref.unwrap().name, "gate");
    assert_eq!(status.node_name.as_deref(), Some("node-1"));
    snapshot.routers.remove(&key("gate"));
    assert_eq!(leads(&snapshot, "aside"), [pair("203.0.113.77", "10.0.0.2")], "any router is better than none");
}

#[test]
fn a_floating_ip_without_a_port_is_reserved_and_keeps_its_address() {
    let mut snapshot = with("FloatingIP f {networkRef: {name: public}}");
    assert!(settle(&mut snapshot).1.is_empty());
    let status = |s: &Snapshot| s.floating_ips[&key("f")].status.clone().unwrap();
    let reserved = status(&snapshot);
    assert!(reserved.ip.is_some() && reserved.router_ref.is_none());
    assert!(reserved.conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True"));
    for port in ["p", "q"] {
        let floating = Arc::make_mut(snapshot.floating_ips.get_mut(&key("f")).unwrap());
        floating.spec.port_ref = serde_json::from_str(&format!(r#"{{"name": "{port}"}}"#)).unwrap();
        settle(&mut snapshot);
        assert_eq!(status(&snapshot).ip, reserved.ip, "one edit moves it, the address stays");
        assert_eq!(leads(&snapshot, "gate").len(), 1);
    }
    assert_eq!(leads(&snapshot, "gate")[0].1, "10.0.0.3");
}

#[test]
fn port_forwardings_lead_to_several_ports_and_a_bad_one_harms_no_other() {
    let snapshot = with(
        "FloatingIP f {networkRef: {name: public}, portForwardings: [{protocol: TCP, port: 80, targetPort: 8080, portRef: {name: p}}, {protocol: UDP, port: 80, targetPort: 53, portRef: {name: q}}, {protocol: TCP, port: 81, targetPort: 1, portRef: {name: none}}]}",
    );
    let (_, problems) = link(&snapshot);
    let problem = &problems[&id("FloatingIP f")][0];
    assert_eq!(problem.remark.reason, Reason::NotFound);
    assert!(problem.remark.message.starts_with("The forwarding of TCP 81 is left out"), "{problem:?}");
    let view = view(&snapshot);
    let forwarding = &view.routers[&key("gate")].external.as_ref().unwrap().forwarding;
    let ports = &forwarding.values().next().unwrap().ports;
    let to = |protocol, port| ports.get(&(protocol, port)).map(|(ip, port)| format!("{ip}:{port}"));
    assert_eq!(to(Protocol::TCP, 80).as_deref(), Some("10.0.0.2:8080"));
    assert_eq!(to(Protocol::UDP, 80).as_deref(), Some("10.0.0.3:53"));
    assert_eq!(ports.len(), 2);
}

#[test]
fn a_fixed_ip_with_forwardings_gets_no_floating_ip_and_two_may_share_it_by_port() {
    let forward =
        |port: u16| format!("portForwardings: [{{protocol: TCP, port: 80, targetPort: {port}, portRef: {{name: p}}}}]");
    let snapshot = with(&format!(
        "FloatingIP a {{networkRef: {{name: public}}, {}}}
         FloatingIP b {{networkRef: {{name: public}}, {}}}
         FloatingIP c {{networkRef: {{name: public}}, {}}}
         FloatingIP d {{networkRef: {{name: public}}, portRef: {{name: p}}}}",
        forward(8080),
        forward(8081),
        forward(8080)
    ));
    let (_, problems) = link(&snapshot);
    let reason = |name: &str| problems.get(&id(name)).map(|p| p[0].remark.reason);
    assert_eq!(reason("FloatingIP a"), None);
    assert_eq!(reason("FloatingIP b"), None);
    assert_eq!(reason("FloatingIP c"), Some(Reason::ForwardingConflict));
    assert_eq!(reason("FloatingIP d"), Some(Reason::FixedAddressInUse));
}

#[test]
fn the_same_address_on_two_networks_is_two_fixed_ips() {
    let mut snapshot = with(
        "Network red
         Subnet other {networkRef: {name: red}, cidr: 10.0.0.0/24}
         Router red {interfaces: [{subnetRef: {name: other}}], externalGateway: {networkRef: {name: public}}}
         Port z {networkRef: {name: red}}
         FloatingIP f {networkRef: {name: public}, portRef: {name: p}}
         FloatingIP g {networkRef: {name: public}, portRef: {name: z}}",
    );
    assert!(settle(&mut snapshot).1.is_empty());
    assert_eq!(leads(&snapshot, "gate")[0].1, leads(&snapshot, "red")[0].1);
    assert_ne!(leads(&snapshot, "gate")[0].0, leads(&snapshot, "red")[0].0);
}
