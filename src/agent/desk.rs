//! Where clients ask for guests to be plugged and unplugged, and wait for the answer.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Instant;

use super::calls;
use super::node::Node as _;
use super::plugs::{Ports, Step, Wanted};
use super::protocol::{Answer, Request};
use super::server::{ClientId, Event, Server};
use super::visit::Visit;
use crate::dataplane::attachment::Sandbox;
use crate::model::Key;

/// The control socket, and who waits there.
#[derive(Debug)]
pub struct Desk {
    server: Server,
    visits: Vec<Visit>,
    /// Clients that are answered after the next convergence.
    answers: Vec<(ClientId, Answer)>,
}

impl Desk {
    /// Listens at `socket`.
    ///
    /// # Errors
    /// The directory cannot be made or written.
    pub fn open(socket: &Path) -> io::Result<Self> {
        Server::listen(socket).map(Self::new)
    }

    /// A desk at which nobody waits yet.
    #[must_use]
    pub fn new(server: Server) -> Self {
        Self { server, visits: Vec::new(), answers: Vec::new() }
    }

    /// Descriptors that become readable when a client does something.
    pub fn watched(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.server.watched()
    }

    /// When the first client is to be told something, whatever happens.
    #[must_use]
    pub fn deadline(&self, world: &impl Ports) -> Option<Instant> {
        self.visits.iter().filter_map(|visit| visit.due(world.grace())).min()
    }

    /// Ports that somebody waits to plug.
    pub fn awaited(&self) -> impl Iterator<Item = &Key> {
        self.visits.iter().flat_map(Visit::ports)
    }

    /// Whether anybody waits.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.visits.is_empty()
    }

    /// Takes in what clients did. Whether the node is to converge.
    pub fn hear(&mut self, world: &mut impl Ports, now: Instant) -> bool {
        let mut dirty = false;
        for event in self.server.events() {
            let (client, request) = match event {
                Event::Left(client) => {
                    dirty |= self.give_up(world, |visit| visit.client == client, None);
                    continue;
                }
                Event::Asked(client, request) => (client, request),
            };
            if let Some(answer) = self.take(client, request, world, now) {
                self.answers.push((client, answer));
                dirty = true;
            }
        }
        dirty
    }

    /// Does what is asked; its answer, or none yet: it waits.
    fn take(&mut self, client: ClientId, request: Request, world: &mut impl Ports, now: Instant) -> Option<Answer> {
        Some(match request {
            Request::Plug { namespace, name, target, timeout_ms, force } => {
                let port = Key::new(&namespace, &name);
                let wanted = Wanted { force, ..Wanted::by_hand(port, target, Step::Plug) };
                self.visits.push(Visit::new(client, [wanted], false, now, timeout_ms));
                return None;
            }
            Request::Prepare { namespace, name, target, timeout_ms } => {
                let wanted = Wanted::by_hand(Key::new(&namespace, &name), target, Step::Prepare);
                self.visits.push(Visit::new(client, [wanted], false, now, timeout_ms));
                return None;
            }
            Request::Switch { namespace, name, timeout_ms } => {
                let port = Key::new(&namespace, &name);
                let Some(prepared) = world.node().attachments().get(&port) else {
                    let why = format!("nothing is plugged into Port {port} here: plug it with --prepare first");
                    return Some(Answer::Failed(why));
                };
                let wanted = Wanted::by_hand(port, prepared.target.clone(), Step::Switch);
                self.visits.push(Visit::new(client, [wanted], false, now, timeout_ms));
                return None;
            }
            Request::PlugPod { ports, timeout_ms } => {
                let wanted = ports.into_iter().map(Wanted::from);
                self.visits.push(Visit::new(client, wanted, true, now, timeout_ms));
                return None;
            }
            Request::Unplug { namespace, name } => unplug(world, &Key::new(&namespace, &name)),
            Request::UnplugPod { container, interface } => {
                let of = |pod: &Sandbox| pod.container == container && pod.interface == interface;
                // Whoever still waits to plug it was given up by the container runtime.
                self.give_up(world, |visit| visit.is_for(of), Some("the pod is taken away"));
                calls::unplug(world, of)
            }
            Request::CheckPod { container, interface } => {
                calls::check(world, |pod| pod.container == container && pod.interface == interface)
            }
            Request::KeepPods { network, living } => calls::unplug(world, |pod| {
                pod.network == network && !living.contains(&(pod.container.clone(), pod.interface.clone()))
            }),
            Request::Hello => Answer::Done(Vec::new()),
            Request::Confirm => world.confirm(),
        })
    }

    /// Undoes what was done for visits, and forgets them; the clients are told why, if they are still there. Whether the node
    /// is to converge.
    fn give_up(&mut self, world: &mut impl Ports, which: impl Fn(&Visit) -> bool, why: Option<&str>) -> bool {
        let mut dirty = false;
        for visit in self.visits.extract_if(.., |visit| which(visit)) {
            dirty |= visit.give_up(world);
            world.served(None);
            if let Some(why) = why {
                self.server.answer(visit.client, &Answer::Failed(why.to_owned()));
            }
        }
        dirty
    }

    /// Plugs what can be plugged. Whether the node is to converge.
    pub fn attach(&mut self, world: &mut impl Ports) -> bool {
        let (server, mut dirty) = (&mut self.server, false);
        self.visits.retain_mut(|visit| match visit.attach(world) {
            Ok(plugged) => {
                dirty |= plugged;
                true
            }
            Err(why) => {
                dirty |= visit.give_up(world);
                server.answer(visit.client, &Answer::Failed(why));
                world.served(None);
                false
            }
        });
        dirty
    }

    /// Answers whoever waited for a convergence. Whether something was undone, so that the node is to converge once more.
    pub fn answer(&mut self, world: &mut impl Ports, now: Instant) -> bool {
        let (server, mut undone) = (&mut self.server, false);
        for (client, answer) in self.answers.drain(..) {
            server.answer(client, &answer);
        }
        self.visits.retain_mut(|visit| {
            let Some(answer) = visit.answer(world, now) else { return true };
            match answer {
                Answer::Progress(_) => {}
                Answer::Failed(_) => {
                    undone |= visit.give_up(world);
                    world.served(None);
                }
                _ => world.served(Some(now.saturating_duration_since(visit.since))),
            }
            server.answer(visit.client, &answer);
            matches!(answer, Answer::Progress(_))
        });
        undone
    }

    /// Forgets who waits, without a word.
    #[cfg(test)]
    pub fn forget(&mut self) {
        self.visits.clear();
    }

    /// Tells whoever waits for a port that it will not be. Whether something was undone, so that the node is to converge.
    pub fn refuse(&mut self, world: &mut impl Ports, port: &Key, why: &str) -> bool {
        self.give_up(world, |visit| visit.loses(port), Some(why))
    }
}

fn unplug(world: &mut impl Ports, port: &Key) -> Answer {
    if !world.node().attachments().contains_key(port) {
        return Answer::Done(vec![format!("nothing was plugged into Port {port}")]);
    }
    match world.node_mut().detach(port) {
        Ok(()) => Answer::Done(vec![format!("Port {port} unplugged")]),
        Err(error) => Answer::Failed(error.to_string()),
    }
}
