//! CEL and Rust agree on subnets that nobody thought of: the rules about numbers, near the edges of small ranges.

use std::net::Ipv4Addr;

use kube::core::cel::{Validator, compile_schema};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};
use tenet::api::Subnet;
use tenet::model::valid::Valid;

use crate::schemas;

/// Addresses around the start of 10.0.1.0 and of the ranges below it.
fn address() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => (-1_i64..6).prop_map(|offset| number(0x0a00_0100 + offset)),
        6 => (-4_i64..40).prop_map(|offset| number(0x0a00_0100 + offset)),
        2 => (-4_i64..5).prop_map(|offset| number(0x0a00_0200 + offset)),
        1 => Just("10.255.255.255".to_owned()),
        1 => Just("2001:db8::1".to_owned()),
    ]
}

fn number(bits: i64) -> String {
    Ipv4Addr::from_bits(u32::try_from(bits).unwrap()).to_string()
}

fn subnet() -> impl Strategy<Value = Value> {
    let cidr = prop_oneof![
        (23_u8..=32).prop_map(|prefix| format!("10.0.1.0/{prefix}")),
        (30_u8..=32).prop_map(|prefix| format!("10.0.1.0/{prefix}")),
        (27_u8..=32, 0_i64..32).prop_map(|(prefix, offset)| format!("{}/{prefix}", number(0x0a00_0100 + offset))),
        Just("10.0.0.0/8".to_owned()),
    ];
    let gateway = option::of(prop_oneof![1 => Just("None".to_owned()), 4 => address()]);
    let pool = (address(), address()).prop_map(|(start, end)| json!({ "start": start, "end": end }));
    let route = address().prop_map(|hop| json!({ "destination": "172.16.0.0/12", "nextHop": hop }));
    let lists = (option::of(vec(pool, 1..4)), vec(address(), 0..3), vec(route, 0..3));
    (cidr, gateway, option::of(prop::bool::weighted(0.3)), lists).prop_map(
        |(cidr, gateway, dhcp, (pools, servers, routes))| {
            let mut spec = json!({ "networkRef": { "name": "blue" }, "cidr": cidr });
            let fields = [
                ("gatewayIP", gateway.map(Value::from)),
                ("dhcp", dhcp.map(Value::from)),
                ("allocationPools", pools.map(Value::from)),
                ("dnsNameservers", (!servers.is_empty()).then(|| servers.into())),
                ("hostRoutes", (!routes.is_empty()).then(|| routes.into())),
            ];
            for (name, value) in fields {
                if let Some(value) = value {
                    spec[name] = value;
                }
            }
            json!({
                "apiVersion": "tenet.network/v1alpha1", "kind": "Subnet",
                "metadata": { "name": "web", "namespace": "default" }, "spec": spec,
            })
        },
    )
}

#[test]
fn cel_and_rust_agree_on_any_subnet() {
    let schema = schemas().into_iter().find(|(kind, _)| kind == "Subnet").unwrap().1;
    let (compiled, validator) = (compile_schema(&schema), Validator::new());
    proptest!(ProptestConfig::with_cases(4000), |(object in subnet())| {
        let cel = validator.validate_compiled(&compiled, &object, None);
        let rust = serde_json::from_value::<Subnet>(object.clone()).unwrap().valid();
        prop_assert_eq!(cel.is_ok(), rust.is_ok(), "{}\nCEL: {:?}\nRust: {:?}", object, cel, rust);
    });
}
