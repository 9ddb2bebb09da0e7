//! What conditions say, and when they say nothing new.

use crate::api::{Condition, Reason};
use crate::model::fixtures::{EVERY_KIND as BASE, NODE, at, done, id, key, plug, record, settle, world};
use crate::model::status::{Statuses, statuses};
use crate::model::{Remark, Report, Snapshot, link};

fn judge(snapshot: &Snapshot, report: Option<&Report>, now: usize) -> Statuses {
    let (topology, problems) = link(snapshot);
    statuses(snapshot, &topology, &problems, report, at(now))
}

/// `Accepted=True/Accepted …`: the conditions at a glance.
fn glance(conditions: &[Condition]) -> String {
    conditions.iter().map(|c| format!("{}={}/{}", c.type_, c.status, c.reason)).collect::<Vec<_>>().join(" ")
}

fn port(snapshot: &Snapshot, report: Option<&Report>) -> String {
    let found = judge(snapshot, report, 50).ports.remove(&key("p"));
    glance(&found.or_else(|| snapshot.ports[&key("p")].status.clone()).unwrap().conditions)
}

const WELL: &str = "Accepted=True/Accepted ResolvedRefs=True/ResolvedRefs";

#[test]
fn a_port_is_ready_before_it_is_plugged_and_again_once_it_is_programmed() {
    let mut snapshot = world(BASE);
    assert_eq!(port(&snapshot, None), format!("{WELL} Programmed=False/Unbound Ready=True/Unbound"));
    assert_eq!(port(&snapshot, Some(&done())), format!("{WELL} Programmed=False/Unbound Ready=True/Unbound"));
    settle(&mut snapshot);
    plug(&mut snapshot, "p");
    let pending = format!("{WELL} Programmed=Unknown/Pending Ready=False/Pending Reconciling=True/Pending");
    assert_eq!(port(&snapshot, None), pending);
    assert_eq!(port(&snapshot, Some(&done())), format!("{WELL} Programmed=True/Programmed Ready=True/Ready"));
    settle(&mut snapshot);
    assert_eq!(
        port(&snapshot, None),
        format!("{WELL} Programmed=True/Programmed Ready=True/Ready"),
        "stays as recorded"
    );
}

#[test]
fn faults_and_remarks_of_a_node_become_conditions() {
    let mut snapshot = world(BASE);
    plug(&mut snapshot, "p");
    let say = |reason| Remark { reason, message: "Do this.".into() };
    let mut report = done();
    report.faults.insert(id("Port p"), say(Reason::KernelError));
    report.faults.insert(id("PhysicalNetwork wire"), say(Reason::InterfaceInUse));
    report.remarks.insert(id("Network public"), say(Reason::BridgeFiltered));
    let found = judge(&snapshot, Some(&report), 50);
    let bad = format!("{WELL} Programmed=False/KernelError Ready=False/KernelError Stalled=True/KernelError");
    assert_eq!(glance(&found.ports[&key("p")].conditions), bad);
    let wire = &found.physical_networks[&id("PhysicalNetwork wire").key];
    assert!(wire.nodes.is_empty());
    assert!(
        glance(&wire.conditions).starts_with("Accepted=True/Accepted Programmed=False/InterfaceInUse"),
        "no references"
    );
    let public = glance(&found.networks[&key("public")].conditions);
    assert_eq!(public, format!("{WELL} Programmed=True/BridgeFiltered Ready=True/Ready"));
}

#[test]
fn problems_say_whether_waiting_helps() {
    let snapshot = world(
        "Port p {networkRef: {name: blue}}
         Network big {mtu: 9000}",
    );
    let waits = "Accepted=True/Accepted ResolvedRefs=False/NotFound Programmed=False/NotFound Ready=False/NotFound";
    assert_eq!(port(&snapshot, Some(&done())), format!("{waits} Reconciling=True/NotFound"));
    let big = judge(&snapshot, None, 5).networks.remove(&key("big")).unwrap();
    let stuck = "Programmed=False/InvalidMTU Ready=False/InvalidMTU Stalled=True/InvalidMTU";
    assert_eq!(glance(&big.conditions), format!("Accepted=False/InvalidMTU ResolvedRefs=True/ResolvedRefs {stuck}"));
    assert_eq!(big.mtu, None);
}

