//! The loop of local mode: one thread that sleeps until a file, a client, the kernel, a signal or a deadline wakes it.

use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use tracing::{error, info, warn};

use super::files::Touched;
use super::node::Node;
use super::plugs::Plug;
use super::protocol::{Answer, Request};
use super::server::{ClientId, Event as ClientEvent, Server};
use super::watch::{Event, Watch};
use super::world::World;
use crate::model::Key;

/// How long until something that failed is tried again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// The shortest time between two repairs: somebody who undoes ours at once must not cost a whole processor.
const CALM: Duration = Duration::from_millis(20);

/// A running instance.
#[derive(Debug)]
pub struct Instance<N> {
    world: World<N>,
    signals: SignalFd,
    watch: Watch,
    server: Server,
    plugs: Vec<Plug>,
    /// Clients that are answered after the next convergence.
    answers: Vec<(ClientId, Answer)>,
    /// When what failed is tried again, and after how long.
    retry: Option<(Instant, Duration)>,
    /// The kernel changed under us and was not looked at yet.
    disturbed: bool,
    repaired: Option<Instant>,
    /// When to look again for folders that are gone.
    look: Option<Instant>,
    dirty: bool,
}

/// Why the loop woke.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools)]
struct Awake {
    signal: bool,
    files: bool,
    clients: bool,
    node: bool,
}

