//! A cluster of one's own: a real control plane, a controller and agents as processes, every node a network and a mount
//! namespace on an underlay bridge. All of it is in namespaces of the calling thread.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tenet::cluster::NAMESPACE;

use crate::control_plane::ControlPlane;
use crate::support::{Guest, Host, Said, ip, run, until, yaml};

/// The control plane's address on the underlay; nodes follow from .11 on.
pub const SERVER: &str = "192.0.2.1";

/// Port of an agent's probes and figures, and of the first controller's.
pub const METRICS: usize = 9471;
pub const CONTROLLER_METRICS: usize = 9480;

/// A cluster.
pub struct Cluster {
    /// The control plane.
    pub plane: ControlPlane,
    /// Nodes: `node-1` is the first.
    pub nodes: Vec<Node>,
    controllers: Vec<Child>,
    /// The controller's, with its own rights and no others.
    kubeconfig: PathBuf,
    host: Host,
    /// Whether the test takes rights away, so that some are missed.
    pub forbids: bool,
}

/// A node.
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its address on the underlay.
    pub address: String,
    /// Keeps its namespaces.
    holder: Child,
    agent: Option<Child>,
    folder: PathBuf,
    /// The agent's, with a token that is bound to the node.
    kubeconfig: PathBuf,
    /// Another way for it.
    way: Option<PathBuf>,
}

/// Everything that is installed in a cluster.
pub const INSTALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/install.yaml");

