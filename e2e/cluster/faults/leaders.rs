//! Two controllers that both believe they lead: locks make doubles impossible, and neither undoes what the other says.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::crowd::{Crowd, port};
use super::{audit, sized};
use crate::nodes::Cluster;
use crate::support::until;

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/16}";

/// The other controller's rights to a Lease elsewhere.
const ELSEWHERE: &str = "
{apiVersion: v1, kind: Namespace, metadata: {name: elsewhere}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: lead, namespace: elsewhere},
 rules: [{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, update]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: lead, namespace: elsewhere},
 roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: lead},
 subjects: [{kind: ServiceAccount, name: tenet-controller, namespace: tenet-system}]}";

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
}

fn burst(crowd: &Crowd, name: &str, ports: usize, meanwhile: impl FnOnce()) {
    let half = |from: usize, to: usize| crowd.create((from..to).map(|n| port(&format!("{name}{n}"))).collect());
    crowd.run(half(0, ports / 2));
    meanwhile();
    crowd.run(half(ports / 2, ports));
}

/// Every port has an address, and from then on nobody writes anything.
fn settles(cluster: &Cluster, ports: usize) {
    let versions = || {
        let path = "{range .items[*]}{.metadata.resourceVersion} {.status.addresses[0].ip}{\"\\n\"}{end}";
        cluster.plane.expect(&["get", "tport", "-o", &format!("jsonpath={path}")], "")
    };
    until("every port has an address", || versions().lines().filter(|line| line.contains("10.0.")).count() == ports);
    audit::balances(cluster);
    let before = versions();
    std::thread::sleep(Duration::from_millis(1500));
    assert!(before == versions(), "one of them goes on writing");
}

#[test]
fn a_leader_that_was_stopped_beyond_its_lease_does_no_harm_when_it_goes_on() {
    let mut cluster = Cluster::start(0);
    cluster.start_controller();
    cluster.apply(WORLD);
    cluster.wait("tsub/web", "Ready");
    let crowd = Crowd::new(&cluster.plane.kubeconfig());
    let (first, second) = (cluster.controller_pid(0), cluster.controller_pid(1));
    burst(&crowd, "a", 60, || signal(first, Signal::SIGSTOP));
    // The lease runs out, the other one serves them.
    settles(&cluster, 60);
    burst(&crowd, "b", 60, || signal(first, Signal::SIGCONT));
    settles(&cluster, 120);
    if sized(false, true) {
        burst(&crowd, "c", 60, || signal(second, Signal::SIGSTOP));
        settles(&cluster, 180);
        burst(&crowd, "d", 60, || signal(second, Signal::SIGCONT));
        settles(&cluster, 240);
    }
    // One that is told to stop lets go of the lead: nobody waits until it has run out.
    let holder =
        |cluster: &Cluster| cluster.get("lease -n tenet-system", "tenet-controller")["spec"]["holderIdentity"].clone();
    let own = cluster.kubeconfig().to_owned();
    let before = holder(&cluster);
    for number in [0, 1] {
        cluster.stop_controller(number);
    }
    assert_eq!(holder(&cluster), "", "it was {before}'s");
    let start = Instant::now();
    cluster.start_controller_with(&own, &["--identity", "next"]);
    until("the next one leads", || holder(&cluster) == "next");
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}

#[test]
fn two_controllers_that_lead_at_once_give_no_address_twice_and_do_not_quarrel() {
    let mut cluster = Cluster::start(0);
    cluster.plane.expect(&["apply", "-f", "-"], ELSEWHERE);
    let own = cluster.kubeconfig().to_owned();
    cluster.start_controller_with(&own, &["--lease-namespace", "elsewhere"]);
    cluster.apply(WORLD);
    cluster.wait("tsub/web", "Ready");
    until("both lead", || cluster.kubectl("get leases -n elsewhere --no-headers").contains("tenet-controller"));
    let crowd = Crowd::new(&cluster.plane.kubeconfig());
    burst(&crowd, "a", 200, || {});
    settles(&cluster, 200);
    crowd.run(crowd.delete((0..50).map(|n| format!("a{n}"))));
    burst(&crowd, "b", 50, || {});
    settles(&cluster, 200);
}
