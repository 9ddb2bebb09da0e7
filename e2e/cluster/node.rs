//! A node: a network and a mount namespace, with an agent.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::METRICS;
use crate::support::{Guest, Said, until, wire};

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

pub(super) fn spawn(command: &mut Command, log: &PathBuf) -> Child {
    let log = File::options().create(true).append(true).open(log).unwrap();
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

/// The program.
pub(super) fn program() -> String {
    crate::support::binary().display().to_string()
}

/// A command that ends with us.
pub(super) fn bound(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", program]);
    command
}

#[allow(dead_code, reason = "tests grow into it")]
impl Node {
    /// A node on the underlay bridge of the calling thread's namespace, with an agent.
    pub(super) fn start(number: usize, folder: PathBuf, kubeconfig: PathBuf) -> Self {
        let (name, address) = (format!("node-{number}"), format!("192.0.2.{}", 10 + number));
        wire::node(number, &name, &address);
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
        let mut node = Self { name, address, holder, agent: None, folder, kubeconfig, way: None };
        until("the node has a mount namespace of its own", || {
            let own = fs::read_link(format!("/proc/{}/ns/mnt", node.holder.id()));
            own.is_ok_and(|own| own != fs::read_link("/proc/self/ns/mnt").unwrap())
                && fs::read_to_string(format!("/proc/{}/comm", node.holder.id())).is_ok_and(|c| c.trim() == "sleep")
        });
        node.start_agent();
        node
    }

    /// Ends all processes of the node.
    pub(super) fn end(&mut self) {
        self.kill_agent();
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }

    /// The agent's process, if it was started.
    pub(super) fn agent(&self) -> Option<&Child> {
        self.agent.as_ref()
    }

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
        self.cut();
    }

    /// All its wires are dead.
    pub fn cut(&self) {
        self.wires("down");
    }

    /// All its wires are well again.
    pub fn heal(&self) {
        self.wires("up");
    }

    fn wires(&self, state: &str) {
        for wire in ["eth0", "ext0"] {
            self.station().run(&format!("ip link set {wire} {state}"));
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
        let spaces = self.run(&format!("find {run} -mindepth 1 -maxdepth 1 -type f ! -name '*.json'")).expect_ok();
        let mut spaces: Vec<&str> = spaces.lines().collect();
        spaces.sort_unstable();
        for space in spaces {
            let shows = ["ip -br addr", "ip route show table all", "ip rule", "bridge fdb", "nft -s list ruleset"];
            for show in shows.into_iter().chain(["ip neigh show nud permanent"]) {
                let said = self.run(&format!("nsenter --net={space} {show}"));
                let mut lines: Vec<&str> = said.out.lines().collect();
                if show.starts_with("nft") {
                    lines = lasting(&lines);
                } else {
                    lines.sort_unstable();
                }
                text.extend([format!("# {show} in {space}\n{}\n", lines.join("\n"))]);
            }
        }
        text
    }

    /// Waits until our namespaces hold what they held; says what is different, where they never do.
    #[track_caller]
    pub fn wait_kernel(&self, before: &str) {
        let start = std::time::Instant::now();
        loop {
            let now = self.kernel();
            if now == before {
                return;
            }
            let only = |one: &str, other: &str| -> Vec<String> {
                let known: std::collections::HashSet<&str> = other.lines().collect();
                one.lines().filter(|line| !known.contains(line)).map(str::to_owned).collect()
            };
            let (gone, new) = (only(before, &now), only(&now, before));
            assert!(start.elapsed() < crate::support::SOON, "gone: {gone:#?}\nnew: {new:#?}");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    /// Runs `tenet` on the node.
    pub fn tenet(&self, line: &str) -> Said {
        let mut command = self.enter(&program());
        command.args(line.split_whitespace()).arg("--socket").arg(self.folder.join("run/tenet.sock"));
        Said::of(&command.output().unwrap())
    }

    /// The same, and does not wait for its end.
    pub fn spawn_tenet(&self, line: &str) -> Child {
        let mut command = self.enter(&program());
        command.args(line.split_whitespace()).arg("--socket").arg(self.folder.join("run/tenet.sock"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The node as a station.
    pub fn station(&self) -> Guest {
        Guest::named(&self.name)
    }
}

/// A ruleset without what packets put into its sets: that goes by itself when no more come.
fn lasting<'a>(ruleset: &[&'a str]) -> Vec<&'a str> {
    let (mut dynamic, mut inside) = (false, false);
    let stays = |line: &&&str| {
        let line = line.trim();
        dynamic = if line.starts_with("flags ") { line.contains("dynamic") } else { dynamic && line != "}" };
        inside |= dynamic && line.starts_with("elements = {");
        let skip = inside;
        inside &= !line.ends_with('}');
        !skip
    };
    ruleset.iter().filter(stays).copied().collect()
}