#[test]
fn what_is_recorded_is_not_said_again() {
    let mut snapshot = world(BASE);
    plug(&mut snapshot, "p");
    settle(&mut snapshot);
    assert_eq!(judge(&snapshot, Some(&done()), 5000), Statuses::default());
    assert_eq!(judge(&snapshot, None, 5000), Statuses::default());
}

#[test]
fn what_was_written_after_linking_counts_as_recorded() {
    let mut snapshot = world(BASE);
    plug(&mut snapshot, "p");
    let (topology, problems) = link(&snapshot);
    let mut say = |report: Option<&Report>, now| {
        let said = statuses(&snapshot, &topology, &problems, report, at(now));
        record(&mut snapshot, said.clone());
        said
    };
    assert_eq!(say(None, 1).ports.len(), 1);
    assert_eq!(say(None, 2), Statuses::default());
    let done_says = say(Some(&done()), 3);
    let conditions = &done_says.ports[&key("p")].conditions;
    let since = |type_: &str| conditions.iter().find(|c| c.type_ == type_).unwrap().last_transition_time.0;
    assert_eq!((since("Accepted"), since("Programmed")), (at(1), at(3)));
    assert_eq!(say(Some(&done()), 4), Statuses::default());
}

#[test]
fn the_time_of_a_condition_changes_with_its_status_only() {
    let mut snapshot = world(BASE);
    let first = judge(&snapshot, Some(&done()), 10);
    record(&mut snapshot, first);
    let port = std::sync::Arc::make_mut(snapshot.ports.get_mut(&key("p")).unwrap());
    port.metadata.generation = Some(2);
    plug(&mut snapshot, "p");
    let conditions = judge(&snapshot, Some(&done()), 20).ports.remove(&key("p")).unwrap().conditions;
    let since = |type_: &str| conditions.iter().find(|c| c.type_ == type_).unwrap().last_transition_time.0;
    assert_eq!((since("Accepted"), since("Ready"), since("Programmed")), (at(10), at(10), at(20)));
    assert!(conditions.iter().all(|c| c.observed_generation == Some(2)));
}

#[test]
fn statuses_tell_addresses_counts_and_who_does_it() {
    let mut snapshot = world(BASE);
    settle(&mut snapshot);
    let port = snapshot.ports[&key("p")].status.clone().unwrap();
    assert_eq!(port.mtu, Some(1450));
    assert_eq!(port.network_uid, snapshot.networks[&key("blue")].metadata.uid);
    assert_eq!(port.addresses[0].subnet_ref.namespace, None);
    let router = snapshot.routers[&key("r")].status.clone().unwrap();
    assert_eq!(router.interfaces[0].ip.to_string(), "10.0.0.1");
    assert_eq!(router.external_addresses.len(), 1);
    assert_eq!(router.gateway_node.as_deref(), Some(NODE));
    let outside = snapshot.subnets[&key("outside")].status.clone().unwrap();
    assert_eq!((outside.total, outside.allocated, outside.free), (Some(253), Some(2), Some(251)));
    assert_eq!(snapshot.networks[&key("public")].status.as_ref().unwrap().mtu, Some(1500));
    assert_eq!(snapshot.physical_networks.values().next().unwrap().status.as_ref().unwrap().nodes, [NODE]);
}

#[test]
fn conditions_of_others_are_left_alone() {
    let mut snapshot = world(BASE);
    settle(&mut snapshot);
    let port = std::sync::Arc::make_mut(snapshot.ports.get_mut(&key("p")).unwrap());
    let status = port.status.as_mut().unwrap();
    let foreign = Condition { type_: "Audited".into(), ..status.conditions[0].clone() };
    status.conditions.insert(0, foreign.clone());
    assert_eq!(judge(&snapshot, Some(&done()), 9), Statuses::default());
    plug(&mut snapshot, "p");
    assert!(judge(&snapshot, Some(&done()), 9).ports[&key("p")].conditions.contains(&foreign));
}
