//! A real API server takes the CRDs, takes the good objects of `objects/` and refuses the bad ones.
//! One test, because the server takes longer to start than all questions to ask.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod control_plane;
#[path = "objects/mod.rs"]
mod objects;

use std::collections::{BTreeMap, BTreeSet};

use control_plane::ControlPlane;
use objects::Case;
use serde_json::{Value, json};

#[test]
fn a_real_api_server_takes_the_crds_and_holds_every_rule() {
    let plane = ControlPlane::start();
    establish(&plane);
    for table in objects::tables() {
        let (edits, creations): (Vec<Case>, Vec<Case>) = table.cases().into_iter().partition(|c| c.old.is_some());
        judge(&plane, &["create"], &creations);
        let before: Vec<&Value> = edits.iter().filter_map(|case| case.old.as_ref()).collect();
        plane.expect(&["create", "-f", "-"], &list(&before));
        judge(&plane, &["replace"], &edits);
    }
    tables_tell_the_story(&plane);
    statuses_are_bounded_and_watched_by_node_and_network(&plane);
    what_nobody_has_judged_says_so(&plane);
    null_is_absent(&plane);
    the_largest_group_is_judged(&plane);
}

/// Accepted without a warning (an unknown format would be one), and served.
fn establish(plane: &ControlPlane) {
    let words = plane.expect(&["create", "-f", "-"], &tenet::api::crds_yaml().unwrap());
    assert!(!words.contains("Warning"), "{words}");
    let kinds = tenet::api::all().len();
    assert_eq!(words.lines().filter(|line| line.ends_with("created")).count(), kinds, "{words}");
    let words = plane.expect(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"], "");
    assert_eq!(words.lines().filter(|line| line.ends_with("condition met")).count(), kinds, "{words}");
}

fn list(items: &[&Value]) -> String {
    json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string()
}

/// Writes all objects at once and holds the server's answers against the table.
fn judge(plane: &ControlPlane, verb: &[&str], cases: &[Case]) {
    let news: Vec<&Value> = cases.iter().map(|case| &case.new).collect();
    // Without kubectl's own check, which would refuse the whole list for one missing field.
    let output = plane.kubectl(&[verb, &["--validate=false", "-f", "-"]].concat(), &list(&news));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let taken: BTreeSet<&str> =
        out.lines().filter_map(|line| line.split_once('/')?.1.split_once(' ').map(|(name, _)| name)).collect();
    let refused: BTreeMap<&str, &str> = err
        .split("Error from server")
        .filter_map(|words| {
            words.split_once("\" is invalid: ").map(|(head, why)| (head.rsplit_once('"').unwrap().1, why))
        })
        .collect();
    for case in cases {
        let name = case.new["metadata"]["name"].as_str().unwrap();
        match &case.says {
            None => assert!(taken.contains(name), "refused: {}\n{:?}\n{err}", case.new, refused.get(name)),
            Some(says) => {
                let why = refused.get(name).unwrap_or_else(|| panic!("taken, though `{says}`: {}\n{err}", case.new));
                assert!(why.contains(says.as_str()), "`{says}` is not what is said of {}: {why}", case.new);
                assert!(!why.contains("rule evaluation error"), "{}: {why}", case.new);
                assert!(case.schema || !why.contains("were not checked"), "a bound refuses {}: {why}", case.new);
            }
        }
    }
}

fn tables_tell_the_story(plane: &ControlPlane) {
    let all = plane.expect(&["get", "tenet"], "");
    for kind in
        ["network", "subnet", "port", "router", "floatingip", "securitygroup", "physicalnetwork", "referencegrant"]
    {
        assert!(all.contains(&format!("{kind}.tenet.network/{kind}-0")), "{kind}\n{all}");
    }
    let heads = [
        ("tnet", "NAME MTU EXTERNAL PHYSICAL READY REASON AGE"),
        ("tsub", "NAME NETWORK CIDR GATEWAY FREE READY REASON AGE"),
        ("tport", "NAME NETWORK ADDRESS MAC NODE READY REASON AGE"),
        ("trtr", "NAME EXTERNAL NETWORK NODE READY REASON AGE"),
        ("tfip", "NAME ADDRESS PORT NETWORK READY REASON AGE"),
        ("tsg", "NAME STATEFUL RULES PORTS READY REASON AGE"),
        ("tphys", "NAME INTERFACE MODE MTU READY REASON AGE"),
        ("tgrant", "NAME FROM TO AGE"),
    ];
    for (short, head) in heads {
        let table = plane.expect(&["get", short], "");
        assert_eq!(table.lines().next().unwrap().split_whitespace().collect::<Vec<_>>().join(" "), head);
    }
}

fn patch_status(plane: &ControlPlane, object: &str, status: &Value) -> Result<(), String> {
    let patch = json!({ "status": status }).to_string();
    let output = plane.kubectl(&["patch", object, "--subresource=status", "--type=merge", "-p", &patch], "");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

fn statuses_are_bounded_and_watched_by_node_and_network(plane: &ControlPlane) {
    let condition = json!({
        "type": "Ready", "status": "True", "reason": "Programmed", "message": "", "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    let status = json!({
        "addresses": [{ "subnetRef": { "name": "web" }, "ip": "10.0.0.5" }], "macAddress": "02:00:00:00:00:05", "mtu": 1450,
        "networkUID": "7d4b2c1e-0000-0000-0000-000000000001", "binding": { "nodeName": "node-1", "device": "eth0" },
        "conditions": [condition],
    });
    patch_status(plane, "port/port-0", &status).unwrap();
    let selectors = ["status.binding.nodeName=node-1", "status.networkUID=7d4b2c1e-0000-0000-0000-000000000001"];
    for selector in selectors {
        let table = plane.expect(&["get", "tport", "--no-headers", "--field-selector", selector], "");
        let row: Vec<&str> = table.split_whitespace().collect();
        assert_eq!(
            row[..7],
            ["port-0", "blue", "10.0.0.5", "02:00:00:00:00:05", "node-1", "True", "Programmed"],
            "{table}"
        );
        assert_eq!(table.lines().count(), 1, "{table}");
    }
    patch_status(plane, "router/router-0", &json!({ "gatewayNode": "node-1", "externalAddresses": ["203.0.113.9"] }))
        .unwrap();
    patch_status(plane, "floatingip/floatingip-0", &json!({ "nodeName": "node-1", "ip": "203.0.113.10" })).unwrap();
    for (short, selector) in [("trtr", "status.gatewayNode=node-1"), ("tfip", "status.nodeName=node-1")] {
        let table = plane.expect(&["get", short, "--no-headers", "--field-selector", selector], "");
        assert!(table.lines().count() == 1 && table.contains("203.0.113."), "{table}");
    }
    // One condition of each type: the list is a map by type.
    let words = patch_status(plane, "port/port-1", &json!({ "conditions": [condition, condition] })).unwrap_err();
    assert!(words.contains("Duplicate value"), "{words}");
}

/// The server says so when it hands the object out, whoever made it; nobody owns that, so who speaks first is in no conflict.
fn what_nobody_has_judged_says_so(plane: &ControlPlane) {
    let new = |name: &str| json!({ "apiVersion": tenet::api::API_VERSION, "kind": "Network", "metadata": { "name": name }, "spec": {} });
    plane.expect(&["create", "-f", "-"], &new("made").to_string());
    plane.expect(&["apply", "--server-side", "-f", "-"], &new("applied").to_string());
    for name in ["made", "applied"] {
        let get = |columns: &str| plane.expect(&["get", "tnet", name, "--show-managed-fields", "-o", columns], "");
        let row = plane.expect(&["get", "tnet", name, "--no-headers"], "");
        assert_eq!(row.split_whitespace().collect::<Vec<_>>()[1..3], ["Unknown", "Pending"], "{row}");
        let owners = get("jsonpath={.metadata.managedFields[*].fieldsV1}");
        assert!(!owners.contains("status"), "{owners}");
        let mut said = new(name);
        said["status"] = json!({ "mtu": 1450 });
        let apply = ["apply", "--server-side", "--subresource=status", "--field-manager=one", "-f", "-"];
        plane.expect(&apply, &said.to_string());
        assert_eq!(get("jsonpath={.status.conditions[*].status}"), "Unknown", "it stays until somebody says more");
        let ready = json!({
            "type": "Ready", "status": "True", "reason": "Ready", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        said["status"]["conditions"] = json!([ready]);
        plane.expect(&apply, &said.to_string());
        let version = get("jsonpath={.metadata.resourceVersion}");
        assert_eq!(get("jsonpath={.status.conditions[*].status}"), "True");
        plane.expect(&apply, &said.to_string());
        assert_eq!(get("jsonpath={.metadata.resourceVersion}"), version, "what is said already is not written");
    }
    assert_eq!(plane.expect(&["get", "tagent", "-o", "jsonpath={.items[*].status}"], ""), "", "an Agent is its node's");
}

fn null_is_absent(plane: &ControlPlane) {
    let object = json!({
        "apiVersion": tenet::api::API_VERSION, "kind": "Port", "metadata": { "name": "nulls", "namespace": "default" },
        "spec": { "networkRef": { "name": "blue", "namespace": null }, "addresses": null, "hostname": null, "dhcpOptions": null },
    });
    plane.expect(&["create", "--validate=false", "-f", "-"], &object.to_string());
    let spec = plane.expect(&["get", "tport", "nulls", "-o", "jsonpath={.spec}"], "");
    assert_eq!(serde_json::from_str::<Value>(&spec).unwrap(), json!({ "networkRef": { "name": "blue" } }));
}

/// Rules cost time, which the server bounds also while they run: as many as there may be, as long as they may be.
fn the_largest_group_is_judged(plane: &ControlPlane) {
    let label = "a".repeat(63);
    let name = [&*label, &label, &label, &label[2..]].join(".");
    let rule = |n: usize| {
        json!({
            "direction": "Ingress", "family": "IPv6", "protocol": "TCP", "port": 65000, "endPort": 65001 + n,
            "remote": { "groupRef": { "name": name, "namespace": label } }, "description": "\u{e4}".repeat(255),
        })
    };
    let mut group = json!({
        "apiVersion": tenet::api::API_VERSION, "kind": "SecurityGroup", "metadata": { "name": "large", "namespace": "default" },
        "spec": { "rules": (0..200).map(rule).collect::<Vec<_>>() },
    });
    plane.expect(&["create", "-f", "-"], &group.to_string());
    group["spec"]["rules"][199] = rule(0);
    let output = plane.kubectl(&["replace", "-f", "-"], &group.to_string());
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(why.contains("rules have a rule twice"), "{why}");
}
