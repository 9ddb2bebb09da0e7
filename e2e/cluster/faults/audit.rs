//! Whether what the statuses say and what is locked are the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::nodes::Cluster;
use crate::support::{SOON, until};

/// An address and whose it is: owner's kind, namespace, name, UID, and the value.
type Held = (String, String, String, String, String);

/// So many of those that do not fit are named.
const FEW: usize = 10;

/// All objects of some kinds.
pub fn items(cluster: &Cluster, what: &str) -> Vec<Value> {
    let list: Value = serde_json::from_str(&cluster.kubectl(&format!("get {what} -A -o json"))).unwrap();
    list["items"].as_array().unwrap().clone()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Addresses of ports by their status, and by the locks; locks of all others by owner.
fn books(cluster: &Cluster) -> (BTreeSet<Held>, BTreeSet<Held>, Vec<Value>) {
    let mut said = BTreeSet::new();
    for port in items(cluster, "tport") {
        let meta = &port["metadata"];
        for address in port["status"]["addresses"].as_array().into_iter().flatten() {
            let owner = ["namespace", "name", "uid"].map(|field| text(&meta[field]));
            let [namespace, name, uid] = owner;
            said.insert(("Port".into(), namespace, name, uid, text(&address["ip"])));
        }
    }
    let (mut locked, mut others) = (BTreeSet::new(), Vec::new());
    for lock in items(cluster, "allocations") {
        let owner = &lock["spec"]["owner"];
        if owner["kind"] == "Port" {
            let [kind, namespace, name, uid] = ["kind", "namespace", "name", "uid"].map(|field| text(&owner[field]));
            locked.insert((kind, namespace, name, uid, text(&lock["spec"]["value"])));
        } else {
            others.push(lock);
        }
    }
    (said, locked, others)
}

/// No two ports of one network have the same address.
#[track_caller]
pub fn no_doubles(cluster: &Cluster) {
    let mut seen: BTreeMap<(String, String), String> = BTreeMap::new();
    for port in items(cluster, "tport") {
        let name = format!("{}/{}", port["metadata"]["namespace"], port["metadata"]["name"]);
        for address in port["status"]["addresses"].as_array().into_iter().flatten() {
            let key = (text(&port["status"]["networkUID"]), text(&address["ip"]));
            if let Some(other) = seen.insert(key.clone(), name.clone()) {
                panic!("{name} and {other} both have {key:?}");
            }
        }
    }
}

/// Waits until every lock is somebody's who says so, and every address is locked; then nothing is doubled. Who left thousands of
/// locks behind is waited for as long as they become fewer.
#[track_caller]
pub fn balances(cluster: &Cluster) {
    no_doubles(cluster);
    let (mut fewest, mut since) = (usize::MAX, Instant::now());
    loop {
        let asked = Instant::now();
        let (said, locked, _) = books(cluster);
        let (unlocked, orphans): (Vec<_>, Vec<_>) =
            (said.difference(&locked).collect(), locked.difference(&said).collect());
        let odd = unlocked.len() + orphans.len();
        if odd == 0 {
            break;
        }
        if odd < fewest {
            (fewest, since) = (odd, Instant::now());
        }
        assert!(
            since.elapsed() < SOON,
            "{} said and not locked: {:?}...; {} locked and not said: {:?}...",
            unlocked.len(),
            &unlocked[..unlocked.len().min(FEW)],
            orphans.len(),
            &orphans[..orphans.len().min(FEW)]
        );
        // Asking for thousands of objects keeps the server from what is waited for.
        std::thread::sleep(asked.elapsed().max(Duration::from_millis(100)));
    }
    until("what others hold is there", || {
        let there: BTreeSet<String> = ["tnet", "tsub", "trtr", "tfip"]
            .iter()
            .flat_map(|kind| items(cluster, kind))
            .map(|object| text(&object["metadata"]["uid"]))
            .collect();
        books(cluster).2.iter().all(|lock| there.contains(&text(&lock["spec"]["owner"]["uid"])))
    });
    no_doubles(cluster);
}
