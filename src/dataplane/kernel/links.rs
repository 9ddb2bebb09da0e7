//! Links are made, settled under their bridge, moved in and given back, and taken away together.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::Path;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage as Message;
use nix::libc::{EMFILE, ENFILE, ENOMEM};

use crate::dataplane::kernel::apply::{Failures, Step};
use crate::dataplane::kernel::link::{self, Below, Peer};
use crate::dataplane::kernel::netlink::{Netlink, Request};
use crate::dataplane::kernel::space::plain;
use crate::dataplane::kernel::{Kernel, filter, guest, netns};
use crate::dataplane::names;
use crate::dataplane::plan::{Action, Change};
use crate::dataplane::state::{IfName, Item, Link, LinkKind, Make, Netns, Spec};

/// Position and action of a step that a request is for.
pub type For = (usize, Action);

/// Makes links that are missing, sets those that differ.
pub fn make(kernel: &mut Kernel, steps: &[Step], failures: &mut Failures) {
    let note = |failures: &mut Failures, position: usize, made: io::Result<()>| {
        if let Err(error) = made {
            failures.entry(position).or_insert(error);
        }
    };
    for (position, change) in steps {
        note(failures, *position, make_one(kernel, change));
    }
    // Before our end has what it is known to be whole by: of a guest's end nothing is observed.
    for (position, change) in steps {
        if !failures.contains_key(position) {
            note(failures, *position, set_guest_end(change));
        }
    }
    filter::guard(kernel, &changed(steps), failures);
    settle(kernel, steps, failures);
}

/// Steps after which a link has other filters than it is to have.
fn changed<'a>(steps: &[Step<'a>]) -> Vec<Step<'a>> {
    let filter = |spec: &Option<Spec>| spec.as_ref().and_then(Spec::link).and_then(|link| link.filter.clone());
    let differs = |(_, c): &Step| filter(&c.to).is_some() && !(can_be_set(c) && filter(&c.from) == filter(&c.to));
    steps.iter().copied().filter(differs).collect()
}

/// Gives a guest's end its MTU and sets it up, when the link is new or the network's MTU another one.
fn set_guest_end(change: &Change) -> io::Result<()> {
    let Some(Make::Guest { path, inode, device, mtu, deaf, .. }) = &change.make else { return Ok(()) };
    let before = change.from.as_ref().and_then(Spec::link).map(|link| names::told(&link.alias).unwrap_or(link.mtu));
    if can_be_set(change) && before == Some(*mtu) {
        return Ok(());
    }
    let fd = guest_netns(path, *inode)?;
    if *deaf {
        guest::deafen(fd.as_fd(), device)?;
    }
    Netlink::open(fd.as_fd())?.ask(Message::SetLink(link::guest_end(device, *mtu)), 0)
}

fn parts(change: &Change) -> Option<(&Netns, &IfName, &Link)> {
    let (Item::Link(netns, name) | Item::Peer(netns, name)) = &change.item else { return None };
    Some((netns, name, change.to.as_ref().or(change.from.as_ref())?.link()?))
}

/// Whether the link there can be set to what is wanted: another kind or another guest needs another link.
fn can_be_set(change: &Change) -> bool {
    let (Some(Spec::Link(from)), Some(Spec::Link(to))) = (&change.from, &change.to) else { return false };
    from.kind == to.kind
        && (matches!(change.item, Item::Peer(..)) || names::guest(&from.alias) == names::guest(&to.alias))
}

