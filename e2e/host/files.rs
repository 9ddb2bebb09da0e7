//! The folder of YAML: nonsense, files that are taken away, files that change all the time.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::addresses::BLUE;
use crate::support::{Host, until, yaml};

const PORTS: &str = "
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}]}
Router r {interfaces: [{subnetRef: {name: web}}]}
";

/// A file that holds this, and words of what is said of it. `NAME` is the file's name.
const NONSENSE: [(&str, &str, &str); 15] = [
    ("unclosed", "kind: [", "is not YAML"),
    ("tabs", "kind:\n\t- x", "is not YAML"),
    ("scalar", "42", "no Kubernetes object"),
    ("list", "- a\n- b", "no Kubernetes object"),
    ("anchors", "a: &a [x, *a]", "recursive"),
    ("half", "HEAD, kind: Port}", "metadata is missing"),
    ("nameless", "HEAD, kind: Network, metadata: {}}", "metadata.name"),
    ("typo", "HEAD, kind: Network, metadata: {name: NAME}, spec: {mtuu: 1400}}", "mtuu"),
    ("kind", "HEAD, kind: Netwrok, metadata: {name: NAME}}", "there is no such kind"),
    ("twice", "HEAD, kind: Network, kind: Port, metadata: {name: NAME}}", "kind"),
    ("type", "HEAD, kind: Network, metadata: {name: NAME}, spec: {mtu: lots}}", "spec.mtu"),
    ("range", "HEAD, kind: Network, metadata: {name: NAME}, spec: {mtu: 5}}", "mtu"),
    ("capitals", "HEAD, kind: Network, metadata: {name: 'No Name!'}}", "No Name!"),
    (
        "ip",
        "HEAD, kind: Port, metadata: {name: NAME}, spec: {networkRef: {name: blue}, addresses: [{ip: 10.0.0.300}]}}",
        "IP address",
    ),
    (
        "cidr",
        "HEAD, kind: Subnet, metadata: {name: NAME}, spec: {networkRef: {name: blue}, cidr: 10.5.0.1/24}}",
        "cidr",
    ),
];

/// How an object begins.
const HEAD: &str = "{apiVersion: tenet.network/v1alpha1";

#[test]
fn nonsense_beside_good_files_is_named_and_stops_nothing() {
    let mut host = Host::new();
    host.declare("good.yaml", &[BLUE, PORTS].concat());
    for (name, text, _) in NONSENSE {
        host.write(&format!("{name}.yaml"), &text.replace("HEAD", HEAD).replace("NAME", name));
    }
    let foreign = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n";
    host.write("foreign.yaml", foreign);
    host.write("notes.txt", "kind: [");
    std::fs::write(host.dir.join("yaml/binary.yaml"), [0xff, 0xfe, 0, 1]).unwrap();
    std::os::unix::fs::symlink("/nowhere", host.dir.join("yaml/dangling.yaml")).unwrap();
    std::fs::create_dir(host.dir.join("yaml/folder.yaml")).unwrap();
    host.start();
    let (a, _b) = (host.plugged("a", "a"), host.plugged("b", "b"));
    a.wait_pings("10.0.0.12");
    a.wait_pings("10.0.0.1");
    let log = host.log();
    for (name, _, words) in NONSENSE {
        let (file, object) = (format!("/{name}.yaml"), format!("default/{name}"));
        let line = log.lines().find(|line| (line.contains(&file) || line.contains(&object)) && line.contains(words));
        assert!(line.is_some(), "{name} ({words}) in\n{log}");
    }
    assert!(log.contains("binary.yaml: is not UTF-8"), "{log}");
    assert!(log.contains("skipped Deployment web"), "{log}");
    assert!(!log.contains("notes.txt"));
}

#[test]
fn a_file_that_no_longer_parses_keeps_what_it_held_and_is_named() {
    let mut host = Host::new();
    host.declare("blue.yaml", BLUE);
    host.declare("ports.yaml", PORTS);
    host.start();
    let (a, _b) = (host.plugged("a", "a"), host.plugged("b", "b"));
    a.wait_pings("10.0.0.12");
    host.write("ports.yaml", &(yaml("Port c {networkRef: {name: blue}}") + "---\nkind: ["));
    until("it is named", || host.log().contains("ports.yaml: document 2"));
    host.wait_ready("port", "c");
    std::thread::sleep(Duration::from_millis(500));
    assert!(a.pings("10.0.0.12") && a.pings("10.0.0.1"), "what it held is kept");
    host.stop(Signal::SIGKILL);
    host.start();
    std::thread::sleep(Duration::from_millis(500));
    assert!(a.pings("10.0.0.12") && a.pings("10.0.0.1"), "also over a restart");
    host.declare("ports.yaml", "Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}\nRouter r {interfaces: [{subnetRef: {name: web}}]}");
    until("what it no longer holds is gone", || host.tenet("get port b").code == Some(1));
    until("and so is its wire", || !a.pings("10.0.0.12"));
    assert!(a.pings("10.0.0.1"));
}

