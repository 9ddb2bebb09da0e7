//! What can be said to the commands that look: `topology`, `trace`, `diagnose`, `bundle`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Access;

/// Where objects are read from.
#[derive(Clone, Debug, Args)]
pub struct Source {
    /// Namespace. Default: the kubeconfig's, else `default`.
    #[arg(short, long, value_name = "NS")]
    pub namespace: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap takes no help on what it flattens")]
    pub access: Access,
    /// Context of the kubeconfig.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// State directory of `tenet local`: read it instead of an API server. Default: where there is one on this host, and
    /// neither a kubeconfig nor a context is named.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["kubeconfig", "context"])]
    pub state: Option<PathBuf>,
}

/// How a drawing is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Drawing {
    /// For the terminal.
    Text,
    /// A picture.
    Svg,
    /// For programs.
    Json,
}

/// `tenet topology`
#[derive(Clone, Debug, Args)]
pub struct Topology {
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap takes no help on what it flattens")]
    pub source: Source,
    /// All namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// How it is shown.
    #[arg(short, long, value_enum, default_value_t = Drawing::Text)]
    pub output: Drawing,
    /// Columns of the text, 40 to 400. Default: the terminal's, at most 120; 80 where there is none.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(40..=400))]
    pub width: Option<u16>,
}

/// `tenet trace`
#[derive(Clone, Debug, Args)]
pub struct Trace {
    /// Who sends: a port, or `pod/NAME`; NAMESPACE/ before it, else -n says the namespace.
    #[arg(value_name = "[NAMESPACE/]PORT|pod/NAME")]
    pub from: String,
    /// Where to; with a port for TCP and UDP.
    #[arg(value_name = "ADDRESS[:PORT]")]
    pub to: String,
    /// What is sent. Default: TCP with a port, ICMP (an echo request) without.
    #[arg(long, value_enum, ignore_case = true)]
    pub protocol: Option<Protocol>,
    /// The address that it is sent from. Default: the port's that fits.
    #[arg(long, value_name = "ADDRESS")]
    pub source: Option<IpAddr>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap takes no help on what it flattens")]
    pub place: Source,
    /// How it is shown.
    #[arg(short, long, value_enum, default_value_t = super::Show::Text)]
    pub output: super::Show,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// A SYN.
    Tcp,
    /// A datagram.
    Udp,
    /// An echo request.
    Icmp,
}

/// `tenet diagnose`
#[derive(Clone, Debug, Args)]
pub struct Diagnose {
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap takes no help on what it flattens")]
    pub source: Source,
    /// All namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// How it is shown.
    #[arg(short, long, value_enum, default_value_t = super::Show::Text)]
    pub output: super::Show,
}

/// `tenet bundle`
#[derive(Clone, Debug, Args)]
pub struct Bundle {
    #[command(flatten)]
    #[allow(missing_docs, reason = "clap takes no help on what it flattens")]
    pub source: Source,
    /// All namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// Where to write it; `-`: standard output. Default: tenet-bundle-TIME.tar.gz here.
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Last lines of each log.
    #[arg(long, value_name = "NUMBER", default_value_t = 2000)]
    pub lines: u32,
}
