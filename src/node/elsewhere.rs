//! A port of another node that comes, goes or changes: of all that this node holds it is a station, a neighbour, a member of a
//! group, or nothing. So what it is here is all that is looked at.

use std::collections::BTreeSet;
use std::time::Instant;

use super::world::World;
use crate::agent::Outcome;
use crate::agent::node::Node as Hands;
use crate::model::moved::Moved;
use crate::model::{Key, Linker, Role, Topology};

/// What since the last walk may have become different.
#[derive(Debug)]
pub struct Since {
    /// Rules of security groups.
    pub ruled: bool,
    /// These ports.
    pub elsewhere: BTreeSet<Key>,
    /// Anything else; or the walk left something undone.
    pub strayed: bool,
}

impl Default for Since {
    /// Before the first walk.
    fn default() -> Self {
        Self { ruled: false, elsewhere: BTreeSet::new(), strayed: true }
    }
}

/// Of more ports at once all that this node has is looked at.
const FEW: usize = 64;

impl<N: Hands> World<N> {
    /// Brings into force what is new since the last walk, if it is about ports of other nodes alone, or about rules alone. Whether
    /// it was; if not, the node is to converge.
    pub fn hurry(&mut self) -> bool {
        if std::mem::replace(&mut self.since.strayed, true) || !self.report.faults.is_empty() {
            return false;
        }
        let done = match (self.since.ruled, self.since.elsewhere.len()) {
            (false, 0..=FEW) => self.follow_others(),
            (true, 0) => self.regroup(),
            _ => false,
        };
        self.since.strayed = !done;
        done
    }

    /// Follows ports of other nodes.
    fn follow_others(&mut self) -> bool {
        let (start, mut moved) = (Instant::now(), Moved::default());
        for key in std::mem::take(&mut self.since.elsewhere) {
            if !self.is_of_others(&key) || !self.mend(&key, &mut moved) {
                return false;
            }
        }
        debug_assert!(self.topology.is_like(&self.linked()), "a port was taken in otherwise than it is linked");
        debug_assert_eq!(self.view, self.linked().view(self.eye()), "a port was mended otherwise than it is cut");
        if moved.is_empty() {
            return true;
        }
        let Some(changes) = self.node.follow(&self.view, &moved) else { return false };
        self.figures.converged(start.elapsed(), &Outcome { changes, ..Outcome::default() });
        tracing::debug!(changes, us = start.elapsed().as_micros(), "followed other nodes");
        true
    }

    /// Whether a port has nothing to do with this node, as far as it was looked at.
    fn is_of_others(&self, key: &Key) -> bool {
        let ours = [&self.awaited, &self.fresh, &self.unwired, self.migrations.left()];
        !(self.node.attachments().contains_key(key)
            || ours.iter().any(|ports| ports.contains(key))
            || self.claims.knows(key)
            || self.topology.is_on(&self.myself.node, key))
    }

    /// Takes one of these, as it is now, into the topology and the view. Whether that could be done.
    fn mend(&mut self, key: &Key, moved: &mut Moved) -> bool {
        let before = self.topology.trace(key);
        if !self.linker.take_in(self.mirror.snapshot(), &mut self.topology, key) {
            // Nobody is to go by what is left of it.
            self.relink();
            return false;
        }
        let after = self.topology.trace(key);
        let (me, traces) = (&*self.myself.node, (before.as_ref(), after.as_ref()));
        !self.topology.is_on(me, key) && self.topology.mend(me, key, traces, &mut self.view, moved)
    }

    /// What a walk would come to.
    fn linked(&self) -> Topology {
        Linker::new(Role::Node).link(self.mirror.snapshot()).0
    }
}
