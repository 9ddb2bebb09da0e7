//! What can be said on the command line.

mod inspect;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config;
use crate::dataplane::filter;
pub use inspect::{Bundle, Diagnose, Drawing, Protocol, Source, Topology, Trace};

/// Tenant networks, declared: reads YAML, makes networks.
#[derive(Debug, Parser)]
#[command(name = "tenet", version, propagate_version = true, disable_help_subcommand = true)]
#[command(
    after_help = "Exit codes: 0 done; 1 an error, also in the arguments; 2 is an answer: of `plan` changes,\nof `trace` dropped, of `diagnose` not well."
)]
pub struct Cli {
    /// How log lines are written.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// What is logged: error, warn, info, debug, trace, or a filter as in `RUST_LOG`, which it overrides.
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// A JSON object a line.
    Json,
}

/// Everything that `tenet` does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the `CustomResourceDefinition`s of all kinds as YAML
    #[command(after_help = "Example:\n  tenet crds | kubectl apply -f -")]
    Crds,
    /// Make this host's networks as the YAML in the folders says, and keep them so
    #[command(
        after_help = "Examples:\n  tenet local ./networks            # until SIGTERM; forwarding goes on afterwards\n  \
        tenet local ./networks --once     # once; for scripts\n\n\
        Exit codes: 0 stopped by a signal, or with --once: all is Ready; 1 an error, or not all is Ready."
    )]
    Local(Local),
    /// Show what `tenet local` would change on this host now; changes nothing
    #[command(after_help = "Examples:\n  tenet plan ./networks\n  tenet plan ./networks -o json | jq .changes\n\n\
        Exit codes: 0 nothing to change; 2 changes; 1 an error.")]
    Plan(Plan),
    /// Run a cluster's controller: it gives addresses and says what becomes of every object
    #[command(
        after_help = "Examples:\n  tenet controller --kubeconfig admin.kubeconfig\n  tenet controller    # in a pod\n\n\
        Any number may run; one leads.\n\nExit codes: 0 stopped by a signal; 1 an error."
    )]
    Controller(Controller),
    /// Run the agent of one node of a cluster: it makes the node's networks
    #[command(after_help = "Examples:\n  tenet agent --kubeconfig node-1.kubeconfig --tunnel-address 192.0.2.11\n\n\
        Forwarding goes on when it stops.\n\nExit codes: 0 stopped by a signal; 1 an error.")]
    Agent(Agent),
    /// Plug a guest into a port: moves an interface with the port's MAC and MTU into it
    #[command(
        after_help = "Examples:\n  tenet plug team-a/web-0 --netns web\n  tenet plug web-0 --pid 4711 --ifname net1    # namespace default\n  \
        tenet plug team-a/vm-0 --tap tap0            # a tap that a hypervisor holds open\n  \
        tenet plug team-a/vm-0 --tap tap0 --prepare  # for a guest that is on another node still\n  \
        tenet plug team-a/vm-0 --switch              # while it is paused\n\n\
        Exit codes: 0 plugged, packets pass; 1 not plugged."
    )]
    Plug(Plug),
    /// Unplug whatever guest is plugged into a port
    #[command(
        after_help = "Example:\n  tenet unplug team-a/web-0\n\nExit codes: 0 nothing is plugged any more; 1 an error."
    )]
    Unplug(Unplug),
    /// Show objects with their status, as `kubectl get` does
    #[command(
        after_help = "Examples:\n  tenet get                        # all kinds, in namespace default\n  tenet get ports -A -o wide\n  \
        tenet get tnet blue -n team-a -o yaml\n\nExit codes: 0 shown; 1 an error, or no such object."
    )]
    Get(Get),
    /// Draw networks, and what hangs on them
    #[command(after_help = "Examples:\n  tenet topology -n team-a\n  tenet topology -A -o svg > networks.svg\n\n\
        Exit codes: 0 drawn; 1 an error.")]
    Topology(Topology),
    /// Say what becomes of a packet: hop by hop, and which rule decides; no packet is sent
    #[command(
        after_help = "Examples:\n  tenet trace team-a/web-0 10.0.2.20:5432\n  tenet trace pod/web 203.0.113.10    # an echo request\n  \
        tenet trace web-0 10.0.0.53:53 --protocol udp -n team-a\n\n\
        Exit codes: 0 allowed, and the answer, too; 2 dropped; 1 an error."
    )]
    Trace(Trace),
    /// Say what is not Ready and why, by root cause
    #[command(after_help = "Examples:\n  tenet diagnose -n team-a\n  tenet diagnose -A -o json\n\n\
        Exit codes: 0 all is well; 2 something is not; 1 an error.")]
    Diagnose(Diagnose),
    /// Write all that a bug report needs into one archive; secrets are left out
    #[command(after_help = "Examples:\n  tenet bundle -A\n  tenet bundle -n team-a --file report.tar.gz\n\n\
        Exit codes: 0 written; 1 an error.")]
    Bundle(Bundle),
    /// Take away everything of Tenet's on this host
    #[command(after_help = "Examples:\n  tenet clean          # asks\n  tenet clean --yes    # in scripts\n\n\
        Exit codes: 0 all is gone; 1 an error, an instance runs, or the answer was no.")]
    Clean(Clean),
    /// Let go of removals that were held back because a folder had suddenly lost most of its objects
    #[command(after_help = "Example:\n  tenet confirm\n\nExit codes: 0 let go, or nothing was held back; 1 an error.")]
    Confirm(Socket),
    /// Put the network plugin for pods into this node's container runtime, or take it away
    #[command(
        after_help = "Examples:\n  tenet cni install      # the plugin, and its link behind the node's first network\n  \
        tenet cni uninstall    # once no agent runs here that keeps the link\n\nExit codes: 0 done; 1 an error."
    )]
    Cni(Cni),
    /// Print completions for a shell
    #[command(after_help = "Example:\n  tenet completions bash > /etc/bash_completion.d/tenet")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Where an instance keeps things.
