//! The thread that talks to the API server for the loop.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::mpsc as std_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use futures::future::join_all;
use kube::Client;
use nix::sys::eventfd::{EfdFlags, EventFd};
use tokio::sync::{mpsc, watch::channel as watch_channel};
use tokio::task::AbortHandle;
use tracing::warn;

use super::handover::tell::{self, Shares};
use super::handover::{Moment, ask};
use super::heart;
use super::lean::{bare, lean};
use super::probe;
use crate::agent::connections::Connections;
use crate::cluster::client::{self, Access};
use crate::cluster::lease::Elector;
use crate::cluster::mirror::{News, Source};
use crate::cluster::probes::{self, Asked};
use crate::cluster::sieve::Sieve;
use crate::cluster::watch::MachineNews;
use crate::cluster::write::{self, Done, Target, Write};
use crate::cluster::{AGENT, AGENTS, watch};
use crate::model::{Id, Key, Kind, Uid};

/// What a watch asks for.
#[derive(Clone, Debug)]
pub struct Question {
    /// Objects of this kind.
    pub kind: Kind,
    /// Only those that this field selector chooses.
    pub fields: Option<String>,
    /// How new the first list is to be.
    pub age: watch::Age,
}

/// What the loop wants of the API server.
#[derive(Clone, Debug)]
pub enum Order {
    /// Watch objects of a kind; with a field selector, only those.
    Watch(Source, Question),
    /// End a watch.
    Unwatch(Source),
    /// Send a write.
    Write(Write),
    /// Make the Agent of this node if there is none, then send the write.
    Introduce(Write),
    /// Find out from the server itself whether an object is there.
    Ask(Id),
    /// Find out whether a node's tunnel address answers.
    Probe(Key, IpAddr),
    /// Find out whether any of these tunnel addresses answers.
    Peers(Vec<IpAddr>),
    /// Ask the node with a tunnel address for a router's connections or a port's flows, and make them here.
    Fetch(Id, Uid, IpAddr, Moment),
    /// No more connections of a router are to come.
    Settle(Uid),
    /// Tell others of connections, these alone from now on.
    Share(Shares),
    /// Show from now on that this node is alive, so often.
    Beat(Duration),
}

/// What the API server said.
#[derive(Debug)]
pub enum Told {
    /// A watch has news.
    News(Source, News),
    /// What Kubernetes knows of this node; none: nothing.
    Machine(Option<watch::Machine>),
    /// Whether a node's tunnel address answers.
    Probed(Key, bool),
    /// Whether any of the tunnel addresses answers that were asked for.
    Peers(bool),
    /// Whether the server takes this node's heartbeat: that it does not, half a period after one was missed.
    Heard(bool),
    /// UID of an object that was asked for; none: the server has no such object.
    Found(Id, Result<Option<String>, String>),
    /// What a node answered that was asked for a router's connections or a port's flows: how many were made.
    Answered(Id, IpAddr, Moment, Result<usize, String>),
    /// A write has ended.
    Ended(Target, Result<Done, Failure>),
    /// Somebody asks how the loop is.
    Asked(Asked),
}

/// Why a write failed.
#[derive(Clone, Debug)]
pub enum Failure {
    /// Somebody else has changed the object: look again.
    Conflict,
    /// The server refuses; its words.
    Refused(String),
    /// The server could not be asked.
    Unreachable(String),
}

/// The thread, seen from the loop.
#[derive(Debug)]
pub struct Api {
    orders: mpsc::UnboundedSender<Order>,
    told: std_channel::Receiver<Told>,
    bell: Arc<EventFd>,
    _thread: JoinHandle<()>,
}

