//! The only place that reads the environment.

use std::io::IsTerminal as _;

use crate::cni::args::Variables;

/// Where container runtimes look for plugins.
pub const PLUGINS: &str = "/opt/cni/bin";
/// Where container runtimes look for network configurations.
pub const NETWORKS: &str = "/etc/cni/net.d";
/// Where state is kept by default.
pub const STATE: &str = "/var/lib/tenet";
/// Where the control socket is by default.
pub const SOCKET: &str = "/run/tenet/tenet.sock";

/// Whether what goes to standard output may be coloured: on a terminal, unless `NO_COLOR` is set (no-color.org).
#[must_use]
pub fn colour() -> bool {
    std::io::stdout().is_terminal() && !set("NO_COLOR")
}

/// Whether the log may be coloured.
#[must_use]
pub fn colour_log() -> bool {
    std::io::stderr().is_terminal() && !set("NO_COLOR")
}

fn set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// `RUST_LOG`, if it is set.
#[must_use]
pub fn rust_log() -> Option<String> {
    std::env::var("RUST_LOG").ok().filter(|value| !value.is_empty())
}

/// What a container runtime asks of a network plugin, if it is one that runs this program: it says so by `CNI_COMMAND`, and
/// gives no arguments.
#[must_use]
pub fn cni() -> Option<Variables> {
    let of = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let command = of("CNI_COMMAND").filter(|_| std::env::args_os().nth(1).is_none())?;
    let [container, netns, interface, args] =
        ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS"].map(|name| of(name).unwrap_or_default());
    Some(Variables { command, container, netns, interface, args })
}

/// Name of the host, which is the default name of its node.
#[must_use]
pub fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim().to_lowercase();
    if name.is_empty() { "localhost".into() } else { name }
}

/// Columns of the terminal that standard output is; none: it is none.
#[must_use]
pub fn columns() -> Option<usize> {
    let (terminal_size::Width(columns), _) = terminal_size::terminal_size_of(std::io::stdout())?;
    Some(columns.into())
}

/// Whom the program was called as: itself, or what kubectl calls for its plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Called {
    /// `tenet`, or any other name.
    Itself,
    /// `kubectl-tenet`: what `kubectl tenet` runs.
    Plugin,
    /// `kubectl_complete-tenet`: what the shell's completion of `kubectl tenet` runs, with what is typed.
    Completion(Vec<String>),
}

/// What we are called as.
#[must_use]
pub fn called() -> Called {
    let mut words = std::env::args_os();
    let path = words.next().map(std::path::PathBuf::from).unwrap_or_default();
    match path.file_stem().and_then(|name| name.to_str()) {
        Some("kubectl-tenet") => Called::Plugin,
        Some("kubectl_complete-tenet") => {
            Called::Completion(words.map(|word| word.to_string_lossy().into_owned()).collect())
        }
        _ => Called::Itself,
    }
}
