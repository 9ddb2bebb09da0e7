//! CEL and Rust agree on rules and address pairs that nobody thought of.

use kube::core::cel::{Validator, compile_schema};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tenet::api::{Port, SecurityGroup};
use tenet::model::valid::Valid;

use crate::schemas;

/// An object of the fields that are there.
fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map<_, _>>().into()
}

fn rule() -> impl Strategy<Value = Value> {
    let protocols =
        ["TCP", "UDP", "SCTP", "ICMP", "ICMP", "ICMPv6", "ICMPv6", "1", "6", "58", "0", "255", "256", "01", "tcp"];
    let cidrs =
        ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.1/8", "::/0", "2001:db8::/32", "10.0.0.0", "10.0.0.0/33", "fe80::1/10"];
    let group = json!({ "groupRef": { "name": "web" } });
    let remote = prop_oneof![
        6 => select(cidrs.to_vec()).prop_map(|cidr| json!({ "cidr": cidr })),
        2 => Just(group),
        1 => Just(json!({})),
        1 => Just(json!({ "cidr": "10.0.0.0/8", "groupRef": { "name": "web" } })),
    ];
    let port = || option::weighted(0.3, 1_u16..4);
    let code = || option::weighted(0.3, 0_u8..3);
    let by = (option::of(select(&["IPv4", "IPv6"][..])), option::weighted(0.8, select(protocols.to_vec())));
    (by, port(), port(), code(), code(), option::of(remote)).prop_map(
        |((family, protocol), port, end, kind, code, remote)| {
            object([
                ("direction", Some("Ingress".into())),
                ("family", family.map(Value::from)),
                ("protocol", protocol.map(Value::from)),
                ("port", port.map(Value::from)),
                ("endPort", end.map(Value::from)),
                ("icmpType", kind.map(Value::from)),
                ("icmpCode", code.map(Value::from)),
                ("remote", remote),
            ])
        },
    )
}

fn pair() -> impl Strategy<Value = Value> {
    let ips = [
        "10.0.0.5",
        "10.0.0.5/32",
        "10.0.0.4/31",
        "10.0.0.5/31",
        "2001:db8::5",
        "2001:DB8:0:0::5/128",
        "2001:db8::/64",
        "0.0.0.0/0",
        "::/0",
        "::",
        "::1",
        "0.0.0.0/8",
        "127.0.0.0/8",
        "224.0.0.1",
        "ff02::/16",
        "255.255.255.255",
        "fe80::/64",
        "169.254.1.1",
    ];
    let macs = ["02:00:00:00:00:0a", "02:00:00:00:00:0A", "01:00:5e:00:00:01"];
    let mac = option::weighted(0.5, select(macs.to_vec()));
    (select(ips.to_vec()), mac)
        .prop_map(|(ip, mac)| object([("ip", Some(ip.into())), ("macAddress", mac.map(Value::from))]))
}

fn named(kind: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "tenet.network/v1alpha1", "kind": kind, "metadata": { "name": "web", "namespace": "default" }, "spec": spec,
    })
}

/// What cannot be read never becomes an object.
fn rust<T: DeserializeOwned + Valid>(object: &Value) -> Result<(), String> {
    let object: T = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    object.valid().map_err(|remark| remark.message)
}

#[test]
fn cel_and_rust_agree_on_any_rule() {
    let schema = schemas().into_iter().find(|(kind, _)| kind == "SecurityGroup").unwrap().1;
    let (compiled, validator) = (compile_schema(&schema), Validator::new());
    proptest!(ProptestConfig::with_cases(4000), |(rules in vec(rule(), 1..3))| {
        let object = named("SecurityGroup", &json!({ "rules": rules }));
        let (cel, rust) = (validator.validate_compiled(&compiled, &object, None), rust::<SecurityGroup>(&object));
        prop_assert_eq!(cel.is_ok(), rust.is_ok(), "{}\nCEL: {:?}\nRust: {:?}", object, cel, rust);
    });
}

#[test]
fn cel_and_rust_agree_on_any_pairs() {
    let schema = schemas().into_iter().find(|(kind, _)| kind == "Port").unwrap().1;
    let (compiled, validator) = (compile_schema(&schema), Validator::new());
    let security = option::weighted(0.3, any::<bool>());
    let groups = option::weighted(0.3, vec(select(vec!["web", "db", "default"]), 1..3));
    proptest!(ProptestConfig::with_cases(4000), |(pairs in vec(pair(), 0..3), security in security, groups in groups)| {
        let groups = groups.map(|names| names.into_iter().map(|name| json!({ "name": name })).collect::<Vec<_>>());
        let spec = object([
            ("networkRef", Some(json!({ "name": "blue" }))),
            ("allowedAddressPairs", (!pairs.is_empty()).then(|| pairs.into())),
            ("portSecurity", security.map(Value::from)),
            ("securityGroupRefs", groups.map(Value::from)),
        ]);
        let object = named("Port", &spec);
        let (cel, rust) = (validator.validate_compiled(&compiled, &object, None), rust::<Port>(&object));
        prop_assert_eq!(cel.is_ok(), rust.is_ok(), "{}\nCEL: {:?}\nRust: {:?}", object, cel, rust);
    });
}