impl Api {
    /// Starts the thread for the agent of `node`, which also takes questions at `door`, and hands routers over.
    ///
    /// # Errors
    /// The kernel has no thread or no event descriptor for us; the kubeconfig is wrong.
    pub fn start(
        access: &Access,
        node: &str,
        door: Option<TcpListener>,
        exchange: Option<Exchange>,
    ) -> io::Result<Self> {
        let bell = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?);
        let (orders, inbox) = mpsc::unbounded_channel();
        let (tell, told) = std_channel::channel();
        let (ready, started) = std_channel::channel();
        let (access, node, ring) = (access.clone(), node.to_owned(), bell.clone());
        let thread = std::thread::Builder::new().name("api".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let mouth = Mouth { tell, bell: ring };
            match runtime {
                Ok(runtime) => runtime.block_on(serve(&access, &node, door, exchange, inbox, mouth, &ready)),
                Err(error) => drop(ready.send(Err(error.to_string()))),
            }
        })?;
        match started.recv() {
            Ok(Ok(())) => Ok(Self { orders, told, bell, _thread: thread }),
            Ok(Err(why)) => Err(io::Error::other(why)),
            Err(_) => Err(io::Error::other("the API thread ended before it began")),
        }
    }

    /// Gives an order.
    pub fn order(&self, order: Order) {
        if self.orders.send(order).is_err() {
            warn!("the API thread is gone");
        }
    }

    /// Becomes readable when something was told.
    #[must_use]
    pub fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// What was told since, one by one: of long lists it is much.
    pub fn told(&self) -> impl Iterator<Item = Told> {
        // Emptied first: what is told from here on rings again.
        let _ = self.bell.read();
        self.told.try_iter()
    }
}

/// Tells the loop something and wakes it.
#[derive(Clone)]
struct Mouth {
    tell: std_channel::Sender<Told>,
    bell: Arc<EventFd>,
}

impl Mouth {
    fn tell(&self, told: Told) {
        if self.tell.send(told).is_ok() {
            let _ = self.bell.write(1);
        }
    }
}

/// What a node needs to hand routers over and take them.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Its tunnel address.
    pub own: IpAddr,
    /// The way to its connections.
    pub connections: Connections,
}

impl Exchange {
    /// Asks for the connections of a router or the flows of a port, and makes them here; how many.
    async fn fetch(&self, kind: Kind, of: Uid, peer: IpAddr, moment: Moment) -> Result<usize, String> {
        let connections = self.connections.clone();
        let (count, made) = if kind == Kind::Port {
            let all = ask::ask(self.own, peer, of, moment).await?;
            let closed = moment == Moment::Prepare;
            (all.len(), tokio::task::spawn_blocking(move || connections.remember(of, &all, closed)).await)
        } else {
            let all = ask::ask(self.own, peer, of, moment).await?;
            (all.len(), tokio::task::spawn_blocking(move || connections.make(of, &all)).await)
        };
        match made.map_err(io::Error::other).flatten() {
            Ok(()) => {}
            // It has answered, and that counts.
            Err(error) => warn!(%kind, %error, "not all connections of what comes here could be made"),
        }
        Ok(count)
    }
}

