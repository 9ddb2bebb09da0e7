//! A whole Kubernetes cluster on this machine: the control plane, and nodes with a kubelet, a containerd and an ordinary first
//! network. All of it is in namespaces of the calling thread and ends with it, also when this process is killed.
//!
//! Every node is in network, mount, PID and UTS namespaces of its own. What it writes is on a tmpfs that ends with them; only
//! control groups are the machine's, in a folder per cluster.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

use serde_json::Value;

use crate::control_plane::{self, ControlPlane};
use crate::support::wire::wire;
use crate::support::{self, Guest, Host, Said, ip, run, yaml};

pub mod groups;
mod node;

pub use node::Node;

/// The control plane's address on the underlay; nodes follow from .11 on.
pub const SERVER: &str = "192.0.2.1";

/// How long anything may take that pods have to do with.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// Everything that is installed in a cluster.
const INSTALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/install.yaml");

/// A cluster.
pub struct Bed {
    /// The control plane.
    pub plane: ControlPlane,
    /// Nodes: `node-1` is the first.
    pub nodes: Vec<Node>,
    /// Name of the control groups' folder.
    cgroup: String,
    host: Host,
}

/// Where containerd and what belongs to it is.
fn bin() -> PathBuf {
    control_plane::built("TENET_NODE_BIN", "node")
}

/// Where Kubernetes is.
fn kubernetes() -> PathBuf {
    control_plane::built("TENET_KUBE_BIN", "kube")
}

#[allow(dead_code, clippy::unused_self, reason = "no target uses all of it; who waits waits for a cluster")]
impl Bed {
    /// A cluster with Tenet as `manifests/` installs it, all of it Ready.
    pub fn start(nodes: usize) -> Self {
        let bed = Self::bare(nodes);
        bed.install();
        bed
    }

    /// Puts Tenet into the cluster, as a user would, and waits until all of it is Ready.
    pub fn install(&self) {
        self.kubectl(&format!("apply -f {INSTALL}"));
        for what in ["deployment/tenet-controller", "daemonset/tenet-agent"] {
            self.kubectl(&format!("-n tenet-system rollout status {what} --timeout=120s"));
        }
        self.wait("tagent --all", "Ready");
    }

    /// A cluster of Ready nodes, without Tenet.
    pub fn bare(nodes: usize) -> Self {
        for needed in [bin().join("containerd"), kubernetes().join("kubelet")] {
            assert!(needed.exists(), "{} is missing: build it with `make kube`", needed.display());
        }
        let host = Host::bare();
        let cgroup = format!("tenet-bed-{}-{}", std::process::id(), nix::unistd::gettid());
        host.bridge("underlay", &format!("{SERVER}/24"));
        reach_the_server();
        let plane = ControlPlane::start_with(SERVER, &["--kubelet-preferred-address-types=InternalIP"]);
        let mut bed = Self { plane, nodes: Vec::new(), cgroup, host };
        let images = bed.images();
        for number in 1..=nodes {
            let name = format!("node-{number}");
            let kubeconfig = fs::read_to_string(bed.plane.kubeconfig_for(&name, &name)).unwrap();
            let folder = bed.host.dir.join(&name);
            // The certificate beside it is hidden on no node.
            bed.nodes.push(Node::new(number, folder, &kubeconfig, &format!("/{}/{name}", bed.cgroup)));
        }
        bed.nodes.iter_mut().for_each(Node::start_containerd);
        bed.plane.start_all_managers();
        bed.nodes.iter_mut().for_each(Node::start_kubelet);
        bed.route_pods();
        // One image of a node after the other: two at once may wait for each other until both give up.
        for image in &images {
            let imports: Vec<_> = bed.nodes.iter().map(|node| node.import(image)).collect();
            for mut import in imports {
                assert!(import.wait().unwrap().success(), "an image cannot be imported: {}", bed.logs());
            }
        }
        // A Node that is not there yet cannot be waited for.
        bed.until("all nodes have joined", || bed.kubectl("get nodes -o name").lines().count() == nodes);
        bed.wait("nodes --all", "Ready");
        bed
    }

