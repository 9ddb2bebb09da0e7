//! A node: namespaces of its own with a containerd and a kubelet.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{bin, groups};
use crate::support::{Guest, Said, ip, run, until, wire};

/// A node.
pub struct Node {
    /// Its name: `node-1` is the first.
    pub name: String,
    /// Its address on the underlay.
    pub address: String,
    number: usize,
    /// Keeps its namespaces; its end is the end of all that runs there.
    holder: Child,
    containerd: Option<Child>,
    kubelet: Option<Child>,
    folder: PathBuf,
    cgroup: String,
}

/// What of a node's outlives a reboot, beside `/etc`.
const DISK: [&str; 3] = ["var/lib", "var/log", "opt"];

/// A command whose end comes with ours at the latest.
fn bound(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", program]);
    command
}

fn spawn(command: &mut Command, log: &Path) -> Child {
    let log = File::options().create(true).append(true).open(log).unwrap();
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

#[allow(dead_code, reason = "no target uses all of it")]
impl Node {
    /// A node on the underlay bridge of the calling thread's namespace, without anything that runs. `kubeconfig`: the
    /// kubelet's; `cgroup`: path of its pods' control groups.
    pub(super) fn new(number: usize, folder: PathBuf, kubeconfig: &str, cgroup: &str) -> Self {
        let (name, address) = (format!("node-{number}"), format!("192.0.2.{}", 10 + number));
        let own = folder.join("run/node");
        fs::create_dir_all(&own).unwrap();
        fs::write(own.join("containerd.toml"), include_str!("containerd.toml")).unwrap();
        fs::write(own.join("kubelet.yaml"), include_str!("kubelet.yaml").replace("CGROUP", cgroup)).unwrap();
        fs::write(own.join("kubeconfig"), kubeconfig).unwrap();
        // Its disk outlives a reboot. Each is a file system that kubelet can tell from the others.
        for path in DISK {
            let place = folder.join(path);
            fs::create_dir_all(&place).unwrap();
            run(&format!("mount -t tmpfs tmpfs {}", place.display())).expect_ok();
        }
        let plugins = folder.join("opt/cni/bin");
        fs::create_dir_all(&plugins).unwrap();
        for plugin in ["ptp", "host-local"] {
            fs::copy(bin().join(plugin), plugins.join(plugin)).unwrap();
        }
        let networks = folder.join("etc/cni/net.d");
        fs::create_dir_all(&networks).unwrap();
        fs::write(networks.join("10-first.conflist"), first_network(number)).unwrap();

        let cgroup = cgroup.to_owned();
        let holder = boot(number, &name, &address, &folder, &cgroup);
        let node = Self { name, address, number, holder, containerd: None, kubelet: None, folder, cgroup };
        node.wait_for_mounts();
        node
    }

    fn wait_for_mounts(&self) {
        until("the node has its mounts", || {
            let ready = self.path("/run/node/ready").exists();
            let log = || fs::read_to_string(self.folder.join("holder.log")).unwrap_or_default();
            assert!(ready || log().is_empty(), "{}", log());
            ready
        });
    }

    /// What has fallen starts with what is on its disk and nothing else, up to its kubelet. It has no way to other nodes' pods.
    pub(super) fn boot(&mut self) {
        ip(&format!("link del u{}\nnetns del {}", self.number, self.name));
        groups::sweep(&self.cgroup);
        self.holder = boot(self.number, &self.name, &self.address, &self.folder, &self.cgroup);
        self.wait_for_mounts();
        self.start_containerd();
        self.start_kubelet();
    }

    /// All that a part (`kubelet`, `containerd`) said so far.
    pub fn log(&self, part: &str) -> String {
        fs::read_to_string(self.folder.join(format!("{part}.log"))).unwrap_or_default()
    }

    /// The addresses of pods here, by the first network.
    pub fn pods(&self) -> String {
        format!("10.244.{}.0/24", self.number)
    }

    /// A command inside all of the node's namespaces, which ends with us.
    pub fn enter(&self, program: &Path) -> Command {
        let pid = self.holder.id();
        let mut command = bound("nsenter");
        command.args(["-t", &pid.to_string(), "--net", "--mount", "--uts"]);
        // It is the children of the holder that are in it.
        command.arg(format!("--pid=/proc/{pid}/ns/pid_for_children"));
        // nsenter's child outlives it otherwise.
        command.args(["setpriv", "--pdeathsig", "KILL"]).arg(program);
        command.env("TMPDIR", "/run/tmp");
        command
    }

    /// Runs a command line on the node.
    pub fn run(&self, line: &str) -> Said {
        let mut words = line.split_whitespace();
        Said::of(&self.enter(Path::new(words.next().unwrap())).args(words).output().unwrap())
    }

    /// Runs a command line of containerd's `ctr` on the node, where kubelet has its containers and images.
    pub fn ctr(&self, line: &str) -> Said {
        self.run(&format!("{} -n k8s.io {line}", bin().join("ctr").display()))
    }

    /// Starts containerd.
    pub fn start_containerd(&mut self) {
        let mut command = self.enter(&bin().join("containerd"));
        // It finds its shim there.
        command.env("PATH", format!("{}:{}", bin().display(), std::env::var("PATH").unwrap_or_default()));
        command.args(["--config", "/run/node/containerd.toml", "--log-level", "info"]);
        self.containerd = Some(spawn(&mut command, &self.folder.join("containerd.log")));
    }

    /// Starts to bring an image to the node, from an archive.
    pub(super) fn import(&self, archive: &Path) -> Child {
        self.wait_for_containerd();
        let mut command = self.enter(&bin().join("ctr"));
        command.args(["-n", "k8s.io", "images", "import", "--local", "-"]);
        let log = File::options().create(true).append(true).open(self.folder.join("import.log")).unwrap();
        command.stdin(File::open(archive).unwrap()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
    }

    fn wait_for_containerd(&self) {
        let socket = self.path("/run/containerd/containerd.sock");
        until("containerd listens", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
    }

    /// Starts the kubelet, once containerd listens: a kubelet that does not find one ends.
    pub fn start_kubelet(&mut self) {
        self.wait_for_containerd();
        let mut command = self.enter(&super::kubernetes().join("kubelet"));
        command.args(["--config=/run/node/kubelet.yaml", "--kubeconfig=/run/node/kubeconfig", "--v=2"]);
        command.arg(format!("--hostname-override={}", self.name)).arg(format!("--node-ip={}", self.address));
        self.kubelet = Some(spawn(&mut command, &self.folder.join("kubelet.log")));
    }

    /// Kills the kubelet at once.
    pub fn kill_kubelet(&mut self) {
        end(&mut self.kubelet);
    }

    /// Kills containerd at once; containers go on.
    pub fn kill_containerd(&mut self) {
        end(&mut self.containerd);
    }

    /// The node falls as if its power were gone: its wires are dead, and nothing that it was remains.
    pub fn fall(&mut self) {
        ip(&format!("link del u{}", self.number));
        self.end();
        ip(&format!("netns del {}", self.name));
    }

    /// Everything on the node ends.
    pub fn end(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        for mut child in [self.kubelet.take(), self.containerd.take()].into_iter().flatten() {
            // It ends by itself, as what it waits for has.
            let _ = child.wait();
        }
    }

    /// A path of the node's, as it is seen from outside.
    pub fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.holder.id()))
    }

    /// The node as a station.
    pub fn station(&self) -> Guest {
        Guest::named(&self.name)
    }

    /// Resident memory of everything that runs on the node, in octets, by the name of the program.
    pub fn memory(&self) -> Vec<(String, u64)> {
        let listed = self.run("ps -e -o rss=,comm=").expect_ok();
        let lines = listed.lines().filter_map(|line| line.trim().split_once(' '));
        lines.map(|(size, name)| (name.to_owned(), size.parse::<u64>().unwrap_or(0) * 1024)).collect()
    }
}

