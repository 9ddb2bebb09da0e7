//! Everything that a node's filters go by.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::model::NodeView;
use crate::model::security::{Direction, Family, Member, Number, Remote, RuleView, SecurityView};

/// What the filters of a node go by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// The node's ports. One that is not here passes nothing.
    pub ports: BTreeMap<Number, Policy>,
    /// Rules of the groups that they are in. A group that is not here allows nothing.
    pub groups: BTreeMap<Number, Arc<[RuleView]>>,
    /// Members of the groups that those rules name as remote.
    pub members: BTreeSet<Member>,
    /// Another one whenever anything of the above is: what an older one allowed is judged anew.
    pub epoch: u32,
}

/// How a port is filtered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Not at all: it is without port security.
    Open,
    /// By port security and its groups.
    Guarded(Arc<SecurityView>),
}

/// What rules are asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Which way it goes.
    pub direction: Direction,
    /// The other end.
    pub remote: IpAddr,
    /// IP protocol number.
    pub protocol: u8,
    /// Destination port and 0, or type and code, or 0 and 0.
    pub numbers: (u16, u16),
}

impl Tables {
    /// What the filters of a node go by that realises such a view.
    #[must_use]
    pub fn of(view: &NodeView) -> Self {
        let ports = view.networks.values().flat_map(|network| network.ports.values());
        let policy = |security: Option<Arc<SecurityView>>| security.map_or(Policy::Open, Policy::Guarded);
        Self {
            ports: ports.map(|port| (port.uid.into(), policy(port.security.clone()))).collect(),
            groups: view.security_groups.iter().map(|(number, group)| (*number, group.rules.clone())).collect(),
            members: view.members.clone(),
            epoch: 0,
        }
    }

    /// The first rule that allows it: its group, and its place there from 0.
    #[must_use]
    pub fn rule(&self, security: &SecurityView, question: &Question) -> Option<(Number, usize)> {
        security.groups.iter().find_map(|group| {
            let rules = self.groups.get(group)?;
            Some((*group, rules.iter().position(|rule| self.fits(security.domain, rule, question))?))
        })
    }

    fn fits(&self, domain: Number, rule: &RuleView, question: &Question) -> bool {
        let family = if question.remote.is_ipv4() { Family::V4 } else { Family::V6 };
        rule.direction == question.direction
            && rule.family.is_none_or(|wanted| wanted == family)
            && rule.protocol.is_none_or(|wanted| wanted == question.protocol)
            && rule.first.contains(question.numbers.0)
            && rule.second.contains(question.numbers.1)
            && match rule.remote {
                Remote::Anywhere => true,
                Remote::Net(net) => net.contains(&question.remote),
                Remote::Group(group) => self.members.contains(&Member { group, domain, ip: question.remote }),
            }
    }
}
