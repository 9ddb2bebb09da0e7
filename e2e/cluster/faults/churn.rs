//! Many writers make and delete ports while controllers die at random: no address is ever given twice, no lock is left.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use kube::api::{DeleteParams, PostParams};
use kube::runtime::watcher::{self, Event, watcher};
use tenet::api::Port;

use super::audit;
use super::crowd::{Crowd, port};
use super::sized;
use crate::nodes::Cluster;

/// Writers at once.
const WRITERS: usize = 64;
/// Each writer has at most so many ports at a time.
const KEPT: usize = 8;

/// Watches every version of every port; panics in its thread, which is told by joining it, when two have an address.
fn witness(kubeconfig: std::path::PathBuf, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<usize> {
    std::thread::spawn(move || {
        let crowd = Crowd::new(&kubeconfig);
        crowd.run(async {
            let (mut held, mut of, mut given) = (HashMap::<String, String>::new(), HashMap::new(), 0);
            let mut stream = std::pin::pin!(watcher(crowd.ports(), watcher::Config::default()));
            while !stop.load(Ordering::Relaxed) {
                let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(200), stream.next()).await else {
                    continue;
                };
                let (port, there): (Port, bool) = match event.unwrap() {
                    Event::Apply(port) | Event::InitApply(port) => (port, true),
                    Event::Delete(port) => (port, false),
                    Event::Init | Event::InitDone => continue,
                };
                let uid = port.metadata.uid.clone().unwrap();
                let now = port.status.and_then(|s| s.addresses.first().map(|a| a.ip.to_string())).filter(|_| there);
                let before: Option<String> = of.remove(&uid);
                if let Some(old) = before.as_ref().filter(|old| Some(*old) != now.as_ref()) {
                    held.remove(old);
                    assert!(!there, "{:?} had {old} and now has {now:?}", port.metadata.name);
                }
                if let Some(ip) = now {
                    let other = held.insert(ip.clone(), uid.clone());
                    given += usize::from(before.is_none());
                    assert!(other.as_ref().is_none_or(|other| *other == uid), "{ip} is {other:?}'s and {uid}'s");
                    of.insert(uid, ip);
                }
            }
            given
        })
    })
}

/// One writer: makes ports, and deletes its oldest when it has many.
async fn write(crowd: &Crowd, number: usize, left: &AtomicUsize) {
    let (api, mut kept) = (crowd.ports(), std::collections::VecDeque::new());
    let mut n = 0;
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        let name = format!("w{number}-{n}");
        n += 1;
        let object = serde_json::from_value(port(&name)).unwrap();
        api.create(&PostParams::default(), &object).await.unwrap();
        kept.push_back(name);
        if kept.len() > KEPT {
            let oldest = kept.pop_front().unwrap();
            // Every other port goes before or after it got an address, as it happens; the others have one.
            while n % 2 == 0 && api.get(&oldest).await.unwrap().status.is_none_or(|s| s.addresses.is_empty()) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            api.delete(&oldest, &DeleteParams::default()).await.unwrap();
        }
    }
    for name in kept.into_iter().skip(KEPT / 2) {
        api.delete(&name, &DeleteParams::default()).await.unwrap();
    }
}

#[test]
fn with_many_writers_and_controllers_that_die_no_address_is_given_twice_and_no_lock_is_left() {
    let mut cluster = Cluster::start(0);
    cluster.apply("Network blue\nSubnet web {networkRef: {name: blue}, cidr: 10.0.0.0/16}");
    cluster.kubectl("wait tsub/web --for=condition=Ready --timeout=30s");
    cluster.kill_controller(0);
    // None of the next ones lives as long as it would have to wait for this one.
    cluster.kubectl("delete lease -n tenet-system tenet-controller");
    let (stop, kubeconfig) = (Arc::new(AtomicBool::new(false)), cluster.plane.kubeconfig());
    let watching = witness(kubeconfig.clone(), stop.clone());
    let ports = sized(1500, 20_000);
    let (left, done) = (Arc::new(AtomicUsize::new(ports)), Arc::new(AtomicBool::new(false)));
    let (shared, over) = (left.clone(), done.clone());
    let writers = std::thread::spawn(move || {
        let crowd = Crowd::new(&kubeconfig);
        crowd.run(futures::future::join_all((0..WRITERS).map(|number| write(&crowd, number, &shared))));
        over.store(true, Ordering::Relaxed);
    });
    let own = cluster.kubeconfig().to_owned();
    let (mut lives, mut dice) = (0, 7_u64);
    while !done.load(Ordering::Relaxed) {
        // By one name: the next one leads at once, and while two live, both do.
        cluster.start_controller_with(&own, &["--identity", "one"]);
        lives += 1;
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_millis(500 + (dice >> 33) % 2000));
        if lives > 3 {
            cluster.kill_controller(lives - 3);
        }
        if lives > 1 {
            cluster.kill_controller(lives - (1 + usize::from(dice >> 63 == 1)));
        }
    }
    writers.join().unwrap();
    cluster.start_controller_with(&own, &["--identity", "one"]);
    let all = || cluster.kubectl("get tport --no-headers").lines().filter(|line| !line.contains("10.0.")).count();
    crate::support::until("who is left has an address", || all() == 0);
    audit::balances(&cluster);
    stop.store(true, Ordering::Relaxed);
    let given = watching.join().expect("no address is given twice");
    println!("{ports} ports, {given} addresses given, {lives} controllers");
    assert!(given >= ports / 3, "{given}");
}
