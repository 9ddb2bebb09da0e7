//! A real control plane for a test: etcd and kube-apiserver in a network namespace of the calling thread.
//!
//! Every test has its own, with the same ports: nothing leaves the namespace, nothing of the host is in it. All that is
//! started is ended by its process id when the value is dropped, also when the test panics.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use k8s_openapi::jiff::Timestamp;
use nix::sched::{CloneFlags, unshare};

const TOKEN: &str = "test";
/// The API server was seen to be ready in 3 s on two idle cores; a busy machine takes longer.
const PATIENCE: Duration = Duration::from_mins(2);

/// The controllers of Kubernetes that objects of ours need: namespaces and what has lost its owner are cleared, `view`,
/// `edit` and `admin` get what is ours, quotas are counted, the expressions of policies are checked against our types.
const MANAGERS: [&str; 6] = [
    "namespace-controller",
    "garbage-collector-controller",
    "serviceaccount-controller",
    "clusterrole-aggregation-controller",
    "resourcequota-controller",
    "validatingadmissionpolicy-status-controller",
];

/// Nodes that may join with a kubelet: `node-1` is the first. The token of each is its name.
const JOINING: usize = 9;

#[allow(dead_code, reason = "no test target uses all of it")]
pub struct ControlPlane {
    /// Where everything of it is.
    pub folder: PathBuf,
    address: String,
    bin: PathBuf,
    /// Name, flags and what runs; none: it was killed.
    children: Vec<(String, Vec<String>, Option<Child>)>,
    /// When something of it was started again.
    revived: Vec<Timestamp>,
}

#[allow(dead_code, reason = "no test target uses all of it")]
impl ControlPlane {
    /// Starts both and waits until the API server is ready. The calling thread stays in the new namespace: what it
    /// starts afterwards reaches the server.
    pub fn start() -> Self {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace needs root: run the tests as root");
        run(Command::new("ip").args(["link", "set", "lo", "up"]));
        Self::start_at("127.0.0.1")
    }

    /// Starts both in the calling thread's namespace; the API server listens at `address`, too.
    pub fn start_at(address: &str) -> Self {
        Self::start_with(address, &[])
    }