fn make_one(kernel: &mut Kernel, change: &Change) -> io::Result<()> {
    let Some((netns, name, link)) = parts(change) else { return Ok(()) };
    if can_be_set(change) {
        return Ok(());
    }
    if change.action() == Action::Update {
        let space = kernel.space(netns)?;
        let index = space.index(name)?;
        space.change(vec![plain(Message::DelLink(link::at(index)))])?.pop().unwrap_or(Ok(None))?;
        space.indices.remove(name);
    }
    if let LinkKind::MovedIn { host_name } = &link.kind {
        return move_in(kernel, netns, name, host_name, link);
    }
    let master = match &link.bridge {
        Some(port) => Some(kernel.space(netns)?.index(&port.bridge)?),
        None => None,
    };
    // Held open until the kernel has made the link's other end there.
    let guest = match &change.make {
        Some(Make::Guest { path, inode, .. }) => Some(guest_netns(path, *inode)?),
        _ => None,
    };
    let below = below(kernel, netns, link, change.make.as_ref(), guest.as_ref())?;
    // A macvlan is made in the host, where its parent is, into the router's namespace; a tunnel, because its packets travel
    // in the namespace that asks for it.
    let host = matches!(link.kind, LinkKind::Macvlan | LinkKind::Vxlan { .. });
    let at = if host { &Netns::Host } else { netns };
    let message = link::create(name, link, master, &below);
    let request = Request { message: Message::NewLink(message), flags: NLM_F_CREATE | NLM_F_EXCL };
    if at != netns && *netns != Netns::Vswitch {
        kernel.space(netns)?.forget();
    }
    let answer = kernel.space(at)?.change(vec![request])?.pop().unwrap_or(Ok(None));
    answer.map(|_| ()).map_err(|error| match (&change.make, error.raw_os_error()) {
        (Some(Make::Guest { device, .. }), Some(nix::libc::EEXIST)) => io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("the guest has an interface {device} already: plug with another --ifname, or remove that one"),
        ),
        _ => error,
    })
}

fn below(
    kernel: &mut Kernel,
    netns: &Netns,
    link: &Link,
    make: Option<&Make>,
    guest: Option<&OwnedFd>,
) -> io::Result<Below> {
    let mut parent = |at: &Netns, name: &IfName| kernel.space(at)?.index(name);
    Ok(match (make, guest) {
        (Some(Make::Peer(other, peer)), _) => {
            Below::Peer(Peer { name: peer.clone(), netns: kernel.space(other)?.raw(), mac: None, ours: true })
        }
        (Some(Make::Guest { device, mac, .. }), Some(guest)) => {
            Below::Peer(Peer { name: device.clone(), netns: guest.as_raw_fd(), mac: Some(*mac), ours: false })
        }
        (Some(Make::Parent(name)), _) if link.kind == LinkKind::Macvlan => {
            let index = parent(&Netns::Host, name)?;
            Below::Parent(index, Some(kernel.space(netns)?.raw()))
        }
        (Some(Make::Parent(name)), _) => Below::Parent(parent(netns, name)?, None),
        _ if matches!(link.kind, LinkKind::Vxlan { .. }) => Below::Into(kernel.space(netns)?.raw()),
        _ => Below::Nothing,
    })
}

/// Marks a link of the host, then moves it in: a crash between the two loses nothing.
fn move_in(kernel: &mut Kernel, netns: &Netns, name: &IfName, host_name: &IfName, link: &Link) -> io::Result<()> {
    let target = kernel.space(netns)?.raw();
    kernel.space(netns)?.forget();
    let host = kernel.space(&Netns::Host)?;
    host.indices.remove(host_name);
    let index = host.index(host_name)?;
    host.indices.remove(host_name);
    let requests = vec![
        plain(Message::SetLink(link::mark(index, &link.alias))),
        plain(Message::SetLink(link::relocate(index, target, name))),
    ];
    host.change(requests)?.into_iter().try_for_each(|answer| answer.map(|_| ()))
}

/// Puts links under their bridges, with their flags, alias and MTU, and sets them up.
pub fn settle(kernel: &mut Kernel, steps: &[Step], failures: &mut Failures) {
    let mut by_space: BTreeMap<&Netns, (Vec<Request>, Vec<For>)> = BTreeMap::new();
    for (position, change) in steps {
        if failures.contains_key(position) {
            continue;
        }
        let Some((netns, name, link)) = parts(change) else { continue };
        match requests(kernel, netns, name, change, link) {
            Ok(requests) => {
                let (all, positions) = by_space.entry(netns).or_default();
                positions.extend(requests.iter().map(|_| (*position, change.action())));
                all.extend(requests);
            }
            Err(error) => drop(failures.insert(*position, error)),
        }
    }
    for (netns, (requests, positions)) in by_space {
        send(kernel, netns, requests, &positions, failures);
    }
    for (_, change) in steps {
        if let Some((netns, name, _)) = parts(change)
            && let Ok(space) = kernel.space(netns)
        {
            space.touched(name);
        }
    }
}

