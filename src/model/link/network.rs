//! Networks and where they touch the wire: MTU, and one network for each segment of a wire.

use std::collections::BTreeMap;

use super::rank::Rank;
use super::{World, ready, remark};
use crate::api::{Agent, Network, Reason};
use crate::model::id::{Key, Kind};
use crate::model::report::Remark;
use crate::model::topology::{Index, NetworkNode, Standing};
use crate::model::valid::Valid as _;

/// MTU of a wire that says nothing else, bytes (Ethernet).
const WIRE_MTU: u32 = 1500;
/// What VXLAN over IPv4 adds: 14 inner Ethernet, 8 VXLAN, 8 UDP, 20 IP (RFC 7348). One host alone needs none of it, but
/// the same YAML gives its guests the same MTU in a cluster.
const OVERLAY_HEADERS: u32 = 50;

/// An IPv6 header is that much longer than an IPv4 header.
const IPV6_MORE: u32 = 20;

/// What every tunnel carries: the narrowest way between nodes less what VXLAN adds.
fn overlay_mtu(world: &World) -> u32 {
    let of = |agent: &Agent| {
        let status = agent.status.as_ref()?;
        let headers = OVERLAY_HEADERS + if status.tunnel_address?.is_ipv6() { IPV6_MORE } else { 0 };
        Some(status.tunnel_mtu?.saturating_sub(headers))
    };
    let narrowest = world.snapshot.agents.values().filter_map(|agent| of(agent)).min();
    narrowest.unwrap_or(WIRE_MTU - OVERLAY_HEADERS)
}

/// Links all networks.
pub fn link(world: &mut World) {
    let mut on_wires = Vec::new();
    world.topology.networks.reserve_exact(world.snapshot.networks.len());
    for (index, (key, object)) in world.snapshot.networks.iter().enumerate() {
        let (standing, physical, mtu) = judge(world, key, object);
        if physical.is_some() && standing == Standing::InForce {
            on_wires.push(Rank::of(&object.metadata, object.status.as_ref().map(|s| &s.conditions), index));
        }
        let node = NetworkNode::new(key.clone(), object.clone(), standing, physical, mtu);
        world.topology.networks.push(node);
    }
    segments(world, on_wires);
}

fn judge(world: &mut World, key: &Key, object: &Network) -> (Standing, Option<Index>, u32) {
    if let Err(remark) = object.valid() {
        world.refuse(Kind::Network, key, remark);
        return (Standing::Unjudged, None, 0);
    }
    let physical = match object.spec.provider.as_ref().map(|p| physical(world, &p.physical_network)).transpose() {
        Ok(physical) => physical,
        Err(remark) => {
            world.unresolved(Kind::Network, key, remark);
            return (Standing::Refused, None, 0);
        }
    };
    let wire = physical.map(|p| world.topology.physical_networks[p].object.spec.mtu.unwrap_or(WIRE_MTU));
    let path = wire.unwrap_or_else(|| overlay_mtu(world));
    let mtu = object.spec.mtu.unwrap_or(path);
    if mtu > path {
        let message = format!("mtu is {mtu}, but the path carries {path} bytes: lower mtu, or leave it out.");
        world.refuse(Kind::Network, key, remark(Reason::InvalidMTU, message));
        return (Standing::Refused, physical, mtu);
    }
    (Standing::InForce, physical, mtu)
}

/// Physical networks are the cluster's: no grant is needed, who may name them is a matter of access rights.
fn physical(world: &World, name: &str) -> Result<Index, Remark> {
    let nodes = &world.topology.physical_networks;
    let found = nodes.binary_search_by(|node| (*node.key.name).cmp(name)).map_err(|_| {
        let message = format!("PhysicalNetwork {name} does not exist: create it, or correct the reference.");
        remark(Reason::NotFound, message)
    })?;
    ready(nodes[found].standing, Kind::PhysicalNetwork, &nodes[found].key).map(|()| found)
}

/// Two networks on one segment would be one network.
fn segments(world: &mut World, mut ranks: Vec<Rank>) {
    ranks.sort_unstable();
    let mut taken: BTreeMap<(Option<Index>, Option<u16>), Index> = BTreeMap::new();
    for rank in ranks {
        let node = &world.topology.networks[rank.index];
        let vlan = node.object.spec.provider.as_ref().and_then(|p| p.vlan);
        let holder = *taken.entry((node.physical, vlan)).or_insert(rank.index);
        if holder == rank.index {
            continue;
        }
        let segment = vlan.map_or_else(|| "the untagged segment".to_owned(), |vlan| format!("VLAN {vlan}"));
        let other = &world.topology.networks[holder].key;
        let message =
            format!("Network {other} is on {segment} of this physical network already: choose another segment.");
        let key = node.key.clone();
        world.refuse(Kind::Network, &key, remark(Reason::SegmentInUse, message));
        world.topology.networks[rank.index].standing = Standing::Refused;
    }
}
