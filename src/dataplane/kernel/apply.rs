//! Makes the steps of a plan, in their order. Steps of one kind in one namespace leave in one batch; a step that fails is
//! noted and the rest goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage as Message;

use crate::dataplane::kernel::netlink::Request;
use crate::dataplane::kernel::{
    Kernel, announce, conntrack::Conntrack, filter, link, links, neighbour, route, rule, space, sysctl,
};
use crate::dataplane::plan::{Action, Change, Plan};
use crate::dataplane::router_rules;
use crate::dataplane::state::{Item, LinkKind, Make, Netns, Spec};

/// Why steps failed, by their position in the plan.
pub type Failures = BTreeMap<usize, io::Error>;

/// Steps that may share a batch: what comes later may need what came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Remove,
    Namespaces,
    Sysctls,
    Rulesets,
    Filters,
    Links,
    Peers,
    Entries,
    Addresses,
    Routes,
    Release,
}

fn stage(change: &Change) -> Stage {
    match (change.action(), &change.item) {
        (_, Item::Group(_) | Item::Member(_) | Item::Policy(_)) => Stage::Filters,
        (
            Action::Delete,
            Item::Fdb(..)
            | Item::Remote(..)
            | Item::Neighbour(..)
            | Item::Address(..)
            | Item::Route(..)
            | Item::Rule(..),
        ) => Stage::Remove,
        (Action::Delete, _) => Stage::Release,
        (_, Item::Namespace(_)) => Stage::Namespaces,
        (_, Item::Sysctls(_)) => Stage::Sysctls,
        (_, Item::Ruleset(_)) => Stage::Rulesets,
        (_, Item::Link(..)) => Stage::Links,
        (_, Item::Peer(..)) => Stage::Peers,
        (_, Item::Fdb(..) | Item::Remote(..) | Item::Neighbour(..)) => Stage::Entries,
        (_, Item::Address(..)) => Stage::Addresses,
        (_, Item::Route(..) | Item::Rule(..)) => Stage::Routes,
    }
}

/// A step with its position.
pub type Step<'a> = (usize, &'a Change);

/// Makes a plan.
pub fn plan(kernel: &mut Kernel, plan: &Plan) -> Failures {
    let all: Vec<Step> = plan.0.iter().enumerate().collect();
    let mut failures = Failures::new();
    for steps in all.chunk_by(|(_, a), (_, b)| stage(a) == stage(b)) {
        let Some((_, first)) = steps.first() else { continue };
        match stage(first) {
            Stage::Namespaces => {
                each(steps, &mut failures, |change| change.item.netns().map_or(Ok(()), |n| kernel.add(n)));
            }
            Stage::Sysctls => each(steps, &mut failures, |change| set_sysctls(kernel, change)),
            Stage::Rulesets => each(steps, &mut failures, |change| set_rules(kernel, change)),
            Stage::Filters => filter::apply(kernel, steps, &mut failures),
            Stage::Links => links::make(kernel, steps, &mut failures),
            Stage::Peers => {
                links::settle(kernel, steps, &mut failures);
                sync(kernel, &all);
            }
            Stage::Release => release(kernel, steps, &mut failures),
            Stage::Remove | Stage::Entries | Stage::Addresses | Stage::Routes => batch(kernel, steps, &mut failures),
        }
    }
    announce(kernel, &all, &failures);
    cut(kernel, &all, &mut failures);
    failures
}

/// Asks for links that were made. The kernel tells the ends of a veth pair of each other in its own time, which may be a
/// second: nothing passes until then, and what asks by ARP meanwhile asks again a second later. Since Linux 6.8 it does so
/// before it answers. The vswitch's are asked for anyway.
fn sync(kernel: &mut Kernel, steps: &[Step]) {
    let mut by_space: BTreeMap<&Netns, Vec<Request>> = BTreeMap::new();
    for (_, change) in steps {
        if let (Item::Link(netns, name) | Item::Peer(netns, name), Action::Create) = (&change.item, change.action())
            && (matches!(change.item, Item::Peer(..)) || *netns != Netns::Vswitch)
            && let Ok(index) = kernel.space(netns).and_then(|space| space.index(name))
        {
            by_space.entry(netns).or_default().push(space::plain(Message::GetLink(link::at(index))));
        }
    }
    for (netns, requests) in by_space {
        if let Err(error) = kernel.space(netns).and_then(|space| space.netlink.send(requests)) {
            tracing::debug!(%error, %netns, "links could not be asked for");
        }
    }
}

