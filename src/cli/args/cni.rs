//! What can be said about the plugin for pods.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::config;

/// `tenet cni`
#[derive(Clone, Debug, Args)]
pub struct Cni {
    /// What to do.
    #[command(subcommand)]
    pub command: CniCommand,
}

/// What is done with the plugin.
#[derive(Clone, Debug, Subcommand)]
pub enum CniCommand {
    /// Copy this program there as a plugin, and write a network configuration with its link that comes before the node's
    Install(Folders),
    /// Take both away; the node's own files were never written
    Uninstall {
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap takes no help on what it flattens")]
        folders: Folders,
        /// Do not end afterwards, as what runs on every node of a cluster may not.
        #[arg(long)]
        stay: bool,
    },
}

/// Folders of a container runtime.
#[derive(Clone, Debug, Args)]
pub struct Folders {
    /// Where it looks for plugins.
    #[arg(long, value_name = "DIR", default_value = config::PLUGINS)]
    pub bin_dir: PathBuf,
    /// Where it looks for network configurations.
    #[arg(long, value_name = "DIR", default_value = config::NETWORKS)]
    pub conf_dir: PathBuf,
}