/// The network that every pod has first: a veth pair to the node, which routes.
fn first_network(number: usize) -> String {
    let ranges = format!("[[{{\"subnet\": \"10.244.{number}.0/24\"}}]]");
    let ipam = format!("{{\"type\": \"host-local\", \"ranges\": {ranges}, \"routes\": [{{\"dst\": \"0.0.0.0/0\"}}]}}");
    format!(
        "{{\"cniVersion\": \"1.1.0\", \"name\": \"first\", \"plugins\": [{{\"type\": \"ptp\", \"mtu\": 1500, \"ipam\": {ipam}}}]}}\n"
    )
}

/// Makes a node's namespaces and its place on the underlay, and starts its first process there.
fn boot(number: usize, name: &str, address: &str, folder: &Path, cgroup: &str) -> Child {
    wire::node(number, name, address);
    ip(&format!("-n {name} route add default via {}", super::SERVER));
    groups::make(cgroup);
    let mut command = bound("nsenter");
    command.arg(format!("--net=/run/netns/{name}"));
    command.args(["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]);
    command.args(["sh", "-c", include_str!("node.sh"), "node", name]).arg(folder);
    spawn(&mut command, &folder.join("holder.log"))
}

/// Kills what runs on a node: not nsenter, which waits for it, but its child.
fn end(child: &mut Option<Child>) {
    if let Some(mut child) = child.take() {
        let pid = child.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        for inner in children.split_whitespace().filter_map(|inner| inner.parse().ok()) {
            let _ = kill(Pid::from_raw(inner), Signal::SIGKILL);
        }
        let _ = child.wait();
    }
}