    /// The archives of our image and of a guest's.
    fn images(&self) -> Vec<PathBuf> {
        let image = support::repository().join("image");
        let (ours, guests, files) =
            (self.host.dir.join("tenet.tar"), self.host.dir.join("guest.tar"), self.host.dir.join("guest"));
        let program = support::binary();
        run(&format!("{} {} {}", image.join("build.sh").display(), program.display(), ours.display())).expect_ok();
        let folder = files.join("bin");
        fs::create_dir_all(&folder).unwrap();
        let busybox = which("busybox");
        fs::copy(&busybox, folder.join("busybox")).unwrap();
        for name in run("busybox --list").expect_ok().lines().filter(|name| *name != "busybox") {
            std::os::unix::fs::symlink("busybox", folder.join(name)).unwrap();
        }
        let write = image.join("archive.sh");
        let (files, archive) = (files.display(), guests.display());
        run(&format!("{} guest:1 {files} {archive} /bin/sleep 2000000000", write.display())).expect_ok();
        vec![ours, guests]
    }

    /// Pods of one node reach those of another.
    fn route_pods(&self) {
        for node in &self.nodes {
            ip(&format!("route add {} via {}", node.pods(), node.address));
            self.route_from(node);
        }
    }

    fn route_from(&self, node: &Node) {
        for other in self.nodes.iter().filter(|other| other.name != node.name) {
            ip(&format!("-n {} route add {} via {}", node.name, other.pods(), other.address));
        }
    }

    /// A node falls with all that runs there, and starts again with what is on its disk. Not waited for.
    pub fn reboot(&mut self, number: usize) {
        self.nodes[number - 1].end();
        self.nodes[number - 1].boot();
        self.route_from(&self.nodes[number - 1]);
    }

    /// Joins the nodes of these numbers to one wire by a bridge `br-ext` each. The outside host there has 203.0.113.1.
    pub fn wire(&self, nodes: &[usize]) -> Guest {
        wire(nodes.iter().map(|node| self.nodes[node - 1].name.as_str()))
    }

    /// A folder that ends with the cluster.
    pub fn folder(&self) -> &Path {
        &self.host.dir
    }

    /// Folder of the control groups of all pods, below each hierarchy's.
    pub fn cgroup(&self) -> &str {
        &self.cgroup
    }

    /// Waits until something holds, as long as pods may take.
    #[track_caller]
    pub fn until(&self, what: &str, mut holds: impl FnMut() -> bool) -> Duration {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
        start.elapsed()
    }

    /// Runs kubectl; its output.
    #[track_caller]
    pub fn kubectl(&self, line: &str) -> String {
        self.plane.expect(&line.split_whitespace().collect::<Vec<_>>(), "")
    }

    /// Runs kubectl, which may fail.
    pub fn try_kubectl(&self, line: &str) -> Said {
        Said::of(&self.plane.kubectl(&line.split_whitespace().collect::<Vec<_>>(), ""))
    }

    /// Applies YAML of any kind.
    #[track_caller]
    pub fn apply_yaml(&self, text: &str) {
        self.plane.expect(&["apply", "-f", "-"], text);
    }

    /// Applies objects of ours, one to a line, as [`yaml()`] reads them.
    #[track_caller]
    pub fn apply(&self, objects: &str) {
        self.apply_yaml(&yaml(objects));
    }

    /// An object as JSON.
    pub fn get(&self, kind: &str, name: &str) -> Value {
        serde_json::from_str(&self.kubectl(&format!("get {kind} {name} -o json"))).unwrap()
    }

    /// Waits as `kubectl wait` does.
    #[track_caller]
    pub fn wait(&self, what: &str, condition: &str) {
        self.kubectl(&format!("wait {what} --for=condition={condition} --timeout=120s"));
    }

    /// Runs a command line in the agent's container on a node.
    pub fn agent(&self, node: usize, line: &str) -> Said {
        let pod = self.agent_pod(node);
        self.try_kubectl(&format!("-n tenet-system exec {pod} -- {line}"))
    }

    /// Name of the agent's pod on a node, as `pod/NAME`.
    pub fn agent_pod(&self, node: usize) -> String {
        let name = &self.nodes[node - 1].name;
        let what = format!("-l app.kubernetes.io/component=agent --field-selector spec.nodeName={name} -o name");
        self.kubectl(&format!("-n tenet-system get pods {what}")).trim().to_owned()
    }

