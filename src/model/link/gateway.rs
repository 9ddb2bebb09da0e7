//! Gateway nodes: which node translates for a router, and which for a floating IP.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Role, World, remark};
use crate::api::{Agent, AgentFailure, Reason};
use crate::model::agent::is_silent;
use crate::model::id::{Id, Key, Kind};
use crate::model::topology::{Index, Standing, Topology};

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
        Role::Node => recorded(&mut world.topology),
        Role::Controller => choose(world),
    }
}

fn recorded(topology: &mut Topology) {
    for node in &mut topology.routers {
        node.gateway_node = node.object.status.as_ref().and_then(|s| s.gateway_node.as_deref()).map(Into::into);
    }
    for node in topology.floating_ips.iter_mut().filter(|node| node.router.is_some()) {
        node.node = node.object.status.as_ref().and_then(|s| s.node_name.as_deref()).map(Into::into);
    }
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
            world.topology.routers[index].gateway_node = Some(candidate.name.clone());
        } else {
            homeless.push(index);
        }
    }
    for index in homeless {
        let before = world.topology.routers[index].object.status.as_ref().and_then(|s| s.gateway_node.as_deref());
        let fit = |c: &&Candidate| reaches(world, index, c.agent) && may_follow(world, before, c.agent);
        let count = |c: &&Candidate| (load.get(&c.name).copied().unwrap_or(0), c.name.clone());
        // A node that drains goes on until there is another.
        let open = candidates.iter().filter(|c| c.open).filter(fit).min_by_key(count);
        let chosen = open.or_else(|| candidates.iter().filter(fit).find(|c| before == Some(&*c.name)));
        let Some(chosen) = chosen.map(|c| c.name.clone()) else {
            // A living kernel forwards on when its agent is dead: as long as nobody knows better, it is the gateway.
            if let Some(before) = before.filter(|node| world.snapshot.agents.contains_key(&Key::new("", node))) {
                world.topology.routers[index].gateway_node = Some(before.into());
                continue;
            }
            let key = world.topology.routers[index].key.clone();
            let message = "No live node that may be a gateway is attached to the physical networks that the router reaches: attach one (PhysicalNetwork attachments), or let one be a gateway (Agent spec.gateway).";
            world.topology.waiting.insert(Id::new(Kind::Router, key), remark(Reason::NoAttachment, message));
            continue;
        };
        *load.entry(chosen.clone()).or_default() += 1;
        world.topology.routers[index].gateway_node = Some(chosen);
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
        let home = node.object.spec.port_ref.as_ref().and_then(|port| {
            let port = world.port(&node.key, port).ok()?;
            let bound = world.topology.entries[port].object.status.as_ref()?.binding.as_ref()?;
            let (key, agent) = world.snapshot.agents.get_key_value(&Key::new("", &bound.node_name))?;
            (is_alive(agent) && reaches(world, router, agent)).then(|| key.name.clone())
        });
        let wanted = home.or(gateway);
        // As with routers: a silent node may go on answering for the address.
        let before = node.object.status.as_ref().and_then(|s| s.node_name.as_deref());
        let follower = wanted.as_ref().and_then(|node| world.snapshot.agents.get(&Key::new("", node)));
        let stays = before.filter(|b| {
            wanted.as_deref() != Some(*b) && follower.is_none_or(|agent| !may_follow(world, before, agent))
        });
        world.topology.floating_ips[index].node = stays.map(Into::into).or(wanted);
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
