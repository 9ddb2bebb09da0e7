//! A rule that comes or goes concerns every port of its group, and changes nothing about any of them: it is a few words in a
//! table of the node. So it is brought into force without looking at ports, links and statuses.

use std::time::Instant;

use super::world::World;
use crate::agent::Outcome;
use crate::agent::node::Node as Hands;

impl<N: Hands> World<N> {
    /// Brings into force what is new of security groups, if that is nothing but rules. Whether it was; if not, the node is to
    /// converge.
    pub(super) fn regroup(&mut self) -> bool {
        let start = Instant::now();
        let before = self.topology.take_groups();
        self.relink();
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
        self.figures.converged(start.elapsed(), &Outcome { changes, ..Outcome::default() });
        if changes > 0 {
            tracing::info!(changes, ms = start.elapsed().as_millis(), "rules in force");
        }
        true
    }
}