fn each(steps: &[Step], failures: &mut Failures, mut make: impl FnMut(&Change) -> io::Result<()>) {
    for (position, change) in steps {
        if let Err(error) = make(change) {
            failures.insert(*position, error);
        }
    }
}

fn set_sysctls(kernel: &mut Kernel, change: &Change) -> io::Result<()> {
    let Some(Spec::Sysctls(wanted)) = &change.to else { return Ok(()) };
    let mut differing = BTreeMap::clone(wanted);
    if let Some(Spec::Sysctls(there)) = &change.from {
        differing.retain(|path, value| there.get(path) != Some(value));
    }
    let Some(netns) = change.item.netns() else { return Ok(()) };
    let space = kernel.space(netns)?;
    space.forget();
    sysctl::write(space.as_fd(), &differing)
}

fn set_rules(kernel: &mut Kernel, change: &Change) -> io::Result<()> {
    let rules = |spec: &Option<Spec>| if let Some(Spec::Ruleset(rules)) = spec { Some(rules.clone()) } else { None };
    let (from, to) = (rules(&change.from), rules(&change.to));
    let Some(netns) = change.item.netns() else { return Ok(()) };
    let space = kernel.space(netns)?;
    space.forget();
    space.nft.apply(from.as_deref(), to.as_deref())
}

/// Connections that were translated by what is no longer said are cut: their packets would go on by the old word. Last of
/// all, because it takes longest.
fn cut(kernel: &mut Kernel, steps: &[Step], failures: &mut Failures) {
    for (position, change) in steps {
        let (Some(netns), Some(Spec::Ruleset(from)), Some(Spec::Ruleset(to))) =
            (change.item.netns(), &change.from, &change.to)
        else {
            continue;
        };
        let begins = router_rules::translates(to) && !router_rules::translates(from);
        let addresses = router_rules::cut(from, to);
        if failures.contains_key(position) || (!begins && addresses.is_empty()) {
            continue;
        }
        let connections = kernel.space(netns).and_then(|space| Conntrack::open(space.as_fd()));
        let done = connections.and_then(|mut connections| {
            // The kernel tracks connections a moment before the first rule translates them. It would remember them as they were.
            if begins { connections.clear() } else { connections.flush(&addresses).map(|_| ()) }
        });
        if let Err(error) = done {
            failures.insert(*position, error);
        }
    }
}

/// Entries, addresses and routes: one batch for each namespace.
fn batch(kernel: &mut Kernel, steps: &[Step], failures: &mut Failures) {
    let mut by_space: BTreeMap<&Netns, Vec<Step>> = BTreeMap::new();
    for step in steps {
        if let Some(netns) = step.1.item.netns() {
            by_space.entry(netns).or_default().push(*step);
        }
    }
    for (netns, steps) in by_space {
        let mut requests = Vec::with_capacity(steps.len());
        let mut positions = Vec::with_capacity(steps.len());
        for &(position, change) in &steps {
            match kernel.space(netns).and_then(|space| request(space, change)) {
                Ok(request) => {
                    requests.push(request);
                    positions.push((position, change.action()));
                }
                Err(error) => drop(failures.insert(position, error)),
            }
        }
        links::send(kernel, netns, requests, &positions, failures);
        // A station that was put behind another port of the bridge is no longer behind the first, and the kernel does not tell.
        for (position, change) in steps {
            if let (Item::Fdb(..), Action::Delete, false) =
                (&change.item, change.action(), failures.contains_key(&position))
            {
                kernel.observed.0.remove(&change.item);
            }
        }
    }
}

