//! Files instead of an API server: one host, from YAML to packets.
//!
//! ```text
//! folders ─files─► Store ─link─► Topology ─view─► NodeView ─node─► kernel
//!                    ▲  statuses: on disk before the kernel changes  │
//!                    └──────────────── report ◄──────────────────────┘
//! ```
//! `world` and `converge` walk that line once; `run` says when.

pub mod converge;
pub mod files;
pub mod held;
pub mod journal;
pub mod lock;
pub mod removals;
pub mod run;
pub mod said;
pub mod schema;
#[cfg(test)]
mod scratch;
pub mod store;
pub mod watch;
pub mod world;
pub mod yaml;

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::time::Instant;

use k8s_openapi::jiff::Timestamp;

use crate::agent::server::{self, Server};
use crate::agent::{self, Agent, durable};
use crate::dataplane::plan::Plan;
use files::Files;
use lock::Lock;
pub use run::Options;
use store::Store;
use world::World;

/// Runs an instance until SIGTERM or SIGINT.
///
/// # Errors
/// What keeps it from running, before anything was changed, with what to do.
pub fn run(options: &Options) -> io::Result<()> {
    let (_lock, world) = open(options)?;
    let server = Server::listen(&options.socket)
        .map_err(|e| io::Error::other(format!("cannot listen at {}: {e}", options.socket.display())))?;
    run::Instance::begin(world, server)?.run()
}

/// Converges once. Returns what is not Ready, in sentences; empty when all is.
///
/// # Errors
/// As [`run`].
pub fn once(options: &Options, confirm: bool) -> io::Result<Vec<String>> {
    let (_lock, mut world) = open(options)?;
    world.begin(&mut |_| {}, (Timestamp::now(), Instant::now()));
    if confirm {
        world.confirm(Timestamp::now());
    }
    world.converge(Timestamp::now())?;
    let mut lines = world.complaints();
    lines.extend(said::unready(&world.store));
    Ok(lines)
}

/// What would change on this host, and what is wrong with the files. Writes nothing.
///
/// # Errors
/// What keeps it from being known.
pub fn plan(options: &Options) -> io::Result<(Plan, Vec<String>)> {
    let agent = Agent::open(&agent_options(options)).map_err(io::Error::other)?;
    let store = Store::read(&options.state)?;
    let mut world = World::new(&options.node, Files::new(&options.folders)?, store, agent);
    world.begin(&mut |_| {}, (Timestamp::now(), Instant::now()));
    let plan = world.plan(Timestamp::now()).map_err(io::Error::other)?;
    Ok((plan, world.complaints()))
}

/// Takes away everything of ours on this host, and what the state directory holds.
///
/// # Errors
/// An instance runs; or what could not be taken away.
pub fn clean(options: &Options) -> io::Result<Plan> {
    let lock = take_lock(&options.state)?;
    let mut agent = Agent::open(&agent_options(options)).map_err(io::Error::other)?;
    let gone = agent.clean().map_err(io::Error::other)?;
    for file in [journal::FILE, held::FILE, lock::FILE] {
        durable::remove(&options.state.join(file))?;
    }
    server::forget(&options.socket)?;
    drop(lock);
    Ok(gone)
}

fn open(options: &Options) -> io::Result<(Lock, World<Agent>)> {
    let files = Files::new(&options.folders)?;
    let lock = take_lock(&options.state)?;
    let agent_options = agent_options(options);
    let run_dir = &agent_options.run_dir;
    DirBuilder::new().recursive(true).mode(0o755).create(run_dir).map_err(|e| {
        io::Error::other(format!("directory {}: {e}; run as root, or name another --socket", run_dir.display()))
    })?;
    let agent = Agent::open(&agent_options).map_err(io::Error::other)?;
    let store = Store::open(&options.state)?;
    let mut world = World::new(&options.node, files, store, agent);
    world.notes = Some(options.state.clone());
    Ok((lock, world))
}

fn take_lock(state: &Path) -> io::Result<Lock> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(state);
    made.and_then(|()| Lock::take(state)).map_err(|e| {
        if e.kind() == io::ErrorKind::Other {
            return e;
        }
        io::Error::other(format!("state directory {}: {e}; run as root, or name another with --state", state.display()))
    })
}

fn agent_options(options: &Options) -> agent::Options {
    let run_dir = options.socket.parent().unwrap_or(Path::new("/")).to_owned();
    let (state_dir, node, filtering) = (options.state.clone(), options.node.clone(), options.filtering);
    agent::Options { run_dir, state_dir, node, filtering }
}