fn spawn(command: &mut Command, log: &PathBuf) -> Child {
    let log = File::options().create(true).append(true).open(log).unwrap();
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

/// The program.
fn program() -> String {
    crate::support::binary().display().to_string()
}

/// A command that ends with us.
fn bound(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", program]);
    command
}

#[allow(dead_code, reason = "no target uses all of it")]
impl Cluster {
    /// A control plane, a controller, and so many nodes with an agent each.
    pub fn start(nodes: usize) -> Self {
        Self::start_with(nodes, &[])
    }

    /// As [`Self::start`], with more flags for the API server.
    pub fn start_with(nodes: usize, flags: &[&str]) -> Self {
        let host = Host::new();
        // What is mounted below /run later, guests' namespaces above all, is seen on every node.
        run("mount --make-rshared /run").expect_ok();
        host.bridge("underlay", &format!("{SERVER}/24"));
        let mut plane = ControlPlane::start_with(SERVER, flags);
        plane.start_manager();
        plane.expect(&["create", "-f", INSTALL], "");
        plane.expect(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"], "");
        let kubeconfig = plane.kubeconfig_for("controller", &plane.token(NAMESPACE, "tenet-controller", None));
        let mut cluster = Self { plane, nodes: Vec::new(), controllers: Vec::new(), kubeconfig, host, forbids: false };
        cluster.start_controller();
        for number in 1..=nodes {
            cluster.add_node(number);
        }
        cluster
    }

    /// One more controller; one of all leads.
    pub fn start_controller(&mut self) {
        self.start_controller_with(&self.kubeconfig.clone(), &[]);
    }

    /// As [`Self::start_controller`], by another way to the API server and with more arguments.
    pub fn start_controller_with(&mut self, kubeconfig: &Path, arguments: &[&str]) {
        let log = self.host.dir.join(format!("controller-{}.log", self.controllers.len()));
        let mut command = bound(&program());
        command.args(["--log-level", "info,tenet=debug", "controller", "--kubeconfig"]).arg(kubeconfig).args(arguments);
        // All are on one host here.
        command.args(["--metrics", &format!("{SERVER}:{}", CONTROLLER_METRICS + self.controllers.len())]);
        self.controllers.push(spawn(&mut command, &log));
    }

    /// Kills a controller at once.
    pub fn kill_controller(&mut self, number: usize) {
        let _ = self.controllers[number].kill();
        let _ = self.controllers[number].wait();
    }

    /// Tells a controller to stop, and waits until it has.
    pub fn stop_controller(&mut self, number: usize) {
        kill(Pid::from_raw(self.controllers[number].id().cast_signed()), Signal::SIGTERM).unwrap();
        assert!(self.controllers[number].wait().unwrap().success());
    }

    fn add_node(&mut self, number: usize) {
        let (name, address) = (format!("node-{number}"), format!("192.0.2.{}", 10 + number));
        ip(&format!(
            "netns add {name}
             link add u{number} type veth peer name eth0 netns {name}
             link set u{number} master underlay up
             -n {name} link set lo up
             -n {name} addr add {address}/24 dev eth0
             -n {name} link set eth0 up"
        ));
        let folder = self.host.dir.join(&name);
        fs::create_dir_all(&folder).unwrap();
        let mut command = bound("nsenter");
        command.args([
            &format!("--net=/run/netns/{name}"),
            "unshare",
            "--mount",
            "--propagation",
            "slave",
            "sleep",
            "infinity",
        ]);
        let holder = spawn(&mut command, &folder.join("holder.log"));
        let kubeconfig = self.plane.kubeconfig_for(&name, &self.agent_token(&name));
        let mut node = Node { name, address, holder, agent: None, folder, kubeconfig, way: None };
        until("the node has a mount namespace of its own", || {
            let own = fs::read_link(format!("/proc/{}/ns/mnt", node.holder.id()));
            own.is_ok_and(|own| own != fs::read_link("/proc/self/ns/mnt").unwrap())
                && fs::read_to_string(format!("/proc/{}/comm", node.holder.id())).is_ok_and(|c| c.trim() == "sleep")
        });
        node.start_agent();
        self.nodes.push(node);
    }

    /// Joins the nodes of these numbers to one wire by a bridge `br-ext` each. The outside host there has 203.0.113.1.
    pub fn wire(&self, nodes: &[usize]) -> Guest {
        ip(
            "link add wire type bridge\nlink set wire up\nnetns add outside\nlink add o0 type veth peer name eth0 netns outside\nlink set o0 master wire up\n-n outside link set lo up\n-n outside link set eth0 up\n-n outside addr add 203.0.113.1/24 dev eth0",
        );
        for node in nodes {
            let name = &self.nodes[node - 1].name;
            ip(&format!(
                "link add w{node} type veth peer name ext0 netns {name}
                 link set w{node} master wire up
                 -n {name} link add br-ext type bridge
                 -n {name} link set ext0 master br-ext up
                 -n {name} link set br-ext up"
            ));
            self.nodes[node - 1].station().run("sysctl -qw net.bridge.bridge-nf-call-iptables=0");
        }
        Guest::named("outside")
    }

    /// Process ids of all controllers and agents.
    pub fn pids(&self) -> Vec<u32> {
        let agents = self.nodes.iter().filter_map(|node| node.agent.as_ref());
        self.controllers.iter().chain(agents).map(Child::id).collect()
    }

    /// Whether a controller has ended.
    pub fn has_no_controller(&mut self, number: usize) -> bool {
        self.controllers[number].try_wait().unwrap().is_some()
    }

    /// The controllers' way to the API server.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Process id of a controller.
    pub fn controller_pid(&self, number: usize) -> u32 {
        self.controllers[number].id()
    }

    /// Makes the Node that Kubernetes knows, and a token as the agent's pod there would have it.
    fn agent_token(&self, node: &str) -> String {
        let object = format!("{{apiVersion: v1, kind: Node, metadata: {{name: {node}}}}}");
        let uid = self.plane.expect(&["create", "-f", "-", "-o", "jsonpath={.metadata.uid}"], &object);
        self.plane.token(NAMESPACE, "tenet-agent", Some((node, &uid)))
    }

    /// Applies objects, one to a line, as [`yaml()`] reads them.
    pub fn apply(&self, objects: &str) {
        self.plane.expect(&["apply", "-f", "-"], &yaml(objects));
    }

    /// Runs kubectl; its output.
    pub fn kubectl(&self, line: &str) -> String {
        self.plane.expect(&line.split_whitespace().collect::<Vec<_>>(), "")
    }

    /// An object as JSON.
    pub fn get(&self, kind: &str, name: &str) -> Value {
        serde_json::from_str(&self.kubectl(&format!("get {kind} {name} -o json"))).unwrap()
    }

    /// Waits as `kubectl wait` does.
    #[track_caller]
    pub fn wait(&self, what: &str, condition: &str) {
        self.kubectl(&format!("wait {what} --for=condition={condition} --timeout=30s"));
    }

    /// A guest on a node, plugged into a port of namespace `default`, with the port's address set by hand.
    #[track_caller]
    pub fn guest(&self, node: usize, port: &str) -> Guest {
        ip(&format!("netns add {port}\n-n {port} link set lo up"));
        let guest = Guest::named(port);
        let said = self.nodes[node - 1].tenet(&format!("plug {port} --netns {port} -o json")).expect_ok();
        let said: Value = serde_json::from_str(&said).unwrap();
        let address = &said["addresses"][0];
        guest.ip(&format!("addr add {}/{} dev eth0", address["ip"].as_str().unwrap(), address["prefixLength"]));
        if let Some(gateway) = address["gatewayIP"].as_str().or(address["gatewayIp"].as_str()) {
            guest.ip(&format!("route add default via {gateway}"));
        }
        guest
    }

    /// All that the processes said.
    pub fn said(&self) -> String {
        let logs = walk(&self.host.dir).into_iter().filter(|path| path.extension().is_some_and(|e| e == "log"));
        logs.map(|path| fs::read_to_string(path).unwrap_or_default()).collect()
    }

    /// What the processes said at last, for a test that fails.
    pub fn logs(&self) -> String {
        let mut text = String::new();
        for entry in walk(&self.host.dir).into_iter().filter(|path| path.extension().is_some_and(|e| e == "log")) {
            let all = fs::read_to_string(&entry).unwrap_or_default();
            let lines: Vec<&str> = all.lines().rev().take(60).collect();
            let lines: Vec<&str> = lines.into_iter().rev().collect();
            text.extend([format!("==> {}\n{}\n", entry.display(), lines.join("\n"))]);
        }
        text
    }
}

fn walk(folder: &PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in self.controllers.iter_mut().chain(self.nodes.iter_mut().filter_map(|node| node.agent.as_mut())) {
            let _ = child.kill();
            let _ = child.wait();
        }
        for node in &mut self.nodes {
            let _ = node.holder.kill();
            let _ = node.holder.wait();
        }
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
            return;
        }
        // Also what is tried again and ends well shows a right that is missing; a server that has just started knows no roles.
        let logs = walk(&self.host.dir).into_iter().filter(|path| path.extension().is_some_and(|e| e == "log"));
        let text: String = logs.filter_map(|log| fs::read_to_string(log).ok()).collect();
        let refused: Vec<&str> = text
            .lines()
            .filter(|line| {
                let at = line.split(' ').next().and_then(|first| first.parse().ok());
                line.contains("is forbidden: User")
                    && !line.contains("RBAC: [clusterrole")
                    && line.contains(" cannot ")
                    && !at.is_some_and(|at| self.plane.was_new(at))
            })
            .collect();
        assert!(refused.is_empty() || self.forbids, "rights are missing: {refused:#?}");
    }
}

