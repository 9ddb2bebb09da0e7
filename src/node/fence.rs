//! A node that is cut off from everybody gives up the outside: another may have taken over by then, and two that answer for one
//! address are worse than none.
//!
//! Others take a gateway over once its heartbeat is overdue and its tunnel address does not answer them. This is the same seen
//! from the inside: the server does not take the heartbeat, and no other node answers. While only the API server is away, the
//! others answer, and nothing changes. Only addresses on external networks go; what is translated stays, so that flows go on
//! if the node was not followed after all. It answers for them again once the server has said anew what is its to do.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Instant;

use tracing::{info, warn};

use super::api::Order;
use super::world::{BEAT, World};
use crate::agent::node::Node as Hands;
use crate::api::{Agent, AgentStatus};
use crate::cluster::mirror::Source;
use crate::model::agent::is_silent;
use crate::model::{Key, NodeView};

/// So many others are asked: one that answers is enough.
const PEERS: usize = 16;

/// Whether the node is cut off.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Fence {
    /// The server takes its heartbeat.
    #[default]
    Heard,
    /// The server does not; others are asked whether they are there, and again then.
    Unheard(Option<Instant>),
    /// Nobody is there.
    Cut,
    /// The server is there again; these watches have not said anew what there is.
    Back(BTreeSet<Source>),
}

impl Fence {
    /// Whether the outside is given up.
    pub fn is_shut(&self) -> bool {
        matches!(self, Self::Cut | Self::Back(_))
    }

    /// When others are to be asked again.
    pub fn deadline(&self) -> Option<Instant> {
        if let Self::Unheard(again) = self { *again } else { None }
    }

    /// Others have answered, or none; whether that changes anything.
    fn peers(&mut self, any: bool, now: Instant) -> bool {
        match self {
            Self::Unheard(again) if any => *again = Some(now + BEAT.0),
            Self::Unheard(_) => *self = Self::Cut,
            _ => return false,
        }
        self.is_shut()
    }

    /// A watch has said all that there is; whether that changes anything.
    fn told(&mut self, source: Source) -> bool {
        let Self::Back(missing) = self else { return false };
        missing.remove(&source);
        let all = missing.is_empty();
        if all {
            *self = Self::Heard;
        }
        all
    }
}

/// Whether this node answers for addresses that others could have.
fn is_outside(view: &NodeView) -> bool {
    view.routers.values().filter_map(|router| router.external.as_ref()).any(|external| {
        let homes = external.floating.values().any(|floating| floating.answers);
        homes || external.part.has_addresses()
    })
}

impl<N: Hands> World<N> {
    /// Whether the server takes this node's heartbeat; whether to converge.
    pub(super) fn heartbeat(&mut self, heard: bool) -> bool {
        match (&self.fence, heard) {
            (Fence::Heard, false) => self.ask_peers(),
            (Fence::Back(_), false) => self.fence = Fence::Cut,
            (Fence::Unheard(_), true) => self.fence = Fence::Heard,
            (Fence::Cut, true) => {
                info!("heard again: what this node is to do is read anew");
                self.fence = Fence::Back(self.watches.all_again(&mut self.orders));
            }
            _ => {}
        }
        false
    }

    /// Asks others whether they are there, if any of them could take over from here.
    fn ask_peers(&mut self) {
        let agents = &self.mirror.snapshot().agents;
        let me = Key::new("", &self.myself.node);
        let wires = |agent: &Agent| agent.status.as_ref().map(|status: &AgentStatus| status.physical_networks.clone());
        let mine = agents.get(&me).and_then(|agent| wires(agent)).unwrap_or_default();
        let rival = |agent: &Agent| {
            !is_silent(agent) && wires(agent).is_some_and(|wires| wires.iter().any(|wire| mine.contains(wire)))
        };
        let others: Vec<&Agent> = agents.iter().filter(|(key, _)| **key != me).map(|(_, agent)| &**agent).collect();
        if !is_outside(&self.view) || !others.iter().any(|agent| rival(agent)) {
            // It is asked again whether that is still so.
            self.fence = Fence::Unheard(Some(Instant::now() + BEAT.0));
            return;
        }
        let (first, then): (Vec<&Agent>, Vec<&Agent>) = others.into_iter().partition(|agent| rival(agent));
        let tunnels = first.into_iter().chain(then).filter_map(|agent| agent.status.as_ref()?.tunnel_address);
        self.orders.push(Order::Peers(tunnels.take(PEERS).collect::<Vec<IpAddr>>()));
        self.fence = Fence::Unheard(None);
    }

    /// Asks others again when that is due.
    pub(super) fn look_out(&mut self) {
        if self.fence.deadline().is_some_and(|at| at <= Instant::now()) {
            self.ask_peers();
        }
    }

    /// Others have answered, or none; whether to converge.
    pub(super) fn peers(&mut self, any: bool) -> bool {
        let cut = self.fence.peers(any, Instant::now());
        if cut {
            warn!("this node is cut off from all others: it answers for no address outside until it is heard again");
        }
        cut
    }

    /// A watch has said all that there is; whether to converge.
    pub(super) fn read_anew(&mut self, source: Source) -> bool {
        let open = self.fence.told(source);
        if open {
            info!("this node is no longer cut off");
        }
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_not_heard_and_reaches_nobody_is_cut_off() {
        let now = Instant::now();
        let mut fence = Fence::default();
        assert!(!fence.peers(false, now) && !fence.is_shut(), "an answer that comes too late");
        fence = Fence::Unheard(None);
        assert!(!fence.peers(true, now) && fence.deadline() == Some(now + BEAT.0), "the API server alone is away");
        assert!(fence.peers(false, now) && fence.is_shut());
        assert!(!fence.peers(true, now) && fence.is_shut(), "others alone do not say what is its to do");
    }

    #[test]
    fn what_it_is_to_do_is_read_anew_before_it_does_it() {
        let mut fence = Fence::Back([1, 2].into());
        assert!(!fence.told(3) && !fence.told(1) && fence.is_shut());
        assert!(fence.told(2) && !fence.is_shut());
        assert!(!fence.told(2), "once");
    }
}
