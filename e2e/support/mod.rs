//! A host of one's own: network and mount namespaces that end with the test's thread, the real `tenet`, guests.
//!
//! Every test runs on a thread of its own, which leaves for namespaces of its own; what it starts inherits them. `/run` is
//! a fresh tmpfs there, so names never clash and nothing is left behind. A test that fails prints what `tenet` said, and with
//! `TENET_TEST_DUMP=1` in the environment also what its namespaces hold.
#![allow(dead_code, clippy::unused_self, reason = "no test target uses all of it; a bridge or a guest is of a host")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "how a test fails")]

pub mod talk;

#[allow(unused_imports, dead_code, reason = "no test target uses all of it")]
pub mod keepalived;
#[allow(unused_imports, dead_code, reason = "no test target uses all of it")]
pub mod moving;

mod guest;
mod said;
pub mod traffic;
pub mod wire;
mod yaml;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub use guest::Guest;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
#[allow(unused_imports, reason = "no test target uses all of it")]
pub use said::{SOON, Said, ip, run, until, within};
use serde_json::Value;
#[allow(unused_imports, reason = "no test target uses all of it")]
pub use traffic::Call;
pub use yaml::yaml;

/// A host of one's own.
pub struct Host {
    agent: Option<Child>,
    /// Where everything of the test is.
    pub dir: PathBuf,
    /// Further arguments for the next instance.
    pub arguments: Vec<&'static str>,
    /// What the next instance is started by: a program and its arguments; none: nothing.
    pub through: Vec<String>,
}

/// Spec of a `SecurityGroup` that lets everything pass.
pub const OPEN: &str = "{rules: [{direction: Ingress}, {direction: Egress}]}";

impl Host {
    /// A host on which groups keep nobody from anybody, so that who is not reached is kept away by something else.
    pub fn new() -> Self {
        let host = Self::bare();
        host.open("default");
        host
    }

    /// Leaves for namespaces of one's own. The host has a loopback and nothing else; its folder of YAML is empty, so ports
    /// let in what Tenet's defaults let in.
    pub fn bare() -> Self {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("tests need root");
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        let dir = PathBuf::from("/run/test");
        std::fs::create_dir_all(dir.join("yaml")).unwrap();
        ip("link set lo up");
        Self { agent: None, dir, arguments: vec![], through: vec![] }
    }

    /// A bridge of the host with an address: the outside, as the tests' `br-ext`.
    pub fn bridge(&self, name: &str, cidr: &str) {
        ip(&format!("link add {name} type bridge\naddr add {cidr} dev {name}\nlink set {name} up"));
    }

    /// Writes a file of YAML at once, as an editor does.
    pub fn write(&self, file: &str, yaml: &str) {
        let next = self.dir.join(format!(".{file}.next"));
        std::fs::write(&next, yaml).unwrap();
        std::fs::rename(next, self.dir.join("yaml").join(file)).unwrap();
    }

    /// Lets everything into all ports of a namespace that name no group.
    pub fn open(&self, namespace: &str) {
        self.declare(&format!("open-{namespace}.yaml"), &format!("SecurityGroup {namespace}/default {OPEN}"));
    }

    /// Copies a folder of `examples/` to the folder of YAML, where it can be edited.
    pub fn example(&self, name: &str) {
        for entry in std::fs::read_dir(repository().join("examples").join(name)).unwrap() {
            let path = entry.unwrap().path();
            self.write(path.file_name().unwrap().to_str().unwrap(), &std::fs::read_to_string(&path).unwrap());
        }
    }

