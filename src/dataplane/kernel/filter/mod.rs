//! Packet filters in the kernel: the programs on each port, and the tables that they go by.
//!
//! Tables and programs are pinned in a BPF file system below the run directory, so they outlive the agent: a restarted one
//! finds them there and loads nothing. Tables are kept apart by their layout, programs by what was compiled.

mod apply;
pub mod attach;
pub mod moved;
mod ring;
mod sweep;
pub mod tables;
mod tcx;
mod trial;

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use aya::EbpfLoader;
use aya::programs::{ProgramError, SchedClassifier};
use nix::mount::{MntFlags, MsFlags};
use nix::sched::{CloneFlags, unshare};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use crate::dataplane::filter::layout::LAYOUT;
use crate::dataplane::filter::{Filter, Filtering, PROGRAM};
use crate::dataplane::kernel::link::Seen;
use crate::dataplane::kernel::space::Space;
use crate::dataplane::names::{self, Prefix};
use crate::dataplane::state::{IfName, State};
use crate::model::active::Announcement;
pub use apply::{apply, guard};
use ring::Ring;
use sweep::Sweeper;
use tables::{NAMES, Tables};
pub use trial::Fate;

/// The programs, compiled.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("TENET_FILTER_OBJECT"));
/// What the names of all directories of tables begin with.
const TABLES: &str = "tables-";
/// What is on a link: for packets from the guest, and for those to it.
const PROGRAMS: [&str; 2] = ["from_guest", "to_guest"];

/// The filters of one node.
pub struct Filters {
    root: PathBuf,
    filtering: Filtering,
    tables: Option<Tables>,
    programs: Option<[SchedClassifier; 2]>,
    ring: Option<Ring>,
    /// Tables of another version, which filters still go by that are about to be replaced.
    former: Vec<PathBuf>,
    /// Other programs that go by the same tables, likewise.
    outdated: Vec<PathBuf>,
    sweeper: Option<Sweeper>,
    /// Whether the tables were read.
    seen: bool,
}

impl Filters {
    /// Opens what is pinned below `run_dir`. Changes nothing.
    #[must_use]
    pub fn open(run_dir: &Path, filtering: Filtering) -> Self {
        let root = run_dir.join(names::FILTERS);
        let dir = root.join(directory(filtering));
        let (tables, ring) = (Tables::open(&dir).ok(), Ring::open(&dir).ok());
        let (former, outdated) = (Vec::new(), Vec::new());
        Self { root, filtering, tables, programs: None, ring, former, outdated, sweeper: None, seen: false }
    }

    /// How they filter.
    #[must_use]
    pub fn filtering(&self) -> Filtering {
        self.filtering
    }

