//! Watches: one task each, from the API server into a channel.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, DefaultBackoff, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;
use tracing::{debug, warn};

use super::AGENTS;
use super::guard::Guarded;
use super::lease::Beat;
use super::mirror::{Name, News, Source, Thing, thing};
use super::sieve::Sieve;
use crate::api::{
    Agent, Allocation, FloatingIP, Network, PhysicalNetwork, Port, ReferenceGrant, Router, SecurityGroup, Subnet,
};
use crate::model::Kind;
use crate::model::object::Object;

/// So many items wait at most; then the watch waits, and the API server with it.
pub const BACKLOG: usize = 4096;

/// How long a watch that failed waits: a quarter of what client-go's do, 0.2 to 8 s, give or take. Half a minute would be most
/// of what is noticed of an API server that was away.
#[derive(Default)]
pub(super) struct Patience(DefaultBackoff);

impl Iterator for Patience {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next().map(|wait| wait / 4)
    }
}

impl Backoff for Patience {
    fn reset(&mut self) {
        self.0.reset();
    }
}

/// Where watches tell their news.
pub type Ear = Sender<(Source, News)>;

/// How new a first list is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// Nothing that was written before is missing. The API server may have to wait for that, up to 100 ms.
    New,
    /// As old as the API server's memory: what is missing follows at once.
    Any,
}

/// Watches all objects of a kind; `fields`: only those that a field selector chooses. Told is what passes the sieve.
#[must_use]
pub fn kind(
    client: &Client,
    kind: Kind,
    (fields, age): (Option<&str>, Age),
    sieve: Option<Sieve>,
    (source, ear): (Source, &Ear),
) -> JoinHandle<()> {
    macro_rules! watch {
        ($($kind:ident)+) => {
            match kind {
                $(Kind::$kind => {
                    let wrap = |o| Thing::Object(Object::$kind(o));
                    start::<$kind>(client, Some(Kind::$kind), wrap, (fields, age), sieve, (source, ear))
                })+
            }
        };
    }
    watch!(Network Subnet Port Router FloatingIP SecurityGroup PhysicalNetwork ReferenceGrant Agent)
}

/// Watches all locks.
#[must_use]
pub fn allocations(client: &Client, source: Source, ear: &Ear) -> JoinHandle<()> {
    start::<Allocation>(client, None, Thing::Allocation, (None, Age::New), None, (source, ear))
}

/// What the watch of heartbeats tells.
#[derive(Clone, Debug)]
pub enum Pulse {
    /// A Lease is new, or has changed.
    Beat(Beat),
    /// The server was not heard for a while: so were they.
    Blind,
}

/// Watches the heartbeats of all agents.
#[must_use]
pub fn beats(client: &Client, tell: Sender<Pulse>) -> JoinHandle<()> {
    let api: Api<Lease> = Api::namespaced(client.clone(), AGENTS);
    tokio::spawn(async move {
        let mut stream = std::pin::pin!(watcher(api, watcher::Config::default()).backoff(Patience::default()));
        while let Some(event) = stream.next().await {
            let pulse = match event {
                Ok(Event::Apply(lease) | Event::InitApply(lease)) => Beat::of(&lease).map(Pulse::Beat),
                Ok(Event::Init) | Err(_) => Some(Pulse::Blind),
                // Who deletes a Lease ends no node: the next heartbeat makes it again, or does not come.
                Ok(Event::Delete(_) | Event::InitDone) => None,
            };
            if let Some(pulse) = pulse
                && tell.send(pulse).await.is_err()
            {
                return;
            }
        }
    })
}

/// A node as Kubernetes knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether somebody declared it out of service (`node.kubernetes.io/out-of-service`): nothing runs there any more.
    pub out_of_service: bool,
}

/// What the watch of Kubernetes' nodes tells.
#[derive(Clone, Debug)]
pub enum MachineNews {
    /// A node is new, or has changed.
    Is(Arc<str>, Machine),
    /// A node is gone.
    Gone(Arc<str>),
    /// All that are there have been told: any other is gone.
    Whole,
}