    /// As [`Self::start_at`], with more flags for the API server.
    pub fn start_with(address: &str, flags: &[&str]) -> Self {
        let bin = built("TENET_KUBE_BIN", "kube");
        assert!(
            bin.join("kube-apiserver").exists(),
            "no control plane in {}: build it with `make kube`",
            bin.display()
        );
        let folder =
            env::temp_dir().join(format!("tenet-control-plane-{}-{}", std::process::id(), nix::unistd::gettid()));
        fs::create_dir_all(&folder).unwrap();
        let mut plane = Self { folder, bin, address: address.into(), children: Vec::new(), revived: Vec::new() };
        plane.write_credentials();
        plane.spawn("etcd", plane.etcd());
        let flags = plane.apiserver().into_iter().chain(flags.iter().map(|flag| (*flag).to_owned())).collect();
        plane.spawn("kube-apiserver", flags);
        plane.wait_until_ready();
        plane
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// The server makes its own certificate; what it cannot make is the key that signs service accounts' tokens.
    fn write_credentials(&self) {
        run(Command::new("openssl").args(["genrsa", "-out", &self.path("accounts.key"), "2048"]));
        let mut tokens = format!("{TOKEN},admin,admin,system:masters\n");
        tokens.extend((1..=JOINING).map(|n| format!("node-{n},system:node:node-{n},node-{n},system:nodes\n")));
        fs::write(self.path("tokens.csv"), tokens).unwrap();
    }

    fn etcd(&self) -> Vec<String> {
        let flags = ["--unsafe-no-fsync", "--listen-client-urls=http://127.0.0.1:2379", "--log-level=warn"];
        let mut flags = flags.map(str::to_owned).to_vec();
        flags.push("--advertise-client-urls=http://127.0.0.1:2379".into());
        flags.push(format!("--data-dir={}", self.path("etcd")));
        flags
    }

    fn apiserver(&self) -> Vec<String> {
        let accounts = self.path("accounts.key");
        vec![
            "--etcd-servers=http://127.0.0.1:2379".into(),
            format!("--bind-address={}", if self.address == "127.0.0.1" { "127.0.0.1" } else { "0.0.0.0" }),
            // A namespace with nothing but a loopback has no address that could be found out.
            "--advertise-address=192.0.2.1".into(),
            "--endpoint-reconciler-type=none".into(),
            "--service-cluster-ip-range=10.96.0.0/16".into(),
            format!("--cert-dir={}", self.path("certificates")),
            format!("--token-auth-file={}", self.path("tokens.csv")),
            "--authorization-mode=Node,RBAC".into(),
            "--enable-admission-plugins=NodeRestriction".into(),
            // Agents' pods are.
            "--allow-privileged".into(),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            format!("--service-account-key-file={accounts}"),
            format!("--service-account-signing-key-file={accounts}"),
        ]
    }

    fn spawn(&mut self, name: &str, flags: Vec<String>) {
        let child = self.run(name, &flags);
        self.children.push((name.to_owned(), flags, Some(child)));
    }

    /// Kills `etcd`, `kube-apiserver` or `kube-controller-manager` at once.
    pub fn kill(&mut self, name: &str) {
        let (.., child) = self.children.iter_mut().find(|(known, ..)| known == name).unwrap();
        let mut child = child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts again what was killed, with what it had on its disk.
    pub fn revive(&mut self, name: &str) {
        let at = self.children.iter().position(|(known, ..)| known == name).unwrap();
        let child = self.run(name, &self.children[at].1);
        self.children[at].2 = Some(child);
        self.revived.push(Timestamp::now());
    }

    /// Whether it was just started again at that time: a server that has not read all roles yet refuses who has the right.
    pub fn was_new(&self, at: Timestamp) -> bool {
        let new = |start: &Timestamp| (0..10).contains(&at.duration_since(*start).as_secs());
        self.revived.iter().any(new)
    }

    fn run(&self, name: &str, flags: &[String]) -> Child {
        let log = File::options().create(true).append(true).open(self.path(&format!("{name}.log"))).unwrap();
        // Also a test that is killed, and cannot drop anything, leaves nothing behind.
        let mut command = Command::new("setpriv");
        command
            // By default Go collects garbage so often that a third of what these programs do is that. Memory there is enough.
            .env("GOGC", "300")
            .args(["--pdeathsig", "KILL"])
            .arg(self.bin.join(name))
            .args(flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        command.spawn().unwrap()
    }

    /// Waits until the API server serves.
    pub fn wait_until_ready(&mut self) {
        let start = Instant::now();
        while !self.kubectl(&["get", "--raw", "/readyz"], "").status.success() {
            let ended = self
                .children
                .iter_mut()
                .filter_map(|(.., child)| child.as_mut())
                .any(|child| child.try_wait().unwrap().is_some());
            if ended || start.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.path("kube-apiserver.log")).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(20).collect();
                panic!("the API server does not get ready:\n{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Starts the controllers of Kubernetes that objects of ours need.
    pub fn start_manager(&mut self) {
        self.start_managers(&MANAGERS);
    }

    /// Starts all controllers of Kubernetes, and what places pods: for nodes with kubelets.
    pub fn start_all_managers(&mut self) {
        self.start_managers(&["*"]);
        let kubeconfig = self.kubeconfig();
        let flags = vec![format!("--kubeconfig={}", kubeconfig.display()), "--leader-elect=false".into()];
        self.spawn("kube-scheduler", flags);
    }

    fn start_managers(&mut self, names: &[&str]) {
        let kubeconfig = self.kubeconfig();
        let mut flags = vec![format!("--kubeconfig={}", kubeconfig.display())];
        flags.push(format!("--controllers={}", names.join(",")));
        // It makes the folder, by default on the machine's own disk.
        flags.push(format!("--flex-volume-plugin-dir={}", self.path("volume-plugins")));
        // Pods find it in their service account's folder.
        flags.push(format!("--root-ca-file={}", self.path("certificates/apiserver.crt")));
        flags.extend(["--leader-elect=false", "--use-service-account-credentials=false"].map(String::from));
        flags.push(format!("--service-account-private-key-file={}", self.path("accounts.key")));
        self.spawn("kube-controller-manager", flags);
    }

    /// Resident memory of each part, in octets.
    pub fn memory(&self) -> Vec<(String, u64)> {
        let running = self.children.iter().filter_map(|(name, _, child)| Some((name, child.as_ref()?.id())));
        let pages = |pid: u32| {
            let text = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
            text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default()
        };
        running.map(|(name, pid)| (name.clone(), pages(pid) * 4096)).collect()
    }

    /// A kubeconfig of an administrator, for whoever reaches the API server's address.
    pub fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig_for("admin", TOKEN)
    }

    /// A kubeconfig with a token.
    pub fn kubeconfig_for(&self, user: &str, token: &str) -> PathBuf {
        let (path, authority) =
            (self.folder.join(format!("{user}.kubeconfig")), self.path("certificates/apiserver.crt"));
        let text = format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: test, cluster: {{server: 'https://{}:6443', certificate-authority: {authority}}}}}]\n\
             users: [{{name: {user}, user: {{token: {token}}}}}]\n\
             contexts: [{{name: test, context: {{cluster: test, user: {user}}}}}]\ncurrent-context: test\n",
            self.address
        );
        fs::write(&path, text).unwrap();
        path
    }