fn request(space: &mut space::Space, change: &Change) -> io::Result<Request> {
    let mut index = |name: &str| space.index(name);
    let message = match (&change.item, &change.to) {
        (Item::Fdb(_, name, mac), Some(_)) => Message::NewNeighbour(neighbour::station(index(name)?, *mac)),
        (Item::Fdb(_, name, mac), None) => Message::DelNeighbour(neighbour::station(index(name)?, *mac)),
        (Item::Remote(_, name, mac), Some(Spec::Remote(node))) => {
            Message::NewNeighbour(neighbour::remote(index(name)?, *mac, Some(*node)))
        }
        (Item::Remote(_, name, mac), _) => Message::DelNeighbour(neighbour::remote(index(name)?, *mac, None)),
        (Item::Neighbour(_, name, ip), Some(Spec::Neighbour(mac))) => {
            Message::NewNeighbour(neighbour::neighbour(index(name)?, *ip, Some(*mac)))
        }
        (Item::Neighbour(_, name, ip), _) => Message::DelNeighbour(neighbour::neighbour(index(name)?, *ip, None)),
        (Item::Address(_, name, net), Some(_)) => Message::NewAddress(route::address(index(name)?, *net)),
        (Item::Address(_, name, net), None) => Message::DelAddress(route::address(index(name)?, *net)),
        (Item::Route(_, table, to), spec) => {
            let Some(Spec::Route(wanted)) = spec.as_ref().or(change.from.as_ref()) else { return Err(mute()) };
            let ways = wanted
                .hops
                .iter()
                .map(|hop| Ok(route::Way { via: hop.via, index: index(&hop.device)?, on_link: hop.on_link }));
            let message = route::route(*table, *to, &ways.collect::<io::Result<_>>()?, wanted.mtu);
            if spec.is_some() { Message::NewRoute(message) } else { Message::DelRoute(message) }
        }
        (Item::Rule(_, priority), spec) => {
            let Some(Spec::Rule(wanted)) = spec.as_ref().or(change.from.as_ref()) else { return Err(mute()) };
            let message = rule::rule(*priority, wanted);
            if spec.is_some() { Message::NewRule(message) } else { Message::DelRule(message) }
        }
        _ => return Err(mute()),
    };
    Ok(if change.to.is_some() {
        Request { message, flags: NLM_F_CREATE | NLM_F_REPLACE }
    } else {
        space::plain(message)
    })
}

fn mute() -> io::Error {
    io::Error::other("a step without a request")
}

/// Links and namespaces that go. The kernel empties a namespace in its own time, so whatever has an end elsewhere goes
/// first; a router's veth legs go with their other ends.
fn release(kernel: &mut Kernel, steps: &[Step], failures: &mut Failures) {
    let namespace = |(_, c): &Step| if let Item::Namespace(netns) = &c.item { Some(netns.clone()) } else { None };
    let leaving: BTreeSet<Netns> = steps.iter().filter_map(namespace).collect();
    let is_link = |c: &Change| matches!(c.item, Item::Link(..) | Item::Peer(..));
    let veth = |c: &Change| c.from.as_ref().and_then(Spec::link).is_some_and(|link| link.kind == LinkKind::Veth);
    let leaves = |netns: &Netns| *netns != Netns::Vswitch && leaving.contains(netns);
    let goes_along = |c: &Change| c.item.netns().is_some_and(leaves) && veth(c);
    let (links, rest): (Vec<Step>, Vec<Step>) = steps.iter().partition(|(_, c)| is_link(c));
    let links: Vec<Step> = links.into_iter().filter(|(_, c)| !goes_along(c)).collect();
    links::take_away(kernel, &links, failures);
    each(&rest, failures, |change| match &change.item {
        Item::Ruleset(netns) if !leaving.contains(netns) => set_rules(kernel, change),
        Item::Namespace(netns) => kernel.remove(netns),
        _ => Ok(()),
    });
}

/// Tells the neighbours of a link that an address is here now, or at a station elsewhere: they may remember another one for it.
fn announce(kernel: &mut Kernel, steps: &[Step], failures: &Failures) {
    let (mut own, mut others): (BTreeMap<_, Vec<_>>, BTreeMap<_, Vec<_>>) = Default::default();
    for (position, change) in steps {
        let Some(Make::Announce(mac)) = change.make.as_ref().filter(|_| !failures.contains_key(position)) else {
            continue;
        };
        match (&change.item, change.action()) {
            (Item::Address(netns, name, net), Action::Create) => {
                own.entry(netns).or_default().push((name.clone(), net.addr(), *mac));
            }
            (Item::Neighbour(netns, name, ip), Action::Create | Action::Update) => {
                others.entry(netns).or_default().push((name.clone(), *ip, *mac));
            }
            _ => {}
        }
    }
    let mut placed = |all: BTreeMap<&Netns, Vec<announce::Announcement>>| -> Vec<_> {
        let mut place = |netns: &Netns| kernel.space(netns).ok()?.as_fd().try_clone_to_owned().ok();
        all.into_iter().filter_map(|(netns, all)| Some((place(netns)?, all))).collect()
    };
    announce::announce(placed(own));
    announce::repeat(&placed(others));
}
