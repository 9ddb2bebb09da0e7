//! What the ports of a node may send and receive, and who is in the groups that rules there name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::node::Cut;
use crate::api::MacAddr;
use crate::model::entry::PortEntry;
use crate::model::group::{Lead, default_rules};
use crate::model::id::Key;
use crate::model::security::{GroupView, Member, Number, Pair, Remote, RuleView, SecurityView};
use crate::model::topology::{PortNode, SecurityGroupNode, Standing, Topology};
use crate::model::view::{Node, NodeView};

/// The security groups of a topology.
#[derive(Debug)]
pub struct Groups(Vec<SecurityGroupNode>);

impl Topology {
    /// Takes the security groups out of a topology that is not needed any more, to compare them with the next one's.
    pub fn take_groups(&mut self) -> Groups {
        Groups(std::mem::take(&mut self.security_groups))
    }

    /// Of two topologies whose objects differ in security groups alone: whether views of them differ in rules alone, because
    /// every port is in the groups that it was in.
    #[must_use]
    pub fn differs_by_rules(&self, before: &Groups) -> bool {
        let goes_by = |node: &SecurityGroupNode| (node.standing, node.entry.number, node.entry.stateful);
        let same = |(a, b): (&SecurityGroupNode, &SecurityGroupNode)| a.key == b.key && goes_by(a) == goes_by(b);
        self.security_groups.len() == before.0.len() && self.security_groups.iter().zip(&before.0).all(same)
    }

    /// Replaces in a view what rules of security groups say.
    pub fn regroup<'a>(&self, node: impl Into<Node<'a>>, view: &mut NodeView) {
        (view.security_groups, view.remotes, view.members, view.member_networks) = Default::default();
        Cut::new(self, node.into()).groups(view);
    }
}

/// Groups of a port, and whether they are stateful. Those of both kinds at once are none.
pub(super) fn groups(topology: &Topology, entry: &PortEntry) -> (BTreeSet<Number>, bool) {
    let found: Vec<(Number, bool)> = entry.leads.iter().filter_map(|lead| topology.group(*lead)).collect();
    let stateful = found.first().is_none_or(|(_, stateful)| *stateful);
    if found.iter().any(|(_, other)| *other != stateful) {
        return (BTreeSet::new(), true);
    }
    (found.into_iter().map(|(number, _)| number).collect(), stateful)
}

impl Topology {
    /// What a port may send and receive; none: everything.
    pub(super) fn security(&self, entry: &PortEntry, port: &PortNode, mac: MacAddr) -> Option<SecurityView> {
        let domain = self.networks[port.network?].domain;
        if !self.is_guarded(entry, port) {
            return None;
        }
        let own = port.addresses.iter().map(|(_, ip)| Pair { mac, net: (*ip).into() });
        let announces = !entry.object.spec.allowed_address_pairs.is_empty();
        let allowed = entry.object.spec.allowed_address_pairs.iter();
        let allowed = allowed.map(|pair| Pair { mac: pair.mac_address.unwrap_or(mac), net: pair.ip.0 });
        let pairs: BTreeSet<Pair> = own.chain(allowed).collect();
        let (groups, stateful) = groups(self, entry);
        Some(SecurityView { mac, pairs: pairs.into_iter().collect(), groups, stateful, domain, announces })
    }

    /// A group in use.
    fn group_view(&self, lead: Lead, number: Number, key: Key) -> GroupView {
        let node = match lead {
            Lead::Object(index) => Some(&self.security_groups[index]).filter(|n| n.standing == Standing::InForce),
            _ => None,
        };
        let rules: BTreeSet<RuleView> = match node {
            Some(node) => node.entry.rules.iter().chain(&node.named).copied().collect(),
            None => default_rules(number).into(),
        };
        GroupView { key, rules: rules.into_iter().collect() }
    }
}

impl Cut<'_> {
    /// Adds to a view the groups of its ports, and the members of groups that their rules name.
    pub fn groups(&self, view: &mut NodeView) {
        let topology = self.topology;
        // A guarded port, and its domain.
        let domain = |entry: &PortEntry, port: &PortNode| {
            let network = port.network.filter(|_| topology.is_guarded(entry, port))?;
            Some(topology.networks[network].domain)
        };
        let mut named: BTreeMap<Number, Vec<Number>> = BTreeMap::new();
        for (entry, port) in &self.here {
            let Some(domain) = domain(entry, port) else { continue };
            let (used, _) = groups(topology, entry);
            for (place, lead) in entry.leads.iter().enumerate() {
                let Some((number, _)) = topology.group(*lead).filter(|(n, _)| used.contains(n)) else { continue };
                let remotes = named.entry(number).or_insert_with(|| {
                    let group = topology.group_view(*lead, number, entry.group_key(place));
                    let remotes = remotes(&group.rules).collect();
                    view.security_groups.insert(number, group);
                    remotes
                });
                view.remotes.extend(remotes.iter().map(|remote| (*remote, domain)));
            }
        }
        let domains: BTreeSet<Number> = view.remotes.iter().map(|(_, domain)| *domain).collect();
        if domains.is_empty() {
            return;
        }
        for (entry, port) in topology.plugged() {
            let Some(domain) = domain(entry, port).filter(|domain| domains.contains(domain)) else { continue };
            for group in groups(topology, entry).0.into_iter().filter(|group| view.remotes.contains(&(*group, domain)))
            {
                view.members.extend(addresses(entry, port).map(|ip| Member { group, domain, ip }));
            }
        }
        if self.alone() {
            return;
        }
        let others = topology.networks.iter().filter(|n| domains.contains(&n.domain));
        let others = others.filter(|n| n.standing == Standing::InForce && !view.networks.contains_key(&n.key));
        view.member_networks = others.map(|n| n.uid).collect();
    }
}

/// Addresses by which a port is a member of its groups.
pub(super) fn addresses<'t>(entry: &'t PortEntry, port: &'t PortNode) -> impl Iterator<Item = IpAddr> + 't {
    let own = port.addresses.iter().map(|(_, ip)| *ip);
    own.chain(entry.object.spec.allowed_address_pairs.iter().filter_map(|pair| pair.ip.single()))
}

/// Groups that rules name.
fn remotes(rules: &Arc<[RuleView]>) -> impl Iterator<Item = Number> {
    rules.iter().filter_map(|rule| if let Remote::Group(group) = rule.remote { Some(group) } else { None })
}
