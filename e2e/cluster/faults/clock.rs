//! Clocks that are stepped: of a controller, of a node, of all of them. Nothing that is decided hangs on them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::World;
use crate::nodes::{CONTROLLER_METRICS, Cluster, METRICS, SERVER};
use crate::page::{converged, written};
use crate::support::until;

/// What libfaketime leaves of processes that are killed: the next one of such a number would not start. It goes with this.
pub struct Leavings;

impl Drop for Leavings {
    fn drop(&mut self) {
        for entry in fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let pid = ["faketime_shm_", "sem.faketime_sem_"].iter().find_map(|prefix| name.strip_prefix(prefix));
            if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// A wall clock of a process's own, beside that of the machine. What counts time that passes is the machine's.
pub struct Clock(PathBuf);

impl Clock {
    pub fn new(cluster: &Cluster, name: &str) -> Self {
        let clock = Self(cluster.plane.folder.join(format!("{name}.clock")));
        clock.step("+0");
        clock
    }

    /// So many seconds from the machine's clock.
    pub fn step(&self, by: &str) {
        let next = self.0.with_extension("next");
        fs::write(&next, by).unwrap();
        fs::rename(next, &self.0).unwrap();
    }

    /// What a program is started under to have this clock.
    pub fn words(&self) -> Vec<String> {
        let folders = fs::read_dir("/usr/lib").unwrap().flatten();
        let mut found =
            folders.map(|folder| folder.path().join("faketime/libfaketime.so.1")).filter(|path| path.exists());
        let library = found.next().expect("libfaketime is missing; `make deps` installs what the tests need");
        vec![
            "env".into(),
            format!("LD_PRELOAD={}", library.display()),
            format!("FAKETIME_TIMESTAMP_FILE={}", self.0.display()),
            "FAKETIME_NO_CACHE=1".into(),
            "FAKETIME_DONT_FAKE_MONOTONIC=1".into(),
            "NO_FAKE_STAT=1".into(),
        ]
    }
}

/// How far the clock that stamped a Lease last is from ours, in hours.
fn ahead(cluster: &Cluster, lease: &str) -> i64 {
    let renewed = cluster.kubectl(&format!("get lease {lease} -o jsonpath={{.spec.renewTime}}"));
    let renewed: Timestamp = renewed.parse().unwrap();
    (renewed.duration_since(Timestamp::now()).as_secs() + 1800).div_euclid(3600)
}

/// Who leads, and who of how many that did.
fn lead(cluster: &Cluster) -> String {
    let lease = cluster.get("lease -n tenet-system", "tenet-controller");
    format!("{} {}", lease["spec"]["holderIdentity"], lease["spec"]["leaseTransitions"])
}

/// Objects that nobody has a reason to write, with their versions.
fn versions(cluster: &Cluster) -> String {
    let objects = "tnet/blue tnet/red tnet/public trtr/r tphys/wire tport/a tport/b tport/c tport/x tport/shut";
    cluster.kubectl(&format!(
        "get {objects} -o jsonpath={{range.items[*]}}{{.kind}}/{{.metadata.name}}:{{.metadata.resourceVersion}},{{end}}"
    ))
}

/// Waits until nobody writes any more.
fn settles(pages: &[String]) {
    let all = || pages.iter().map(|page| written(page)).collect::<Vec<_>>();
    until("nobody writes any more", || {
        let before = all();
        std::thread::sleep(Duration::from_millis(1200));
        before == all()
    });
}

#[test]
fn a_clock_that_is_stepped_by_an_hour_costs_no_packet_no_lead_no_gateway_and_no_write() {
    let _last = Leavings;
    let mut world = World::start(&[]);
    let clocks = ["leader", "standby", "node-1", "node-2"].map(|name| Clock::new(&world.cluster, name));
    let words: Vec<Vec<String>> = clocks.iter().map(Clock::words).collect();
    let words: Vec<Vec<&str>> = words.iter().map(|words| words.iter().map(String::as_str).collect()).collect();
    let own = world.cluster.kubeconfig().to_owned();
    world.cluster.stop_controller(0);
    for (name, words) in ["leader", "standby"].iter().zip(&words) {
        world.cluster.start_controller_under(words, &own, &["--identity", name]);
        until("the first of them leads", || lead(&world.cluster).starts_with("\"leader\""));
    }
    for (node, words) in world.cluster.nodes.iter_mut().zip(&words[2..]) {
        node.kill_agent();
        node.start_agent_under(words);
        converged(node);
    }
    let gateway = world.gateway();
    let mut pages: Vec<String> = (1..=2).map(|number| format!("{SERVER}:{}", CONTROLLER_METRICS + number)).collect();
    pages.extend(world.cluster.nodes.iter().map(|node| format!("{}:{METRICS}", node.address)));
    settles(&pages);
    let (before, led, flows) = (versions(&world.cluster), lead(&world.cluster), world.flows());
    let node = &clocks[if gateway == "node-1" { 2 } else { 3 }];
    let steps = [("+3600", 1), ("-3600", -1), ("+0", 0)];
    let all = clocks.iter().collect();
    for (who, clocks, steps) in [
        ("leader", vec![&clocks[0]], &steps[..2]),
        ("follower", vec![&clocks[1], node], &steps[..2]),
        ("all", all, &steps[..]),
    ] {
        for (number, (by, hours)) in steps.iter().enumerate() {
            for clock in &clocks {
                clock.step(by);
            }
            let stamps = |lease: &str| until("its Lease shows it", || ahead(&world.cluster, lease) == *hours);
            if matches!(who, "leader" | "all") {
                stamps("-n tenet-system tenet-controller");
            }
            if matches!(who, "follower" | "all") {
                stamps(&format!("-n tenet-agents {gateway}"));
            }
            world.serves(&format!("{who}{number}"));
            let agents = world.cluster.kubectl("get tagent -o json");
            assert!(!agents.contains("\"Silent\"") && !agents.contains("\"Unreachable\""), "{who} {by}: {agents}");
            assert_eq!(world.gateway(), gateway, "{who} {by}");
        }
        settles(&pages);
        assert_eq!(lead(&world.cluster), led, "{who}");
        assert_eq!(versions(&world.cluster), before, "{who}");
    }
    flows.hold();
    world.passes();
}