    /// A pod of namespace `default` that sleeps on a node, with annotations as YAML (`{}`: none). Not waited for.
    pub fn pod(&self, name: &str, node: usize, annotations: &str) {
        let on = &self.nodes[node - 1].name;
        self.apply_yaml(&format!(
            "apiVersion: v1
kind: Pod
metadata: {{name: {name}, annotations: {annotations}}}
spec:
  nodeSelector: {{kubernetes.io/hostname: {on}}}
  terminationGracePeriodSeconds: 0
  containers: [{{name: guest, image: 'guest:1', imagePullPolicy: Never}}]
"
        ));
    }

    /// A running pod, `[NAMESPACE/]NAME`, as a station: what the tests' guests can, it can.
    pub fn station(&self, pod: &str) -> Guest {
        let (node, uid) = self.place(pod);
        Guest { name: pod.to_owned(), path: node.path(&netns(node, &uid)) }
    }

    /// Where the network namespace of a running pod, `[NAMESPACE/]NAME`, is, as its node sees it.
    pub fn netns(&self, pod: &str) -> String {
        let (node, uid) = self.place(pod);
        netns(node, &uid)
    }

    /// Node and UID of a running pod.
    fn place(&self, pod: &str) -> (&Node, String) {
        let (namespace, name) = pod.split_once('/').unwrap_or(("default", pod));
        let pod = self.get(&format!("-n {namespace} pod"), name);
        let node = self.nodes.iter().find(|known| pod["spec"]["nodeName"] == known.name.as_str());
        (node.expect("the pod has a node"), pod["metadata"]["uid"].as_str().unwrap().to_owned())
    }

    /// Resident memory of everything that runs, in octets: by program, that of all nodes together.
    pub fn memory(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        let nodes =
            self.nodes.iter().flat_map(Node::memory).filter(|(name, _)| !matches!(&name[..], "ps" | "sh" | "sleep"));
        for (name, octets) in nodes.chain(self.plane.memory()) {
            *all.entry(name).or_default() += octets;
        }
        all
    }

    /// What all parts said at last, for a test that fails.
    pub fn logs(&self) -> String {
        let mut text = String::new();
        for node in &self.nodes {
            for part in ["holder", "import", "containerd", "kubelet"] {
                let all = node.log(part);
                let lines: Vec<&str> = all.lines().rev().take(12).collect();
                let lines: Vec<&str> = lines.into_iter().rev().collect();
                text.extend([format!("==> {part} of {}\n{}\n", node.name, lines.join("\n"))]);
            }
        }
        let pods = ["get pods -A -o wide", "events -A --types=Warning"];
        text.extend(pods.map(|line| format!("==> kubectl {line}\n{}\n", self.try_kubectl(line).out)));
        for part in ["agent", "controller"] {
            let line = format!("-n tenet-system logs --prefix --tail=40 -l app.kubernetes.io/component={part}");
            text.extend([format!("==> kubectl {line}\n{}\n", self.try_kubectl(&line).out)]);
        }
        text
    }
}

/// Where the network namespace of a pod on a node is.
fn netns(node: &Node, uid: &str) -> String {
    // Older pods of that name, and older sandboxes of this one, are remembered for a while.
    let which = format!("labels.\"io.kubernetes.pod.uid\"=={uid},labels.\"io.cri-containerd.kind\"==sandbox");
    let found = node.ctr(&format!("containers ls -q {which}")).expect_ok();
    let path = |sandbox: &str| {
        let spec = node.ctr(&format!("containers info --spec {sandbox}")).expect_ok();
        let spec: Value = serde_json::from_str(&spec).unwrap();
        let spaces = spec["linux"]["namespaces"].as_array().unwrap();
        let network = spaces.iter().find(|space| space["type"] == "network").unwrap();
        network["path"].as_str().unwrap().replace("/var/run/", "/run/")
    };
    found.lines().map(path).find(|path| node.path(path).exists()).expect("the pod runs")
}

/// Pods know the server by its service's address, which no kube-proxy translates here.
fn reach_the_server() {
    run("sysctl -qw net.ipv4.ip_forward=1").expect_ok();
    run("nft add table ip service").expect_ok();
    run("nft add chain ip service in { type nat hook prerouting priority -100 ; }").expect_ok();
    run("nft add rule ip service in ip daddr 10.96.0.1 tcp dport 443 redirect to :6443").expect_ok();
}

fn which(program: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.exists());
    found.unwrap_or_else(|| panic!("{program} is missing; `make deps` installs what the tests need"))
}

impl Drop for Bed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        self.nodes.iter_mut().for_each(Node::end);
        groups::sweep(&self.cgroup);
    }
}
