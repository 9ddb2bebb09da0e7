//! Floating IPs: their address, the fixed IP that it leads to, and the router on the way.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;

use super::claims::{self, Claim, Family, Mac, Scope, Wish};
use super::outcome::left_out;
use super::rank::Rank;
use super::{World, external, remark};
use crate::api::{ConditionType, FloatingIP, PortForwarding, Protocol, Reason, Reference};
use crate::model::id::{Id, Key, Kind};
use crate::model::ipam::Holder;
use crate::model::report::Remark;
use crate::model::topology::{FloatingNode, Index, Standing};
use crate::model::valid::Valid as _;

/// Resolves the networks of all floating IPs and claims their addresses.
pub fn claim(world: &mut World, claims: &mut Vec<Claim>) {
    let mut ranks = Vec::new();
    for (index, (key, object)) in world.snapshot.floating_ips.iter().enumerate() {
        let (standing, network) = judge(world, key, object);
        if network.is_some() {
            ranks.push(Rank::of(&object.metadata, object.status.as_ref().map(|s| &s.conditions), index));
        }
        world.topology.floating_ips.push(FloatingNode {
            key: key.clone(),
            object: object.clone(),
            standing,
            network,
            ip: None,
            router: None,
            fixed: None,
            forwardings: BTreeMap::new(),
            node: None,
            along: false,
            next: [None, None],
        });
    }
    ranks.sort_unstable();
    for rank in ranks {
        let node = &world.topology.floating_ips[rank.index];
        let (object, Some(network)) = (node.object.clone(), node.network) else { continue };
        let holder = Holder::FloatingIP(rank.index);
        let mut wishes = vec![Wish::new(Scope::Network(network, Some(Family::V4)), object.spec.ip)];
        claims::keep(world, holder, &mut wishes, object.status.iter().filter_map(|s| s.ip));
        claims.push(Claim { holder, rank, part: 0, wishes, mac: Mac::Settled(None) });
    }
}

fn judge(world: &mut World, key: &Key, object: &FloatingIP) -> (Standing, Option<Index>) {
    // Nothing waits for a floating IP: it is gone as soon as somebody deletes it.
    if object.metadata.deletion_timestamp.is_some() {
        world.topology.released.insert(Id::new(Kind::FloatingIP, key.clone()));
        return (Standing::Released, None);
    }
    if let Err(remark) = object.valid() {
        world.refuse(Kind::FloatingIP, key, remark);
        return (Standing::Unjudged, None);
    }
    match external::network(world, key, &object.spec.network_ref) {
        Ok(network) => (Standing::Refused, Some(network)),
        Err((condition, remark)) => {
            world.problem(Kind::FloatingIP, key, condition, remark);
            (Standing::Refused, None)
        }
    }
}

/// A fixed IP, told apart from the same address of another network.
type Fixed = (Index, IpAddr);

/// Which floating IPs lead to a fixed IP.
enum Use {
    /// One, with all that arrives.
    Whole(Index),
    /// Single ports.
    Ports(BTreeMap<(Protocol, u16), Index>),
}

/// Finds the way of every floating IP, once ports and routers stand.
pub fn link(world: &mut World) {
    let in_force =
        world.topology.floating_ips.iter().enumerate().filter(|(_, node)| node.standing == Standing::InForce);
    let mut ranks: Vec<Rank> = in_force
        .map(|(i, node)| Rank::of(&node.object.metadata, node.object.status.as_ref().map(|s| &s.conditions), i))
        .collect();
    ranks.sort_unstable();
    let mut uses = BTreeMap::new();
    for Rank { index, .. } in ranks {
        let object = world.topology.floating_ips[index].object.clone();
        if let Some(port) = &object.spec.port_ref
            && let Err((condition, remark)) = whole(world, index, port, object.spec.fixed_ip, &mut uses)
        {
            let key = world.topology.floating_ips[index].key.clone();
            world.problem(Kind::FloatingIP, &key, condition, remark);
        }
        for forwarding in &object.spec.port_forwardings {
            if let Err((condition, remark)) = forward(world, index, forwarding, &mut uses) {
                let part = format!("The forwarding of {:?} {}", forwarding.protocol, forwarding.port);
                let key = world.topology.floating_ips[index].key.clone();
                world.problem(Kind::FloatingIP, &key, condition, left_out(&part, &remark));
            }
        }
    }
}

type Refusal = (ConditionType, Remark);

fn refused(reason: Reason, message: impl Into<String>) -> Refusal {
    (ConditionType::Accepted, remark(reason, message))
}

/// All of a floating IP leads to one fixed IP.
fn whole(
    world: &mut World,
    floating: Index,
    port: &Reference,
    fixed: Option<IpAddr>,
    uses: &mut BTreeMap<Fixed, Use>,
) -> Result<(), Refusal> {
    let (target, router) = way(world, floating, port, fixed)?;
    match uses.entry(target) {
        Entry::Vacant(entry) => entry.insert(Use::Whole(floating)),
        Entry::Occupied(entry) => {
            let other = match entry.get() {
                Use::Whole(other) => Some(*other),
                Use::Ports(ports) => ports.values().next().copied(),
            };
            return Err(taken(world, floating, target.1, other));
        }
    };
    let node = &mut world.topology.floating_ips[floating];
    (node.router, node.fixed) = (Some(router), Some(target.1));
    Ok(())
}

