//! Where clients ask for guests to be plugged and unplugged, and wait for the answer.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use super::node::Node as _;
use super::plugs::{Plug, Ports, Step};
use super::protocol::{Answer, Request};
use super::server::{ClientId, Event, Server};
use crate::model::Key;

/// The longest that a client waits.
const DAY: u64 = 86_400_000;

/// The control socket, and who waits there.
#[derive(Debug)]
pub struct Desk {
    server: Server,
    plugs: Vec<Plug>,
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
        Self { server, plugs: Vec::new(), answers: Vec::new() }
    }

    /// Descriptors that become readable when a client does something.
    pub fn watched(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.server.watched()
    }

    /// When the first client is to be told something, whatever happens.
    #[must_use]
    pub fn deadline(&self, world: &impl Ports) -> Option<Instant> {
        self.plugs.iter().map(|plug| plug.due(world.grace())).min()
    }

    /// Ports that somebody waits to plug.
    pub fn awaited(&self) -> impl Iterator<Item = &Key> {
        self.plugs.iter().map(|plug| &plug.port)
    }

    /// Whether anybody waits.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.plugs.is_empty()
    }

    /// Takes in what clients did. Whether the node is to converge.
    pub fn hear(&mut self, world: &mut impl Ports, now: Instant) -> bool {
        let mut dirty = false;
        for event in self.server.events() {
            match event {
                Event::Left(client) => {
                    for plug in self.plugs.extract_if(.., |plug| plug.client == client) {
                        dirty |= plug.give_up(world);
                    }
                }
                Event::Asked(client, Request::Plug { namespace, name, target, timeout_ms, force }) => {
                    let patience = Duration::from_millis(timeout_ms.min(DAY));
                    self.plugs.push(Plug::new(client, Key::new(&namespace, &name), target, force, now, patience));
                }
                Event::Asked(client, Request::Prepare { namespace, name, target, timeout_ms }) => {
                    let (key, patience) = (Key::new(&namespace, &name), Duration::from_millis(timeout_ms.min(DAY)));
                    let plug = Plug::new(client, key, target, false, now, patience);
                    self.plugs.push(plug.with(Step::Prepare));
                }
                Event::Asked(client, Request::Switch { namespace, name, timeout_ms }) => {
                    let (key, patience) = (Key::new(&namespace, &name), Duration::from_millis(timeout_ms.min(DAY)));
                    let Some(prepared) = world.node().attachments().get(&key) else {
                        let why = format!("nothing is plugged into Port {key} here: plug it with --prepare first");
                        self.answers.push((client, Answer::Failed(why)));
                        dirty = true;
                        continue;
                    };
                    let plug = Plug::new(client, key, prepared.target.clone(), false, now, patience);
                    self.plugs.push(plug.with(Step::Switch));
                }
                Event::Asked(client, Request::Unplug { namespace, name }) => {
                    let answer = unplug(world, &Key::new(&namespace, &name));
                    self.answers.push((client, answer));
                    dirty = true;
                }
                Event::Asked(client, Request::Confirm) => {
                    let answer = world.confirm();
                    self.answers.push((client, answer));
                    dirty = true;
                }
            }
        }
        dirty
    }

    /// Plugs what can be plugged. Whether the node is to converge.
    pub fn attach(&mut self, world: &mut impl Ports) -> bool {
        let (server, mut dirty) = (&mut self.server, false);
        self.plugs.retain_mut(|plug| match plug.attach(world) {
            Ok(plugged) => {
                dirty |= plugged;
                true
            }
            Err(why) => {
                server.answer(plug.client, &Answer::Failed(why));
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
        self.plugs.retain_mut(|plug| {
            let Some(answer) = plug.answer(world, now) else { return true };
            if matches!(answer, Answer::Failed(_)) {
                undone |= plug.give_up(world);
            }
            server.answer(plug.client, &answer);
            matches!(answer, Answer::Progress(_))
        });
        undone
    }

    /// Forgets who waits, without a word.
    #[cfg(test)]
    pub fn forget(&mut self) {
        self.plugs.clear();
    }

    /// Tells whoever waits for a port that it will not be.
    pub fn refuse(&mut self, port: &Key, why: &str) {
        for plug in self.plugs.extract_if(.., |plug| plug.port == *port) {
            self.server.answer(plug.client, &Answer::Failed(why.to_owned()));
        }
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
