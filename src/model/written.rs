//! Rules of security groups as their authors wrote them.

use crate::api::SecurityGroupRule;
use crate::model::group::{GroupEntry, default_number, is_default, view};
use crate::model::id::Key;
use crate::model::security::{Number, Remote, RuleView};
use crate::model::topology::Topology;

impl Topology {
    /// The first rule of a group that means `rule`, with its place in `spec.rules`; none: no object has it, as with what the
    /// group `default` allows where there is none.
    #[must_use]
    pub fn written(&self, group: &Key, rule: &RuleView) -> Option<(usize, &SecurityGroupRule)> {
        let node = self.security_groups.iter().find(|node| node.key == *group)?;
        let rules = node.object.spec.rules.iter().enumerate();
        rules.into_iter().find(|(_, written)| self.means(&node.entry, written, rule))
    }

    fn means(&self, group: &GroupEntry, written: &SecurityGroupRule, rule: &RuleView) -> bool {
        let named = written.remote.as_ref().and_then(|remote| remote.group_ref.as_ref());
        let remote = named.and_then(|reference| Some(Remote::Group(self.number(&group.key.referred(reference))?)));
        let meant = view(written);
        named.is_some() == remote.is_some() && RuleView { remote: remote.unwrap_or(meant.remote), ..meant } == *rule
    }

    fn number(&self, group: &Key) -> Option<Number> {
        if is_default(group) {
            return Some(default_number(&group.namespace));
        }
        Some(self.security_groups.iter().find(|node| node.key == *group)?.entry.number)
    }
}