impl<N: Node> Instance<N> {
    /// Reads all files, watches them, and converges for the first time.
    ///
    /// # Errors
    /// The kernel refuses to watch.
    pub fn begin(mut world: World<N>, server: Server) -> io::Result<Self> {
        let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]);
        signals.thread_block()?;
        let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let mut watch = Watch::new()?;
        let mut failed = None;
        let mut enter = |dir: &Path| failed = failed.take().or(watch.add(dir).err());
        world.begin(&mut enter, (Timestamp::now(), Instant::now()));
        if let Some(error) = failed {
            return Err(unwatchable(error));
        }
        let mut instance = Self {
            world,
            signals,
            watch,
            server,
            plugs: Vec::new(),
            answers: Vec::new(),
            retry: None,
            disturbed: false,
            repaired: None,
            look: None,
            dirty: true,
        };
        instance.settle();
        Ok(instance)
    }

    /// Runs until SIGTERM or SIGINT. What the kernel forwards, it goes on forwarding.
    ///
    /// # Errors
    /// The kernel refuses to wait.
    pub fn run(&mut self) -> io::Result<()> {
        while self.step()? {}
        info!("stopping; forwarding goes on without this process");
        Ok(())
    }

    /// Sleeps until something happens and does what it asks for. False: it was a signal to stop.
    ///
    /// # Errors
    /// The kernel refuses to wait.
    pub fn step(&mut self) -> io::Result<bool> {
        let awake = self.sleep()?;
        if !awake.signal {
            self.wake(awake);
        }
        Ok(!awake.signal)
    }

    fn sleep(&self) -> io::Result<Awake> {
        let timeout = self.deadline().map_or(PollTimeout::NONE, |at| {
            // Rounded up: waking a moment too early would be a wake-up for nothing.
            let left = at.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        let node = self.world.node.watched();
        let clients = self.server.watched();
        let all = [self.signals.as_fd(), self.watch.as_fd()].into_iter().chain(node.iter().copied()).chain(clients);
        let mut polled: Vec<_> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match poll(&mut polled, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<bool> = polled.iter().map(|p| p.any().unwrap_or(false)).collect();
        let (first, rest) = ready.split_at(2);
        let (of_node, of_clients) = rest.split_at(node.len());
        Ok(Awake {
            signal: first.first() == Some(&true),
            files: first.get(1) == Some(&true),
            node: of_node.contains(&true),
            clients: of_clients.contains(&true),
        })
    }

    fn deadline(&self) -> Option<Instant> {
        let plugs = self.plugs.iter().map(|p| p.deadline).min();
        let retry = self.retry.map(|(at, _)| at);
        let repair = self.repaired.filter(|_| self.disturbed).map(|at| at + CALM);
        [self.world.removals.deadline(), plugs, retry, repair, self.look].into_iter().flatten().min()
    }

    fn wake(&mut self, awake: Awake) {
        let now = Instant::now();
        if awake.files {
            let events = self.watch.events();
            self.read(events);
        }
        if self.look.is_some_and(|at| at <= now) {
            self.look_for_folders();
        }
        if self.world.removals.deadline().is_some_and(|at| at <= now) {
            self.dirty |= self.world.judge(Timestamp::now());
        }
        if awake.clients {
            for event in self.server.events() {
                self.client(event, now);
            }
        }
        self.disturbed |= awake.node && self.world.node.disturbed();
        self.dirty |= self.retry.is_some_and(|(at, _)| at <= now);
        if self.dirty || !self.plugs.is_empty() {
            self.settle();
        }
        if self.disturbed && self.repaired.is_none_or(|at| at + CALM <= now) {
            (self.disturbed, self.repaired) = (false, Some(now));
            let done = self.world.repair(Timestamp::now());
            self.after(&done);
        }
    }

    fn read(&mut self, events: Vec<Event>) {
        let mut touched = Touched::default();
        let (world, watch) = (&mut self.world, &mut self.watch);
        let mut failed = None;
        let mut enter = |dir: &Path| failed = failed.take().or(watch.add(dir).err());
        for event in events {
            match event {
                Event::File(path) => world.files.read(&path, &mut touched),
                Event::Tree(dir) => world.files.scan_tree(&dir, &mut enter, &mut touched),
                Event::All => touched = merge(touched, world.files.scan(&mut enter)),
            }
        }
        if let Some(error) = failed {
            error!("{}", unwatchable(error));
        }
        self.dirty |= world.take(touched, (Timestamp::now(), Instant::now()));
        let lost = self.world.files.roots().iter().any(|root| !self.watch.watches(root));
        self.look = lost.then(|| Instant::now() + RETRY.0);
    }

    /// A folder that was taken away may come back, and nothing tells us when.
    fn look_for_folders(&mut self) {
        let gone: Vec<_> = self.world.files.roots().iter().filter(|root| !self.watch.watches(root)).cloned().collect();
        self.read(gone.into_iter().map(Event::Tree).collect());
    }

    fn client(&mut self, event: ClientEvent, now: Instant) {
        match event {
            ClientEvent::Left(client) => {
                for plug in self.plugs.extract_if(.., |p| p.client == client) {
                    self.dirty |= plug.give_up(&mut self.world);
                }
            }
            ClientEvent::Asked(client, Request::Plug { namespace, name, target, timeout_ms, force }) => {
                let deadline = now + Duration::from_millis(timeout_ms.min(86_400_000));
                self.plugs.push(Plug::new(client, Key::new(&namespace, &name), target, force, deadline));
            }
            ClientEvent::Asked(client, Request::Unplug { namespace, name }) => {
                let answer = self.unplug(&Key::new(&namespace, &name));
                self.answers.push((client, answer));
            }
            ClientEvent::Asked(client, Request::Confirm) => {
                let gone = self.world.confirm(Timestamp::now());
                self.dirty = true;
                self.answers.push((client, Answer::Done(gone.iter().map(ToString::to_string).collect())));
            }
        }
    }

    fn unplug(&mut self, port: &Key) -> Answer {
        self.dirty = true;
        if !self.world.node.attachments().contains_key(port) {
            return Answer::Done(vec![format!("nothing was plugged into Port {port}")]);
        }
        match self.world.node.detach(port) {
            Ok(()) => Answer::Done(vec![format!("Port {port} unplugged")]),
            Err(error) => Answer::Failed(error.to_string()),
        }
    }

    /// Plugs what can be plugged, converges when anything changed, and answers whoever waits for that.
    fn settle(&mut self) {
        let (world, server) = (&mut self.world, &mut self.server);
        self.plugs.retain_mut(|plug| match plug.attach(world) {
            Ok(plugged) => {
                self.dirty |= plugged;
                true
            }
            Err(why) => {
                server.answer(plug.client, &Answer::Failed(why));
                false
            }
        });
        if std::mem::take(&mut self.dirty) {
            let done = self.world.converge(Timestamp::now());
            self.after(&done);
        }
        let (world, server) = (&mut self.world, &mut self.server);
        for (client, answer) in self.answers.drain(..) {
            server.answer(client, &answer);
        }
        let now = Instant::now();
        let mut undone = false;
        self.plugs.retain_mut(|plug| {
            let Some(answer) = plug.answer(world, now) else { return true };
            if matches!(answer, Answer::Failed(_)) {
                undone |= plug.give_up(world);
            }
            server.answer(plug.client, &answer);
            matches!(answer, Answer::Progress(_))
        });
        if undone {
            let done = self.world.converge(Timestamp::now());
            self.after(&done);
        }
    }

    fn after(&mut self, done: &io::Result<bool>) {
        if let Err(error) = done {
            error!("the state directory cannot be written, so nothing is changed: {error}");
        }
        let now = Instant::now();
        self.retry = match self.retry {
            _ if matches!(done, Ok(true)) => None,
            None => {
                warn!("not everything could be done; it is tried again from time to time");
                Some((now + RETRY.0, RETRY.0))
            }
            Some((at, wait)) if at <= now => Some((now + (wait * 2).min(RETRY.1), (wait * 2).min(RETRY.1))),
            waiting => waiting,
        };
    }
}

fn merge(mut a: Touched, b: Touched) -> Touched {
    a.objects.extend(b.objects);
    a.healed.extend(b.healed);
    a
}

fn unwatchable(error: Errno) -> io::Error {
    io::Error::other(format!(
        "the folders cannot be watched: {error}; raise fs.inotify.max_user_watches and fs.inotify.max_user_instances"
    ))
}

/// Where an instance keeps things and what it reads.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folders of YAML.
    pub folders: Vec<PathBuf>,
    /// State directory.
    pub state: PathBuf,
    /// Control socket; namespaces are pinned beside it.
    pub socket: PathBuf,
    /// Name of the node.
    pub node: String,
}

#[cfg(test)]
mod tests;
