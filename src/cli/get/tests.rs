#![allow(clippy::unwrap_used, clippy::panic)]
use clap::Parser as _;

use super::*;
use crate::cli::args::{Cli, Command};
use crate::local::yaml;

const YAML: &str = "
apiVersion: tenet.network/v1alpha1
kind: Network
metadata: {name: blue}
spec: {}
---
apiVersion: tenet.network/v1alpha1
kind: Port
metadata: {name: web-0}
spec: {networkRef: {name: blue}}
---
apiVersion: tenet.network/v1alpha1
kind: Port
metadata: {name: db, namespace: team-a}
spec: {networkRef: {name: blue, namespace: default}}
---
apiVersion: tenet.network/v1alpha1
kind: PhysicalNetwork
metadata: {name: wire}
spec: {attachments: [{interface: eth1}]}
";

fn get(line: &str) -> Result<Option<String>, String> {
    let Ok(Command::Get(args)) = Cli::try_parse_from(line.split(' ')).map(|c| c.command) else { panic!("{line}") };
    let mut store = Store::default();
    for object in yaml::read(YAML, &[]).iter().flat_map(|d| &d.objects) {
        store.declare(object, "f.yaml", Timestamp::from_second(1000).unwrap());
    }
    answer(&args, store.snapshot(), Timestamp::from_second(1125).unwrap()).map_err(|e| e.to_string())
}

#[test]
fn a_kind_has_many_words_and_all_show_the_same() {
    let wanted = get("tenet get ports").unwrap().unwrap();
    for word in ["port", "Port", "PORTS", "tport", "ports.tenet.network"] {
        assert_eq!(get(&format!("tenet get {word}")).unwrap().as_deref(), Some(&*wanted), "{word}");
    }
    assert!(get("tenet get pods").unwrap_err().starts_with("there is no kind \"pods\"; the kinds are networks, "));
}

#[test]
fn namespaces_are_kubectls() {
    assert!(get("tenet get ports").unwrap().unwrap().contains("web-0"));
    assert!(!get("tenet get ports").unwrap().unwrap().contains("db"));
    assert!(get("tenet get ports -n team-a").unwrap().unwrap().contains("db"));
    assert_eq!(get("tenet get ports -n none"), Ok(None));
    let all = get("tenet get ports -A").unwrap().unwrap();
    let firsts: Vec<_> = all.lines().map(|l| l.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(firsts, ["NAMESPACE NAME", "default web-0", "team-a db"]);
    assert!(get("tenet get tphys -n none").unwrap().unwrap().contains("wire"), "the cluster's are in no namespace");
}

#[test]
fn all_kinds_are_shown_each_in_its_table() {
    let all = get("tenet get").unwrap().unwrap();
    let names: Vec<_> = all.lines().filter_map(|l| l.split_whitespace().next()).filter(|w| *w != "NAME").collect();
    assert_eq!(names, ["network.tenet.network/blue", "port.tenet.network/web-0", "physicalnetwork.tenet.network/wire"]);
    assert_eq!(get("tenet get tenet").unwrap().unwrap(), all);
}

#[test]
fn json_is_the_object_or_a_list() {
    let one: Value = serde_json::from_str(&get("tenet get port web-0 -o json").unwrap().unwrap()).unwrap();
    assert_eq!((&one["kind"], &one["metadata"]["name"]), (&json!("Port"), &json!("web-0")));
    let many: Value = serde_json::from_str(&get("tenet get port -A -o json").unwrap().unwrap()).unwrap();
    assert_eq!((&many["kind"], many["items"].as_array().unwrap().len()), (&json!("List"), 2));
    let none: Value = serde_json::from_str(&get("tenet get port -n none -o json").unwrap().unwrap()).unwrap();
    assert_eq!(none["items"], json!([]));
    assert!(get("tenet get port web-0 -o yaml").unwrap().unwrap().starts_with("apiVersion: tenet.network/v1alpha1\n"));
    assert_eq!(get("tenet get port no"), Err("ports.tenet.network \"no\" not found".into()));
}

#[test]
fn a_table_is_kubectls_to_the_letter() {
    let column = |name: &str, path: &str, type_: &str, priority| {
        k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceColumnDefinition {
            name: name.into(),
            json_path: path.into(),
            type_: type_.into(),
            priority,
            ..Default::default()
        }
    };
    let columns = [
        column("Ready", ".status.conditions[?(@.type==\"Ready\")].status", "string", None),
        column("Addresses", ".status.addresses[*].ip", "string", None),
        column("MAC", ".status.macAddress", "string", Some(1)),
        column("Age", ".metadata.creationTimestamp", "date", None),
    ];
    let ready = json!({"metadata": {"name": "web-0", "namespace": "a", "creationTimestamp": "1970-01-01T00:16:40Z"},
        "status": {"addresses": [{"ip": "10.0.0.5"}], "macAddress": "02:00:00:00:00:05",
                   "conditions": [{"type": "Ready", "status": "True"}]}});
    let young = json!({"metadata": {"name": "x", "namespace": "b", "creationTimestamp": "1970-01-01T00:18:44Z"}});
    let table = |wide, namespaces| Table { columns: &columns, wide, namespaces, prefix: "" };
    let now = Timestamp::from_second(1125).unwrap();
    let rows = [ready, young];
    assert_eq!(
        table(false, false).text(&rows, now),
        "NAME    READY   ADDRESSES   AGE\n\
         web-0   True    10.0.0.5    2m5s\n\
         x                           1s\n"
    );
    assert_eq!(
        table(true, true).text(&rows, now),
        "NAMESPACE   NAME    READY   ADDRESSES   MAC                 AGE\n\
         a           web-0   True    10.0.0.5    02:00:00:00:00:05   2m5s\n\
         b           x                                               1s\n"
    );
}
