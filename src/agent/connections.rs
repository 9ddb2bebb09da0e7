//! The connections of routers here, for whoever hands a router over or takes it: from any thread.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::dataplane::connection::{Connection, Told};
use crate::dataplane::kernel::{conntrack::Conntrack, netns};
use crate::dataplane::names;
use crate::model::Uid;

/// The way to the connections.
#[derive(Clone, Debug)]
pub struct Connections {
    run_dir: PathBuf,
    /// What was made here of each router that is about to come.
    made: Arc<Mutex<HashMap<Uid, HashSet<Connection>>>>,
}

impl Connections {
    pub(super) fn new(run_dir: PathBuf) -> Self {
        Self { run_dir, made: Arc::default() }
    }

    fn open(&self, router: Uid) -> io::Result<Conntrack> {
        let pin = names::pin(&names::router(router)).unwrap_or_default();
        Conntrack::open(netns::open(&self.run_dir.join(&*pin))?.as_fd())
    }

    /// All of a router.
    ///
    /// # Errors
    /// The router is not here; the kernel's.
    pub fn read(&self, router: Uid) -> io::Result<Vec<Told>> {
        self.open(router)?.read()
    }

    /// Makes those of a router; what was made before and has changed or gone since is forgotten.
    ///
    /// # Errors
    /// The router is not here; the first of the kernel's, and all others are made.
    pub fn make(&self, router: Uid, all: &[Told]) -> io::Result<()> {
        let mut table = self.open(router)?;
        let now: HashSet<Connection> = all.iter().map(|(connection, _)| *connection).collect();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let before = made.insert(router, now.clone()).unwrap_or_default();
        table.forget(&before.difference(&now).copied().collect())?;
        let new: Vec<Told> = all.iter().filter(|(connection, _)| !before.contains(connection)).copied().collect();
        table.make(&new)
    }

    /// No more is to come of a router.
    pub fn settle(&self, router: Uid) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).remove(&router);
    }
}