#[derive(Clone, Debug, Args)]
pub struct State {
    /// State directory: addresses given, and what is plugged.
    #[arg(long, value_name = "DIR", default_value = config::STATE)]
    pub state: PathBuf,
}

/// Where an instance listens.
#[derive(Clone, Debug, Args)]
pub struct Socket {
    /// Control socket; network namespaces are pinned beside it.
    #[arg(long, value_name = "PATH", default_value = config::SOCKET)]
    pub socket: PathBuf,
}

/// The way to the API server.
#[derive(Clone, Debug, Args)]
pub struct Access {
    /// A kubeconfig. Default: `KUBECONFIG`, `~/.kube/config`, or the service account of the pod.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// `tenet controller`
#[derive(Clone, Debug, Args)]
pub struct Controller {
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap takes no help on what it flattens")]
    pub access: Access,
    /// Name of this instance, nobody else's. Default: host's name and process id.
    #[arg(long, value_name = "NAME")]
    pub identity: Option<String>,
    /// Namespace of the Lease by which one instance leads.
    #[arg(long, value_name = "NAMESPACE", default_value = crate::cluster::NAMESPACE)]
    pub lease_namespace: String,
    /// Answer /healthz, /readyz and /metrics (Prometheus) at this address. Default: nowhere.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics: Option<std::net::SocketAddr>,
}

/// `tenet agent`
#[derive(Clone, Debug, Args)]
pub struct Agent {
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap takes no help on what it flattens")]
    pub access: Access,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap takes no help on what it flattens")]
    pub state: State,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap takes no help on what it flattens")]
    pub socket: Socket,
    /// Name of this node. Default: the host's name.
    #[arg(long, value_name = "NAME")]
    pub node: Option<String>,
    /// Address of this host at which other nodes reach its tunnels.
    #[arg(long, value_name = "ADDRESS")]
    pub tunnel_address: std::net::IpAddr,
    /// Print what would be changed on this node, whenever that is something else, and change nothing, here or there.
    #[arg(long)]
    pub dry_run: bool,
    /// Answer /healthz, /readyz and /metrics (Prometheus) at this address. Default: nowhere.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics: Option<std::net::SocketAddr>,
    /// Keep the link for pods in this folder of network configurations (/etc/cni/net.d). Default: nowhere.
    #[arg(long, value_name = "DIR")]
    pub cni_conf_dir: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap takes no help on what it flattens")]
    pub filtering: Filtering,
}

/// What an instance reads, and where it keeps things.
#[derive(Clone, Debug, Args)]
pub struct Instance {
    /// Folders of YAML, read with all folders below them.
    #[arg(required = true, value_name = "DIR")]
    pub folders: Vec<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap takes no help on what it flattens")]
    pub state: State,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap takes no help on what it flattens")]
    pub socket: Socket,
    /// Name of this node. Default: the host's name.
    #[arg(long, value_name = "NAME")]
    pub node: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap takes no help on what it flattens")]
    pub filtering: Filtering,
}

/// How a node filters.
#[derive(Clone, Copy, Debug, Args)]
pub struct Filtering {
    /// Bring packets between guests of this node over the bridge instead of straight from one to the other.
    #[arg(long, env = "TENET_NO_FAST_PATH")]
    pub no_fast_path: bool,
    /// Most established flows that the filters remember, some 250 bytes each. Flows go on when it is changed.
    #[arg(long, value_name = "NUMBER", default_value_t = filter::Filtering::FLOWS, value_parser = clap::value_parser!(u32).range(1024..=16_777_216))]
    pub flows: u32,
}

impl Default for Filtering {
    fn default() -> Self {
        Self { no_fast_path: false, flows: filter::Filtering::FLOWS }
    }
}

impl From<Filtering> for filter::Filtering {
    fn from(args: Filtering) -> Self {
        Self { fast_path: !args.no_fast_path, flows: args.flows }
    }
}

/// `tenet local`
#[derive(Clone, Debug, Args)]
pub struct Local {
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap takes no help on what it flattens")]
    pub instance: Instance,
    /// Converge once and end; does not wait for ports that nobody has plugged.
    #[arg(long)]
    pub once: bool,
    /// With --once: let go of removals that are held back.
    #[arg(long, requires = "once")]
    pub confirm: bool,
}

/// `tenet plan`
#[derive(Clone, Debug, Args)]
pub struct Plan {
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap takes no help on what it flattens")]
    pub instance: Instance,
    /// How the plan is shown.
    #[arg(short, long, value_enum, default_value_t = Show::Text)]
    pub output: Show,
}

/// For people or for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Show {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// `tenet plug`
#[derive(Clone, Debug, Args)]
pub struct Plug {
    /// The port; without a namespace: of `default`.
    #[arg(value_name = "NAMESPACE/PORT")]
    pub port: String,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap takes no help on what it flattens")]
    pub guest: Guest,
    /// Name of the interface in the guest, 1 to 15 characters.
    #[arg(long, value_name = "NAME", default_value = "eth0", conflicts_with = "tap")]
    pub ifname: String,
    /// How long to wait for the port to exist, be accepted and pass packets: 30s, 500ms, 2m.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = super::duration)]
    pub timeout: std::time::Duration,
    /// Take the port over from another guest.
    #[arg(long)]
    pub force: bool,
    /// Only make all ready for a guest that comes from another node (live migration); --switch takes the port over.
    #[arg(long, conflicts_with = "force")]
    pub prepare: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap takes no help on what it flattens")]
    pub socket: Socket,
    /// How the result is shown.
    #[arg(short, long, value_enum, default_value_t = Show::Text)]
    pub output: Show,
}

/// Who is plugged.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Guest {
    /// Network namespace: a name as in /run/netns, or a path.
    #[arg(long, value_name = "NAME|PATH")]
    pub netns: Option<String>,
    /// Network namespace of a process.
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,
    /// A tap that a hypervisor holds open.
    #[arg(long, value_name = "NAME")]
    pub tap: Option<String>,
    /// What was prepared here: take the port over from the node that has it. To be said while the guest is paused.
    #[arg(long, conflicts_with_all = ["prepare", "force"])]
    pub switch: bool,
}

