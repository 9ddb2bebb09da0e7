//! A router moves to this node, or away from it, while both agents live: what each does, and when.
//!
//! Steps and words are in the API (`model/link/handover.rs`), so that an agent that starts anew goes on where it was. What
//! two agents tell each other directly are the connections, and that the former has let go of the addresses: nobody takes an
//! address before that. If nothing is heard of the former, its node is asked as that of any silent agent: while its kernel
//! answers it also forwards, and this node sends on to it what comes.

pub mod ask;
pub mod tell;

use std::collections::BTreeMap;
use std::net::IpAddr;

use tracing::{info, warn};

use super::api::Order;
use super::world::World;
use crate::agent::node::Node as Hands;
use crate::api::{Router, RouterStatus};
use crate::cluster::write::Write;
use crate::model::agent::is_silent;
use crate::model::view::{Part, RouterView, Takeover, Takeovers};
use crate::model::{Id, Key, Kind, Uid};
use tell::{Share, Shares};

/// What a node wants of the gateway node that it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The connections as they are, to be ready.
    Prepare,
    /// The connections once it has let go of the addresses.
    Take,
    /// Of a port: the flows once it has let go.
    Switch,
}

/// Routers that are about to come here.
#[derive(Debug, Default)]
pub struct Handovers {
    coming: BTreeMap<Key, Coming>,
    shares: Shares,
}

#[derive(Debug)]
struct Coming {
    from: String,
    moment: Moment,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The other was asked.
    Asked,
    /// The other has answered, or never will.
    Answered,
    /// All is here.
    Taken,
}

/// Who a router comes from, and what is wanted of it now.
fn comes<'a>(status: &'a RouterStatus, me: &str) -> Option<(&'a str, Moment)> {
    let gateway = status.gateway_node.as_deref();
    if gateway == Some(me) {
        // The word is taken back when all is done.
        let former = status.former_gateway_node.as_deref().filter(|_| status.prepared_node.as_deref() == Some(me));
        return former.map(|former| (former, Moment::Take));
    }
    gateway.filter(|_| status.next_gateway_node.as_deref() == Some(me)).map(|gateway| (gateway, Moment::Prepare))
}

/// Whom a router goes to, and whether this node has let go of it.
fn goes<'a>(status: &'a RouterStatus, me: &str) -> Option<(&'a str, bool)> {
    let gateway = status.gateway_node.as_deref();
    if gateway == Some(me) {
        return status.next_gateway_node.as_deref().map(|next| (next, false));
    }
    gateway.filter(|_| status.former_gateway_node.as_deref() == Some(me)).map(|gateway| (gateway, true))
}

/// Whether a node has to do with what a router translates.
pub(super) fn concerns(status: &RouterStatus, me: &str) -> bool {
    [&status.gateway_node, &status.next_gateway_node, &status.former_gateway_node]
        .iter()
        .any(|n| n.as_deref() == Some(me))
}

fn router_id(key: &Key) -> Id {
    Id::new(Kind::Router, key.clone())
}

fn uid(router: &Router) -> Uid {
    Uid::parse(router.metadata.uid.as_deref().unwrap_or_default())
}

impl<N: Hands> World<N> {
    /// Routers that are not wholly here yet. Asks former gateway nodes to let go.
    pub(super) fn takeovers(&mut self) -> Takeovers {
        let (snapshot, me) = (self.mirror.snapshot(), &*self.myself.node);
        let comes = |key: &Key| comes(snapshot.routers.get(key)?.status.as_ref()?, me);
        self.handovers.coming.retain(|key, coming| comes(key) == Some((&*coming.from, coming.moment)));
        let mut takeovers = Takeovers::new();
        for (key, router) in &snapshot.routers {
            let Some((from, Moment::Take)) = comes(key) else { continue };
            let peer = self.tunnel_of(from);
            let known = self.handovers.coming.get(key).map(|coming| coming.state);
            let state = known.unwrap_or_else(|| {
                self.orders.extend(peer.map(|peer| Order::Fetch(router_id(key), uid(router), peer, Moment::Take)));
                State::Asked
            });
            // Who is gone, and who is dead, lets go of nothing.
            let dead = peer.is_none()
                || self.probed.get(&Key::new("", from)).is_some_and(|(_, answers)| *answers == Some(false));
            let state = if state == State::Asked && dead { State::Answered } else { state };
            let coming = Coming { from: from.into(), moment: Moment::Take, state };
            self.handovers.coming.insert(key.clone(), coming);
            match state {
                State::Asked => _ = takeovers.insert(key.clone(), Takeover::Waits),
                State::Answered => _ = takeovers.insert(key.clone(), Takeover::Takes),
                State::Taken => {}
            }
        }
        // What was translated here until now.
        let former = |view: &RouterView| view.external.as_ref().is_some_and(|external| external.part == Part::Former);
        let left = self.view.routers.iter().filter(|(_, view)| former(view)).map(|(key, _)| key);
        let left = left.filter(|key| {
            let status = snapshot.routers.get(*key).and_then(|router| router.status.as_ref());
            status.is_some_and(|status| !concerns(status, me))
        });
        takeovers.extend(left.map(|key| (key.clone(), Takeover::Leaves)));
        takeovers
    }

    /// What was done is the first half: the addresses of these routers are here now, and all else may follow; nothing more is
    /// translated here of those, and all may go. Whether there is any such.
    pub(super) fn half_done(&mut self) -> bool {
        let mut any = false;
        for (key, takeover) in self.takeovers.extract_if(.., |_, takeover| *takeover != Takeover::Waits) {
            any = true;
            if takeover == Takeover::Takes {
                info!(object = %Id::new(Kind::Router, key.clone()), "taken over");
                if let Some(coming) = self.handovers.coming.get_mut(&key) {
                    coming.state = State::Taken;
                }
            }
        }
        any
    }