/// Watches Kubernetes' nodes; `only`: the one of this name.
#[must_use]
pub fn machines(client: &Client, only: Option<&str>, tell: Sender<MachineNews>) -> JoinHandle<()> {
    let api: Api<Node> = Api::all(client.clone());
    let mut config = watcher::Config::default();
    if let Some(name) = only {
        config = config.fields(&format!("metadata.name={name}"));
    }
    tokio::spawn(async move {
        let mut stream = std::pin::pin!(watcher(api, config).backoff(Patience::default()));
        let (mut known, mut listed) = (BTreeSet::new(), BTreeSet::new());
        while let Some(event) = stream.next().await {
            let news = match event {
                Ok(Event::Init) => {
                    listed.clear();
                    continue;
                }
                Ok(Event::Apply(node) | Event::InitApply(node)) => {
                    let name: Arc<str> = node.name_any().into();
                    known.insert(name.clone());
                    listed.insert(name.clone());
                    vec![MachineNews::Is(name, machine(&node))]
                }
                Ok(Event::Delete(node)) => {
                    known.remove(&*node.name_any());
                    vec![MachineNews::Gone(node.name_any().into())]
                }
                // Also what has gone while nobody looked.
                Ok(Event::InitDone) => {
                    let gone = known.difference(&listed).cloned().map(MachineNews::Gone);
                    let news = gone.chain([MachineNews::Whole]).collect();
                    known.clone_from(&listed);
                    news
                }
                Err(_) => continue,
            };
            for news in news {
                if tell.send(news).await.is_err() {
                    return;
                }
            }
        }
    })
}

fn machine(node: &Node) -> Machine {
    Machine { labels: node.metadata.labels.clone().unwrap_or_default(), out_of_service: is_down(node) }
}

/// Whether somebody declared a node out of service.
#[must_use]
pub fn is_down(node: &Node) -> bool {
    let mut taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    taints.any(|taint| taint.key == OUT_OF_SERVICE)
}

/// The taint by which a person says that a node is down for good.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

fn start<K>(
    client: &Client,
    kind: Option<Kind>,
    wrap: fn(Arc<K>) -> Thing,
    (fields, age): (Option<&str>, Age),
    mut sieve: Option<Sieve>,
    (source, ear): (Source, &Ear),
) -> JoinHandle<()>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    // An object that cannot be read is left out, and does not hide the others.
    let api: Api<Guarded<K>> = Api::all(client.clone());
    let mut config = watcher::Config::default().page_size(page(kind));
    if let Some(fields) = fields {
        config = config.fields(fields);
    }
    if age == Age::Any {
        config = config.any_semantic();
    }
    let ear = ear.clone();
    tokio::spawn(async move {
        let mut stream = std::pin::pin!(watcher(api, config).backoff(Patience::default()));
        while let Some(event) = stream.next().await {
            let news = match event {
                Ok(event) if sieve.as_mut().is_some_and(|sieve| !sieve.passes(&event)) => continue,
                Ok(event) => read(event, kind, wrap),
                Err(error) => {
                    warn!(kind = %K::kind(&()), %error, "the API server does not answer a watch: it is tried again");
                    continue;
                }
            };
            if let Some(news) = news
                && ear.send((source, news)).await.is_err()
            {
                debug!(kind = %K::kind(&()), "nobody listens any more");
                return;
            }
        }
    })
}

/// How many objects are asked for at once. A page is taken in as a whole, with the server's bookkeeping, which is three times the
/// object, and copied twice: what was needed for that once is not all given back. Of ports and locks there are so many that time
/// matters more.
fn page(kind: Option<Kind>) -> u32 {
    if matches!(kind, None | Some(Kind::Port)) { 500 } else { 50 }
}

fn read<K>(event: Event<Guarded<K>>, kind: Option<Kind>, wrap: fn(Arc<K>) -> Thing) -> Option<News>
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    let open = |guard: Guarded<K>, news: fn(Thing) -> News| match guard.open() {
        Ok(object) => Some(news(thing(object, wrap))),
        Err(error) => {
            let name = Name::of(kind, guard.meta())?;
            warn!(?name, error, "an object cannot be read: what is known of it stays");
            Some(News::Unreadable(name))
        }
    };
    match event {
        Event::Init => Some(News::Listing),
        Event::InitDone => Some(News::Whole),
        Event::InitApply(object) => open(object, News::Listed),
        Event::Apply(object) => open(object, News::Put),
        Event::Delete(object) => Name::of(kind, object.meta()).map(News::Gone),
    }
}
