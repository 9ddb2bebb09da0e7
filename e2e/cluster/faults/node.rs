//! Faults of a node: news of the kernel that are lost, a disk that takes nothing, few descriptors, a loop that hangs, a reboot.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::ends::again;
use crate::flow::Flow;
use crate::nodes::Cluster;
use crate::page::{converged, get};
use crate::support::{Guest, ip, until};

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}]}
Port c {networkRef: {name: blue}, addresses: [{ip: 10.0.0.13}]}
Network red
Subnet same {networkRef: {name: red}, cidr: 10.0.0.0/24}
Router r {interfaces: [{subnetRef: {name: web}}]}";

/// Enough for a buffer of 4 MiB, in which each takes at least half a KiB.
const STORM: usize = 12_000;

/// What a command says in a namespace of ours.
fn in_space(cluster: &Cluster, space: &str, line: &str) -> String {
    let pin = cluster.nodes[0].run_dir().join(space);
    cluster.nodes[0].run(&format!("nsenter --net={} {line}", pin.display())).expect_ok()
}

/// Stops the agent while more happens beside its bridges than the kernel has room to tell it.
fn storm(cluster: &Cluster, pid: Pid) {
    kill(pid, Signal::SIGSTOP).unwrap();
    let one = "addr add 198.51.100.1/32 dev storm\naddr del 198.51.100.1/32 dev storm\n";
    let file = cluster.nodes[0].run_dir().with_file_name("storm");
    std::fs::write(
        &file,
        format!("link add storm type veth peer name stormp\n{}link del storm\n", one.repeat(STORM / 2)),
    )
    .unwrap();
    in_space(cluster, "vswitch", &format!("ip -batch {}", file.display()));
}

/// An agent that cannot start ends with these words, and leaves what the kernel holds.
fn ends_with(cluster: &mut Cluster, words: &[&str]) {
    let before = cluster.nodes[0].kernel();
    cluster.nodes[0].kill_agent();
    let said = cluster.nodes[0].log().len();
    cluster.nodes[0].start_agent();
    until("it ends", || cluster.nodes[0].has_no_agent());
    let log = cluster.nodes[0].log();
    assert!(words.iter().all(|words| log[said..].contains(words)), "{words:?}: {}", &log[said..]);
    assert_eq!(before, cluster.nodes[0].kernel());
}

/// The disk turns read-only: one that runs wires nothing new and goes on, one that starts says so.
fn read_only(cluster: &mut Cluster, state: &Path) {
    cluster.nodes[0].run(&format!("mount --bind {0} {0}", state.display())).expect_ok();
    cluster.nodes[0].run(&format!("mount -o remount,bind,ro {}", state.display())).expect_ok();
    let before = cluster.nodes[0].kernel();
    ip("netns add c");
    let plugged = cluster.nodes[0].tenet("plug c --netns c --timeout 2");
    assert!(!plugged.ok() && plugged.err.contains("Read-only file system"), "{plugged:?}");
    ip("netns del c");
    cluster.nodes[0].wait_kernel(&before);
    assert!(!cluster.nodes[0].has_no_agent());
    ends_with(cluster, &["Read-only file system"]);
    cluster.nodes[0].run(&format!("umount {}", state.display())).expect_ok();
    starts(cluster);
}

/// The record is damaged: who starts says what to do.
fn damaged(cluster: &mut Cluster, state: &Path) {
    let record = state.join("plugged.json");
    cluster.nodes[0].run(&format!("cp {0} {0}.good", record.display())).expect_ok();
    cluster.nodes[0].run(&format!("truncate -s 20 {}", record.display())).expect_ok();
    ends_with(cluster, &["plugged.json is damaged", "remove it and plug the ports again"]);
    cluster.nodes[0].run(&format!("mv {0}.good {0}", record.display())).expect_ok();
    starts(cluster);
}

fn starts(cluster: &mut Cluster) {
    cluster.nodes[0].start_agent();
    until("it listens", || cluster.nodes[0].listens());
    converged(&cluster.nodes[0]);
}

