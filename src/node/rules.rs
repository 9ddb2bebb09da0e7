//! A rule that comes or goes concerns every port of its group, and changes nothing about any of them: it is a few words in a
//! table of the node. So it is brought into force without looking at ports, links and statuses.

use std::time::Instant;

use super::world::World;
use crate::agent::Outcome;
use crate::agent::node::Node as Hands;
use crate::model::Topology;

impl<N: Hands> World<N> {
    /// Brings into force what is new since the last walk, if that is nothing but rules. Whether it was; if not, the node is to
    /// converge.
    pub fn regroup(&mut self) -> bool {
        if std::mem::replace(&mut self.strayed, true) {
            return false;
        }
        let start = Instant::now();
        let before = self.topology.take_groups();
        // It goes first, so that the linker need not copy what it shares with it.
        self.topology = Topology::default();
        (self.topology, _) = self.linker.link(self.mirror.snapshot());
        if !self.topology.differs_by_rules(&before) {
            return false;
        }
        let mut view = std::mem::take(&mut self.view);
        let known = std::mem::take(&mut view.member_networks);
        self.topology.regroup(self.eye(), &mut view);
        debug_assert_eq!(view, self.topology.view(self.eye()), "only rules were different");
        self.view = view;
        // Ports of another network are to be known before a rule names them.
        if self.view.member_networks != known {
            return false;
        }
        let Some(changes) = self.node.regroup(&self.view) else { return false };
        self.strayed = false;
        self.figures.converged(start.elapsed(), &Outcome { changes, ..Outcome::default() });
        if changes > 0 {
            tracing::info!(changes, ms = start.elapsed().as_millis(), "rules in force");
        }
        true
    }
}