/// `tenet unplug`
#[derive(Clone, Debug, Args)]
pub struct Unplug {
    /// The port; without a namespace: of `default`.
    #[arg(value_name = "NAMESPACE/PORT")]
    pub port: String,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap takes no help on what it flattens")]
    pub socket: Socket,
}

/// `tenet get`
#[derive(Clone, Debug, Args)]
pub struct Get {
    /// Kind: singular, plural or short name. Default: all kinds.
    pub kind: Option<String>,
    /// Name of one object.
    pub name: Option<String>,
    /// Namespace.
    #[arg(short, long, value_name = "NS", default_value = "default", conflicts_with = "all_namespaces")]
    pub namespace: String,
    /// Objects of all namespaces.
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// How objects are shown. Default: a table.
    #[arg(short, long, value_enum)]
    pub output: Option<Format>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap takes no help on what it flattens")]
    pub state: State,
}

/// How objects are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table with more columns.
    Wide,
    /// JSON: the object, or a List.
    Json,
    /// YAML: the object, or a List.
    Yaml,
}

/// `tenet clean`
#[derive(Clone, Debug, Args)]
pub struct Clean {
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap takes no help on what it flattens")]
    pub state: State,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap takes no help on what it flattens")]
    pub socket: Socket,
    /// Do not ask.
    #[arg(short, long)]
    pub yes: bool,
}

mod cni;
#[cfg(test)]
mod tests;

pub use cni::{Cni, CniCommand};
