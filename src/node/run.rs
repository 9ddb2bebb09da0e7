//! The loop of an agent: one thread that sleeps until the API thread, a client, the kernel, a signal or a deadline wakes it.

use std::fs::DirBuilder;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use tracing::info;

use super::api::{Api, Exchange, Told};
use super::heed::Heed;
use super::myself::Myself;
use super::world::World;
use crate::agent::desk::Desk;
use crate::agent::pace::Pace;
use crate::agent::sleep::{Awake, sleep};
use crate::agent::{self, Agent};
use crate::cluster::client::Access;
use crate::cluster::probes;
use crate::cni::install::Keeper;
use crate::dataplane::filter::Filtering;
use crate::local::lock::Lock;

/// How an agent runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The way to the API server.
    pub access: Access,
    /// Name of the node.
    pub node: String,
    /// Address at which other nodes reach this one's tunnels.
    pub tunnel: IpAddr,
    /// State directory.
    pub state: PathBuf,
    /// Control socket; namespaces are pinned beside it.
    pub socket: PathBuf,
    /// Where probes and figures are asked for; none: nowhere.
    pub metrics: Option<SocketAddr>,
    /// How its ports are filtered.
    pub filtering: Filtering,
    /// Where the link for pods is kept; none: nowhere.
    pub chain: Option<Keeper>,
}

impl Options {
    /// Where the agent keeps things. `run_dir`: of the control socket.
    #[must_use]
    pub fn agent(&self, run_dir: PathBuf) -> agent::Options {
        let (state_dir, node, filtering) = (self.state.clone(), self.node.clone(), self.filtering);
        agent::Options { run_dir, state_dir, node, filtering }
    }
}

/// Runs an agent until SIGTERM or SIGINT. What the kernel forwards, it goes on forwarding.
///
/// # Errors
/// What keeps it from running, before anything was changed, with what to do.
pub fn run(options: &Options) -> io::Result<()> {
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]);
    // Before the API thread starts, so that it inherits the mask.
    signals.thread_block()?;
    let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    let run_dir = options.socket.parent().unwrap_or(Path::new("/")).to_owned();
    for (dir, mode) in [(&run_dir, 0o755), (&options.state, 0o700)] {
        DirBuilder::new().recursive(true).mode(mode).create(dir).map_err(|error| {
            io::Error::other(format!("directory {}: {error}; run as root, or name another", dir.display()))
        })?;
    }
    let _lock = Lock::take(&options.state)?;
    let mut agent = Agent::open(&options.agent(run_dir)).map_err(io::Error::other)?;
    let mtu = agent.mtu(options.tunnel).map_err(io::Error::other)?;
    let myself = Myself { node: options.node.clone(), tunnel: options.tunnel, mtu, kernel: agent.kernel() };
    let door = options.metrics.map(probes::bind).transpose().map_err(io::Error::other)?;
    let exchange = Exchange { own: options.tunnel, connections: agent.connections() };
    let api = Api::start(&options.access, &options.node, door, Some(exchange))?;
    let desk = Desk::open(&options.socket)
        .map_err(|error| io::Error::other(format!("cannot listen at {}: {error}", options.socket.display())))?;
    info!(node = options.node, tunnel = %options.tunnel, mtu, "agent started");
    // Last: whoever is plugged by it is answered.
    options.chain.clone().map_or(Ok(()), Keeper::start)?;
    let world = World::new(agent, myself);
    Instance {
        world,
        api,
        desk,
        signals,
        pace: Pace::default(),
        dirty: true,
        rest: Instant::now(),
        lull: Instant::now(),
        news: Heed::Never,
    }
    .run()
}

struct Instance {
    world: World<Agent>,
    api: Api,
    desk: Desk,
    signals: SignalFd,
    pace: Pace,
    dirty: bool,
    /// Until when news wait, so that many of them are taken in together; and those of elsewhere.
    rest: Instant,
    lull: Instant,
    /// How soon the news that were not looked at are to be.
    news: Heed,
}