#[allow(dead_code, reason = "tests grow into it")]
impl Node {
    fn enter(&self, program: &str) -> Command {
        let mut command = bound("nsenter");
        command.args(["-t", &self.holder.id().to_string(), "--net", "--mount", program]);
        command
    }

    /// Starts the agent.
    pub fn start_agent(&mut self) {
        self.start_agent_under(&[]);
    }

    /// Starts the agent under another program, as `strace` is one, which is given with its arguments.
    pub fn start_agent_under(&mut self, other: &[&str]) {
        let program = program();
        let words: Vec<&str> = other.iter().copied().chain([program.as_str()]).collect();
        let mut command = self.enter(words[0]);
        command.args(&words[1..]);
        command.args([
            "--log-level",
            "info,tenet=debug",
            "agent",
            "--node",
            &self.name,
            "--tunnel-address",
            &self.address,
            "--metrics",
            &format!("{}:{METRICS}", self.address),
        ]);
        command.arg("--kubeconfig").arg(self.way.as_ref().unwrap_or(&self.kubeconfig));
        command.arg("--state").arg(self.folder.join("state")).arg("--socket").arg(self.folder.join("run/tenet.sock"));
        self.agent = Some(spawn(&mut command, &self.folder.join("agent.log")));
    }

    /// From now on the agent takes another way to the API server, with what rights that gives; none: its own again.
    pub fn takes(&mut self, way: Option<&Path>) {
        self.way = way.map(Path::to_owned);
    }

