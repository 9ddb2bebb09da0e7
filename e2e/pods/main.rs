//! A whole Kubernetes cluster: kubelets, containerd, pods; Tenet as `manifests/` installs it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../bed/mod.rs"]
mod bed;
#[path = "../control_plane.rs"]
mod control_plane;
#[path = "../support/mod.rs"]
mod support;

use bed::Bed;

#[test]
fn nodes_get_ready_and_tenet_runs_on_them() {
    let start = std::time::Instant::now();
    let bed = Bed::bare(3);
    println!("bare after {:?}", start.elapsed());
    println!("{}", bed.kubectl("get nodes -o wide"));
    drop(bed);
    println!("all after {:?}", start.elapsed());
}