/// After a convergence so many times as much time is left to everybody else, and to more news; but no longer than that.
const REST: (u32, Duration) = (4, Duration::from_millis(80));
/// The same for news of elsewhere, so that a node spends little on them.
const LULL: (u32, Duration) = (20, Duration::from_millis(250));

impl Instance {
    fn run(&mut self) -> io::Result<()> {
        loop {
            self.settle();
            let awake = self.sleep()?;
            if awake.signal {
                info!("stopping; forwarding goes on without this process");
                return Ok(());
            }
            self.wake(awake);
        }
    }

    fn sleep(&self) -> io::Result<Awake> {
        let world = &self.world;
        let rest = [world.deadline(), world.node.deadline()];
        let deadlines = [self.desk.deadline(world), self.pace.deadline(), self.due()].into_iter().chain(rest);
        let (deadline, signals) = (deadlines.flatten().min(), self.signals.as_fd());
        // What comes while others rest is taken in with them.
        let news = (self.news < Heed::Now).then_some(self.api.bell());
        sleep(deadline, signals, news, &self.world.node.watched(), self.desk.watched())
    }

    /// When the news that wait are looked at.
    fn due(&self) -> Option<Instant> {
        match self.news {
            Heed::Never => None,
            Heed::Later => Some(self.lull),
            Heed::Now => Some(self.rest),
        }
    }

    fn wake(&mut self, awake: Awake) {
        let now = Instant::now();
        if awake.news || self.due().is_some_and(|at| at <= now) {
            for told in self.api.told() {
                match told {
                    Told::Asked(asked) => self.world.answer(asked, self.world.node.notifications_lost()),
                    told => self.news = self.news.max(self.world.hear(told)),
                }
            }
        }
        if awake.clients && (self.desk.hear(&mut self.world, now) || self.desk.is_busy()) {
            (self.news, self.world.since.strayed) = (Heed::Now, true);
        }
        if awake.node && self.world.node.disturbed() {
            self.pace.disturbed();
        }
        self.dirty |= awake.node && self.world.listen(now);
        self.dirty |= self.pace.retries(now) || self.world.deadline().is_some_and(|at| at <= now);
        if self.pace.repairs(now) {
            let done = self.world.repair(Timestamp::now());
            self.pace.ended(&Ok(done));
        } else if self.world.node.deadline().is_some_and(|at| at <= now) {
            self.world.node.hasten();
        }
    }

    /// Plugs what can be plugged, converges when anything changed, and answers whoever waits for that.
    fn settle(&mut self) {
        let now = Instant::now();
        self.world.since.strayed |= self.dirty || self.desk.is_busy();
        let mut due = std::mem::take(&mut self.dirty) || self.due().is_some_and(|at| at <= now);
        if due && self.pace.is_calm() && self.timed(World::hurry) {
            due = false;
        }
        if due {
            self.desk.attach(&mut self.world);
            self.converge();
        }
        if (due || self.desk.deadline(&self.world).is_some_and(|at| at <= now))
            && self.desk.answer(&mut self.world, now)
        {
            self.converge();
        }
        for order in std::mem::take(&mut self.world.orders) {
            self.api.order(order);
        }
    }

    fn converge(&mut self) {
        let awaited = self.desk.awaited().cloned().collect();
        let done = self.timed(|world| world.converge(awaited, Timestamp::now()));
        self.pace.ended(&Ok(done));
        for (port, why) in std::mem::take(&mut self.world.lost) {
            self.dirty |= self.desk.refuse(&mut self.world, &port, &why);
        }
    }

    /// Looks at all news; those that come next wait the longer, the longer that takes.
    fn timed(&mut self, look: impl FnOnce(&mut World<Agent>) -> bool) -> bool {
        let start = Instant::now();
        self.news = Heed::Never;
        let done = look(&mut self.world);
        let (end, took) = (Instant::now(), start.elapsed());
        let [rest, lull] = [REST, LULL].map(|(times, most)| end + (took * times).min(most));
        (self.rest, self.lull) = (rest, lull);
        done
    }
}
