//! The connections of routers and the flows of ports here, for whoever hands one over or takes it: from any thread.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::dataplane::connection::{Connection, Told};
use crate::dataplane::filter::Filtering;
use crate::dataplane::filter::layout::ToldFlow;
use crate::dataplane::kernel::filter::{moved, tables::Tables};
use crate::dataplane::kernel::{conntrack::Conntrack, netns};
use crate::dataplane::names;
use crate::model::Uid;

/// The way to the connections.
#[derive(Clone, Debug)]
pub struct Connections {
    run_dir: PathBuf,
    filtering: Filtering,
    /// What was made here of each router that is about to come.
    made: Arc<Mutex<HashMap<Uid, HashSet<Connection>>>>,
}

impl Connections {
    pub(super) fn new(run_dir: PathBuf, filtering: Filtering) -> Self {
        Self { run_dir, filtering, made: Arc::default() }
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

    fn tables(&self) -> io::Result<Tables> {
        Tables::open(&moved::place(&self.run_dir, self.filtering))
    }

    /// All flows of a port.
    ///
    /// # Errors
    /// The kernel's.
    pub fn flows(&self, port: Uid) -> io::Result<Vec<ToldFlow>> {
        self.tables()?.flows_of(port.into())
    }

    /// Remembers flows of a port. `closed`: nothing passes it here yet.
    ///
    /// # Errors
    /// The kernel's.
    pub fn remember(&self, port: Uid, all: &[ToldFlow], closed: bool) -> io::Result<()> {
        self.tables()?.take_in(port.into(), all, closed, self.filtering.share()).map(drop)
    }

    /// No more is to come of a router.
    pub fn settle(&self, router: Uid) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).remove(&router);
    }
}
