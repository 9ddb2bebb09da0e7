//! Gateway nodes: which node translates for a router, and which for a floating IP.

use std::collections::HashMap;
use std::sync::Arc;

use super::handover::{Recorded, Roles};
use super::{Role, World, remark};
use crate::api::{Agent, AgentFailure, PortStatus, Reason};
use crate::model::agent::is_silent;
use crate::model::id::{Id, Key, Kind};
use crate::model::topology::{FloatingNode, Index, Standing, Topology};

/// A node that may translate.
struct Candidate<'a> {
    name: Arc<str>,
    agent: &'a Agent,
    /// Whether it takes on new routers.
    open: bool,
}

/// Chooses nodes. One that was chosen stays as long as it may; else the one with the fewest routers.
pub fn link(world: &mut World) {
    match world.topology.role {
        Role::Host => {}
        Role::Node => recorded(world),
        Role::Controller => choose(world),
    }
}

fn recorded(world: &mut World) {
    for node in &mut world.topology.routers {
        let Some(status) = &node.object.status else { continue };
        let [gateway, next, former] = [&status.gateway_node, &status.next_gateway_node, &status.former_gateway_node]
            .map(|name| name.as_deref().map(Arc::from));
        (node.gateway_node, node.next_node, node.former_node) = (gateway, next, former);
    }
    for index in 0..world.topology.floating_ips.len() {
        let node = &world.topology.floating_ips[index];
        if let Some(router) = node.router {
            let at = node.object.status.as_ref().and_then(|s| s.node_name.as_deref());
            let silent = |at| world.snapshot.agents.get(&Key::new("", at)).is_some_and(|agent| is_silent(agent));
            let of = &world.topology.routers[router];
            let moves = || [&of.gateway_node, &of.next_node, &of.former_node].iter().any(|n| n.as_deref() == at);
            // Where its port has come from another node, that one translates on, until it is said that this one does.
            let follows = |on: &'_ str| {
                let agent = world.snapshot.agents.get(&Key::new("", on)).filter(|agent| is_alive(agent))?;
                (at != Some(on) && reaches(world, router, agent)).then(|| Arc::from(on))
            };
            let status = port_status(world, node);
            let next = [plugged_on(world, node), status.and_then(|s| Some(s.migration.as_ref()?.node_name.as_str()))];
            let next = next.map(|on| on.and_then(follows));
            let stays = |at| next[0].is_some() && !silent(at);
            let along =
                at.is_some_and(|at| plugged_on(world, node) != Some(at) && (!silent(at) && !stays(at) || moves()));
            let at = at.map(Into::into);
            let node = &mut world.topology.floating_ips[index];
            (node.node, node.along, node.next) = (at, along, next);
        }
    }
}

/// The node that the port of a floating IP is plugged on; none for port forwardings, whose ports may be anywhere.
fn plugged_on<'a>(world: &'a World, node: &FloatingNode) -> Option<&'a str> {
    Some(&port_status(world, node)?.binding.as_ref()?.node_name)
}

/// What is said of the port of a floating IP.
fn port_status<'a>(world: &'a World, node: &FloatingNode) -> Option<&'a PortStatus> {
    let port = world.port(&node.key, node.object.spec.port_ref.as_ref()?).ok()?;
    world.topology.entries[port].object.status.as_ref()
}

fn choose(world: &mut World) {
    let named = world.snapshot.agents.values().any(|agent| agent.spec.gateway == Some(true));
    let may = |agent: &Agent| if named { agent.spec.gateway == Some(true) } else { agent.spec.gateway != Some(false) };
    let candidates: Vec<Candidate> = world
        .snapshot
        .agents
        .iter()
        .filter(|(_, agent)| may(agent) && is_alive(agent))
        .map(|(key, agent)| Candidate { name: key.name.clone(), agent, open: agent.spec.drain != Some(true) })
        .collect();
    let wanted: Vec<Index> =
        (0..world.topology.routers.len()).filter(|i| wires(&world.topology, *i).next().is_some()).collect();
    let mut load: HashMap<Arc<str>, usize> = HashMap::new();
    let mut homeless = Vec::new();
    for index in wanted {
        let node = &world.topology.routers[index];
        let before = node.object.status.as_ref().and_then(|s| s.gateway_node.as_deref());
        let stays = candidates.iter().find(|c| before == Some(&*c.name) && c.open && reaches(world, index, c.agent));
        if let Some(candidate) = stays {
            *load.entry(candidate.name.clone()).or_default() += 1;
            Recorded::of(node).towards(&candidate.name, true).record(&mut world.topology.routers[index]);
        } else {
            homeless.push(index);
        }
    }
    for index in homeless {
        let was = Recorded::of(&world.topology.routers[index]);
        let before = was.gateway.as_deref();
        let fit = |c: &&Candidate| {
            let after = |node| may_follow(world, node, c.agent);
            reaches(world, index, c.agent) && after(before) && after(was.pending().as_deref())
        };
        let count = |c: &&Candidate| (load.get(&c.name).copied().unwrap_or(0), c.name.clone());
        // Who was chosen already stays chosen. A node that drains goes on until there is another.
        let open = || candidates.iter().filter(|c| c.open).filter(fit);
        let next = open().find(|c| was.next.as_deref() == Some(&*c.name)).or_else(|| open().min_by_key(count));
        let chosen = next.or_else(|| candidates.iter().filter(fit).find(|c| before == Some(&*c.name)));
        let Some(chosen) = chosen.map(|c| c.name.clone()) else {
            // A living kernel forwards on when its agent is dead: as long as nobody knows better, it is the gateway.
            if before.is_some_and(|node| world.snapshot.agents.contains_key(&Key::new("", node))) {
                let roles = Roles { gateway: was.gateway.clone(), next: None, former: was.pending() };
                roles.record(&mut world.topology.routers[index]);
                continue;
            }
            let key = world.topology.routers[index].key.clone();
            let message = "No live node that may be a gateway is attached to the physical networks that the router reaches: attach one (PhysicalNetwork attachments), or let one be a gateway (Agent spec.gateway).";
            let waiting = remark(Reason::NoAttachment, message);
            world.topology.waiting.insert(Id::new(Kind::Router, key), waiting);
            continue;
        };
        *load.entry(chosen.clone()).or_default() += 1;
        let lives = before.and_then(|node| world.snapshot.agents.get(&Key::new("", node))).is_some_and(|a| is_alive(a));
        was.towards(&chosen, lives).record(&mut world.topology.routers[index]);
    }
    floating(world);
}