    /// The agent's own way to the API server.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Whether the agent has ended.
    pub fn has_no_agent(&mut self) -> bool {
        self.agent.as_mut().is_none_or(|agent| agent.try_wait().unwrap().is_some())
    }

    /// Process id of the agent.
    pub fn pid(&self) -> u32 {
        self.agent.as_ref().unwrap().id()
    }

    /// All that the agents of this node said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("agent.log")).unwrap_or_default()
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("run/tenet.sock")
    }

    /// What an agent that only rehearses says in so many seconds.
    pub fn rehearse(&self, seconds: &str) -> String {
        let mut command = self.enter("timeout");
        command.args([seconds, &program(), "agent", "--dry-run", "--node", &self.name]);
        command.args(["--tunnel-address", &self.address, "--kubeconfig"]).arg(&self.kubeconfig);
        command.arg("--state").arg(self.folder.join("state")).arg("--socket").arg(self.folder.join("run/tenet.sock"));
        Said::of(&command.output().unwrap()).out
    }

    /// Kills the agent at once.
    pub fn kill_agent(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            let _ = agent.kill();
            let _ = agent.wait();
        }
    }

    /// The node falls: its agent dies and all its wires are dead.
    pub fn fall(&mut self) {
        self.kill_agent();
        let links = self.station().run("ip -br link").out;
        for link in links.lines().filter_map(|line| line.split(['@', ' ']).next()).filter(|name| *name != "lo") {
            self.station().run(&format!("ip link set {link} down"));
        }
    }

    /// Whether the agent listens.
    pub fn listens(&self) -> bool {
        std::os::unix::net::UnixStream::connect(self.socket()).is_ok()
    }

    /// Where the node's namespaces are pinned, as seen on the node.
    pub fn run_dir(&self) -> PathBuf {
        self.folder.join("run")
    }

    /// Runs a command line in the node's network and mount namespaces.
    pub fn run(&self, line: &str) -> Said {
        let mut words = line.split_whitespace();
        Said::of(&self.enter(words.next().unwrap()).args(words).output().unwrap())
    }

    /// What our namespaces of the node hold, counters aside.
    pub fn kernel(&self) -> String {
        let (mut text, run) = (String::new(), self.folder.join("run").display().to_string());
        let spaces = self.run(&format!("find {run} -mindepth 1 -maxdepth 1 -type f")).expect_ok();
        let mut spaces: Vec<&str> = spaces.lines().collect();
        spaces.sort_unstable();
        for space in spaces {
            let shows = ["ip -br addr", "ip route show table all", "ip rule", "bridge fdb", "nft -s list ruleset"];
            for show in shows.into_iter().chain(["ip neigh show nud permanent"]) {
                let said = self.run(&format!("nsenter --net={space} {show}"));
                let mut lines: Vec<&str> = said.out.lines().collect();
                if !show.starts_with("nft") {
                    lines.sort_unstable();
                }
                text.extend([format!("# {show} in {space}\n{}\n", lines.join("\n"))]);
            }
        }
        text
    }

    /// Runs `tenet` on the node.
    pub fn tenet(&self, line: &str) -> Said {
        let mut command = self.enter(&program());
        command.args(line.split_whitespace()).arg("--socket").arg(self.folder.join("run/tenet.sock"));
        Said::of(&command.output().unwrap())
    }

    /// The node as a station.
    pub fn station(&self) -> Guest {
        Guest::named(&self.name)
    }
}

/// How long something takes until it holds, asked every 2 ms.
#[allow(dead_code, reason = "tests grow into it")]
pub fn quickly(mut holds: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(2));
    }
    start.elapsed()
}