    /// Replaces text in a file of YAML; it must be there.
    #[track_caller]
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.dir.join("yaml").join(file)).unwrap();
        assert!(text.contains(from), "{file} has no `{from}`");
        self.write(file, &text.replace(from, to));
    }

    /// Writes a file of objects, one to a line, as [`yaml()`] reads them.
    pub fn declare(&self, file: &str, objects: &str) {
        self.write(file, &yaml(objects));
    }

    /// Takes a file of YAML away.
    pub fn remove(&self, file: &str) {
        std::fs::remove_file(self.dir.join("yaml").join(file)).unwrap();
    }

    /// The folder of YAML.
    pub fn yaml(&self) -> String {
        self.dir.join("yaml").display().to_string()
    }

    /// Runs `tenet` with the test's state directory and socket, where the command takes them.
    pub fn tenet(&self, line: &str) -> Said {
        let state = matches!(line.split(' ').next(), Some("get" | "plan" | "clean" | "local"));
        let socket = matches!(line.split(' ').next(), Some("plug" | "unplug" | "plan" | "clean" | "local" | "confirm"));
        let state = if state { format!(" --state {}/state", self.dir.display()) } else { String::new() };
        let socket = if socket { format!(" --socket {}/tenet.sock", self.dir.display()) } else { String::new() };
        run(&format!("{} {line}{state}{socket}", binary().display()))
    }

    /// Starts `tenet local` on the folder; its log goes to `log`.
    pub fn start(&mut self) {
        self.start_at("debug");
    }

    /// Starts `tenet local` with a level of its log, and waits until its socket answers.
    pub fn start_at(&mut self, level: &str) {
        self.spawn(level);
        until("the socket answers", || std::os::unix::net::UnixStream::connect(self.socket()).is_ok());
    }

    /// Starts `tenet local` and does not wait.
    pub fn spawn(&mut self, level: &str) {
        assert!(self.agent.is_none(), "it runs already");
        let log = std::fs::File::options().create(true).append(true).open(self.dir.join("log")).unwrap();
        let words = [&self.through[..], &[binary().display().to_string()]].concat();
        let command = Command::new(&words[0])
            .args(&words[1..])
            .args(["local", &self.yaml(), "--log-level", level, "--state"])
            .arg(self.dir.join("state"))
            .arg("--socket")
            .arg(self.socket())
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.agent = Some(command.unwrap());
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("tenet.sock")
    }

    /// The running instance.
    pub fn pid(&self) -> Option<u32> {
        self.agent.as_ref().map(Child::id)
    }

    /// Sends a signal to the running instance and waits for its end.
    pub fn stop(&mut self, signal: Signal) -> Option<i32> {
        let mut agent = self.agent.take().expect("nothing runs");
        kill(Pid::from_raw(agent.id().cast_signed()), signal).unwrap();
        agent.wait().unwrap().code()
    }

    /// Leaves everything up when the test ends; the instance's process keeps it, and its end is the end of it all.
    pub fn leave(mut self) -> u32 {
        self.agent.take().expect("nothing runs").id()
    }

    /// Everything that the instances said so far.
    pub fn log(&self) -> String {
        let mut text = String::new();
        if let Ok(mut file) = std::fs::File::open(self.dir.join("log")) {
            file.read_to_string(&mut text).unwrap();
        }
        text
    }

    /// An object as JSON, with status.
    pub fn object(&self, kind: &str, name: &str) -> Value {
        let (namespace, name) = name.split_once('/').unwrap_or(("default", name));
        let said = self.tenet(&format!("get {kind} {name} -n {namespace} -o json"));
        serde_json::from_str(&said.out).unwrap_or_default()
    }

    /// A condition of an object: status, reason, message.
    pub fn condition(&self, kind: &str, name: &str, condition: &str) -> Option<(String, String, String)> {
        let object = self.object(kind, name);
        let all = object["status"]["conditions"].as_array()?.clone();
        let found = all.into_iter().find(|c| c["type"] == condition)?;
        let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
        Some((text("status"), text("reason"), text("message")))
    }

    /// Waits until an object is Ready for this reason.
    #[track_caller]
    pub fn wait_ready(&self, kind: &str, name: &str) {
        until(&format!("{kind} {name} is Ready: {:?}", self.condition(kind, name, "Ready")), || {
            self.condition(kind, name, "Ready").is_some_and(|(status, ..)| status == "True")
        });
    }

    /// What is not Ready, of everything that has a status.
    pub fn unready(&self) -> Vec<String> {
        let list: serde_json::Value = serde_json::from_str(&self.tenet("get -A -o json").out).unwrap_or_default();
        let Some(items) = list["items"].as_array() else { return vec!["no list of objects".into()] };
        let judged = items.iter().filter(|item| item["kind"] != "ReferenceGrant");
        let ready = |item: &serde_json::Value| {
            let conditions = item["status"]["conditions"].as_array();
            conditions.is_some_and(|all| all.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"))
        };
        judged.filter(|item| !ready(item)).map(|item| format!("{} {item}", item["kind"])).collect()
    }

    /// Waits until everything is Ready.
    #[track_caller]
    pub fn wait_all_ready(&self) -> Duration {
        let start = Instant::now();
        loop {
            let unready = self.unready();
            if unready.is_empty() {
                return start.elapsed();
            }
            assert!(start.elapsed() < SOON, "not Ready within {SOON:?}: {unready:#?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until a condition is false for a reason; returns the message.
    #[track_caller]
    pub fn wait_refused(&self, kind: &str, name: &str, condition: &str, reason: &str) -> String {
        let mut message = String::new();
        until(&format!("{kind} {name} {condition}=False {reason}"), || {
            let Some((status, why, text)) = self.condition(kind, name, condition) else { return false };
            message = text;
            status == "False" && why == reason
        });
        message
    }

    /// A guest: a namespace with a loopback.
    pub fn guest(&self, name: &str) -> Guest {
        ip(&format!("netns add {name}\n-n {name} link set lo up"));
        Guest::named(name)
    }

    /// The host itself, as a station of the outside.
    pub fn outside(&self) -> Guest {
        Guest::here("outside")
    }

    /// A namespace of ours, to look into and to meddle with: `vswitch`, or the only router.
    pub fn ours(&self, prefix: &str) -> Guest {
        self.ours_named(|name| name.starts_with(prefix))
    }

    /// The only namespace of ours with such a name.
    pub fn ours_named(&self, is: impl Fn(&str) -> bool) -> Guest {
        let entries = std::fs::read_dir(&self.dir).unwrap().map(|entry| entry.unwrap());
        let mut found = entries.filter(|entry| is(&entry.file_name().to_string_lossy()));
        let entry = found.next().expect("nothing of that name is pinned");
        assert!(found.next().is_none(), "several of that name are pinned");
        Guest { name: entry.file_name().to_string_lossy().into_owned(), path: entry.path() }
    }

    /// A guest that is plugged and gets its address by DHCP.
    #[track_caller]
    pub fn leased(&self, port: &str, name: &str) -> Guest {
        let guest = self.guest(name);
        self.tenet(&format!("plug {port} --netns {name} --timeout 10s")).expect_ok();
        guest.lease();
        guest
    }

    /// A guest that is plugged and has the port's first address, by hand.
    #[track_caller]
    pub fn plugged(&self, port: &str, name: &str) -> Guest {
        let guest = self.guest(name);
        let text = self.tenet(&format!("plug {port} --netns {name} -o json --timeout 10s")).expect_ok();
        let plugged: Value = serde_json::from_str(&text).unwrap();
        for address in plugged["addresses"].as_array().unwrap() {
            let (ip_address, prefix) = (address["ip"].as_str().unwrap(), &address["prefixLength"]);
            ip(&format!("-n {name} addr add {ip_address}/{prefix} dev eth0"));
            if let Some(gateway) = address["gatewayIP"].as_str() {
                ip(&format!("-n {name} route replace default via {gateway}"));
            }
        }
        guest
    }
}

impl Host {
    /// Prints what our namespaces hold, if the environment asks for it.
    fn show_kernel(&self) {
        if std::env::var_os("TENET_TEST_DUMP").is_none() {
            return;
        }
        for entry in std::fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name == "vswitch" || name.starts_with("rtr-") {
                for line in ["ip -br addr", "ip route", "ip neigh", "bridge fdb", "nft list ruleset", "conntrack -L"] {
                    let said = run(&format!("nsenter --net={} {line}", entry.path().display()));
                    eprintln!("--- {name}: {line}\n{}{}", said.out, said.err);
                }
            }
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of tenet\n{}", self.log());
            self.show_kernel();
        }
        if let Some(mut agent) = self.agent.take() {
            let _ = agent.kill();
            let _ = agent.wait();
        }
    }
}

/// The program under test: cargo tells tests where it is; beside examples it lies one folder up.
pub fn binary() -> PathBuf {
    let beside = || std::env::current_exe().unwrap().parent().unwrap().join("../tenet");
    option_env!("CARGO_BIN_EXE_tenet").map_or_else(beside, PathBuf::from)
}

/// The repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