/// A floating IP is translated on its port's own node where that node reaches the outside, else on the router's gateway
/// node; one with port forwardings always there, because its ports may be anywhere.
fn floating(world: &mut World) {
    for index in 0..world.topology.floating_ips.len() {
        let node = &world.topology.floating_ips[index];
        let Some(router) = node.router else { continue };
        let gateway = world.topology.routers[router].gateway_node.clone();
        let home = plugged_on(world, node).and_then(|home| {
            let (key, agent) = world.snapshot.agents.get_key_value(&Key::new("", home))?;
            (is_alive(agent) && reaches(world, router, agent)).then(|| key.name.clone())
        });
        let wanted = home.or(gateway);
        // As with routers: a silent node may go on answering for the address.
        let before = node.object.status.as_ref().and_then(|s| s.node_name.as_deref());
        let follower = wanted.as_ref().and_then(|node| world.snapshot.agents.get(&Key::new("", node)));
        let stays = before.filter(|b| {
            wanted.as_deref() != Some(*b) && follower.is_none_or(|agent| !may_follow(world, before, agent))
        });
        let (chosen, before) = (stays.map(Into::into).or(wanted), before.map(Arc::from));
        world.topology.floating_ips[index].node.clone_from(&chosen);
        // The former gateway node goes on until all is said that moves with the router.
        let (was, node) = (Recorded::of(&world.topology.routers[router]), &mut world.topology.routers[router]);
        if before.is_some() && before == was.former && chosen != before && node.gateway_node == was.gateway {
            Roles { gateway: was.gateway, next: None, former: was.former }.record(node);
        }
    }
}

/// Whether a node may take a router over: from a living one, which lets go; from a silent one only once the node itself has
/// seen that its tunnel address answers no more.
fn may_follow(world: &World, before: Option<&str>, agent: &Agent) -> bool {
    let Some(before) = before.and_then(|node| world.snapshot.agents.get_key_value(&Key::new("", node))) else {
        return true;
    };
    let says = |f: &AgentFailure| f.kind == "Agent" && f.name == *before.0.name && f.reason == Reason::Unreachable;
    is_alive(before.1) || agent.status.iter().flat_map(|s| &s.failures).any(says)
}

/// Whether a node touches the wire that a router leaves to.
fn reaches(world: &World, router: Index, agent: &Agent) -> bool {
    let attached = |name: &str| agent.status.as_ref().is_some_and(|s| s.physical_networks.iter().any(|p| p == name));
    wires(&world.topology, router).all(|network| {
        let network = &world.topology.networks[network];
        let wire = network.physical.map(|p| &world.topology.physical_networks[p]);
        network.standing == Standing::InForce && wire.is_none_or(|wire| attached(&wire.key.name))
    })
}

/// Networks that only one node may have a router's leg on: the external one, and those with a provider, where a switch that
/// learns would see the leg's MAC address at several places.
pub fn wires(topology: &Topology, router: Index) -> impl Iterator<Item = Index> {
    let node = &topology.routers[router];
    let legs = node.legs.iter().filter_map(|leg| topology.subnets[leg.subnet].network);
    let provider = legs.filter(|network| topology.networks[*network].physical.is_some());
    node.external.iter().map(|external| external.network).chain(provider)
}

/// Whether a node was heard of lately: the controller says so in the Agent's `Ready`.
fn is_alive(agent: &Agent) -> bool {
    let Some(status) = &agent.status else { return false };
    status.tunnel_address.is_some() && !is_silent(agent) && agent.metadata.deletion_timestamp.is_none()
}