    /// Where kubectl is.
    pub fn kubectl_path(&self) -> PathBuf {
        self.bin.join("kubectl")
    }

    /// A token of a service account, made as a pod's is: bound to its node, if one is given with its UID.
    pub fn token(&self, namespace: &str, account: &str, node: Option<(&str, &str)>) -> String {
        let mut arguments = vec!["create", "token", account, "-n", namespace, "--duration=24h"];
        if let Some((name, uid)) = node {
            arguments.extend(["--bound-object-kind=Node", "--bound-object-name", name, "--bound-object-uid", uid]);
        }
        self.expect(&arguments, "").trim().to_owned()
    }

    /// Runs kubectl as administrator with `input` on its standard input.
    pub fn kubectl(&self, arguments: &[&str], input: &str) -> Output {
        self.kubectl_as(TOKEN, arguments, input)
    }

    /// Runs kubectl as whoever has a token.
    pub fn kubectl_as(&self, token: &str, arguments: &[&str], input: &str) -> Output {
        let authority = self.path("certificates/apiserver.crt");
        let server = format!("https://{}:6443", self.address);
        let mut command = Command::new(self.bin.join("kubectl"));
        command.args(["--server", &server, "--token", token, "--certificate-authority", &authority]).args(arguments);
        command.env("HOME", &self.folder).env_remove("KUBECONFIG").stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        // Written beside the reading, so that neither side waits for the other with a full pipe.
        let writer = thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().unwrap();
        drop(writer.join());
        output
    }

    /// kubectl's output; panics with its words when it fails.
    pub fn expect(&self, arguments: &[&str], input: &str) -> String {
        let Output { status, stdout, stderr } = self.kubectl(arguments, input);
        let words = String::from_utf8_lossy(&stderr);
        assert!(status.success(), "kubectl {arguments:?}: {words}");
        String::from_utf8(stdout).unwrap() + &words
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev().filter_map(|(.., child)| child.as_mut()) {
            drop(child.kill());
            drop(child.wait());
        }
        if thread::panicking() {
            eprintln!("the logs of the control plane are in {}", self.folder.display());
        } else {
            drop(fs::remove_dir_all(&self.folder));
        }
    }
}

/// Where `e2e/kubernetes.sh` puts what it builds: where a variable says, or a folder of the repository.
pub fn built(variable: &str, folder: &str) -> PathBuf {
    env::var_os(variable)
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache").join(folder), PathBuf::from)
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