    /// Becomes readable when a guest announced something; none: there are no guests.
    #[must_use]
    pub fn watched(&self) -> Option<BorrowedFd<'_>> {
        self.ring.as_ref().map(Ring::watched)
    }

    /// What guests have announced since, of ports with allowed address pairs.
    pub fn announced(&mut self) -> Vec<Announcement> {
        self.ring.as_mut().map(Ring::take).unwrap_or_default()
    }

    /// The tables, if there are any.
    #[must_use]
    pub fn tables(&self) -> Option<&Tables> {
        self.tables.as_ref()
    }

    /// The tables, made if they are missing, and the programs that go by them, loaded if they are not.
    ///
    /// # Errors
    /// The kernel does not take them; the message says why.
    pub fn ready(&mut self) -> io::Result<(&mut Tables, [BorrowedFd<'_>; 2])> {
        if self.programs.is_none() {
            self.load().map_err(|error| io::Error::other(format!("the packet filters cannot be loaded: {error}")))?;
        }
        let (Some(tables), Some([from, to])) = (&mut self.tables, &self.programs) else { return Err(absent()) };
        let (from, to) = (from.fd().map_err(failed)?, to.fd().map_err(failed)?);
        Ok((tables, [from.as_fd(), to.as_fd()]))
    }

    /// When the next port is to be given the short way to the programs.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.tables.as_ref()?.short.deadline()
    }

    /// Gives the short way to the port that waits longest for it. The calling thread is in its namespace.
    ///
    /// # Errors
    /// It has none; the usual way is there.
    pub fn hasten(&mut self) -> io::Result<()> {
        let (Some(tables), Some(programs)) = (&mut self.tables, &mut self.programs) else { return Err(absent()) };
        let Some((name, index)) = tables.short.next() else { return Ok(()) };
        tables.short.attach(programs, &name, index)
    }

    fn load(&mut self) -> io::Result<()> {
        mount(&self.root)?;
        let tables = self.root.join(directory(self.filtering));
        let programs = tables.join(PROGRAM);
        std::fs::create_dir_all(&tables)?;
        self.former = others(&self.root, &tables)?;
        self.outdated = others(&tables, &programs)?;
        let pinned = PROGRAMS.map(|name| SchedClassifier::from_pin(programs.join(name)));
        let loaded = match pinned {
            [Ok(from), Ok(to)] if self.tables.is_some() => [from, to],
            _ => load(&tables, &programs, self.filtering)?,
        };
        self.tables = Some(Tables::open(&tables)?);
        self.ring = Some(Ring::open(&tables)?);
        self.programs = Some(loaded);
        self.inherit();
        self.sweep();
        Ok(())
    }

    /// Remembers what other versions remember: flows go on through an upgrade.
    fn inherit(&mut self) {
        let Some(tables) = &mut self.tables else { return };
        for former in &self.former {
            let from = former.display();
            match tables.inherit(former, sweep::now()) {
                Ok(flows) => tracing::info!(flows, %from, "flows go on under other filters"),
                Err(error) => tracing::warn!(%error, %from, "flows of another version are not known"),
            }
        }
    }

    /// All ports have the filters of this version: what has begun under others meanwhile goes on, and their tables go.
    pub fn replaced(&mut self) {
        self.inherit();
        for former in self.former.drain(..).chain(std::mem::take(&mut self.outdated)) {
            if let Err(error) = std::fs::remove_dir_all(&former) {
                tracing::warn!(%error, from = %former.display(), "filters of another version stay");
            }
        }
    }

    /// Puts what the filters go by into `state`, the first time: from then on nobody writes there but us. `links`: all of the
    /// namespace of ports.
    ///
    /// # Errors
    /// The tables could not be read.
    pub fn observe<'a>(
        &mut self,
        links: impl Iterator<Item = (&'a IfName, &'a u32)>,
        state: &mut State,
    ) -> io::Result<()> {
        if !self.seen
            && let Some(tables) = &mut self.tables
        {
            tables.observe(state)?;
            let ports = links.filter(|(name, _)| Prefix::of(name) == Some(Prefix::Port));
            tables.short.lack(ports.map(|(name, index)| (name.clone(), *index)));
            self.sweep();
        }
        self.seen = true;
        Ok(())
    }

    fn sweep(&mut self) {
        let (dir, share) = (self.root.join(directory(self.filtering)), self.filtering.share());
        let _ = self.sweeper.get_or_insert_with(|| Sweeper::start(dir, share));
    }

    /// Takes away tables and programs. What still is on a link goes with the link.
    ///
    /// # Errors
    /// They cannot be unmounted.
    pub fn remove(&mut self) -> io::Result<()> {
        (self.tables, self.programs, self.ring, self.sweeper) = (None, None, None, None);
        if is_mounted(&self.root) {
            nix::mount::umount2(&self.root, MntFlags::MNT_DETACH)?;
        }
        match std::fs::remove_dir(&self.root) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Looks what is on ports of ours.
///
/// # Errors
/// The kernel could not be asked.
pub fn look(space: &mut Space, tables: Option<&Tables>, links: &mut [Seen]) -> io::Result<()> {
    let port = |seen: &&mut Seen| seen.group == names::GROUP && Prefix::of(&seen.name) == Some(Prefix::Port);
    let mut ports: Vec<&mut Seen> = links.iter_mut().filter(port).collect();
    let asked = ports.iter().flat_map(|seen| attach::look(seen.index)).collect();
    let answers = space.netlink.send(asked)?;
    for (seen, answers) in ports.iter_mut().zip(answers.chunks(2)) {
        seen.filter = attach::found(answers)
            .map(|program| Filter { program: program.into(), wire: tables.and_then(|tables| tables.wire(seen.index)) });
    }
    Ok(())
}

/// A loader. A new one reads all types that the kernel has, which programs like ours do not need: it takes 18 MiB for a
/// moment, and from then on glibc, which adapts to the longest that was asked for, gives nothing back that is shorter. So it is
/// made on a thread that does not see them, because its root is `blind`.
fn loader(blind: &Path) -> EbpfLoader<'static> {
    let made = || {
        unshare(CloneFlags::CLONE_FS)?;
        nix::unistd::chroot(blind)?;
        nix::Result::Ok(EbpfLoader::new())
    };
    let made = std::thread::scope(|scope| scope.spawn(made).join());
    made.ok().and_then(Result::ok).unwrap_or_default()
}

