//! An API server that answers late, badly, by halves or not at all, and one that no longer knows us.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use super::crowd::{Crowd, object};
use super::lists::EXPIRED;
use super::proxy::{Manner, Proxy};
use super::sized;
use crate::flow::Flow;
use crate::nodes::{Cluster, INSTALL};
use crate::support::until;

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}]}";

/// The longest that a server is bad.
fn spell() -> Duration {
    Duration::from_secs(sized(2, 30))
}

/// So many requests a second may two processes make of a bad server, with eleven watches each.
const RATE: u64 = 60;

fn refusal(code: u16, reason: &str) -> String {
    format!(
        r#"{{"apiVersion":"v1","kind":"Status","status":"Failure","code":{code},"reason":"{reason}","message":"meant {code}"}}"#
    )
}

/// Groups of more than two pages.
const PAGES: usize = 220;

/// Whoever watches has to read all anew, and so often finds that what comes after the first page is forgotten.
fn forgets(left: Arc<AtomicUsize>) -> impl Fn(&str) -> Manner + Send + 'static {
    move |line| {
        if left.load(Ordering::Relaxed) == 0 {
            Manner::Pass
        } else if line.contains("continue=") {
            left.fetch_sub(1, Ordering::Relaxed);
            Manner::Say("410 Gone", "", refusal(410, "Expired"))
        } else if line.contains("watch=") {
            Manner::Say("200 OK", "", EXPIRED.into())
        } else {
            Manner::Pass
        }
    }
}

#[test]
fn a_server_that_is_slow_broken_or_forgets_us_costs_no_packet_and_all_goes_on_when_it_is_well() {
    let mut cluster = Cluster::start(1);
    cluster.kill_controller(0);
    cluster.kubectl("delete lease -n tenet-system tenet-controller");
    let controllers = Proxy::start(&cluster, cluster.kubeconfig());
    let agents = Proxy::start(&cluster, cluster.nodes[0].kubeconfig());
    cluster.start_controller_with(&controllers.kubeconfig, &[]);
    cluster.nodes[0].kill_agent();
    cluster.nodes[0].takes(Some(&agents.kubeconfig));
    cluster.nodes[0].start_agent();
    cluster.apply(WORLD);
    let [a, b] = ["a", "b"].map(|port| cluster.guest(1, port));
    a.wait_pings("10.0.0.12");
    let flow = Flow::start(&a, &b, "10.0.0.12");
    // What is read in pages is forgotten between two of them, once and twice.
    let crowd = Crowd::new(&cluster.plane.kubeconfig());
    let group = |number| object("SecurityGroup", "default", &format!("g{number}"), json!({}));
    crowd.run(crowd.create((0..PAGES).map(group).collect()));
    for times in [1, 2] {
        let before = cluster.nodes[0].kernel();
        let left = [&controllers, &agents].map(|proxy| {
            let left = Arc::new(AtomicUsize::new(times));
            proxy.treat(forgets(left.clone()));
            left
        });
        until("it was forgotten", || left.iter().all(|left| left.load(Ordering::Relaxed) == 0));
        cluster.apply(&format!("Port pages{times} {{networkRef: {{name: blue}}}}"));
        cluster.guest(1, &format!("pages{times}")).wait_pings("10.0.0.11");
        cluster.nodes[0].tenet(&format!("unplug pages{times}")).expect_ok();
        cluster.nodes[0].wait_kernel(&before);
    }
    let busy = Manner::Say("429 Too Many Requests", "Retry-After: 1\r\n", refusal(429, "TooManyRequests"));
    let broken = Manner::Say("500 Internal Server Error", "", refusal(500, "InternalError"));
    let expired = Manner::Say("410 Gone", "", refusal(410, "Expired"));
    let stranger = Manner::Say("401 Unauthorized", "", refusal(401, "Unauthorized"));
    let spells = [
        ("slow", Manner::Late(Duration::from_millis(700)), ""),
        ("busy", busy, ""),
        ("broken", broken, "meant 500"),
        ("expired", expired, "meant 410"),
        ("half", Manner::Half, ""),
        ("mute", Manner::Never, ""),
        ("stranger", stranger, "meant 401"),
    ];
    for (name, manner, words) in spells {
        let before = cluster.nodes[0].kernel();
        for proxy in [&controllers, &agents] {
            let manner = manner.clone();
            proxy.treat(move |_| manner.clone());
        }
        cluster.apply(&format!("Port {name} {{networkRef: {{name: blue}}}}"));
        let asked = || controllers.requests() + agents.requests();
        let start = asked();
        std::thread::sleep(spell());
        let rate = (asked() - start) as u64 / spell().as_secs();
        println!("{name}: {rate} requests a second");
        assert!(rate <= RATE, "{name}: {rate} requests a second");
        assert!(cluster.said().contains(words), "{name}: nobody says what is wrong");
        if name == "slow" {
            cluster.guest(1, name).wait_pings("10.0.0.11");
        } else {
            assert_eq!(before, cluster.nodes[0].kernel(), "{name}");
        }
        for proxy in [&controllers, &agents] {
            // Who is never answered gives up by himself, after half a minute.
            if name == "mute" && sized(false, true) {
                proxy.treat_later(|_| Manner::Pass);
            } else {
                proxy.treat(|_| Manner::Pass);
            }
        }
        if name != "slow" {
            cluster.guest(1, name).wait_pings("10.0.0.11");
        }
    }
    // Its rights are taken from the agent, while it has no connection, and given back.
    cluster.forbids = true;
    let binding = "clusterrolebinding/tenet-agent";
    cluster.kubectl(&format!("delete {binding}"));
    let before = cluster.nodes[0].kernel();
    cluster.nodes[0].kill_agent();
    cluster.nodes[0].start_agent();
    until("it says so", || cluster.nodes[0].log().contains("is forbidden: User"));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(before, cluster.nodes[0].kernel());
    cluster.kubectl(&format!("apply --server-side --force-conflicts -f {INSTALL}"));
    cluster.apply("Port again {networkRef: {name: blue}}");
    cluster.guest(1, "again").wait_pings("10.0.0.11");
    flow.whole();
}
