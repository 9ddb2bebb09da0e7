//! The way to the API server: a kubeconfig that is named, else what the environment offers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::retry::RetryPolicy;
use kube::client::{Body, ClientBuilder, ConfigExt as _};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tower::retry::RetryLayer;
use tower::timeout::TimeoutLayer;
use tower::util::MapRequestLayer;
use tower::{BoxError, ServiceBuilder};

use super::token::TokenFile;

/// How to reach the API server.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// A kubeconfig; none: `KUBECONFIG`, `~/.kube/config`, or the service account of the pod.
    pub kubeconfig: Option<PathBuf>,
}

/// Nothing that we ask takes twice as long to be answered at all; watches, once answered, have their own way to notice silence.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a connection keeps for reading, octets at most. Every watch has a connection, and one that once read a long list would
/// keep hundreds of KiB for it.
const BUFFER: usize = 32 << 10;

/// Connects; nothing is sent yet.
///
/// # Errors
/// What is wrong with the kubeconfig or the service account, with what to do.
pub async fn connect(access: &Access) -> Result<Client, String> {
    connect_by(access, None).await
}

/// Connects as `context` of the kubeconfig says; none: as its current one says. Nothing is sent yet.
///
/// # Errors
/// What is wrong with the kubeconfig or the service account, with what to do.
pub async fn connect_by(access: &Access, context: Option<&str>) -> Result<Client, String> {
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let nowhere = |error: &dyn std::fmt::Display| {
        format!("there is no API server to be found: {error}; name a kubeconfig with --kubeconfig")
    };
    let mut config = match &access.kubeconfig {
        Some(path) => from_file(path, &options).await?,
        None if context.is_some() => Config::from_kubeconfig(&options).await.map_err(|error| nowhere(&error))?,
        None => Config::infer().await.map_err(|error| nowhere(&error))?,
    };
    config.connect_timeout = Some(PATIENCE);
    // A token in a file is not left to kube.
    let file = config.auth_info.token.is_none().then(|| config.auth_info.token_file.take()).flatten();
    let token = file.map(|path| TokenFile::open(Path::new(&path))).transpose()?;
    put_together(&config, token).map_err(|error| format!("no connection to the API server can be made: {error}"))
}

/// What `Client::try_from` does, over sockets that send at once. Without that a request on a new connection waits for the
/// server's acknowledgement of the handshake, which takes its 40 ms (RFC 1122, 4.2.3.2 and 4.2.3.4).
fn put_together(config: &Config, token: Option<TokenFile>) -> Result<Client, kube::Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(config.connect_timeout);
    // A server that vanishes without a word is noticed also by who only waits for it.
    tcp.set_keepalive(Some(PATIENCE));
    tcp.set_keepalive_interval(Some(PATIENCE / 3));
    tcp.set_keepalive_retries(Some(3));
    tcp.set_tcp_user_timeout(Some(PATIENCE * 2));
    let tls = config.rustls_https_connector_with_connector(tcp)?;
    let mut http = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
    http.http1_max_buf_size(BUFFER);
    let http = http.build::<_, Body>(tls);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(RetryLayer::new(RetryPolicy::server_retry()))
        .option_layer(config.auth_layer()?)
        .option_layer(token.map(|token| MapRequestLayer::new(move |request| token.sign(request))))
        .layer(TimeoutLayer::new(PATIENCE * 2))
        .map_err(BoxError::from)
        .service(http);
    Ok(ClientBuilder::new(service, config.default_namespace.clone()).build())
}

async fn from_file(path: &Path, options: &KubeConfigOptions) -> Result<Config, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("kubeconfig {}: {error}", path.display());
    let kubeconfig = Kubeconfig::read_from(path).map_err(|error| wrong(&error))?;
    Config::from_custom_kubeconfig(kubeconfig, options).await.map_err(|error| wrong(&error))
}
