//! Physical networks: what they say of themselves, and one for each interface of a node.

use std::collections::BTreeMap;

use super::rank::Rank;
use super::{World, remark};
use crate::api::{Attachment, PhysicalNetwork, Reason};
use crate::model::id::Kind;
use crate::model::report::Remark;
use crate::model::topology::{Index, PhysicalNode, Standing};
use crate::model::valid::Valid as _;

/// Links all physical networks.
pub fn link(world: &mut World) {
    let mut ranks = Vec::new();
    for (index, (key, object)) in world.snapshot.physical_networks.iter().enumerate() {
        let standing = match object.valid() {
            Ok(()) => {
                ranks.push(Rank::of(&object.metadata, object.status.as_ref().map(|s| &s.conditions), index));
                Standing::InForce
            }
            Err(remark) => {
                world.refuse(Kind::PhysicalNetwork, key, remark);
                Standing::Unjudged
            }
        };
        world.topology.physical_networks.push(PhysicalNode { key: key.clone(), object: object.clone(), standing });
    }
    interfaces(world, ranks);
}

/// Two physical networks on one interface would be one wire under two names, and a dedicated one can be given away once.
fn interfaces(world: &mut World, mut ranks: Vec<Rank>) {
    ranks.sort_unstable();
    let mut accepted: BTreeMap<&str, Vec<Index>> = BTreeMap::new();
    let mut refused = Vec::new();
    let nodes = &world.topology.physical_networks;
    for rank in ranks {
        let node = &nodes[rank.index];
        let attachments = &node.object.spec.attachments;
        let clash = attachments.iter().find_map(|attachment| {
            let others = accepted.get(&*attachment.interface)?;
            let other =
                others.iter().find(|other| meet(&node.object, &nodes[**other].object, &attachment.interface))?;
            Some((&*attachment.interface, *other))
        });
        if let Some((interface, other)) = clash {
            refused.push((rank.index, in_use(interface, &nodes[other])));
            continue;
        }
        for attachment in attachments {
            accepted.entry(&attachment.interface).or_default().push(rank.index);
        }
    }
    for (index, remark) in refused {
        let node = &mut world.topology.physical_networks[index];
        node.standing = Standing::Refused;
        let key = node.key.clone();
        world.refuse(Kind::PhysicalNetwork, &key, remark);
    }
}

fn in_use(interface: &str, other: &PhysicalNode) -> Remark {
    let message = format!(
        "{interface} is PhysicalNetwork {}'s already: name another interface, or refer to that PhysicalNetwork.",
        other.key
    );
    remark(Reason::InterfaceInUse, message)
}

/// Whether both physical networks attach to `interface` on a node that has the labels of one of their selectors and no
/// others. What selectors of which neither includes the other have in common, only a node can tell.
fn meet(a: &PhysicalNetwork, b: &PhysicalNetwork, interface: &str) -> bool {
    let lists = [&a.spec.attachments, &b.spec.attachments];
    let named = lists.into_iter().flatten().filter(|attachment| attachment.interface == interface);
    named.map(labels).any(|node| lists.iter().all(|list| chosen(list, node).is_some_and(|c| c.interface == interface)))
}

/// The first attachment that fits a node with these labels.
fn chosen<'a>(list: &'a [Attachment], node: &BTreeMap<String, String>) -> Option<&'a Attachment> {
    list.iter().find(|attachment| labels(attachment).iter().all(|(key, value)| node.get(key) == Some(value)))
}

/// Labels that an attachment wants; none: it fits every node.
fn labels(attachment: &Attachment) -> &BTreeMap<String, String> {
    static EVERY_NODE: BTreeMap<String, String> = BTreeMap::new();
    attachment.node_selector.as_ref().map_or(&EVERY_NODE, |selector| &selector.match_labels)
}