#[test]
fn an_agent_that_misses_news_has_no_disk_no_descriptors_or_no_kernel_state_left_says_so_and_heals() {
    let mut cluster = Cluster::start(1);
    cluster.apply(WORLD);
    let (a, b) = (cluster.guest(1, "a"), cluster.guest(1, "b"));
    a.wait_pings("10.0.0.12");
    cluster.wait("tport/a tport/b", "Programmed");
    let metrics = format!("{}:{}", cluster.nodes[0].address, crate::nodes::METRICS);
    let flow = Flow::start(&a, &b, "10.0.0.12");
    let before = cluster.nodes[0].kernel();

    // The kernel has more to tell than it has room for; among it, that something of ours was taken away.
    let pid = Pid::from_raw(cluster.nodes[0].pid().cast_signed());
    storm(&cluster, pid);
    let links = in_space(&cluster, "vswitch", "ip -br link");
    let port = links.lines().find(|line| line.starts_with("tpt")).unwrap().split('@').next().unwrap().to_owned();
    let learns = || !in_space(&cluster, "vswitch", &format!("bridge -d link show dev {port}")).contains("learning off");
    in_space(&cluster, "vswitch", &format!("bridge link set dev {port} learning on"));
    assert!(learns());
    kill(pid, Signal::SIGCONT).unwrap();
    until("what was changed is as it was", || !learns());
    cluster.nodes[0].wait_kernel(&before);
    let page = get(&metrics, "/metrics").1;
    let lost = page.lines().find(|line| line.starts_with("tenet_kernel_notifications_lost_total ")).unwrap();
    assert!(!lost.ends_with(" 0"), "{lost}");

    // A loop that hangs is not healthy, though other threads go on: kubelet ends it.
    let hang = ["-o", "/dev/null", "-e", "trace=poll,ppoll", "-e", "inject=poll,ppoll:delay_enter=9s"];
    let pid = cluster.nodes[0].pid().to_string();
    let mut strace = Command::new("strace").args(hang).args(["-p", &pid]).stderr(Stdio::null()).spawn().unwrap();
    until("it hangs", || get(&metrics, "/healthz").0 == 503);
    strace.kill().unwrap();
    strace.wait().unwrap();
    until("it goes on", || get(&metrics, "/healthz").0 == 200);

    // The disk takes nothing: what is on record goes on, nothing new is wired, and who plugs is told why.
    let state = cluster.nodes[0].run_dir().with_file_name("state");
    cluster.nodes[0].kill_agent();
    let full = state.join("filler");
    cluster.nodes[0].run(&format!("cp -a {0} {0}.kept", state.display())).expect_ok();
    cluster.nodes[0].run(&format!("mount -t tmpfs -o size=16k tmpfs {}", state.display())).expect_ok();
    cluster.nodes[0].run(&format!("cp -a {0}.kept/. {0}/", state.display())).expect_ok();
    cluster.nodes[0].start_agent();
    until("it listens", || cluster.nodes[0].listens());
    until("it has converged", || get(&metrics, "/readyz").0 == 200);
    cluster.nodes[0].run(&format!("dd if=/dev/zero of={} bs=4k count=100", full.display()));
    ip("netns add c");
    let (node, c) = (&cluster.nodes[0], Guest::named("c"));
    let plugged = std::thread::scope(|scope| {
        let plug = scope.spawn(|| node.tenet("plug c --netns c --timeout 3"));
        while !plug.is_finished() {
            assert!(!c.run("ip link show eth0").ok(), "what is on no record is wired");
        }
        plug.join().unwrap()
    });
    assert!(!plugged.ok() && plugged.err.contains("cannot be recorded"), "{plugged:?}");
    let conditions = cluster.get("tport", "a")["status"]["conditions"].to_string();
    assert!(!conditions.contains("cannot be recorded") && a.pings("10.0.0.12"), "{conditions}");
    cluster.nodes[0].run(&format!("rm {}", full.display())).expect_ok();
    ip("netns del c");
    read_only(&mut cluster, &state);
    damaged(&mut cluster, &state);
    let c = cluster.guest(1, "c");
    c.wait_pings("10.0.0.11");

    // So few descriptors that it cannot go on: it ends with a word, or goes on when it may; nothing stops forwarding.
    cluster.nodes[0].kill_agent();
    for descriptors in [8, 16, 24, 40] {
        cluster.nodes[0].start_agent_under(&["prlimit", &format!("--nofile={descriptors}")]);
        std::thread::sleep(Duration::from_millis(400));
        println!("{descriptors} descriptors: ended: {}", cluster.nodes[0].has_no_agent());
        cluster.nodes[0].kill_agent();
    }
    assert!(!cluster.nodes[0].log().contains("panicked"));
    cluster.nodes[0].start_agent();
    until("it listens", || cluster.nodes[0].listens());
    flow.whole();

    let router = cluster.nodes[0].run(&format!("find {} -name rtr-*", cluster.nodes[0].run_dir().display())).out;
    // A reboot while the API server is away: nothing is made before all is known.
    let run_dir = cluster.nodes[0].run_dir();
    cluster.nodes[0].kill_agent();
    cluster.plane.kill("kube-apiserver");
    for name in ["a", "b", "c"] {
        ip(&format!("netns del {name}"));
    }
    for pin in router.lines().map(str::to_owned).chain([format!("{}/vswitch", run_dir.display())]) {
        cluster.nodes[0].run(&format!("umount {pin}")).expect_ok();
    }
    cluster.nodes[0].start_agent();
    until("it listens", || cluster.nodes[0].listens());
    std::thread::sleep(Duration::from_secs(1));
    let made = cluster.nodes[0].run(&format!("nsenter --net={}/vswitch true", run_dir.display()));
    assert!(!made.ok(), "nothing is known, and something is made");
    // Who plugs a new guest meanwhile waits, and does not find the one of before the reboot in his way.
    ip("netns add a");
    let (node, plane) = (&cluster.nodes[0], &mut cluster.plane);
    std::thread::scope(|scope| {
        let plug = scope.spawn(|| node.tenet("plug a --netns a --timeout 60"));
        plane.revive("kube-apiserver");
        plane.wait_until_ready();
        plug.join().unwrap().expect_ok();
    });
    let (a, _b) = (again(&cluster, 1, "a"), cluster.guest(1, "b"));
    a.wait_pings("10.0.0.12");
    a.wait_pings("10.0.0.1");
}
