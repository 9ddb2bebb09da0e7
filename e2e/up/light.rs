//! A cluster without pods: Tenet's controller and agents as processes, each node a network and a mount namespace.

use std::time::Instant;

use crate::nodes::Cluster;
use crate::{NODES, support};

/// Makes it, and says what to try.
pub fn up() -> Cluster {
    let start = Instant::now();
    println!("etcd, kube-apiserver, controller and {NODES} nodes …");
    let cluster = Cluster::bare(NODES);
    let _outside = cluster.wire(&[1, 2]);
    cluster.wait("tagent --all", "Ready");
    println!("{}\nup after {:.1} s\n", cluster.kubectl("get tenet -A"), start.elapsed().as_secs_f64());
    try_this(&cluster);
    cluster
}

fn try_this(cluster: &Cluster) {
    let (pid, kubeconfig) = (std::process::id(), cluster.plane.kubeconfig());
    let (kubectl, socket) = (cluster.plane.kubectl_path(), cluster.nodes[0].socket());
    println!(
        "KUBECONFIG={kubeconfig}, inside the cluster's namespaces. In another terminal, as root:

  nsenter -t {pid} --net --mount bash
  export KUBECONFIG={kubeconfig}
  alias kubectl={kubectl}

  kubectl get tenet -A                                  # all there is
  kubectl apply -f {examples}/03-two-subnets-one-router/                # networks, a router, ports
  kubectl wait tport --all --for=condition=Ready
  ip netns add guest
  {tenet} plug web --netns guest --socket {socket}        # on node-1; node-2 and node-3 have sockets beside it
  kubectl get tport -o wide

The nodes are the network namespaces node-1 to node-{NODES}; node-1 and node-2 reach the wire br-ext, on which 203.0.113.1 answers.
Ctrl-C takes it all down.",
        kubeconfig = kubeconfig.display(),
        kubectl = kubectl.display(),
        examples = support::repository().join("examples").display(),
        tenet = support::binary().display(),
        socket = socket.display(),
    );
}
