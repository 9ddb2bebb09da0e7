//! The loop: it waits for news, for the end of writes, and for the lease.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::FuturesUnordered;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use tokio::sync::{mpsc, oneshot, watch as channel};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::assumed::Assumed;
use super::decide::{Controller, Lost};
use super::election::{self, MARGIN, TERM};
use super::figures::Figures;
use super::pods::{take_in, write_down};
use super::pulse::Pulse;
use super::queue::{End, Queue};
use crate::cluster::client::{self, Access};
use crate::cluster::lease::Elector;
use crate::cluster::mirror::{Heard, Mirror, News, Source};
use crate::cluster::pods::{self, Came, PodNews};
use crate::cluster::probes::{self, Asked, Question};
use crate::cluster::watch::MachineNews;
use crate::cluster::write::{self, Done, Target};
use crate::cluster::{CONTROLLER, NAMESPACE, watch};
use crate::model::cold::Cold;
use crate::model::{Kind, Snapshot};

/// How the controller runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The way to the API server.
    pub access: Access,
    /// Name of this instance: nobody else's.
    pub identity: String,
    /// Namespace of the Lease.
    pub namespace: String,
    /// Where probes and figures are asked for; none: nowhere.
    pub metrics: Option<SocketAddr>,
}

impl Default for Options {
    fn default() -> Self {
        Self { access: Access::default(), identity: String::new(), namespace: NAMESPACE.into(), metrics: None }
    }
}

/// News that come together are taken in together: waiting a moment saves deciding twice.
const MOMENT: Duration = Duration::from_millis(2);
/// The longest sleep.
const IDLE: Duration = Duration::from_mins(1);

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// What keeps it from beginning, with what to do.
pub fn run(options: &Options) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| format!("the kernel gives no event queue: {error}"))?.block_on(serve(options))
}

async fn serve(options: &Options) -> Result<(), String> {
    let (ask, asked) = mpsc::channel(1);
    let door = options.metrics.map(probes::bind).transpose()?.map(|door| tokio::spawn(probes::serve(door, ask)));
    let client = client::connect(&options.access).await?;
    let (lead, leads) = channel::channel(None);
    let elector = Elector::new(&client, &options.namespace, CONTROLLER, &options.identity, TERM.0);
    let (ear, news) = mpsc::channel(watch::BACKLOG);
    let mut mirror = Mirror::new(true);
    let sources = 0..=Kind::ALL.len();
    sources.clone().for_each(|source| mirror.expect(source, Kind::ALL.get(source).copied()));
    let watches = sources.map(|source| begin(&client, source, &ear)).collect();
    let (tell_pulse, pulses) = mpsc::channel(watch::BACKLOG);
    let (resign, resigned) = oneshot::channel();
    let election = tokio::spawn(election::elect(elector, lead, tell_pulse.clone(), resigned));
    let (tell_machine, machine_news) = mpsc::channel(watch::BACKLOG);
    let (tell_pod, pod_news) = mpsc::channel(watch::BACKLOG);
    let others = [
        watch::beats(&client, tell_pulse),
        watch::machines(&client, None, tell_machine),
        pods::watch(&client, tell_pod),
    ];
    let instance = Instance {
        client,
        mirror,
        watches,
        ear,
        news,
        leads,
        pulses,
        pulse: Pulse::default(),
        machine_news,
        pod_news,
        machines: BTreeMap::new(),
        knows_machines: false,
        controller: Controller::default(),
        queue: Queue::default(),
        assumed: Assumed::default(),
        flights: FuturesUnordered::new(),
        asked,
        figures: Figures::default(),
        led: false,
        lost: Lost::default(),
        dirty: true,
        started: Instant::now(),
        cold: Cold::default(),
    };
    info!(identity = options.identity, "controller started");
    let ended = instance.run().await;
    // Only now: whoever leads next finds nobody beside.
    drop(resign);
    let _ = election.await;
    others.iter().for_each(JoinHandle::abort);
    door.iter().for_each(JoinHandle::abort);
    ended
}

/// Begins the watch of a number: kinds first, then locks.
fn begin(client: &Client, source: Source, ear: &watch::Ear) -> JoinHandle<()> {
    match Kind::ALL.get(source) {
        Some(kind) => watch::kind(client, *kind, (None, watch::Age::New), None, (source, ear)),
        None => watch::allocations(client, source, ear),
    }
}

type Flight = BoxFuture<'static, (Target, Result<Done, kube::Error>)>;

