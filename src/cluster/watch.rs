//! Watches: one task each, from the API server into a channel.

use std::fmt::Debug;
use std::sync::Arc;

use futures::StreamExt as _;
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;
use tracing::{debug, warn};

use super::mirror::{News, Source, Thing, thing};
use crate::api::{Agent, Allocation, FloatingIP, Network, PhysicalNetwork, Port, ReferenceGrant, Router, Subnet};
use crate::model::Kind;
use crate::model::object::Object;

/// So many items wait at most; then the watch waits, and the API server with it.
pub const BACKLOG: usize = 4096;

/// Where watches tell their news.
pub type Ear = Sender<(Source, News)>;

/// Watches all objects of a kind; `fields`: only those that a field selector chooses.
#[must_use]
pub fn kind(client: &Client, kind: Kind, fields: Option<&str>, source: Source, ear: &Ear) -> JoinHandle<()> {
    macro_rules! watch {
        ($($kind:ident)+) => {
            match kind {
                $(Kind::$kind => start::<$kind>(client, |o| Thing::Object(Object::$kind(o)), fields, source, ear),)+
            }
        };
    }
    watch!(Network Subnet Port Router FloatingIP PhysicalNetwork ReferenceGrant Agent)
}

/// Watches all locks.
#[must_use]
pub fn allocations(client: &Client, source: Source, ear: &Ear) -> JoinHandle<()> {
    start::<Allocation>(client, Thing::Allocation, None, source, ear)
}

fn start<K>(
    client: &Client,
    wrap: fn(Arc<K>) -> Thing,
    fields: Option<&str>,
    source: Source,
    ear: &Ear,
) -> JoinHandle<()>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    // An object that cannot be read is left out, and does not hide the others.
    let api: Api<DeserializeGuard<K>> = Api::all(client.clone());
    let mut config = watcher::Config::default();
    if let Some(fields) = fields {
        config = config.fields(fields);
    }
    let ear = ear.clone();
    tokio::spawn(async move {
        let mut stream = std::pin::pin!(watcher(api, config).default_backoff());
        while let Some(event) = stream.next().await {
            let news = match event {
                Ok(event) => read(event, wrap),
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

fn read<K>(event: Event<DeserializeGuard<K>>, wrap: fn(Arc<K>) -> Thing) -> Option<News>
where
    K: Resource<DynamicType = ()>,
{
    let open = |guard: DeserializeGuard<K>| {
        let name = guard.name_any();
        match guard.0 {
            Ok(object) => Some(thing(object, wrap)),
            Err(error) => {
                warn!(kind = %K::kind(&()), name, %error, "an object cannot be read and is left out");
                None
            }
        }
    };
    match event {
        Event::Init => Some(News::Listing),
        Event::InitDone => Some(News::Whole),
        Event::InitApply(object) => open(object).map(News::Listed),
        Event::Apply(object) => open(object).map(News::Put),
        Event::Delete(object) => open(object).map(News::Gone),
    }
}
