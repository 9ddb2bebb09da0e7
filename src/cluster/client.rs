//! The way to the API server: a kubeconfig that is named, else what the environment offers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// How to reach the API server.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// A kubeconfig; none: `KUBECONFIG`, `~/.kube/config`, or the service account of the pod.
    pub kubeconfig: Option<PathBuf>,
}

/// Nothing that we ask takes so long; watches have their own way to notice silence.
const PATIENCE: Duration = Duration::from_secs(15);

/// Connects; nothing is sent yet.
///
/// # Errors
/// What is wrong with the kubeconfig or the service account, with what to do.
pub async fn connect(access: &Access) -> Result<Client, String> {
    let mut config = match &access.kubeconfig {
        Some(path) => from_file(path).await?,
        None => Config::infer().await.map_err(|error| {
            format!("there is no API server to be found: {error}; name a kubeconfig with --kubeconfig")
        })?,
    };
    config.connect_timeout = Some(PATIENCE);
    Client::try_from(config).map_err(|error| format!("no connection to the API server can be made: {error}"))
}

async fn from_file(path: &Path) -> Result<Config, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("kubeconfig {}: {error}", path.display());
    let kubeconfig = Kubeconfig::read_from(path).map_err(|error| wrong(&error))?;
    let options = KubeConfigOptions::default();
    Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| wrong(&error))
}
