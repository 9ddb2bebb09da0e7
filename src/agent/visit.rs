//! One request that waits at the desk: a guest for one port, or a pod for several, which it gets all or none of.

use std::time::{Duration, Instant};

use super::plugs::{Plug, Ports, Wanted};
use super::protocol::{Answer, Plugged};
use super::server::ClientId;
use crate::dataplane::attachment::Sandbox;
use crate::model::Key;

/// The longest that a client waits.
const DAY: u64 = 86_400_000;

/// One request that waits.
#[derive(Debug)]
pub struct Visit {
    /// Who asked.
    pub client: ClientId,
    /// Since when it waits.
    pub since: Instant,
    plugs: Vec<Plug>,
    /// Whether it is a pod's: the answer is of all ports.
    pod: bool,
}

impl Visit {
    /// A request that nothing was done for yet. It waits for `timeout_ms` milliseconds, at most a day.
    pub fn new(
        client: ClientId,
        wanted: impl IntoIterator<Item = Wanted>,
        pod: bool,
        now: Instant,
        timeout_ms: u64,
    ) -> Self {
        let patience = Duration::from_millis(timeout_ms.min(DAY));
        let plugs = wanted.into_iter().map(|wanted| Plug::new(wanted, now, patience)).collect();
        Self { client, since: now, plugs, pod }
    }

    /// Ports that it waits for.
    pub fn ports(&self) -> impl Iterator<Item = &Key> {
        self.plugs.iter().map(|plug| &plug.wanted.port)
    }

    /// Whether it is over because a port was taken away from here. A pod that is not plugged yet waits on: what was taken away
    /// was another's.
    pub fn loses(&self, port: &Key) -> bool {
        self.plugs.iter().any(|plug| plug.wanted.port == *port && (plug.wanted.pod.is_none() || plug.is_ours()))
    }

    /// Whether it is for a pod that `of` says yes to.
    pub fn is_for(&self, of: impl Fn(&Sandbox) -> bool) -> bool {
        self.plugs.iter().any(|plug| plug.wanted.pod.as_ref().is_some_and(&of))
    }

    /// When the client is to be told something, whatever happens. `grace`: as [`Ports::grace`] says.
    pub fn due(&self, grace: Duration) -> Option<Instant> {
        self.plugs.iter().map(|plug| plug.due(grace)).min()
    }

    /// Plugs what can be plugged. `Ok(true)`: the node is to converge.
    ///
    /// # Errors
    /// Why it can never be plugged.
    pub fn attach(&mut self, world: &mut impl Ports) -> Result<bool, String> {
        self.plugs.iter_mut().try_fold(false, |dirty, plug| Ok(plug.attach(world)? || dirty))
    }

    /// What there is to tell the client, after a convergence.
    pub fn answer(&mut self, world: &impl Ports, now: Instant) -> Option<Answer> {
        let (mut all, mut news): (Vec<Plugged>, Option<Answer>) = (Vec::new(), None);
        for plug in &mut self.plugs {
            match plug.answer(world, now) {
                Some(Answer::Plugged(plugged)) => all.push(plugged),
                Some(failed @ Answer::Failed(_)) => return Some(failed),
                other => news = other.or(news),
            }
        }
        if all.len() < self.plugs.len() {
            return news;
        }
        if self.pod { Some(Answer::Pod(all)) } else { all.pop().map(Answer::Plugged) }
    }

    /// Undoes what the request did, because it failed or its client is gone. Whether the node is to converge.
    pub fn give_up(&self, world: &mut impl Ports) -> bool {
        self.plugs.iter().map(|plug| plug.give_up(world)).filter(|undone| *undone).count() > 0
    }
}
