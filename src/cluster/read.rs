//! All objects at one moment, with the rights of whoever asks: what he may not read is left out, and said.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use kube::api::ListParams;
use kube::core::{ClusterResourceScope, NamespaceResourceScope};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use crate::api::{
    Agent, Attachment, FloatingIP, Network, PhysicalNetwork, PhysicalNetworkSpec, Port, ReferenceGrant, Router,
    SecurityGroup, Subnet,
};
use crate::model::object::key;
use crate::model::snapshot::Objects;
use crate::model::{Key, Snapshot};

/// What was read, and what was not.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// All that was read.
    pub snapshot: Snapshot,
    /// Kinds of which only one namespace was read.
    pub partly: BTreeSet<&'static str>,
    /// Kinds of which nothing was read.
    pub unread: BTreeSet<&'static str>,
}

/// How much of a kind was read.
#[derive(Clone, Copy)]
enum Extent {
    All,
    Namespace,
    Nothing,
}

/// Reads all objects; of a kind that may not be read everywhere, those of `namespace`.
///
/// # Errors
/// The API server does not answer, knows nobody like us, or has none of our kinds.
pub async fn objects(client: &Client, namespace: &str) -> Result<Seen, String> {
    let mut seen = Seen::default();
    macro_rules! namespaced {
        ($($kind:ident $field:ident,)+) => {$(
            let (found, extent) = everywhere::<$kind>(client, namespace).await?;
            seen.note(extent, stringify!($kind));
            seen.snapshot.$field = found;
        )+};
    }
    namespaced! {
        Network networks,
        Subnet subnets,
        Port ports,
        Router routers,
        FloatingIP floating_ips,
        SecurityGroup security_groups,
        ReferenceGrant reference_grants,
    }
    let (found, extent) = clusters::<PhysicalNetwork>(client).await?;
    seen.note(extent, "PhysicalNetwork");
    seen.snapshot.physical_networks = found;
    let (found, extent) = clusters::<Agent>(client).await?;
    seen.note(extent, "Agent");
    seen.snapshot.agents = found;
    if seen.unread.contains("PhysicalNetwork") {
        seen.stand_in();
    }
    Ok(seen)
}

impl Seen {
    fn note(&mut self, extent: Extent, kind: &'static str) {
        match extent {
            Extent::All => false,
            Extent::Namespace => self.partly.insert(kind),
            Extent::Nothing => self.unread.insert(kind),
        };
    }

    /// Physical networks are for operators to read. Their networks are judged already, so for what these mean it is enough
    /// that there is one of the name.
    fn stand_in(&mut self) {
        let networks = self.snapshot.networks.values();
        let names: BTreeSet<String> =
            networks.filter_map(|n| n.spec.provider.as_ref().map(|p| p.physical_network.clone())).collect();
        for name in names {
            let attachment = Attachment { node_selector: None, interface: "unread".into(), mode: None };
            let spec = PhysicalNetworkSpec { attachments: vec![attachment], mtu: None };
            self.snapshot.physical_networks.insert(Key::new("", &name), PhysicalNetwork::new(&name, spec).into());
        }
    }

    /// What was not read, in sentences.
    #[must_use]
    pub fn gaps(&self, namespace: &str) -> Vec<String> {
        let list = |kinds: &BTreeSet<&str>| kinds.iter().copied().collect::<Vec<_>>().join(", ");
        let partly = (!self.partly.is_empty())
            .then(|| format!("you may read these of namespace {namespace} only: {}", list(&self.partly)));
        let unread = (!self.unread.is_empty()).then(|| format!("you may not read: {}", list(&self.unread)));
        partly.into_iter().chain(unread).collect()
    }
}

/// Objects of a kind in all namespaces, else in one.
async fn everywhere<K>(client: &Client, namespace: &str) -> Result<(Objects<K>, Extent), String>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    if let Some(found) = list(&Api::<K>::all(client.clone())).await? {
        return Ok((found, Extent::All));
    }
    let found = list(&Api::<K>::namespaced(client.clone(), namespace)).await?;
    Ok(found.map_or((Objects::new(), Extent::Nothing), |found| (found, Extent::Namespace)))
}

/// Objects of a kind of the cluster's.
async fn clusters<K>(client: &Client) -> Result<(Objects<K>, Extent), String>
where
    K: Resource<Scope = ClusterResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let found = list(&Api::<K>::all(client.clone())).await?;
    Ok(found.map_or((Objects::new(), Extent::Nothing), |found| (found, Extent::All)))
}

/// A list; none: it may not be read.
///
/// # Errors
/// As [`objects`].
pub async fn list<K>(api: &Api<K>) -> Result<Option<BTreeMap<Key, Arc<K>>>, String>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    match api.list(&ListParams::default()).await {
        Ok(list) => Ok(Some(list.items.into_iter().map(|object| (key(object.meta()), Arc::new(object))).collect())),
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(None),
        Err(kube::Error::Api(status)) if status.code == 404 => {
            Err(format!("the cluster knows no {}: install Tenet there, or choose another --context", K::plural(&())))
        }
        Err(kube::Error::Api(status)) if status.code == 401 => {
            Err("the API server does not know you: renew the credentials of your kubeconfig".into())
        }
        Err(error) => Err(format!("the API server gives no {}: {error}", K::plural(&()))),
    }
}