struct Instance {
    client: Client,
    mirror: Mirror,
    /// By number of their source.
    watches: Vec<JoinHandle<()>>,
    ear: watch::Ear,
    news: mpsc::Receiver<(Source, News)>,
    leads: channel::Receiver<Option<Instant>>,
    pulses: mpsc::Receiver<watch::Pulse>,
    pulse: Pulse,
    machine_news: mpsc::Receiver<watch::MachineNews>,
    pod_news: mpsc::Receiver<PodNews>,
    /// Kubernetes' nodes, once all have been told.
    machines: BTreeMap<Arc<str>, watch::Machine>,
    knows_machines: bool,
    controller: Controller,
    queue: Queue,
    assumed: Assumed,
    flights: FuturesUnordered<Flight>,
    asked: mpsc::Receiver<Asked>,
    figures: Figures,
    /// Whether we led, and who was lost, when that was last looked at.
    led: bool,
    lost: Lost,
    dirty: bool,
    started: Instant,
    /// Addresses that we saw go free, by time since we started; also while another leads.
    cold: Cold,
}

impl Instance {
    async fn run(mut self) -> Result<(), String> {
        let mut stop = std::pin::pin!(stopped());
        let mut due: Option<Instant> = None;
        loop {
            let now = Instant::now();
            self.cold.warm(now - self.started);
            // Also where something else woke us just then: it would be waited for no more.
            self.dirty |= due.is_some_and(|at| at < now);
            let leads = self.leads.borrow().is_some_and(|until| until > now);
            if leads && self.mirror.is_whole() {
                if self.dirty && self.queue.is_low() {
                    self.decide(now);
                }
                while let Some(write) = self.queue.take(now) {
                    self.assumed.sent(&write, self.mirror.snapshot_mut());
                    let (target, client) = (write.target(), self.client.clone());
                    let sent = async move { (target, write::send(&client, CONTROLLER, write).await) };
                    self.flights.push(sent.boxed());
                }
            }
            due = self.queue.deadline(now).into_iter().chain(self.pulse.deadline(now)).min();
            // A moment later, so that what is due is over.
            let wake = due.map_or(IDLE, |at| at.saturating_duration_since(now) + MOMENT).min(IDLE);
            tokio::select! {
                biased;
                () = &mut stop => return Ok(()),
                Some(asked) = self.asked.recv() => self.answer(asked),
                Some((target, ended)) = self.flights.next() => self.ended(&target, ended),
                told = self.news.recv() => match told {
                    Some((source, news)) => self.hear(source, news).await,
                    None => return Err("all watches have ended".into()),
                },
                Some(pulse) = self.pulses.recv() => self.feel(pulse),
                Some(news) = self.machine_news.recv() => {
                    match news {
                        MachineNews::Is(name, machine) => drop(self.machines.insert(name, machine)),
                        MachineNews::Gone(name) => drop(self.machines.remove(&name)),
                        MachineNews::Whole => self.knows_machines = true,
                    }
                    self.dirty = true;
                }
                Some(news) = self.pod_news.recv() => {
                    self.dirty |= take_in(self.mirror.snapshot_mut(), news);
                    while let Ok(news) = self.pod_news.try_recv() {
                        self.dirty |= take_in(self.mirror.snapshot_mut(), news);
                    }
                }
                changed = self.leads.changed() => {
                    if changed.is_err() {
                        return Err("the election has ended".into());
                    }
                    // That it is renewed says something new only of who is silent.
                    let lead = self.leads.borrow().is_some();
                    self.dirty |= lead != std::mem::replace(&mut self.led, lead) || self.lost() != self.lost;
                }
                () = tokio::time::sleep(wake) => {}
            }
        }
    }

    fn decide(&mut self, start: Instant) {
        // That we were blind is told before that we lead.
        while let Ok(pulse) = self.pulses.try_recv() {
            self.feel(pulse);
        }
        self.dirty = false;
        self.pulse.expect(nodes(self.mirror.snapshot()), start);
        self.lost = self.lost();
        let writes = self.controller.decide(self.mirror.snapshot(), &self.lost, &self.cold, Timestamp::now());
        if !writes.is_empty() {
            tracing::debug!(writes = writes.len(), took = ?start.elapsed(), "decided");
        }
        self.figures.decided.add(start.elapsed());
        self.queue.refill(writes);
    }

    fn answer(&self, Asked { question, answer }: Asked) {
        let text = match question {
            Question::Healthy => Ok("ok\n".into()),
            Question::Ready if self.mirror.is_whole() => Ok("ok\n".into()),
            Question::Ready => Err("not all objects have been read from the API server yet".into()),
            Question::Figures => {
                let leads = self.leads.borrow().is_some_and(|until| until > Instant::now());
                Ok(self.figures.page(self.mirror.snapshot(), leads, self.queue.len()))
            }
        };
        // Who asked may be gone.
        drop(answer.send(text));
    }

