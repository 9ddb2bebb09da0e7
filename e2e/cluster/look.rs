//! The commands that look: a trace says what packets do, and everybody sees what is his to see.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::nodes::Cluster;
use crate::support::{Guest, Said, until};

const WORLD: &str = "
PhysicalNetwork public {attachments: [{interface: br-ext}]}
Network public {external: true, provider: {physicalNetwork: public, type: Flat}}
Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/24, dhcp: false}
Network front
Subnet front {networkRef: {name: front}, cidr: 10.0.1.0/24}
Network back
Subnet back {networkRef: {name: back}, cidr: 10.0.2.0/24}
Network island
Subnet island {networkRef: {name: island}, cidr: 10.0.1.0/24}
Router edge {interfaces: [{subnetRef: {name: front}}, {subnetRef: {name: back}}], externalGateway: {networkRef: {name: public}}}
SecurityGroup web {rules: [{direction: Ingress, protocol: TCP, port: 8080, description: the shop}, {direction: Egress}]}
SecurityGroup db {rules: [{direction: Ingress, protocol: TCP, port: 5432, remote: {groupRef: {name: web}}}, {direction: Ingress, protocol: ICMP}]}
SecurityGroup quiet {rules: [{direction: Ingress}, {direction: Egress, protocol: TCP}]}
SecurityGroup answerless {stateful: false, rules: [{direction: Ingress}]}
Port web-0 {networkRef: {name: front}, addresses: [{ip: 10.0.1.10}], securityGroupRefs: [{name: web}]}
Port db-0 {networkRef: {name: back}, addresses: [{ip: 10.0.2.20}], securityGroupRefs: [{name: db}]}
Port quiet {networkRef: {name: front}, addresses: [{ip: 10.0.1.11}], securityGroupRefs: [{name: quiet}]}
Port mute {networkRef: {name: back}, addresses: [{ip: 10.0.2.21}], securityGroupRefs: [{name: answerless}]}
Port idle {networkRef: {name: front}, addresses: [{ip: 10.0.1.12}]}
Port isle {networkRef: {name: island}, addresses: [{ip: 10.0.1.13}], securityGroupRefs: [{name: quiet}]}
FloatingIP shop {networkRef: {name: public}, portRef: {name: web-0}, ip: 203.0.113.10}
FloatingIP forwarded {networkRef: {name: public}, ip: 203.0.113.11, portForwardings: [{protocol: TCP, port: 80, targetPort: 8080, portRef: {name: quiet}}]}";

/// Who calls whom; a colon means TCP, `udp` is said, else it is a ping. Then what is to come of it.
const PAIRS: &str = "
web-0 10.0.2.20 yes
web-0 10.0.2.20:5432 yes
web-0 10.0.2.20:22 no
web-0 10.0.2.21:8080 no
web-0 10.0.1.11:8080 yes
web-0 10.0.1.11:8080 udp yes
web-0 10.0.1.99 no
web-0 10.0.1.12 no
web-0 10.0.1.1 yes
web-0 10.0.2.1 yes
web-0 10.0.1.1:22 no
web-0 203.0.113.1 yes
web-0 203.0.113.1:8080 yes
web-0 203.0.113.10:8080 yes
quiet 10.0.2.20 no
quiet 10.0.2.20:5432 no
quiet 10.0.1.10:8080 yes
quiet 203.0.113.1:8080 yes
quiet 203.0.113.1:8080 udp no
quiet 203.0.113.10:8080 yes
quiet 203.0.113.10:22 no
web-0 203.0.113.11:80 yes
web-0 203.0.113.11:8080 no
web-0 203.0.113.11 yes
db-0 10.0.1.11:8080 no
isle 10.0.1.10:8080 no
isle 10.0.2.20:5432 no";

/// Runs the program by its usual name.
fn tenet(kubeconfig: &Path, line: &str) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenet"));
    command.args(line.split_whitespace()).arg("--kubeconfig").arg(kubeconfig);
    Said::of(&command.output().unwrap())
}

