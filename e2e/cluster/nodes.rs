//! A cluster of one's own: a real control plane, a controller and agents as processes, every node a network and a mount
//! namespace on an underlay bridge. All of it is in namespaces of the calling thread.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tenet::cluster::NAMESPACE;

use crate::control_plane::ControlPlane;
use crate::support::wire::wire;
use crate::support::{Guest, Host, OPEN, ip, run, yaml};

#[path = "node.rs"]
mod node;

pub use node::Node;
use node::{bound, program, spawn};

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

/// Everything that is installed in a cluster.
pub const INSTALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/install.yaml");

#[allow(dead_code, reason = "no target uses all of it")]
impl Cluster {
    /// A control plane, a controller, and so many nodes with an agent each. Groups keep nobody from anybody, so that who is not
    /// reached is kept away by something else.
    pub fn start(nodes: usize) -> Self {
        Self::start_with(nodes, &[])
    }

    /// As [`Self::start`], with more flags for the API server.
    pub fn start_with(nodes: usize, flags: &[&str]) -> Self {
        let cluster = Self::bare_with(nodes, flags);
        cluster.apply(&format!("SecurityGroup default {OPEN}"));
        cluster
    }

    /// As [`Self::start`], without any object: ports let in what Tenet's defaults let in.
    pub fn bare(nodes: usize) -> Self {
        Self::bare_with(nodes, &[])
    }

    fn bare_with(nodes: usize, flags: &[&str]) -> Self {
        let host = Host::bare();
        // What is mounted below /run later, guests' namespaces above all, is seen on every node.
        run("mount --make-rshared /run").expect_ok();
        host.bridge("underlay", &format!("{SERVER}/24"));
        let mut plane = ControlPlane::start_with(SERVER, flags);
        plane.expect(&["create", "-f", INSTALL], "");
        plane.expect(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"], "");
        // After our types are there: it looks for new ones only every 30 s, and quotas and owners wait for that.
        plane.start_manager();
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
        self.start_controller_under(&[], kubeconfig, arguments);
    }

    /// As [`Self::start_controller_with`], under another program, which is given with its arguments.
    pub fn start_controller_under(&mut self, other: &[&str], kubeconfig: &Path, arguments: &[&str]) {
        let log = self.host.dir.join(format!("controller-{}.log", self.controllers.len()));
        let program = program();
        let words: Vec<&str> = other.iter().copied().chain([program.as_str()]).collect();
        let mut command = bound(words[0]);
        command.args(&words[1..]);
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

    /// Starts the last controller again, which was stopped or killed.
    pub fn revive_controller(&mut self) {
        self.controllers.pop();
        self.start_controller();
    }

    fn add_node(&mut self, number: usize) {
        let name = format!("node-{number}");
        let kubeconfig = self.plane.kubeconfig_for(&name, &self.agent_token(&name));
        self.nodes.push(Node::start(number, self.host.dir.join(&name), kubeconfig));
    }

    /// Joins the nodes of these numbers to one wire by a bridge `br-ext` each. The outside host there has 203.0.113.1.
    pub fn wire(&self, nodes: &[usize]) -> Guest {
        wire(nodes.iter().map(|node| self.nodes[node - 1].name.as_str()))
    }

    /// Process ids of all controllers and agents.
    pub fn pids(&self) -> Vec<u32> {
        let agents = self.nodes.iter().filter_map(Node::agent);
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
        let uid = self.plane.expect(&["apply", "-f", "-", "-o", "jsonpath={.metadata.uid}"], &object);
        self.plane.token(NAMESPACE, "tenet-agent", Some((node, &uid)))
    }

    /// Gives controllers and agents new tokens, which they take when they are started again.
    pub fn renew_tokens(&self) {
        self.plane.kubeconfig_for("controller", &self.plane.token(NAMESPACE, "tenet-controller", None));
        for node in &self.nodes {
            self.plane.kubeconfig_for(&node.name, &self.agent_token(&node.name));
        }
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
        for child in &mut self.controllers {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.nodes.iter_mut().for_each(Node::end);
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
