//! Somebody else writes to the same objects all the time: every write that names a version may come too late.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::json;
use tenet::api::{Network, Port, Subnet};

use super::audit;
use super::crowd::{Crowd, port};
use crate::nodes::Cluster;
use crate::probes::writes;
use crate::support::{until, yaml};

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}";

/// Changes an object's annotations, which mean nothing; whether it is there.
async fn touch<K>(client: &Client, name: &str, to: u64) -> bool
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), "default");
    let patch = json!({ "metadata": { "annotations": { "example.org/touched": to.to_string() } } });
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.is_ok()
}

/// Writes of each tool.
const TIMES: u64 = 10;

/// A tool that puts objects back as its files have them, finalizers and all, and one that believes that a status is its own:
/// nobody fights with them, ours are put back, and what statuses say is locked.
fn tools(cluster: &Cluster) {
    let finalizers = || cluster.kubectl("get tnet/blue tsub/web -o jsonpath={.items[*].metadata.finalizers}");
    let (before, wrote) = (finalizers(), writes(cluster));
    assert_eq!(before.matches("tenet.network/in-use").count(), 2, "{before}");
    for n in 0..TIMES {
        cluster.plane.expect(&["replace", "-f", "-"], &yaml(WORLD));
        let status = json!({
            "apiVersion": "tenet.network/v1alpha1", "kind": "Port", "metadata": { "name": "p9", "namespace": "default" },
            "status": { "addresses": [{ "subnetRef": { "name": "web" }, "ip": format!("10.0.0.{}", 100 + n) }] },
        });
        let apply =
            ["apply", "--server-side", "--force-conflicts", "--subresource=status", "--field-manager=tool", "-f", "-"];
        cluster.plane.expect(&apply, &status.to_string());
        until("our finalizers are back", || finalizers() == before);
    }
    audit::balances(cluster);
    thread::sleep(Duration::from_millis(500));
    for (who, (now, then)) in writes(cluster).into_iter().zip(&wrote).enumerate() {
        println!("writer {who}: {} writes for {} of tools", now - then, 3 * TIMES);
        // Two finalizers each time; a lock, another that is opened, a status and counts.
        assert!(now - then <= 7 * TIMES, "writer {who} fights: {}", now - then);
    }
}

#[test]
fn with_somebody_who_writes_to_the_same_objects_all_the_time_everything_is_done_all_the_same() {
    let cluster = Cluster::start(1);
    let (stop, touched) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (kubeconfig, over, count) = (cluster.plane.kubeconfig(), stop.clone(), touched.clone());
    let second = thread::spawn(move || {
        let crowd = Crowd::new(&kubeconfig);
        crowd.run(async {
            while !over.load(Ordering::Relaxed) {
                let n = count.load(Ordering::Relaxed);
                let client = &crowd.client;
                let names: Vec<String> = (0..6).map(|p| format!("p{p}")).collect();
                let ports = futures::future::join_all(names.iter().map(|name| touch::<Port>(client, name, n)));
                let both =
                    futures::future::join(touch::<Network>(client, "blue", n), touch::<Subnet>(client, "web", n));
                let (ports, (network, subnet)) = futures::future::join(ports, both).await;
                let done = ports.into_iter().chain([network, subnet]).filter(|done| *done).count();
                count.fetch_add(done as u64, Ordering::Relaxed);
            }
        });
    });
    cluster.apply(WORLD);
    let crowd = Crowd::new(&cluster.plane.kubeconfig());
    crowd.run(crowd.create((0..60).map(|n| port(&format!("p{n}"))).collect()));
    cluster.kubectl("wait tport --all --for=condition=Ready --timeout=30s");
    let guests: Vec<_> = (0..3).map(|n| cluster.guest(1, &format!("p{n}"))).collect();
    let ip =
        |n: usize| cluster.get("tport", &format!("p{n}"))["status"]["addresses"][0]["ip"].as_str().unwrap().to_owned();
    for n in 1..3 {
        guests[0].wait_pings(&ip(n));
    }
    cluster.kubectl("wait tport/p0 tport/p1 tport/p2 --for=condition=Programmed --timeout=30s");
    assert!(cluster.nodes[0].tenet("unplug p2").ok());
    until("p2 is free again", || cluster.get("tport", "p2")["status"]["binding"].is_null());
    audit::balances(&cluster);
    stop.store(true, Ordering::Relaxed);
    second.join().unwrap();
    let versions = || cluster.kubectl("get tport,tsub,tnet -o jsonpath={.items[*].metadata.resourceVersion}");
    thread::sleep(Duration::from_secs(1));
    let before = versions();
    thread::sleep(Duration::from_secs(2));
    assert_eq!(before, versions(), "nobody writes when nothing changes");
    let touched = touched.load(Ordering::Relaxed);
    println!("{touched} writes of somebody else");
    assert!(touched > 100);
    tools(&cluster);
    // What is used is deleted under his hands, too.
    cluster.kubectl("delete tnet/blue tsub/web --wait=false");
    cluster.kubectl("delete tport --all --timeout=30s");
    until("all is gone", || cluster.plane.kubectl(&["get", "allocations,tnet", "-o", "name"], "").stdout.is_empty());
}