async fn serve(
    access: &Access,
    node: &str,
    door: Option<TcpListener>,
    exchange: Option<Exchange>,
    mut inbox: mpsc::UnboundedReceiver<Order>,
    mouth: Mouth,
    ready: &std_channel::Sender<Result<(), String>>,
) {
    let client = match client::connect(access).await {
        Ok(client) => client,
        Err(why) => return drop(ready.send(Err(why))),
    };
    drop(ready.send(Ok(())));
    let manager = format!("{AGENT}/{node}");
    let (ear, mut news) = mpsc::channel(watch::BACKLOG);
    let (tell_machine, mut machines) = mpsc::channel(watch::BACKLOG);
    let _own = watch::machines(&client, Some(node), tell_machine);
    let (ask, mut asked) = mpsc::channel(1);
    let _door = door.map(|door| tokio::spawn(probes::serve(door, ask)));
    let (share, shares) = watch_channel(Shares::new());
    let _teller = exchange.as_ref().map(|e| tokio::spawn(tell::serve(e.own, e.connections.clone(), shares)));
    let mut watches: HashMap<Source, AbortHandle> = HashMap::new();
    let mut heart: Option<AbortHandle> = None;
    loop {
        tokio::select! {
            told = news.recv() => {
                let Some((source, news)) = told else { return };
                mouth.tell(Told::News(source, lean(news, node)));
            }
            Some(news) = machines.recv() => match news {
                MachineNews::Is(_, machine) => mouth.tell(Told::Machine(Some(machine))),
                MachineNews::Gone(_) => mouth.tell(Told::Machine(None)),
                MachineNews::Whole => {}
            },
            Some(asked) = asked.recv() => mouth.tell(Told::Asked(asked)),
            order = inbox.recv() => match order {
                None => return,
                Some(Order::Watch(source, Question { kind, fields, age })) => {
                    let task = watch::kind(&client, kind, (fields.as_deref(), age), Some(Sieve::new(kind, node)), (source, &ear));
                    watches.insert(source, task.abort_handle());
                }
                Some(Order::Unwatch(source)) => {
                    if let Some(task) = watches.remove(&source) {
                        task.abort();
                    }
                }
                Some(order @ (Order::Write(_) | Order::Introduce(_))) => {
                    let (client, manager, mouth, node) = (client.clone(), manager.clone(), mouth.clone(), node.to_owned());
                    tokio::spawn(async move {
                        let (write, first) = match order {
                            Order::Introduce(write) => (write, true),
                            Order::Write(write) => (write, false),
                            _ => return,
                        };
                        let target = write.target();
                        let ended = send(&client, &manager, &node, write, first).await;
                        mouth.tell(Told::Ended(target, ended.map_err(|error| failure(&error))));
                    });
                }
                Some(Order::Ask(id)) => {
                    let (client, mouth) = (client.clone(), mouth.clone());
                    tokio::spawn(async move {
                        let found = write::find(&client, &id).await.map_err(|error| error.to_string());
                        mouth.tell(Told::Found(id, found));
                    });
                }
                Some(Order::Probe(node, address)) => {
                    let mouth = mouth.clone();
                    tokio::task::spawn_blocking(move || match probe::answers(address) {
                        Ok(answers) => mouth.tell(Told::Probed(node, answers)),
                        Err(error) => warn!(node = &*node.name, %error, "a silent node cannot be asked whether it lives"),
                    });
                }
                Some(Order::Peers(addresses)) => {
                    let mouth = mouth.clone();
                    let ask = |address| tokio::task::spawn_blocking(move || probe::may_answer(address));
                    let answers = join_all(addresses.into_iter().map(ask));
                    tokio::spawn(async move { mouth.tell(Told::Peers(answers.await.into_iter().any(|a| a.unwrap_or(true)))) });
                }
                Some(Order::Fetch(id, uid, peer, moment)) => {
                    if let Some(exchange) = exchange.clone() {
                        let mouth = mouth.clone();
                        tokio::spawn(async move {
                            let answer = exchange.fetch(id.kind, uid, peer, moment).await;
                            mouth.tell(Told::Answered(id, peer, moment, answer));
                        });
                    }
                }
                Some(Order::Settle(router)) => exchange.iter().for_each(|exchange| exchange.connections.settle(router)),
                Some(Order::Share(shares)) => drop(share.send_replace(shares)),
                Some(Order::Beat(period)) => {
                    if let Some(old) = heart.take() {
                        old.abort();
                    }
                    let elector = Elector::new(&client, AGENTS, node, node, heart::term(period));
                    let mouth = mouth.clone();
                    let say = move |heard| mouth.tell(Told::Heard(heard));
                    heart = Some(tokio::spawn(heart::beat(elector, period, say)).abort_handle());
                }
            }
        }
    }
}

/// Sends a write; `first`: makes the Agent of this node before, if there is none. What is answered is kept like what is watched.
async fn send(client: &Client, manager: &str, node: &str, write: Write, first: bool) -> Result<Done, kube::Error> {
    if first {
        write::introduce(client, manager, node).await?;
    }
    Ok(match write::send(client, manager, write).await? {
        Done::Now(thing) => Done::Now(bare(thing, node)),
        other => other,
    })
}

fn failure(error: &kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) if status.code == 409 => Failure::Conflict,
        kube::Error::Api(status) if status.code < 500 && status.code != 429 => Failure::Refused(status.message.clone()),
        error => Failure::Unreachable(error.to_string()),
    }
}
