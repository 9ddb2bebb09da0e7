//! From a view to a kernel that is like it: render, observe, diff, apply, and again until nothing is left to do.

use std::collections::BTreeMap;
use std::io;

use super::{Agent, Outcome};
use crate::api::Reason;
use crate::dataplane::filter::render as filter;
use crate::dataplane::kernel::Failures;
use crate::dataplane::moved::Touched;
use crate::dataplane::names::Prefix;
use crate::dataplane::plan::{self, Plan};
use crate::dataplane::render::{Rendered, render};
use crate::dataplane::state::{Item, LinkKind, Make, Spec, State};
use crate::model::moved::Moved;
use crate::model::{Id, NodeView, Remark};

/// A plan is made, and believed only when the next observation finds nothing left to do; at most so often.
pub(super) const PASSES: usize = 3;

impl Agent {
    /// As [`Agent::converge`], where since a convergence that left nothing undone only rules of security groups and their
    /// members are others. What was done; none: it is not enough, and all is to be looked at.
    pub fn regroup(&mut self, view: &NodeView) -> Option<usize> {
        let mut wanted = State::default();
        if self.kernel.observed().is_guarded() {
            filter::groups(view, &mut wanted);
        }
        let plan = plan::diff_groups(&wanted, self.kernel.observed());
        let failed = self.kernel.apply(&plan);
        let left = plan::diff_groups(&wanted, self.kernel.observed());
        (failed.is_empty() && left.0.is_empty()).then_some(plan.0.len())
    }

    /// As [`Agent::converge`], where since a convergence that left nothing undone only what `moved` names is another. What was
    /// done; none: it is not enough, and all is to be looked at.
    pub fn follow(&mut self, view: &NodeView, moved: &Moved) -> Option<usize> {
        // What stands there says what the node has, so it is to be as it was left.
        if self.kernel.disturbed() {
            return None;
        }
        let touched = Touched::render(view, moved, self.kernel.observed(), &mut self.rules);
        let plan = touched.plan(self.kernel.observed());
        debug_assert_eq!(
            self.render(view).map_or_else(|_| plan.clone(), |all| plan::diff(&all.state, self.kernel.observed())),
            plan,
            "only this was different"
        );
        if plan.0.is_empty() {
            return Some(0);
        }
        let failed = self.kernel.apply(&plan);
        self.kernel.observe().ok()?;
        let left = touched.plan(self.kernel.observed());
        (failed.is_empty() && left.0.is_empty()).then_some(plan.0.len())
    }

    pub(super) fn passes(&mut self, view: &NodeView, outcome: &mut Outcome) -> io::Result<Rendered> {
        let mut failures: Vec<(Item, io::Error)> = Vec::new();
        let (mut before, mut passes) = (Plan::default(), 0);
        self.kernel.observe()?;
        let mut rendered = self.render(view)?;
        loop {
            let plan = plan::diff(&rendered.state, self.kernel.observed());
            if plan.0.is_empty() {
                return Ok(rendered);
            }
            // A step that failed would fail the same way again; what somebody undid meanwhile is done again.
            if passes == PASSES || plan == before && !failures.is_empty() {
                outcome.report.faults = faults(&plan, &failures);
                return Ok(rendered);
            }
            let failed = self.kernel.apply(&plan);
            outcome.changes += plan.0.len() - failed.len();
            self.forget_vanished(&plan, &failed, outcome);
            self.forget_given(&plan);
            failures = failed.into_iter().filter_map(|(at, e)| Some((plan.0.get(at)?.item.clone(), e))).collect();
            for (item, error) in &failures {
                tracing::debug!(%item, %error, "a step failed");
            }
            self.kernel.observe()?;
            // Of all that rendering looks at, a plan that succeeds changes only these two.
            if moves(&plan) || !outcome.vanished.is_empty() || !failures.is_empty() {
                rendered = self.render(view)?;
            }
            before = plan;
            passes += 1;
        }
    }

    pub(super) fn render(&mut self, view: &NodeView) -> io::Result<Rendered> {
        let facts = self.kernel.facts(&view.physical_networks)?;
        Ok(render(view, &self.record.durable(), &facts, &mut self.rules))
    }

    /// A guest that is gone when its link is to be made is unplugged: nobody else will do it.
    fn forget_vanished(&mut self, plan: &Plan, failed: &Failures, outcome: &mut Outcome) {
        for (position, error) in failed {
            let Some(change) = plan.0.get(*position) else { continue };
            let link = change.to.as_ref().and_then(Spec::link);
            let tap = link.is_some_and(|link| matches!(link.kind, LinkKind::MovedIn { .. }));
            let port = matches!(&change.item, Item::Link(_, name) if Prefix::of(name) == Some(Prefix::Port));
            let guest = port && (tap || matches!(change.make, Some(Make::Guest { .. })));
            if guest
                && error.kind() == io::ErrorKind::NotFound
                && let Some(owner) = &change.owner
                && self.record.forget(&owner.key)
            {
                outcome.vanished.push(owner.key.clone());
            }
        }
    }
}

/// Whether a plan moves interfaces of the host in or gives them back: they are other facts afterwards.
fn moves(plan: &Plan) -> bool {
    let kind = |spec: &Option<Spec>| if let Some(Spec::Link(link)) = spec { Some(link.kind.clone()) } else { None };
    let moved = |spec| matches!(kind(spec), Some(LinkKind::MovedIn { .. }));
    plan.0.iter().any(|change| moved(&change.from) || moved(&change.to))
}

/// What was to be done and is not, object by object, in the kernel's words.
fn faults(plan: &Plan, failures: &[(Item, io::Error)]) -> BTreeMap<Id, Remark> {
    let mut faults = BTreeMap::new();
    for change in &plan.0 {
        let Some(owner) = &change.owner else { continue };
        let why = failures.iter().find(|(item, _)| *item == change.item);
        let why = why.map_or_else(|| "it does not stay as it was made".to_owned(), |(_, error)| error.to_string());
        let message = format!("{} {}: {why}", change.item.kind(), change.item);
        faults.entry(owner.clone()).or_insert(Remark { reason: Reason::KernelError, message });
    }
    faults
}
