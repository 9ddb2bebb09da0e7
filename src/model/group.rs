//! What is read of a security group once and stays until the object changes; and where references to groups lead.

use std::sync::Arc;

use ipnet::IpNet;

use crate::api::{IpFamily, IpProtocol, Reference, RuleDirection, SecurityGroup, SecurityGroupRule};
use crate::model::id::{Key, Uid};
use crate::model::report::Remark;
use crate::model::security::{Direction, Family, Number, Remote, RuleView, Span};
use crate::model::valid::Valid as _;

/// The group that each namespace has, whether or not an object says what it allows.
pub const DEFAULT: &str = "default";

/// What the group `default` of a namespace goes by: the same whether or not there is an object, so that ports stay its members
/// when one appears or goes.
#[must_use]
pub fn default_number(namespace: &str) -> Number {
    Uid::parse(&format!("SecurityGroup {namespace}/{DEFAULT}")).into()
}

/// What the group `default` allows where no object says so: egress anywhere, ingress from itself.
#[must_use]
pub fn default_rules(number: Number) -> [RuleView; 2] {
    let any = |direction, remote| RuleView {
        direction,
        family: None,
        protocol: None,
        first: Span::ALL,
        second: Span::ALL,
        remote,
    };
    [any(Direction::Ingress, Remote::Group(number)), any(Direction::Egress, Remote::Anywhere)]
}

/// Where a port's reference to a group led the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lead {
    /// To no group that is there for it.
    Nowhere,
    /// To the group `default` of a namespace, of which there is no object.
    Implied(Number),
    /// To an object, by its position.
    Object(usize),
}

/// A security group, read.
#[derive(Debug)]
pub struct GroupEntry {
    /// Its key.
    pub key: Key,
    /// The object.
    pub object: Arc<SecurityGroup>,
    /// What it says wrong by itself.
    pub invalid: Option<Remark>,
    /// What it goes by.
    pub number: Number,
    /// Whether answers to what is allowed are allowed, too.
    pub stateful: bool,
    /// Its rules that name no group.
    pub rules: Vec<RuleView>,
    /// Those that name one, each with the reference; `remote` is yet to be found.
    pub named: Vec<(RuleView, Reference)>,
}

impl GroupEntry {
    /// Reads a group.
    #[must_use]
    pub fn read(key: &Key, object: &Arc<SecurityGroup>) -> Self {
        let uid = || Uid::parse(object.metadata.uid.as_deref().unwrap_or_default()).into();
        let (mut rules, mut named) = (Vec::new(), Vec::new());
        for rule in &object.spec.rules {
            let view = view(rule);
            match rule.remote.as_ref().and_then(|remote| remote.group_ref.clone()) {
                Some(reference) => named.push((view, reference)),
                None => rules.push(view),
            }
        }
        Self {
            key: key.clone(),
            object: object.clone(),
            invalid: object.valid().err(),
            number: if is_default(key) { default_number(&key.namespace) } else { uid() },
            stateful: object.spec.stateful.unwrap_or(true),
            rules,
            named,
        }
    }
}

/// Whether it is a namespace's group `default`.
#[must_use]
pub fn is_default(key: &Key) -> bool {
    &*key.name == DEFAULT
}

/// A rule as nodes enforce it; rules that mean the same are the same.
pub(super) fn view(rule: &SecurityGroupRule) -> RuleView {
    let cidr = rule.remote.as_ref().and_then(|remote| remote.cidr);
    let of = |v4: bool| if v4 { Family::V4 } else { Family::V6 };
    let said = match (rule.family, rule.protocol) {
        (Some(family), _) => Some(of(family == IpFamily::IPv4)),
        (None, Some(IpProtocol::Icmp)) => Some(Family::V4),
        (None, Some(IpProtocol::IcmpV6)) => Some(Family::V6),
        (None, _) => cidr.map(|cidr| of(cidr.addr().is_ipv4())),
    };
    let one = |number: u16| Span { first: number, last: number };
    let ports = rule.port.map(|first| Span { first, last: rule.end_port.unwrap_or(first) });
    let types = rule.icmp_type.map(|number| one(number.into()));
    RuleView {
        direction: match rule.direction {
            RuleDirection::Ingress => Direction::Ingress,
            RuleDirection::Egress => Direction::Egress,
        },
        family: said,
        protocol: rule.protocol.map(IpProtocol::number),
        first: ports.or(types).unwrap_or(Span::ALL),
        second: rule.icmp_code.map_or(Span::ALL, |code| one(code.into())),
        remote: cidr.filter(|cidr: &IpNet| cidr.prefix_len() > 0).map_or(Remote::Anywhere, Remote::Net),
    }
}