fn requests(
    kernel: &mut Kernel,
    netns: &Netns,
    name: &IfName,
    change: &Change,
    link: &Link,
) -> io::Result<Vec<Request>> {
    let space = kernel.space(netns)?;
    let index = space.index(name)?;
    let bridge = |link: &Link| link.bridge.as_ref().map(|port| port.bridge.clone());
    let there = change.from.as_ref().and_then(Spec::link).map(bridge);
    // A veth end or a bridge that was just made has its bridge already, what was moved in or came as a second end has none.
    let made_there = matches!(change.item, Item::Link(..)) && !matches!(link.kind, LinkKind::MovedIn { .. });
    let mut requests = Vec::new();
    if there.map_or(!made_there, |there| there != bridge(link)) {
        let master = match &link.bridge {
            Some(port) => space.index(&port.bridge)?,
            None => 0,
        };
        requests.push(plain(Message::SetLink(link::enslave(index, master))));
    }
    requests.push(plain(Message::NewLink(link::set(index, link))));
    Ok(requests)
}

/// Sends a batch and notes which steps failed. What was to go and is gone is no failure.
pub fn send(kernel: &mut Kernel, netns: &Netns, requests: Vec<Request>, positions: &[For], failures: &mut Failures) {
    let answers = kernel.space(netns).and_then(|space| space.change(requests));
    match answers {
        Ok(answers) => {
            for (answer, (position, action)) in answers.into_iter().zip(positions) {
                if let Err(error) = answer
                    && !(*action == Action::Delete && is_gone(&error))
                {
                    failures.entry(*position).or_insert(error);
                }
            }
        }
        Err(error) => {
            for (position, _) in positions {
                failures.entry(*position).or_insert_with(|| io::Error::new(error.kind(), error.to_string()));
            }
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    use nix::libc::{EADDRNOTAVAIL, ENODEV, ENOENT, ESRCH};
    matches!(error.raw_os_error(), Some(ENODEV | ENOENT | ESRCH | EADDRNOTAVAIL))
        || error.kind() == io::ErrorKind::NotFound
}

/// Takes links away, all of a namespace in one request; what was moved in is given back.
pub fn take_away(kernel: &mut Kernel, steps: &[Step], failures: &mut Failures) {
    let mut by_space: BTreeMap<&Netns, (Vec<Request>, Vec<For>)> = BTreeMap::new();
    for (position, change) in steps {
        let Some((netns, name, link)) = parts(change) else { continue };
        if let LinkKind::MovedIn { host_name } = &link.kind {
            if let Err(error) = give_back(kernel, netns, name, host_name)
                && !is_gone(&error)
            {
                failures.insert(*position, error);
            }
            continue;
        }
        let Ok(space) = kernel.space(netns) else { continue };
        if let Ok(index) = space.index(name) {
            let (requests, positions) = by_space.entry(netns).or_default();
            requests.push(plain(Message::SetLink(link::doom(index))));
            positions.push((*position, Action::Delete));
            space.indices.remove(name);
        }
    }
    for (netns, (mut requests, mut positions)) in by_space {
        requests.push(plain(Message::DelLink(link::delete_doomed())));
        positions.extend(positions.last().copied());
        send(kernel, netns, requests, &positions, failures);
    }
}

fn give_back(kernel: &mut Kernel, netns: &Netns, name: &IfName, host_name: &IfName) -> io::Result<()> {
    let target = kernel.space(&Netns::Host)?.raw();
    kernel.space(&Netns::Host)?.forget();
    let space = kernel.space(netns)?;
    let index = space.index(name)?;
    space.indices.remove(name);
    let requests = vec![
        plain(Message::SetLink(link::enslave(index, 0))),
        plain(Message::SetLink(link::unmark(index))),
        plain(Message::SetLink(link::relocate(index, target, host_name))),
    ];
    space.change(requests)?.into_iter().try_for_each(|answer| answer.map(|_| ()))?;
    kernel.space(&Netns::Host)?.change(vec![plain(Message::SetLink(link::up(host_name)))])?;
    Ok(())
}

/// Opens the namespace of a guest.
///
/// # Errors
/// The path leads nowhere, or to another namespace than the one that was plugged: `NotFound`. There is no descriptor or no
/// memory left.
pub fn guest_netns(path: &str, inode: u64) -> io::Result<OwnedFd> {
    let gone = || io::Error::new(io::ErrorKind::NotFound, format!("the guest's namespace {path} is gone"));
    // What we lack ourselves says nothing of the guest.
    let ours = |error: &io::Error| matches!(error.raw_os_error(), Some(EMFILE | ENFILE | ENOMEM));
    let fd = netns::open(Path::new(path)).map_err(|error| if ours(&error) { error } else { gone() })?;
    if netns::inode(fd.as_fd())? == inode { Ok(fd) } else { Err(gone()) }
}
