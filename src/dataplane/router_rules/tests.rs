#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::api::MacAddr;
use crate::model::view::{ExternalView, FloatingView, InterfaceView, Part};
use crate::model::{Key, Uid};

fn router() -> RouterView {
    let interface = InterfaceView {
        uid: Uid(1),
        mac: MacAddr([2, 0, 0, 0, 0, 1]),
        network: Key::new("t", "blue"),
        ip: "10.0.0.1".parse().unwrap(),
        cidr: "10.0.0.0/24".parse().unwrap(),
        mtu: 1450,
        provider: false,
        distant: false,
        peers: [("10.0.0.5".parse().unwrap(), MacAddr([2, 0, 0, 0, 0, 5]))].into(),
        askers: [].into(),
    };
    let external = ExternalView {
        uid: Uid(2),
        mac: MacAddr([2, 0, 0, 0, 0, 2]),
        network: Key::new("infra", "public"),
        mtu: 1500,
        part: Part::Gateway,
        mute: false,
        settled: true,
        shared: "203.0.113.2".parse().unwrap(),
        addresses: vec!["2001:db8::2/64".parse().unwrap(), "203.0.113.2/24".parse().unwrap()],
        cidrs: vec!["203.0.113.0/24".parse().unwrap(), "2001:db8::/64".parse().unwrap()],
        gateway: Some("203.0.113.1".parse().unwrap()),
        routes: BTreeMap::new(),
        snat: true,
        floating: BTreeMap::new(),
        forwarding: BTreeMap::new(),
    };
    RouterView {
        uid: Uid(3),
        interfaces: vec![interface],
        external: Some(external),
        routes: BTreeMap::new(),
        transit: None,
    }
}

fn rules(router: &RouterView) -> Ruleset {
    let external = router.external.as_ref().map(|_| IfName::from("tlg2"));
    ruleset(router, &Legs { interfaces: vec!["tlg1".into()], external, transit: None })
}

fn set<'a>(rules: &'a Ruleset, name: &str) -> &'a Set {
    &rules.tables[&Family::Ip].sets[name]
}

#[test]
fn ports_and_floating_ips_change_elements_and_no_rule() {
    let before = rules(&router());
    let mut changed = router();
    changed.interfaces[0].peers.insert("10.0.0.6".parse().unwrap(), MacAddr([2, 0, 0, 0, 0, 6]));
    let fixed = FloatingView { key: Key::new("t", "f"), fixed: "10.0.0.6".parse().unwrap(), home: true, answers: true };
    changed.external.as_mut().unwrap().floating.insert("203.0.113.9".parse().unwrap(), fixed);
    changed.routes.insert("172.16.0.0/12".parse().unwrap(), vec!["10.0.0.6".parse().unwrap()]);
    let after = rules(&changed);
    assert_ne!(before, after);
    for (family, table) in &before.tables {
        assert!(table.same_but_elements(&after.tables[family]), "{family}");
    }
}

#[test]
fn guests_appear_as_the_first_ipv4_address_and_ipv6_is_left_out() {
    let mut both = router();
    both.interfaces[0].peers.insert("2001:db8:1::5".parse().unwrap(), MacAddr([2, 0, 0, 0, 0, 5]));
    let text = rules(&both).to_string();
    assert!(text.contains("oifname \"tlg2\" ip saddr @inner snat to 203.0.113.2\n"), "{text}");
    assert!(!text.contains("2001"), "{text}");
}

#[test]
fn a_route_that_leads_the_outside_into_a_tenant_network_makes_nobody_outside_a_tenant() {
    let mut routed = router();
    for to in ["0.0.0.0/0", "172.16.0.0/12", "198.51.100.0/24"] {
        // The last one leads outside, so it opens nothing inside.
        let hop = if to.starts_with("198") { "203.0.113.7" } else { "10.0.0.5" };
        routed.routes.insert(to.parse().unwrap(), vec![hop.parse().unwrap()]);
    }
    let nets = |nets: &[&str]| Set::ranges(nets.iter().map(|n| n.parse().unwrap()));
    let found = rules(&routed);
    assert_eq!(*set(&found, "inner"), nets(&["10.0.0.0/24", "172.16.0.0/12"]));
    assert_eq!(*set(&found, "open"), nets(&["0.0.0.0/0"]));
    routed.routes.remove(&"0.0.0.0/0".parse().unwrap());
    assert_eq!(*set(&rules(&routed), "open"), nets(&["172.16.0.0/12"]));
}

#[test]
fn what_is_remembered_are_the_rules_of_the_router_as_it_is_now() {
    let mut memory = Memory::default();
    let first = memory.ruleset(&router());
    assert!(Arc::ptr_eq(&first, &memory.ruleset(&router())));
    let mut changed = router();
    changed.interfaces[0].peers.clear();
    let second = memory.ruleset(&changed);
    assert_ne!(first, second);
    assert_eq!(second, Memory::default().ruleset(&changed));
    memory.forget_others([&changed].into_iter());
    assert!(Arc::ptr_eq(&second, &memory.ruleset(&changed)));
    memory.forget_others([].into_iter());
    assert!(!Arc::ptr_eq(&second, &memory.ruleset(&changed)));
}

#[test]
fn syns_are_clamped_where_the_legs_differ_and_only_there() {
    let mut same = router();
    same.interfaces[0].mtu = 1500;
    assert!(rules(&router()).to_string().contains("maxseg"));
    assert!(!rules(&same).to_string().contains("maxseg"));
}

#[test]
fn a_router_without_an_outside_tracks_no_connection() {
    let mut inner = router();
    inner.external = None;
    let text = rules(&inner).to_string();
    assert!(!text.contains("nat") && !text.contains(" ct ") && !text.contains("notrack"), "{text}");
}

#[test]
fn a_node_becomes_the_gateway_node_by_elements_and_what_it_no_longer_translates_is_forgotten() {
    let part = |part| {
        let mut view = router();
        view.external.as_mut().unwrap().part = part;
        let along =
            FloatingView { key: Key::new("t", "f"), fixed: "10.0.0.5".parse().unwrap(), home: false, answers: false };
        view.external.as_mut().unwrap().floating.insert("203.0.113.9".parse().unwrap(), along);
        let legs =
            Legs { interfaces: vec!["tlg1".into()], external: Some("tlg2".into()), transit: Some("ttr3".into()) };
        ruleset(&view, &legs)
    };
    let (next, gateway) = (part(Part::Next), part(Part::Gateway));
    assert!(next.tables[&Family::Ip].same_but_elements(&gateway.tables[&Family::Ip]));
    assert_eq!((&next, &gateway), (&part(Part::Takes), &part(Part::Former)), "only addresses move before and after");
    assert!(set(&gateway, "theirs").elements.is_empty() && !set(&next, "theirs").elements.is_empty());
    assert!(cut(&next, &gateway).is_empty(), "what was copied stays");
    let addresses = ["203.0.113.2", "203.0.113.9"].map(|ip| ip.parse().unwrap());
    assert_eq!(cut(&gateway, &next), addresses.into());
}
