//! Security groups: who is in them, whom their rules name, and where an address means one station.
//!
//! A port works with what resolves. A group that is not there for it allows nothing, and a rule that names such a group
//! matches nothing; neither keeps the port from its network.

use super::outcome::left_out;
use super::references::not_found;
use super::{World, not_ready, remark};
use crate::api::{Reason, Reference};
use crate::model::entry::PortEntry;
use crate::model::group::{GroupEntry, Lead, is_default};
use crate::model::id::{Id, Key, Kind};
use crate::model::report::Remark;
use crate::model::security::{Number, Remote, RuleView};
use crate::model::topology::{Index, PortNode, SecurityGroupNode, Standing, Topology};

/// Judges all groups by themselves.
pub fn judge(world: &mut World) {
    let groups = world.groups;
    for entry in groups {
        let standing = match &entry.invalid {
            None => Standing::InForce,
            Some(remark) => {
                world.refuse(Kind::SecurityGroup, &entry.key, remark.clone());
                Standing::Unjudged
            }
        };
        world.topology.security_groups.push(SecurityGroupNode::new(entry.clone(), standing));
    }
}

/// Counts who is in which group, and judges ports by theirs.
pub fn join(world: &mut World) {
    let entries = world.topology.entries.clone();
    for (index, entry) in entries.iter().enumerate() {
        if !world.topology.is_guarded(entry, &world.topology.ports[index]) {
            continue;
        }
        let (mut whole, mut kinds) = (true, [false; 2]);
        for lead in entry.leads.iter() {
            if let Lead::Object(group) = lead {
                world.topology.security_groups[*group].ports += 1;
            }
            match world.topology.group(*lead) {
                Some((_, stateful)) => kinds[usize::from(stateful)] = true,
                None => whole = false,
            }
        }
        if !whole {
            unresolved(world, entry);
        }
        if kinds == [true, true] {
            mixed(world, entry);
        }
    }
}

/// Says which of a port's groups is not there for it.
fn unresolved(world: &mut World, entry: &PortEntry) {
    let why = |place: usize, lead: Lead| match lead {
        Lead::Object(index) => Some(world.no_group(index)),
        _ => world.references.group(&entry.key, entry.object.spec.security_group_refs.as_ref()?.get(place)?).err(),
    };
    let mut leads = entry.leads.iter().enumerate();
    let missing = leads.find(|(_, lead)| world.topology.group(**lead).is_none());
    let said = missing.and_then(|(place, lead)| Some((entry.group_key(place), why(place, *lead)?)));
    if let Some((group, remark)) = said {
        world.unresolved(Kind::Port, &entry.key, left_out(&Id::new(Kind::SecurityGroup, group).to_string(), &remark));
    }
}

/// Answers to what is allowed cannot both pass and not pass.
fn mixed(world: &mut World, entry: &PortEntry) {
    let first = |wanted: bool| {
        let is = |lead: &Lead| world.topology.group(*lead).is_some_and(|(_, stateful)| stateful == wanted);
        entry.leads.iter().position(is).map(|place| entry.group_key(place).to_string()).unwrap_or_default()
    };
    let message = format!(
        "SecurityGroup {} is stateful and {} is not: choose groups that are alike. Until then the port is in none, and \
         nothing passes.",
        first(true),
        first(false)
    );
    world.refuse(Kind::Port, &entry.key, remark(Reason::Invalid, message));
}

/// Finds out which networks are joined, and whom rules name. What is released has no part in either.
pub fn link(world: &mut World) {
    domains(&mut world.topology);
    for index in 0..world.groups.len() {
        if world.topology.security_groups[index].standing != Standing::InForce {
            continue;
        }
        let entry: &GroupEntry = &world.groups[index];
        let mut named = Vec::with_capacity(entry.named.len());
        for (rule, reference) in &entry.named {
            match world.group(&entry.key, reference) {
                Ok(number) => named.push(RuleView { remote: Remote::Group(number), ..*rule }),
                Err(remark) => {
                    let rule = format!("A rule that names SecurityGroup {}", entry.key.referred(reference));
                    world.unresolved(Kind::SecurityGroup, &entry.key, left_out(&rule, &remark));
                }
            }
        }
        world.topology.security_groups[index].named = named;
    }
}

/// Networks that routers join are one domain: it goes by the smallest UID among them.
fn domains(topology: &mut Topology) {
    let Topology { networks, subnets, routers, .. } = topology;
    let mut parents: Vec<Index> = (0..networks.len()).collect();
    for router in routers.iter() {
        let mut joined = router.legs.iter().filter_map(|leg| subnets[leg.subnet].network);
        let Some(first) = joined.next() else { continue };
        for other in joined {
            let (a, b) = (root(&mut parents, first), root(&mut parents, other));
            // The smaller UID is the root, so that nothing has to be looked for later.
            let (low, high) = if networks[a].uid <= networks[b].uid { (a, b) } else { (b, a) };
            parents[high] = low;
        }
    }
    for index in 0..networks.len() {
        networks[index].domain = networks[root(&mut parents, index)].uid.into();
    }
}

/// The root of a network's tree; paths are halved on the way.
fn root(parents: &mut [Index], mut index: Index) -> Index {
    while parents[index] != index {
        parents[index] = parents[parents[index]];
        index = parents[index];
    }
    index
}

impl World<'_> {
    /// What the group that a reference leads to goes by, if it counts.
    fn group(&self, from: &Key, reference: &Reference) -> Result<Number, Remark> {
        let lead = self.references.group(from, reference)?;
        match (self.topology.group(lead), lead) {
            (Some((number, _)), _) => Ok(number),
            (None, Lead::Object(index)) => Err(self.no_group(index)),
            (None, _) => Err(not_found(Kind::SecurityGroup, (from.namespace_of(reference), &reference.name))),
        }
    }

    /// Why an object is no group that counts.
    fn no_group(&self, index: Index) -> Remark {
        let node = &self.topology.security_groups[index];
        match node.standing {
            Standing::Released => not_found(Kind::SecurityGroup, (&node.key.namespace, &node.key.name)),
            _ => not_ready(Kind::SecurityGroup, &node.key),
        }
    }
}

impl Topology {
    /// Whether a port has port security; none that is gone or contradicts itself does.
    pub(in crate::model) fn is_guarded(&self, entry: &PortEntry, port: &PortNode) -> bool {
        let by_network = || port.network.is_none_or(|network| self.networks[network].port_security);
        !matches!(port.standing, Standing::Unjudged | Standing::Released) && entry.guarded.unwrap_or_else(by_network)
    }

    /// What a group goes by and whether it is stateful, if it counts.
    pub(in crate::model) fn group(&self, lead: Lead) -> Option<(Number, bool)> {
        match lead {
            Lead::Nowhere => None,
            Lead::Implied(number) => Some((number, true)),
            Lead::Object(index) => {
                let node = &self.security_groups[index];
                match node.standing {
                    Standing::InForce => Some((node.entry.number, node.entry.stateful)),
                    // What is implied is back.
                    Standing::Released if is_default(&node.key) => Some((node.entry.number, true)),
                    _ => None,
                }
            }
        }
    }
}