    fn feel(&mut self, pulse: watch::Pulse) {
        let now = Instant::now();
        match pulse {
            watch::Pulse::Beat(beat) => self.pulse.hear(beat, now),
            watch::Pulse::Blind => self.blinded(now),
        }
    }

    /// We heard nothing for a while: what was decided from silence is not to be believed.
    fn blinded(&mut self, now: Instant) {
        self.pulse.blinded(now);
        self.queue.refill(Vec::new());
        self.dirty = true;
    }

    fn lost(&self) -> Lost {
        // Silence is believed only of a time at which the server took our own heartbeat.
        let heard = self.leads.borrow().and_then(|until| (until + MARGIN).checked_sub(TERM.0));
        let silent: BTreeSet<Arc<str>> = heard.iter().flat_map(|heard| self.pulse.silent(*heard)).cloned().collect();
        let is_gone = |node: &Arc<str>| self.machines.get(node).is_none_or(|machine| machine.out_of_service);
        let gone = |node: &&Arc<str>| self.knows_machines && is_gone(node);
        Lost { gone: silent.iter().filter(gone).cloned().collect(), silent }
    }

    /// Takes in news, and what else has arrived by now.
    async fn hear(&mut self, source: Source, news: News) {
        let before = self.dirty;
        self.take_in(source, news);
        if self.dirty && !before && self.flights.is_empty() {
            tokio::time::sleep(MOMENT).await;
        }
        while let Ok((source, news)) = self.news.try_recv() {
            self.take_in(source, news);
        }
    }

    fn take_in(&mut self, source: Source, news: News) {
        let heard = self.mirror.hear(source, news);
        for slot in self.mirror.freed() {
            self.cold.give_back(slot, self.started.elapsed());
        }
        match heard {
            Heard::Same => {}
            Heard::Different => self.dirty = true,
            doubt @ (Heard::Doubtful | Heard::Empty) => {
                if doubt == Heard::Doubtful {
                    warn!("a list lacks more than half of what was there: it is not believed before it is read again");
                }
                if let Some(watch) = self.watches.get_mut(source) {
                    watch.abort();
                    *watch = begin(&self.client, source, &self.ear);
                }
            }
        }
    }

    fn ended(&mut self, target: &Target, ended: Result<Done, kube::Error>) {
        let mut end = End::Well;
        let counted = &mut self.figures.writes;
        let well = matches!(&ended, Ok(Done::Now(_)));
        *match &ended {
            Ok(_) => &mut counted.written,
            Err(kube::Error::Api(status)) if status.code == 409 => &mut counted.conflicts,
            Err(_) => &mut counted.failed,
        } += 1;
        match ended {
            Ok(Done::Now(thing)) => {
                self.dirty |= self.mirror.answer(thing) == Heard::Different;
            }
            Ok(Done::Locked(lock)) => {
                self.mirror.locked(lock);
                self.dirty = true;
            }
            Ok(Done::Unlocked(_) | Done::Vanished) => {}
            Ok(Done::Kept | Done::Pod(Came::Lives)) => end = End::Failed,
            Ok(Done::Pod(came)) => {
                self.controller.done(&came);
                match came {
                    Came::Made => end = End::Unseen,
                    Came::Shown(shown) => write_down(self.mirror.snapshot_mut(), shown),
                    _ => {}
                }
            }
            Err(error) => {
                // A conflict says that news are on their way.
                let conflict = matches!(&error, kube::Error::Api(status) if status.code == 409);
                if !conflict {
                    warn!(?target, %error, "a write failed: it is tried again");
                }
                end = if conflict { End::Conflict } else { End::Failed };
                if !matches!(&error, kube::Error::Api(_)) {
                    self.blinded(Instant::now());
                }
            }
        }
        self.dirty |= self.assumed.ended(target, well, self.mirror.snapshot_mut());
        self.dirty |= self.queue.ended(target, end, Instant::now());
    }
}

/// Nodes that should be heard: those that have an Agent, and those that have ports.
fn nodes(snapshot: &Snapshot) -> impl Iterator<Item = &str> {
    let said = snapshot.ports.values().filter_map(|port| port.status.as_ref());
    let bound = said.flat_map(|status| [&status.binding, &status.migration]).flatten();
    snapshot.agents.keys().map(|key| &*key.name).chain(bound.map(|binding| binding.node_name.as_str()))
}

/// Waits for the signal to stop.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}
