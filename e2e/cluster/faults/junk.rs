//! A tenant's junk, and one object of each kind that cannot be: everybody else is served, and the bad ones say why.

use std::time::Instant;

use serde_json::{Value, json};

use super::crowd::{Crowd, object};
use super::{audit, sized};
use crate::nodes::Cluster;
use crate::support::until;

/// One of each kind that the schema takes and the network cannot have, and a word of why not.
const POISON: &str = "
Network poison {provider: {physicalNetwork: nowhere, type: Flat}} | nowhere
Subnet poison {networkRef: {name: good}, cidr: 10.0.128.0/17} | overlap
Port poison {networkRef: {name: good}, addresses: [{ip: 192.168.7.7}]} | 192.168.7.7
Router poison {interfaces: [{subnetRef: {name: nothing}}]} | nothing
FloatingIP poison {networkRef: {name: good}, ip: 10.0.0.200} | external
SecurityGroup poison {rules: [{direction: Ingress, remote: {groupRef: {name: nobody}}}]} | nobody
ReferenceGrant poison {from: [{namespace: nowhere}], to: [{kind: Network, name: none}]} |
PhysicalNetwork poison {attachments: [{interface: nonesuch0}]} |";

fn junk(n: usize) -> Value {
    let (name, lost) = (format!("junk-{n}"), json!({ "name": format!("lost-{n}") }));
    match n % 7 {
        0 => object("Network", "junk", &name, json!({})),
        1 => object("Subnet", "junk", &name, json!({ "networkRef": lost, "cidr": "10.0.0.0/8" })),
        2 => object("Router", "junk", &name, json!({ "interfaces": [{ "subnetRef": lost }] })),
        3 => object("FloatingIP", "junk", &name, json!({ "networkRef": { "name": "good", "namespace": "default" } })),
        4 => {
            let rule = json!({ "direction": "Ingress", "remote": { "groupRef": lost } });
            object("SecurityGroup", "junk", &name, json!({ "rules": [rule] }))
        }
        _ => object("Port", "junk", &name, json!({ "networkRef": lost })),
    }
}

#[test]
fn junk_and_one_impossible_object_of_each_kind_keep_nobody_from_being_served() {
    let cluster = Cluster::start(1);
    cluster.kubectl("create namespace junk");
    cluster.apply("Network good\nSubnet web {networkRef: {name: good}, cidr: 10.0.0.0/16}");
    let lines: Vec<(&str, &str)> =
        POISON.lines().filter(|line| !line.is_empty()).map(|line| line.split_once(" |").unwrap()).collect();
    cluster.apply(&lines.iter().map(|(line, _)| *line).collect::<Vec<_>>().join("\n"));
    let crowd = Crowd::new(&cluster.plane.kubeconfig());
    let good = |n| object("Port", "default", &format!("g{n}"), json!({ "networkRef": { "name": "good" } }));
    let start = Instant::now();
    crowd.run(async {
        let all = sized(1500, 10_000);
        tokio::join!(crowd.create((0..all).map(junk).collect()), crowd.create((0..200).map(good).collect()));
    });
    println!("written within {:?}", start.elapsed());
    let ready = || {
        let path =
            "{range .items[*]}{.metadata.name}{\" \"}{.status.conditions[?(@.type==\"Ready\")].status}{\"\\n\"}{end}";
        let text = cluster.plane.expect(&["get", "tport", "-o", &format!("jsonpath={path}")], "");
        text.lines().filter(|line| line.starts_with('g') && line.ends_with(" True")).count()
    };
    until("the good ones are ready", || ready() == 200);
    println!("all good ones ready {:?} after the first write", start.elapsed());
    let guest = cluster.guest(1, "g7");
    let _other = cluster.guest(1, "g8");
    let to = cluster.get("tport", "g8")["status"]["addresses"][0]["ip"].as_str().unwrap().to_owned();
    guest.wait_pings(&to);
    for (line, why) in lines {
        let kind = line.split(' ').next().unwrap();
        let resource = format!("{}.tenet.network", kind.to_lowercase());
        if kind == "ReferenceGrant" {
            continue;
        }
        until(&format!("{kind} says why it is not ready: {why}"), || {
            let object = cluster.get(&resource, "poison");
            let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            conditions.iter().any(|c| c["status"] == "False" && c["message"].as_str().unwrap().contains(why.trim()))
                || why.is_empty()
        });
    }
    until("every piece of junk has heard what is wrong with it", || {
        let all = audit::items(&cluster, "tport,trtr,tsub,tfip,tsg");
        let judged = |object: &Value| {
            let conditions = object["status"]["conditions"].as_array();
            conditions.is_some_and(|conditions| conditions.iter().any(|c| c["type"] == "Accepted"))
        };
        all.iter().all(judged)
    });
    audit::balances(&cluster);
}