#[test]
fn a_spec_that_may_not_change_stays_and_is_named() {
    let mut host = Host::new();
    host.declare("all.yaml", &[BLUE, PORTS].concat());
    host.start();
    let (a, _b) = (host.plugged("a", "a"), host.plugged("b", "b"));
    a.wait_pings("10.0.0.12");
    host.declare("all.yaml", &[BLUE, PORTS].concat().replace("10.0.0.0/24", "10.7.0.0/24"));
    until("it is named", || host.log().contains("Subnet default/web keeps its old spec"));
    assert!(a.pings("10.0.0.12") && a.pings("10.0.0.1"));
    assert_eq!(host.object("subnet", "web")["spec"]["cidr"], "10.0.0.0/24");
}

#[test]
fn a_folder_that_is_suddenly_empty_is_held_until_it_is_confirmed_also_over_a_restart() {
    let mut host = Host::bare();
    host.declare("all.yaml", &[BLUE, PORTS].concat());
    host.start();
    let (a, _b) = (host.plugged("a", "a"), host.plugged("b", "b"));
    a.wait_pings("10.0.0.12");
    host.remove("all.yaml");
    let held = |host: &Host| host.tenet("get").err.contains("run `tenet confirm`");
    until("it is held", || held(&host));
    host.stop(Signal::SIGKILL);
    host.start();
    until("it is still held", || held(&host));
    assert!(a.pings("10.0.0.12"));
    host.declare("all.yaml", &[BLUE, PORTS].concat());
    until("putting it back is enough", || !held(&host));
    assert!(host.tenet("confirm").expect_ok().contains("nothing was held back"));
    std::fs::remove_dir_all(host.dir.join("yaml")).unwrap();
    until("the folder itself is gone", || held(&host));
    assert!(a.pings("10.0.0.1"));
    std::fs::create_dir(host.dir.join("yaml")).unwrap();
    host.declare("ports.yaml", PORTS);
    host.declare("blue.yaml", BLUE);
    until("it is back", || !held(&host));
    assert!(a.pings("10.0.0.1"));
    ["ports.yaml", "blue.yaml"].iter().for_each(|file| host.remove(file));
    until("it is held", || held(&host));
    assert!(host.tenet("confirm").expect_ok().contains("Port default/a goes"));
    until("all is gone", || !a.run("ip link show eth0").ok());
}

/// A generator that needs no crate: Numerical Recipes' constants.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[test]
fn files_that_change_all_the_time_under_an_agent_that_dies_all_the_time_end_converged() {
    let seed = std::env::var("TENET_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("TENET_SEED={seed}");
    let mut dice = Dice(seed);
    let mut host = Host::new();
    let text = |n: u64, ip: u64| {
        format!(
            "Network n{n}\nSubnet s{n} {{networkRef: {{name: n{n}}}, cidr: 10.{n}.0.0/24}}
Port p{n} {{networkRef: {{name: n{n}}}, addresses: [{{ip: 10.{n}.0.{}}}]}}
Router r{n} {{interfaces: [{{subnetRef: {{name: s{n}}}}}]}}\n",
            10 + ip
        )
    };
    host.declare("base.yaml", &[BLUE, PORTS].concat());
    host.start();
    let (a, b) = (host.plugged("a", "a"), host.plugged("b", "b"));
    let flow = a.stream_to(&b, "10.0.0.12");
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        let n = dice.roll(6);
        let (file, other) = (format!("{n}.yaml"), format!("{}.yaml", dice.roll(6)));
        let folder = host.dir.join("yaml");
        match dice.roll(8) {
            0..3 => host.declare(&file, &text(n, dice.roll(100))),
            3 => _ = std::fs::remove_file(folder.join(&file)),
            4 => _ = std::fs::rename(folder.join(&file), folder.join(&other)),
            // Not at once, as careless editors write.
            5 => {
                let whole = yaml(&text(n, dice.roll(100)));
                std::fs::write(folder.join(&file), &whole[..usize::try_from(dice.roll(whole.len() as u64)).unwrap()])
                    .unwrap();
            }
            6 => host.write(&file, "kind: ["),
            _ => {
                host.stop(Signal::SIGKILL);
                host.start();
            }
        }
        std::thread::sleep(Duration::from_millis(dice.roll(40)));
    }
    for n in 0..6 {
        host.declare(&format!("{n}.yaml"), &text(n, n));
    }
    for n in 0..6 {
        let guest = host.plugged(&format!("p{n}"), &format!("g{n}"));
        until("its last address counts", || {
            host.object("port", &format!("p{n}"))["status"]["addresses"][0]["ip"] == format!("10.{n}.0.{}", 10 + n)
        });
        guest.run("ip addr flush dev eth0");
        guest.ip(&format!("addr add 10.{n}.0.{}/24 dev eth0", 10 + n));
        guest.wait_pings(&format!("10.{n}.0.1"));
    }
    until("nothing is left to change", || host.tenet(&format!("plan {}", host.yaml())).code == Some(0));
    let (sent, lost) = flow.end();
    assert_eq!(lost, 0, "of {sent}");
    for kind in ["network", "subnet", "port", "router"] {
        for n in 0..6 {
            host.wait_ready(kind, &format!("{}{n}", &kind[..1]));
        }
    }
}
