//! Tells which files below the folders may have changed (inotify).

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

use super::files::{is_hidden, is_yaml};

/// What may have changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// One file: written, renamed, or gone.
    File(PathBuf),
    /// Everything below one directory.
    Tree(PathBuf),
    /// Everything: the kernel's queue ran over.
    All,
}

/// Watches directories, each for itself.
#[derive(Debug)]
pub struct Watch {
    inotify: Inotify,
    directories: HashMap<WatchDescriptor, PathBuf>,
}

impl Watch {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// The kernel's limit of inotify instances.
    pub fn new() -> Result<Self, Errno> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        Ok(Self { inotify, directories: HashMap::new() })
    }

    /// Watches a directory, without those below it. One that is gone is not watched.
    ///
    /// # Errors
    /// The kernel's limit of watches: `fs.inotify.max_user_watches`.
    pub fn add(&mut self, dir: &Path) -> Result<(), Errno> {
        // A file is complete when its writer closes it; until then it is not looked at (no IN_MODIFY).
        let flags = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR;
        match self.inotify.add_watch(dir, flags) {
            Ok(descriptor) => {
                self.directories.insert(descriptor, dir.into());
                Ok(())
            }
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether a directory is watched.
    #[must_use]
    pub fn watches(&self, dir: &Path) -> bool {
        self.directories.values().any(|d| d == dir)
    }

    /// What has happened since the last call; does not wait.
    pub fn events(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Ok(batch) = self.inotify.read_events() {
            for event in batch {
                if let Some(event) = self.event(&event)
                    && !events.contains(&event)
                {
                    events.push(event);
                }
            }
        }
        events
    }

    fn event(&mut self, event: &InotifyEvent) -> Option<Event> {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            return Some(Event::All);
        }
        let dir = self.directories.get(&event.wd)?.clone();
        if event.mask.contains(AddWatchFlags::IN_MOVE_SELF) {
            // The watch follows the directory to its new place, which is none of ours.
            let _ = self.inotify.rm_watch(event.wd);
        }
        if event.mask.intersects(AddWatchFlags::IN_IGNORED | AddWatchFlags::IN_MOVE_SELF) {
            self.directories.remove(&event.wd);
            return Some(Event::Tree(dir));
        }
        let path = dir.join(event.name.as_ref()?);
        let created = event.mask.contains(AddWatchFlags::IN_CREATE);
        if event.mask.contains(AddWatchFlags::IN_ISDIR) {
            let other = event.mask.contains(AddWatchFlags::IN_ATTRIB) || is_hidden(&path);
            return (!other).then_some(Event::Tree(path));
        }
        if path.file_name().is_some_and(|n| n == "..data") {
            // Kubernetes swaps all files of a mounted ConfigMap at once, by renaming this link.
            return Some(Event::Tree(dir));
        }
        // A link is complete when it is made; a file, when it is closed.
        (is_yaml(&path) && (!created || is_link(&path))).then_some(Event::File(path))
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

fn is_link(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink() || m.nlink() > 1)
}
