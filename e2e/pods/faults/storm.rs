//! Many pods at once.

use std::time::Instant;

use super::traces::{traces, wait_same};
use super::{BLUE, Talk};
use crate::bed::{Bed, PATIENCE};

/// How many pods come and go, and how long each half of it may take, in units of [`PATIENCE`]. `TENET_SOAK=1`: as many as two
/// kubelets take.
fn size() -> (usize, u32) {
    if std::env::var_os("TENET_SOAK").is_some() { (200, 5) } else { (60, 2) }
}

/// Waits until as many pods are in a phase.
fn wait_running(bed: &Bed, count: usize, times: u32) {
    let start = Instant::now();
    let running = || {
        let phases = bed.kubectl("get pods -l storm=yes -o jsonpath={.items[*].status.phase}");
        phases.split(' ').filter(|phase| *phase == "Running").count()
    };
    loop {
        let now = running();
        if now == count {
            return;
        }
        assert!(start.elapsed() < PATIENCE * times, "{now} of {count} pods run");
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
}

#[test]
fn of_pods_that_come_and_go_in_a_storm_no_port_address_link_or_record_is_left() {
    let bed = Bed::start(2);
    let talk = Talk::begin(&bed);
    let (before, (count, times)) = (traces(&bed), size());
    let pod = |n: usize| {
        format!(
            "---
apiVersion: v1
kind: Pod
metadata: {{name: storm-{n}, labels: {{storm: 'yes'}}, annotations: {BLUE}}}
spec:
  nodeSelector: {{kubernetes.io/hostname: node-{}}}
  terminationGracePeriodSeconds: 0
  automountServiceAccountToken: false
  containers: [{{name: guest, image: 'guest:1', imagePullPolicy: Never}}]
",
            1 + n % 2
        )
    };
    let all: String = (0..count).map(pod).collect();
    talk.outlives("a storm of pods", || {
        let start = Instant::now();
        bed.apply_yaml(&all);
        println!("{count} pods: created after {:.1?}", start.elapsed());
        wait_running(&bed, count, times);
        println!("{count} pods: all run after {:.1?}", start.elapsed());
        let addresses = bed.kubectl("get tport -o jsonpath={.items[*].status.addresses[0].ip}");
        let different: std::collections::BTreeSet<_> = addresses.split(' ').collect();
        assert_eq!(different.len(), count + 4, "each has an address of its own: {addresses}");
        let start = Instant::now();
        bed.kubectl("delete pods -l storm=yes --wait=false");
        bed.kubectl(&format!("wait pods -l storm=yes --for=delete --timeout={}s", (PATIENCE * times).as_secs()));
        println!("{count} pods: all gone after {:.1?}", start.elapsed());
        println!("{count} pods: nothing left after another {:.1?}", wait_same(&bed, &before));
    });
}