/// One port of a floating IP leads to one port of a fixed IP.
fn forward(
    world: &mut World,
    floating: Index,
    forwarding: &PortForwarding,
    uses: &mut BTreeMap<Fixed, Use>,
) -> Result<(), Refusal> {
    let (target, router) = way(world, floating, &forwarding.port_ref, forwarding.fixed_ip)?;
    let outer = (forwarding.protocol, forwarding.port);
    let inner = (forwarding.protocol, forwarding.target_port);
    if world.topology.floating_ips[floating].forwardings.contains_key(&outer) {
        return Err(refused(
            Reason::ForwardingConflict,
            "another forwarding has the same protocol and port: choose one.",
        ));
    }
    match uses.entry(target).or_insert_with(|| Use::Ports(BTreeMap::new())) {
        Use::Whole(other) => return Err(taken(world, floating, target.1, Some(*other))),
        Use::Ports(ports) => match ports.entry(inner) {
            Entry::Vacant(entry) => entry.insert(floating),
            Entry::Occupied(entry) => {
                let other = world.name(Holder::FloatingIP(*entry.get()), namespace(world, floating));
                let message = format!(
                    "{:?} {}:{} has a forwarding already, of {other}: remove one of the two.",
                    inner.0, target.1, inner.1
                );
                return Err(refused(Reason::ForwardingConflict, message));
            }
        },
    };
    let node = &mut world.topology.floating_ips[floating];
    node.router = Some(router);
    node.forwardings.insert(outer, (target.1, inner.1));
    Ok(())
}

fn namespace<'w>(world: &'w World<'_>, floating: Index) -> &'w str {
    &world.topology.floating_ips[floating].key.namespace
}

fn taken(world: &World, floating: Index, ip: IpAddr, other: Option<Index>) -> Refusal {
    let who = other.map(|other| world.name(Holder::FloatingIP(other), namespace(world, floating)));
    let who = who.unwrap_or_else(|| "another floating IP".into());
    let message = format!("{ip} is reached through {who} already: take it away there first.");
    refused(Reason::FixedAddressInUse, message)
}

/// Where a floating IP leads, and through which router.
fn way(world: &World, floating: Index, port: &Reference, fixed: Option<IpAddr>) -> Result<(Fixed, Index), Refusal> {
    let target = target(world, &world.topology.floating_ips[floating].key, port, fixed)?;
    Ok((target, router(world, floating, target.0)?))
}

fn target(world: &World, from: &Key, port: &Reference, fixed: Option<IpAddr>) -> Result<Fixed, Refusal> {
    let port = world.port(from, port).map_err(|remark| (ConditionType::ResolvedRefs, remark))?;
    let node = &world.topology.ports[port];
    let mut fitting = node.addresses.iter().filter(|(_, ip)| fixed.map_or(ip.is_ipv4(), |fixed| *ip == fixed));
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Ok(*only),
        (None, _) => {
            let which = fixed.map_or_else(|| "no IPv4 address".to_owned(), |ip| format!("no address {ip}"));
            let message = format!("Port {} has {which}: name one of its addresses in fixedIP.", world.port_key(port));
            Err(refused(Reason::AmbiguousFixedIP, message))
        }
        (Some(_), Some(_)) => {
            let message = format!("Port {} has several addresses: name one of them in fixedIP.", world.port_key(port));
            Err(refused(Reason::AmbiguousFixedIP, message))
        }
    }
}

/// The router with a gateway on the floating IP's network that reaches the subnet; the one that is the subnet's gateway
/// before all others, because the guest's answers go there. All forwardings of a floating IP take the same one.
fn router(world: &World, floating: Index, subnet: Index) -> Result<Index, Refusal> {
    let (node, inside) = (&world.topology.floating_ips[floating], &world.topology.subnets[subnet]);
    let gateway = inside.range.gateway.and_then(|gateway| inside.ledger.holder(gateway));
    let fits = |router: &&Index| {
        let external = world.topology.routers[**router].external.as_ref().map(|e| e.network);
        external == node.network && node.router.is_none_or(|chosen| chosen == **router)
    };
    // The one that translated so far goes on: what it remembers of connections is nowhere else.
    let recorded = node.object.status.as_ref().and_then(|status| status.router_ref.as_ref());
    let preference = |router: &&Index| {
        let object = &world.topology.routers[**router].object;
        let rank = Rank::of(&object.metadata, object.status.as_ref().map(|s| &s.conditions), **router);
        let leaving = object.metadata.deletion_timestamp.is_some();
        let key = &world.topology.routers[**router].key;
        let so_far = recorded.is_some_and(|r| *r.name == *key.name && node.key.namespace_of(r) == &*key.namespace);
        (leaving, gateway != Some(Holder::Interface(**router)), !so_far, rank)
    };
    inside.routers.iter().filter(fits).min_by_key(preference).copied().ok_or_else(|| {
        let network = node.network.map(|n| world.topology.networks[n].key.to_string()).unwrap_or_default();
        let which = node.router.map_or_else(
            || format!("No router with its gateway on Network {network}"),
            |chosen| format!("Router {}, which the other forwardings take,", world.topology.routers[chosen].key),
        );
        let rule = if node.router.is_some() { "does not reach" } else { "reaches" };
        let message = format!("{which} {rule} Subnet {}: connect such a router to it.", inside.key);
        refused(Reason::NoRoute, message)
    })
}
