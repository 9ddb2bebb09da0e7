//! What the commands that look go by: the objects of an API server, or of a host in local mode.

use std::io::{self, Write as _};
use std::path::Path;

use crate::cluster::client::{self, Access};
use crate::cluster::read::{self, Seen};
use crate::config;
use crate::local::store::{self, Store};
use crate::model::{Linker, Role, Topology};

use super::args::Source;

/// Objects with what they mean.
pub struct World {
    /// The objects.
    pub seen: Seen,
    /// The namespace that is asked for.
    pub namespace: String,
    /// What they mean.
    pub topology: Topology,
    /// The way to the API server they are from; none: local mode.
    pub client: Option<kube::Client>,
}

/// Runs what waits for an API server.
pub fn wait<T>(what: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| format!("the kernel gives no event queue: {error}"))?.block_on(what)
}

/// Reads all that may be read. What may not is said on standard error. `plugin`: we are kubectl's, so there is an API server.
pub async fn read(source: &Source, plugin: bool) -> Result<World, String> {
    let named = source.access.kubeconfig.is_some() || source.context.is_some();
    let here = || Some(Path::new(config::STATE)).filter(|dir| !plugin && !named && store::is_there(dir));
    if let Some(dir) = source.state.as_deref().or_else(here) {
        return local(dir, source.namespace.as_deref());
    }
    let access = Access { kubeconfig: source.access.kubeconfig.clone() };
    let client = client::connect_by(&access, source.context.as_deref()).await?;
    let namespace = source.namespace.clone().unwrap_or_else(|| client.default_namespace().to_owned());
    let seen = read::objects(&client, &namespace).await?;
    for gap in seen.gaps(&namespace) {
        let _ = writeln!(io::stderr(), "note: {gap}");
    }
    let (topology, _) = Linker::new(Role::Node).link(&seen.snapshot);
    Ok(World { seen, namespace, topology, client: Some(client) })
}

fn local(dir: &Path, namespace: Option<&str>) -> Result<World, String> {
    let store = Store::read(dir).map_err(|error| format!("state directory {}: {error}", dir.display()))?;
    let seen = Seen { snapshot: store.snapshot().clone(), ..Seen::default() };
    let (topology, _) = Linker::new(Role::Host).link(&seen.snapshot);
    Ok(World { seen, namespace: namespace.unwrap_or("default").into(), topology, client: None })
}
