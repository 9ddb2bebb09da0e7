//! The loop of local mode: one thread that sleeps until a file, a client, the kernel, a signal or a deadline wakes it.

use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use k8s_openapi::jiff::Timestamp;
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use tracing::{error, info};

use super::files::Touched;
use super::watch::{Event, Watch};
use super::world::World;
use crate::agent::desk::Desk;
use crate::agent::node::Node;
use crate::agent::pace::{Pace, RETRY};
use crate::agent::server::Server;
use crate::agent::sleep::{Awake, sleep};
use crate::dataplane::filter::Filtering;

/// A running instance.
#[derive(Debug)]
pub struct Instance<N> {
    world: World<N>,
    signals: SignalFd,
    watch: Watch,
    desk: Desk,
    pace: Pace,
    /// When to look again for folders that are gone.
    look: Option<Instant>,
    dirty: bool,
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
        let mut instance =
            Self { world, signals, watch, desk: Desk::new(server), pace: Pace::default(), look: None, dirty: true };
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
        let (signals, files) = (self.signals.as_fd(), self.watch.as_fd());
        sleep(self.deadline(), signals, Some(files), &self.world.node.watched(), self.desk.watched())
    }

    fn deadline(&self) -> Option<Instant> {
        let heard = self.world.ears.deadline();
        let world = &self.world;
        let rest = [world.removals.deadline(), world.node.deadline(), heard];
        let all = [self.desk.deadline(world), self.pace.deadline(), self.look].into_iter().chain(rest);
        all.flatten().min()
    }

    fn wake(&mut self, awake: Awake) {
        let now = Instant::now();
        if awake.news {
            let events = self.watch.events();
            self.read(events);
        }
        if self.look.is_some_and(|at| at <= now) {
            self.look_for_folders();
        }
        if self.world.removals.deadline().is_some_and(|at| at <= now) {
            self.dirty |= self.world.judge(Timestamp::now());
        }
        let asked = awake.clients && self.desk.hear(&mut self.world, now);
        if awake.node && self.world.node.disturbed() {
            self.pace.disturbed();
        }
        let heard = awake.node && self.world.listen(now);
        if asked || heard || self.pace.retries(now) || self.world.ears.deadline().is_some_and(|at| at <= now) {
            (self.dirty, self.world.strayed) = (true, true);
        }
        if self.dirty || self.desk.is_busy() {
            self.settle();
        }
        if self.pace.repairs(now) {
            let done = self.world.repair(Timestamp::now());
            self.pace.ended(&done);
        } else if self.world.node.deadline().is_some_and(|at| at <= now) {
            self.world.node.hasten();
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

    /// Plugs what can be plugged, converges when anything changed, and answers whoever waits for that.
    fn settle(&mut self) {
        if self.desk.attach(&mut self.world) {
            (self.dirty, self.world.strayed) = (true, true);
        }
        if std::mem::take(&mut self.dirty) {
            let done = match self.world.regroup(Timestamp::now()) {
                Ok(false) => self.world.converge(Timestamp::now()),
                done => done,
            };
            self.pace.ended(&done);
        }
        if self.desk.answer(&mut self.world, Instant::now()) {
            let done = self.world.converge(Timestamp::now());
            self.pace.ended(&done);
        }
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
    /// How its ports are filtered.
    pub filtering: Filtering,
}

#[cfg(test)]
mod tests;
