//! Leaves a cluster up to try things on: `make cluster`. Everything is in namespaces of its own and ends with it, also
//! when it is killed; `make cluster-down` ends it from elsewhere.
//!
//! `--light`: Tenet's controller and agents as processes beside etcd and an API server, and no pods. `--down`: ends it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails says why and ends it")]

#[path = "../bed/mod.rs"]
mod bed;
#[path = "../control_plane.rs"]
mod control_plane;
mod light;
#[path = "../cluster/nodes.rs"]
mod nodes;
mod record;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::time::Instant;

use bed::Bed;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::Uid;
use record::Record;

const NODES: usize = 3;

fn main() -> ExitCode {
    if !Uid::effective().is_root() {
        eprintln!("error: a cluster is made of namespaces, which needs root; run it with sudo");
        return ExitCode::FAILURE;
    }
    match std::env::args().nth(1).as_deref() {
        Some("--down") => {
            record::down();
            return ExitCode::SUCCESS;
        }
        Some("--light") => until_signal(light::up),
        _ => until_signal(up),
    }
    ExitCode::SUCCESS
}

/// Keeps what is made until a signal comes.
fn until_signal<T>(start: impl FnOnce() -> T) {
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]);
    signals.thread_block().unwrap();
    let cluster = start();
    let _ended = signals.wait();
    println!("taking it down");
    drop(cluster);
}

fn up() -> (Bed, Record) {
    record::down();
    let start = Instant::now();
    println!("etcd, kube-apiserver, controllers, scheduler, and {NODES} nodes with kubelet and containerd …");
    let bed = Bed::bare(NODES);
    let record = Record::write(&bed);
    println!("nodes Ready after {:.1} s; Tenet …", start.elapsed().as_secs_f64());
    let _outside = bed.wire(&[1, 2]);
    bed.install();
    println!("{}\nup after {:.1} s\n", bed.kubectl("get pods -A -o wide"), start.elapsed().as_secs_f64());
    println!(
        "In another terminal, as root, in this repository:

  alias kubectl='{enter} kubectl'         # or {enter} bash; KUBECONFIG={kubeconfig} is right in there
  kubectl get nodes,tenet -A                            # all there is
  kubectl apply -f examples/03-two-subnets-one-router/                # networks, a router, ports
  kubectl wait tport --all --for=condition=Ready
  kubectl run web --image=guest:1                       # busybox, which sleeps; the image is on all nodes
  kubectl -n tenet-system logs ds/tenet-agent
  {enter} nsenter --net=/run/netns/node-1 ip -br addr   # a node

node-1 and node-2 reach the wire br-ext, on which 203.0.113.1 answers. No name service, and of services only the API server's.
Ctrl-C takes it all down, or `make cluster-down`.",
        enter = record.enter.display(),
        kubeconfig = bed.plane.kubeconfig().display(),
    );
    (bed, record)
}