/// Loads the programs, with tables that are pinned already or made now, and pins them.
fn load(tables: &Path, programs: &Path, filtering: Filtering) -> io::Result<[SchedClassifier; 2]> {
    let mut loader = loader(tables);
    loader.btf(None);
    loader.map_max_entries("flows", filtering.flows).map_max_entries("pending", filtering.flows / 8);
    let share = filtering.share();
    loader.override_global("share", &share, true);
    for name in NAMES.into_iter().chain(ring::NAMES) {
        loader.map_pin_path(name, tables.join(name));
    }
    let mut object = loader.load(OBJECT).map_err(|error| io::Error::other(error.to_string()))?;
    std::fs::create_dir_all(programs)?;
    let mut program = |name: &str| {
        let program: &mut SchedClassifier = object.program_mut(name).ok_or_else(absent)?.try_into().map_err(failed)?;
        program.load().map_err(failed)?;
        let pin = programs.join(name);
        if pin.exists() {
            std::fs::remove_file(&pin)?;
        }
        program.pin(&pin).map_err(|error| io::Error::other(error.to_string()))?;
        SchedClassifier::from_pin(&pin).map_err(failed)
    };
    Ok([program(PROGRAMS[0])?, program(PROGRAMS[1])?])
}

/// Where tables of the present layout and size are pinned, with the programs that go by them.
fn directory(filtering: Filtering) -> String {
    format!("{TABLES}{LAYOUT}-{}", filtering.flows)
}

/// Directories in `dir` of other versions than `present`.
fn others(dir: &Path, present: &Path) -> io::Result<Vec<PathBuf>> {
    let version = present.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let prefix = version.split_inclusive('-').next().unwrap_or_default();
    let entries = std::fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    let is_other = |path: &PathBuf| {
        path != present && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix))
    };
    Ok(entries.into_iter().filter(is_other).collect())
}

fn is_mounted(root: &Path) -> bool {
    statfs(root).is_ok_and(|fs| fs.filesystem_type() == BPF_FS_MAGIC)
}

fn mount(root: &Path) -> io::Result<()> {
    if is_mounted(root) {
        return Ok(());
    }
    std::fs::create_dir_all(root)?;
    Ok(nix::mount::mount(Some("bpf"), root, Some("bpf"), MsFlags::empty(), None::<&str>)?)
}

fn absent() -> io::Error {
    io::Error::other("the programs are not in what was compiled")
}

/// The end of what the verifier says is what it does not like.
#[allow(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn failed(error: ProgramError) -> io::Error {
    let text = match &error {
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            let last: Vec<&str> = log.lines().rev().take(3).collect();
            format!("{io_error}: {}", last.into_iter().rev().collect::<Vec<_>>().join(" | "))
        }
        ProgramError::SyscallError(call) => format!("{}: {}", call.call, call.io_error),
        other => other.to_string(),
    };
    io::Error::other(text)
}
