//! Puts the plugin and its link in place, keeps the link there, and takes both away.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tracing::{debug, info, warn};

use super::NAME;
use super::chain::{self, Link, Made, NAMES};
use crate::agent::durable;

/// How long the folder is left alone after ours was written, so that nobody is fought with who takes it away.
const REST: Duration = Duration::from_secs(1);
/// How often it is looked at when nobody tells of changes, milliseconds; and when somebody does, but may have forgotten.
const LOOK: (u16, u16) = (2_000, 60_000);

/// What became of our file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chained {
    /// It is as it is to be.
    Same,
    /// It was written, of this file.
    Written(String),
    /// The node has no network configuration that it could be made of; why. Ours is gone.
    Nothing(String),
}

/// Copies this program into the runtime's folder of plugins; whatever happens, there is the old one or the new one.
///
/// # Errors
/// The folder cannot be written.
pub fn plugin(bin_dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(bin_dir)?;
    let (program, path) = (std::fs::read("/proc/self/exe")?, bin_dir.join(NAME));
    if std::fs::read(&path).is_ok_and(|there| there == program) {
        return std::fs::set_permissions(&path, Permissions::from_mode(0o755));
    }
    let fresh = bin_dir.join(format!(".{NAME}.new"));
    let mut file = File::create(&fresh)?;
    file.write_all(&program)?;
    file.set_permissions(Permissions::from_mode(0o755))?;
    file.sync_all()?;
    drop(file);
    std::fs::rename(&fresh, &path)?;
    durable::sync_directory(&path)
}

/// Makes our file of the node's first.
///
/// # Errors
/// The folder cannot be read or written.
pub fn chain(conf_dir: &Path, link: &Link) -> io::Result<Chained> {
    let mut why = "there is none".to_owned();
    for file in configurations(conf_dir)? {
        let Some(name) = NAMES.into_iter().find(|name| **name < *file.as_str()) else {
            why = format!("{file} comes before every name that ours may have: give it another");
            continue;
        };
        // It may go while it is read, or be half written: the next look says.
        let Ok(text) = std::fs::read(conf_dir.join(&file)) else { continue };
        let path = conf_dir.join(name);
        let ours = std::fs::read(&path).ok();
        match chain::make(&file, &text, ours.as_deref(), link) {
            Made::Skipped(reason) => {
                debug!(folder = %conf_dir.display(), "{reason}");
                why = reason;
            }
            made => {
                forget(conf_dir, Some(name))?;
                let Made::File(text) = made else { return Ok(Chained::Same) };
                durable::replace(&path, |out| out.write_all(&text))?;
                return Ok(Chained::Written(file));
            }
        }
    }
    forget(conf_dir, None)?;
    Ok(Chained::Nothing(why))
}

/// Takes the link and the plugin away; what is not there is fine. The node's own files were never written.
///
/// # Errors
/// The folders cannot be written.
pub fn uninstall(bin_dir: &Path, conf_dir: &Path) -> io::Result<()> {
    // The link first: a link without its plugin lets no pod start.
    forget(conf_dir, None)?;
    durable::remove(&bin_dir.join(NAME))?;
    durable::remove(&bin_dir.join(format!(".{NAME}.new")))
}

/// Removes files of ours, but for one.
fn forget(conf_dir: &Path, but: Option<&str>) -> io::Result<()> {
    let others = NAMES.into_iter().filter(|name| Some(*name) != but);
    others.map(|name| conf_dir.join(name)).try_for_each(|path| durable::remove(&path))
}

/// Network configurations of a folder that are not ours, in the order in which runtimes take them (libcni: by name, as bytes).
fn configurations(conf_dir: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(conf_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let name = |entry: io::Result<std::fs::DirEntry>| entry.ok()?.file_name().into_string().ok();
    let taken = |name: &String| {
        let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
        matches!(extension, Some("conf" | "conflist" | "json")) && !NAMES.contains(&name.as_str())
    };
    let mut names: Vec<String> = entries.filter_map(name).filter(taken).collect();
    names.sort_unstable();
    Ok(names)
}

/// Keeps the link in the chain, whoever rewrites the folder; never returns. Without inotify it looks every two seconds.
pub fn keep(conf_dir: &Path, link: &Link) -> ! {
    let mut said: Option<Result<Chained, String>> = None;
    loop {
        // Watched before it is looked at: what changes in between is told.
        let watch = watch(conf_dir);
        let now = chain(conf_dir, link).map_err(|error| error.to_string());
        if said.as_ref() != Some(&now) || matches!(now, Ok(Chained::Written(_))) {
            match &now {
                Ok(Chained::Same) => {}
                Ok(Chained::Written(file)) => info!(file, "pods are plugged by the link behind this configuration"),
                Ok(Chained::Nothing(why)) => {
                    info!(folder = %conf_dir.display(), "no network configuration to link to yet: {why}");
                }
                Err(error) => warn!(folder = %conf_dir.display(), error, "the link cannot be put into the chain"),
            }
        }
        if matches!(now, Ok(Chained::Written(_))) {
            std::thread::sleep(REST);
        }
        said = Some(now);
        match watch {
            Ok(inotify) => wait(&inotify),
            Err(_) => std::thread::sleep(Duration::from_millis(LOOK.0.into())),
        }
    }
}

fn watch(conf_dir: &Path) -> nix::Result<Inotify> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
    let flags = AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_MOVE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF
        | AddWatchFlags::IN_ONLYDIR;
    inotify.add_watch(conf_dir, flags)?;
    Ok(inotify)
}

fn wait(inotify: &Inotify) {
    let mut fds = [PollFd::new(inotify.as_fd(), PollFlags::POLLIN)];
    let _ = poll(&mut fds, PollTimeout::from(LOOK.1));
}

/// Where the link is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeper {
    /// Folder of network configurations.
    pub conf_dir: PathBuf,
    /// What the link says.
    pub link: Link,
}

impl Keeper {
    /// Keeps the link from a thread of its own, for as long as the process lives.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(self) -> io::Result<()> {
        let keep = move || keep(&self.conf_dir, &self.link);
        std::thread::Builder::new().name("chain".into()).spawn(keep).map(drop)
    }
}