    /// A node that was asked for its connections has answered, or will not. Whether that changes anything.
    pub(super) fn answered(&mut self, key: &Key, peer: IpAddr, moment: Moment, answer: Result<usize, String>) -> bool {
        let snapshot = self.mirror.snapshot();
        let agent = |name: &str| snapshot.agents.get(&Key::new("", name));
        let Some(coming) = self.handovers.coming.get_mut(key).filter(|c| c.moment == moment && c.state == State::Asked)
        else {
            return false;
        };
        let id = Id::new(Kind::Router, key.clone());
        match answer {
            Ok(count) => info!(object = %id, from = coming.from, ?moment, connections = count, "connections copied"),
            // It may forward still: it is asked again, until it lets go or is seen to be dead.
            Err(why) if moment == Moment::Take && agent(&coming.from).is_some_and(|agent| is_silent(agent)) => {
                warn!(object = %id, from = coming.from, "the former gateway node is silent: {why}");
                if let Some(router) = snapshot.routers.get(key) {
                    self.orders.push(Order::Fetch(router_id(key), uid(router), peer, moment));
                }
                return false;
            }
            // Its agent lives, so it has let go long ago: it was asked for seconds.
            Err(why) => warn!(object = %id, from = coming.from, ?moment, "connections are not copied: {why}"),
        }
        coming.state = State::Answered;
        true
    }

    pub(super) fn tunnel_of(&self, node: &str) -> Option<IpAddr> {
        self.mirror.snapshot().agents.get(&Key::new("", node))?.status.as_ref()?.tunnel_address
    }

    /// After a convergence: asks for the connections of routers that are to come, says that this node is ready, or is no more,
    /// and tells others which connections they may have.
    pub(super) fn hand_over(&mut self) {
        let (snapshot, me) = (self.mirror.snapshot(), self.myself.node.clone());
        let (mut shares, mut words) = (Shares::new(), Vec::new());
        for (key, router) in &snapshot.routers {
            let Some(status) = &router.status else { continue };
            let fine = !self.report.faults.contains_key(&Id::new(Kind::Router, key.clone()));
            if let Some((to, let_go)) = goes(status, &me).filter(|_| fine)
                && let Some(peer) = self.tunnel_of(to)
            {
                shares.insert(uid(router), Share { peer, let_go, kind: Kind::Router });
            }
            let mut ready = false;
            if let Some((from, Moment::Prepare)) = comes(status, &me) {
                let known = self.handovers.coming.get(key).map(|coming| coming.state);
                ready = known == Some(State::Answered);
                if known.is_none() && fine {
                    let peer = self.tunnel_of(from);
                    // Without an outside nothing is translated.
                    let outside = self.view.routers.get(key).is_some_and(|view| view.external.is_some());
                    let order =
                        peer.filter(|_| outside).map(|p| Order::Fetch(router_id(key), uid(router), p, Moment::Prepare));
                    let state = if order.is_some() { State::Asked } else { State::Answered };
                    self.orders.extend(order);
                    let coming = Coming { from: from.into(), moment: Moment::Prepare, state };
                    self.handovers.coming.insert(key.clone(), coming);
                    ready = state == State::Answered;
                }
            }
            let said = status.prepared_node.as_deref() == Some(&*me);
            // What was said stands while it is next, and until all is here.
            let keeps = comes(status, &me).is_some_and(|(_, moment)| moment == Moment::Prepare)
                || self.takeovers.contains_key(key);
            let word = if ready && !said { Some(Some(me.clone())) } else { (said && !keeps).then_some(None) };
            words.extend(word.map(|word| {
                let id = Id::new(Kind::Router, key.clone());
                Write::Prepared(id, word, router.metadata.resource_version.clone())
            }));
            if said && !keeps {
                self.orders.push(Order::Settle(uid(router)));
            }
        }
        self.share_ports(&mut shares);
        for word in words {
            self.say_prepared(word);
        }
        if shares != self.handovers.shares {
            self.orders.push(Order::Share(shares.clone()));
            self.handovers.shares = shares;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn status(text: &str) -> RouterStatus {
        let mut names = text.split(' ').map(|name| (name != "-").then(|| name.to_owned()));
        let mut next = || names.next().unwrap();
        RouterStatus {
            gateway_node: next(),
            next_gateway_node: next(),
            former_gateway_node: next(),
            prepared_node: next(),
            ..RouterStatus::default()
        }
    }

    #[test]
    fn each_node_knows_its_part_from_what_is_recorded() {
        for (recorded, me, coming, going) in [
            ("a - - -", "a", None, None),
            ("a b - -", "a", None, Some(("b", false))),
            ("a b - -", "b", Some(("a", Moment::Prepare)), None),
            ("a b - b", "b", Some(("a", Moment::Prepare)), None),
            ("b - a b", "b", Some(("a", Moment::Take)), None),
            ("b - a b", "a", None, Some(("b", true))),
            ("b - a -", "b", None, None),
            ("b - a -", "a", None, Some(("b", true))),
            ("b - - -", "a", None, None),
            ("a b - -", "c", None, None),
        ] {
            let status = status(recorded);
            assert_eq!((comes(&status, me), goes(&status, me)), (coming, going), "{me} of {recorded}");
        }
    }
}
