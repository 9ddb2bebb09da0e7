//! Leaves a cluster up to try things on: `make cluster`. Everything is in namespaces of its own and ends with it, also
//! when it is killed; `make cluster-down` ends it from elsewhere.
//!
//! `--light`: Tenet's controller and agents as processes beside etcd and an API server, and no pods. `--down`: ends it.
//! `--demo`: tells the story of `make demo-cluster` on it and takes it down; `--demo --keep`: leaves it up.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what fails says why and ends it")]

#[path = "../bed/mod.rs"]
mod bed;
#[path = "../control_plane.rs"]
mod control_plane;
mod light;
#[path = "../cluster/nodes.rs"]
mod nodes;
mod record;
#[path = "../demo/show.rs"]
mod show;
mod signals;
#[path = "../story/mod.rs"]
mod story;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bed::Bed;
use nix::unistd::Uid;
use record::Record;
use show::Show;
use signals::Signals;
use support::Guest;

const NODES: usize = 3;
/// How long SNAT may be away when a gateway node dies.
const AWAY: Duration = Duration::from_secs(3);

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
        Some("--demo") => return demo(std::env::args().any(|argument| argument == "--keep")),
        Some("--light") => until_signal(light::up),
        _ => until_signal(up),
    }
    ExitCode::SUCCESS
}

/// Keeps what is made until a signal comes.
fn until_signal<T>(start: impl FnOnce() -> T) {
    let mut signals = Signals::catch();
    let cluster = start();
    signals.wait();
    println!("taking it down");
    drop(cluster);
}

/// Tells the story, and says whether all of it was true.
fn demo(keep: bool) -> ExitCode {
    let (mut signals, start) = (Signals::catch(), Instant::now());
    let (mut bed, record, outside) = make();
    println!(
        "{NODES} nodes, and Tenet on them by `kubectl apply -f manifests/install.yaml`: Ready after {:.1} s",
        start.elapsed().as_secs_f64()
    );
    let (mut show, start) = (Show::stopped_by(signals.came()), Instant::now());
    let whole = story::tell(&mut bed, outside, &mut show, AWAY).is_some() && show.failed() == 0;
    let took = start.elapsed().as_secs_f64();
    if whole {
        println!("\n{}", show.paint("32", &format!("All as promised, told in {took:.0} s.")));
    } else {
        println!("\n{}\n{}", bed.logs(), show.paint("31", &format!("{} failed.", show.failed())));
    }
    if keep && !signals.came().load(Ordering::Relaxed) {
        story::try_this(&record.enter.display().to_string());
        signals.wait();
        println!("taking it down");
    }
    drop(bed);
    drop(record);
    ExitCode::from(u8::from(!whole))
}

/// A cluster with Tenet in it, and the host outside.
fn make() -> (Bed, Record, Guest) {
    record::down();
    let start = Instant::now();
    println!("etcd, kube-apiserver, controllers, scheduler, and {NODES} nodes with kubelet and containerd …");
    let bed = Bed::bare(NODES);
    let record = Record::write(&bed);
    println!("nodes Ready after {:.1} s; Tenet …", start.elapsed().as_secs_f64());
    let outside = bed.wire(&[1, 2]);
    bed.install();
    (bed, record, outside)
}

fn up() -> (Bed, Record) {
    let start = Instant::now();
    let (bed, record, _outside) = make();
    println!("{}\nup after {:.1} s\n", bed.kubectl("get pods -A -o wide"), start.elapsed().as_secs_f64());
    println!(
        "In another terminal, as root, in this repository:

  alias kubectl='{enter} kubectl'         # or {enter} bash; KUBECONFIG={kubeconfig} is right in there
  kubectl get nodes,tenet -A                            # all there is
  kubectl apply -f examples/03-two-subnets-one-router/                # networks, a router, ports
  kubectl wait tport --all --for=condition=Ready
  kubectl run web --image=guest:1                       # busybox, which sleeps; the image is on all nodes
  kubectl apply -f examples/12-pods                     # pods on a network of their own, by annotations:
  kubectl run more --image=guest:1 --annotations=tenet.network/networks=blue
  kubectl wait pod --all --for=condition=Ready && kubectl exec more -- ping -c 3 10.0.0.10
  kubectl get tport -o wide                             # more-net1 was made for the pod
  kubectl -n tenet-system logs ds/tenet-agent
  {enter} nsenter --net=/run/netns/node-1 ip -br addr   # a node

node-1 and node-2 reach the wire br-ext, on which 203.0.113.1 answers. No name service, and of services only the API server's.
Ctrl-C takes it all down, or `make cluster-down`.",
        enter = record.enter.display(),
        kubeconfig = bed.plane.kubeconfig().display(),
    );
    (bed, record)
}
