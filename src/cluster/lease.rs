//! Leases by compare-and-swap: who leads, and who is alive.
//!
//! A Lease's own times are never believed: clocks differ. It has expired when *we* have not seen it change for as long as it
//! promises to (client-go's rule). Every write names the version it was read from, so of two who try at once one fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};

/// One heartbeat of a node, as its Lease shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// The node.
    pub node: Arc<str>,
    /// Version of the Lease.
    pub version: String,
    /// For how long it promises that the next one follows.
    pub term: Duration,
}

impl Beat {
    /// Reads a Lease, which is named after its node.
    #[must_use]
    pub fn of(lease: &Lease) -> Option<Self> {
        let seconds = lease.spec.as_ref().and_then(|s| s.lease_duration_seconds).and_then(|s| u64::try_from(s).ok());
        Some(Self {
            node: lease.metadata.name.as_deref()?.into(),
            version: lease.metadata.resource_version.clone().unwrap_or_default(),
            term: Duration::from_secs(seconds.unwrap_or_default()),
        })
    }
}

/// Follows one Lease and takes it when it is free.
#[derive(Debug)]
pub struct Elector {
    api: Api<Lease>,
    name: String,
    holder: String,
    term: Duration,
    seen: Option<(Option<String>, Instant)>,
}

/// What a try says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// We hold it, until then if it is not renewed.
    Held(Instant),
    /// Somebody else does.
    Others,
}

impl Elector {
    /// For the Lease `name` in `namespace`, as `holder`, which must be nobody else's name. It lasts `term`.
    #[must_use]
    pub fn new(client: &Client, namespace: &str, name: &str, holder: &str, term: Duration) -> Self {
        let api = Api::namespaced(client.clone(), namespace);
        Self { api, name: name.into(), holder: holder.into(), term, seen: None }
    }

    /// Takes or renews the Lease if that is possible.
    ///
    /// # Errors
    /// The API server's; who leads is then as it was until the term runs out.
    pub async fn attempt(&mut self) -> Result<Standing, kube::Error> {
        // What we promise counts from before the question: the answer may take long.
        let asked = Instant::now();
        let Some(mut lease) = self.api.get_opt(&self.name).await? else {
            return self.put(asked, None).await;
        };
        let version = lease.metadata.resource_version.clone();
        let spec = lease.spec.take().unwrap_or_default();
        if self.seen.as_ref().is_none_or(|(seen, _)| *seen != version) {
            self.seen = Some((version, asked));
        }
        let ours = spec.holder_identity.as_deref() == Some(&self.holder);
        let promised = spec.lease_duration_seconds.and_then(|s| u64::try_from(s).ok()).map(Duration::from_secs);
        let silent = self.seen.as_ref().map_or(Duration::ZERO, |(_, since)| since.elapsed());
        let free = spec.holder_identity.as_deref().is_none_or(str::is_empty) || silent > promised.unwrap_or(self.term);
        if !ours && !free {
            return Ok(Standing::Others);
        }
        lease.spec = Some(spec);
        self.put(asked, Some(lease)).await
    }

    /// Lets go of the Lease if we hold it, so that nobody has to wait until it has run out (client-go's `ReleaseOnCancel`).
    ///
    /// # Errors
    /// The API server's; the Lease then runs out.
    pub async fn release(&mut self) -> Result<(), kube::Error> {
        loop {
            let Some(mut lease) = self.api.get_opt(&self.name).await? else { return Ok(()) };
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() != Some(&self.holder) {
                return Ok(());
            }
            spec.holder_identity = Some(String::new());
            match self.api.replace(&self.name, &PostParams::default(), &lease).await {
                // Our own last try has landed meanwhile, or somebody else's.
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                answer => return answer.map(drop),
            }
        }
    }

    async fn put(&mut self, asked: Instant, before: Option<Lease>) -> Result<Standing, kube::Error> {
        let old = before.as_ref().and_then(|l| l.spec.clone()).unwrap_or_default();
        let taken_over = old.holder_identity.as_deref() != Some(&self.holder);
        let now = MicroTime(Timestamp::now());
        let spec = LeaseSpec {
            holder_identity: Some(self.holder.clone()),
            lease_duration_seconds: i32::try_from(self.term.as_secs()).ok(),
            acquire_time: if taken_over { Some(now.clone()) } else { old.acquire_time },
            renew_time: Some(now),
            lease_transitions: Some(old.lease_transitions.unwrap_or(0) + i32::from(taken_over)),
            ..LeaseSpec::default()
        };
        let params = PostParams::default();
        let answer = if let Some(lease) = before {
            let lease = Lease { spec: Some(spec), ..lease };
            self.api.replace(&self.name, &params, &lease).await
        } else {
            let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
            self.api.create(&params, &Lease { metadata, spec: Some(spec) }).await
        };
        match answer {
            Ok(lease) => {
                self.seen = Some((lease.metadata.resource_version, asked));
                Ok(Standing::Held(asked + self.term))
            }
            // Somebody was first.
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(Standing::Others),
            Err(error) => Err(error),
        }
    }
}