#[test]
fn a_trace_says_what_packets_do() {
    let cluster = Cluster::bare(2);
    let outside = cluster.wire(&[1, 2]);
    cluster.apply(WORLD);
    cluster.wait("tport --all", "Ready");
    cluster.wait("trtr/edge", "Ready");
    let places = [("web-0", 1), ("db-0", 2), ("quiet", 2), ("mute", 1), ("isle", 1)];
    let guests: Vec<(&str, Guest)> = places.iter().map(|(name, node)| (*name, cluster.guest(*node, name))).collect();
    cluster.wait("tport/web-0 tport/db-0 tport/quiet tport/mute tport/isle", "Programmed");
    cluster.wait("tfip --all", "Ready");
    for port in [22, 5432, 8080] {
        for (name, guest) in &guests {
            guest.serve(port, name);
        }
        outside.serve(port, "outside");
    }
    let guest = |name: &str| &guests.iter().find(|(known, _)| *known == name).unwrap().1;
    guest("web-0").wait_pings("203.0.113.1");
    let kubeconfig = cluster.plane.kubeconfig();
    let mut wrong = Vec::new();
    for line in PAIRS.lines().filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split(' ').collect();
        let (from, to, udp, expected) = (words[0], words[1], words[2] == "udp", words.last() == Some(&"yes"));
        let seen = || match to.split_once(':') {
            None => guest(from).pings(to),
            Some((ip, port)) if udp => guest(from).asks_udp(ip, port.parse().unwrap()).is_some(),
            Some((ip, port)) => guest(from).asks(ip, port.parse().unwrap()).is_some(),
        };
        // What is to pass may take a first packet more on a busy machine.
        let seen = seen() || expected && seen();
        let said = tenet(&kubeconfig, &format!("trace {from} {to}{}", if udp { " --protocol udp" } else { "" }));
        let first = said.out.lines().next().unwrap_or_default().to_owned();
        println!("{line}: seen {seen}; {first} (exit {:?})", said.code);
        if seen != expected || said.code != Some(if expected { 0 } else { 2 }) {
            wrong.push(format!("{line}: packets say {seen}, trace: {}{}", said.out, said.err));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Whom the other end sees is said, too.
    for (from, address) in [("web-0", "203.0.113.10"), ("quiet", "203.0.113.2")] {
        let sees = guest(from).asks("203.0.113.1", 8080).unwrap();
        let said = tenet(&kubeconfig, &format!("trace {from} 203.0.113.1:8080")).out;
        assert!(
            said.lines().next().unwrap_or_default().ends_with(&format!("as {}", sees.rsplit(' ').next().unwrap())),
            "{sees}: {said}"
        );
        println!("{address}: {sees}\n{said}");
    }
    for line in ["topology", "trace web-0 10.0.2.20:5432", "trace quiet 203.0.113.10:8080"] {
        println!("{}", tenet(&kubeconfig, line).expect_ok());
    }
    assert!(tenet(&kubeconfig, "topology -o svg").expect_ok().starts_with("<svg "));
}

const TENANT: &str = "
Network team-a/blue
Subnet team-a/web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port team-a/a {networkRef: {name: blue}}
Port team-a/b {networkRef: {name: blue}}
Network other/red {provider: {physicalNetwork: nowhere, type: Flat}}
Port other/c {networkRef: {name: red}}";

#[test]
fn everybody_sees_what_is_theirs_and_no_secret_leaves() {
    let cluster = Cluster::start(1);
    for namespace in ["team-a", "other"] {
        cluster.kubectl(&format!("create namespace {namespace}"));
    }
    cluster.apply(TENANT);
    cluster.kubectl("wait -n team-a tport/a tport/b --for=condition=Ready --timeout=30s");
    let admin = cluster.plane.kubeconfig();
    until("the other tenant's network is refused", || {
        tenet(&admin, "diagnose -n other").out.contains("Network other/red  NotFound")
    });
    let all = tenet(&admin, "diagnose -A");
    assert!(all.code == Some(2) && all.out.contains("not Ready because of it: Port other/c"), "{all:?}");
    assert_eq!(tenet(&admin, "diagnose -n team-a").out.lines().next(), Some("all is well"), "{all:?}");

    // By kubectl, as somebody who may view one namespace.
    cluster.kubectl("create serviceaccount viewer -n team-a");
    cluster.kubectl("create rolebinding viewer -n team-a --clusterrole=view --serviceaccount=team-a:viewer");
    let viewer = cluster.plane.kubeconfig_for("viewer", &cluster.plane.token("team-a", "viewer", None));
    let bin = viewer.parent().unwrap().join("bin");
    fs::create_dir_all(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tenet"), bin.join("kubectl-tenet")).unwrap();
    let plugin = |line: &str| {
        let mut command = Command::new(cluster.plane.kubectl_path());
        command.arg("tenet").args(line.split_whitespace()).env("PATH", &bin).env("KUBECONFIG", &viewer);
        Said::of(&command.output().unwrap())
    };
    until("the role is in force", || plugin("topology -n team-a").out.contains("Network blue"));
    // What is typed is completed by kubectl.
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tenet"), bin.join("kubectl_complete-tenet")).unwrap();
    let mut typed = Command::new(cluster.plane.kubectl_path());
    typed.args(["__complete", "tenet", "topo"]).env("PATH", &bin).env("KUBECONFIG", &viewer);
    let typed = Said::of(&typed.output().unwrap());
    assert!(typed.out.contains("topology\t") && typed.out.contains(":4"), "{typed:?}");
    let seen = plugin("topology -n team-a");
    assert!(seen.out.contains("● ") || seen.out.contains("○ a  10.0.0.2"), "{seen:?}");
    assert!(seen.err.contains("you may read these of namespace team-a only"), "{seen:?}");
    let everywhere = plugin("topology -A -n other");
    assert!(everywhere.err.contains("Usage: kubectl tenet topology"), "{everywhere:?}");
    let trace = plugin("trace a 10.0.0.3 -n team-a");
    assert!(trace.code == Some(2) && trace.out.contains("nobody has plugged it"), "{trace:?}");
    let well = plugin("diagnose -n team-a");
    assert!(well.code == Some(0) && well.err.contains("who leads"), "{well:?}");
    let other = plugin("diagnose -n other");
    assert!(other.err.contains("you may not read: "), "{other:?}");

    // The bundle: all that is there, nothing that is secret, and who may less gets less.
    let last = "kubectl.kubernetes.io/last-applied-configuration";
    cluster.kubectl(&format!("annotate -n team-a tnet/blue {last}=geheim --overwrite"));
    for (who, kubeconfig, nodes) in [("admin", &admin, true), ("viewer", &viewer, false)] {
        let file = bin.join(format!("{who}.tar.gz"));
        tenet(kubeconfig, &format!("bundle -n team-a --file {}", file.display())).expect_ok();
        let text = Said::of(&Command::new("tar").arg("xzOf").arg(&file).output().unwrap()).expect_ok();
        assert!(text.contains("name: blue") && text.contains("all is well") && text.contains("<svg"), "{text}");
        assert!(!text.contains("geheim") && !text.contains("managedFields") && !text.contains("Bearer"), "{text}");
        assert_eq!(text.contains("not read: nodes"), !nodes, "{text}");
        assert!(!text.contains("name: red"), "{text}");
    }
}
