//! Network namespaces: made on a thread of their own, kept by a bind mount (a pin), entered and left again.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::statfs::{FsType, statfs};

/// The file system of namespaces (`magic.h`).
const NSFS_MAGIC: FsType = FsType(0x6e73_6673);

/// The namespace of the calling thread.
const OWN: &str = "/proc/thread-self/ns/net";

/// The namespace that the calling thread is in.
///
/// # Errors
/// `/proc` is not mounted.
pub fn current() -> io::Result<OwnedFd> {
    open(Path::new(OWN))
}

/// Opens a namespace by a path that leads to it.
///
/// # Errors
/// The path does not exist.
pub fn open(path: &Path) -> io::Result<OwnedFd> {
    File::open(path).map(OwnedFd::from)
}

/// Inode of a namespace: its identity while anything holds it.
///
/// # Errors
/// The descriptor is not open.
pub fn inode(netns: BorrowedFd<'_>) -> io::Result<u64> {
    File::from(netns.try_clone_to_owned()?).metadata().map(|m| m.ino())
}

/// Runs `f` with the calling thread inside `netns`, and comes back. A socket belongs to the namespace that it was opened in.
///
/// # Errors
/// The namespace cannot be entered (`EPERM`: `CAP_SYS_ADMIN` is missing). A thread that cannot come back panics, because it
/// would do its further work in the wrong place.
pub fn within<T>(netns: BorrowedFd<'_>, f: impl FnOnce() -> T) -> io::Result<T> {
    let home = current()?;
    setns(netns, CloneFlags::CLONE_NEWNET)?;
    let value = f();
    if let Err(error) = setns(home.as_fd(), CloneFlags::CLONE_NEWNET) {
        tracing::error!(%error, "cannot return to the namespace of the host");
        std::process::abort();
    }
    Ok(value)
}

/// Makes a namespace and pins it at `pin`, a path that does not exist yet.
///
/// # Errors
/// The pin exists, or the namespace cannot be made (`EPERM`, `ENOSPC`: `user.max_net_namespaces`).
pub fn create(pin: &Path) -> io::Result<OwnedFd> {
    File::create_new(pin)?;
    let made = on_a_thread(|| {
        unshare(CloneFlags::CLONE_NEWNET)?;
        nix::mount::mount(Some(OWN), pin, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
        current()
    });
    if made.is_err() {
        let _ = std::fs::remove_file(pin);
    }
    made
}

/// Makes a namespace that nothing keeps but the descriptor.
///
/// # Errors
/// `EPERM`: `CAP_SYS_ADMIN` is missing; `ENOSPC`: `user.max_net_namespaces`.
pub fn scratch() -> io::Result<OwnedFd> {
    on_a_thread(|| {
        unshare(CloneFlags::CLONE_NEWNET)?;
        current()
    })
}

/// Whether a namespace is mounted on a pin.
#[must_use]
pub fn is_pinned(pin: &Path) -> bool {
    statfs(pin).is_ok_and(|fs| fs.filesystem_type() == NSFS_MAGIC)
}

/// Pins a namespace again whose pin was taken away; one that is pinned is left alone.
///
/// # Errors
/// The pin cannot be made.
pub fn repin(netns: BorrowedFd<'_>, pin: &Path) -> io::Result<()> {
    if is_pinned(pin) {
        return Ok(());
    }
    File::create(pin)?;
    let source = format!("/proc/thread-self/fd/{}", netns.as_raw_fd());
    Ok(nix::mount::mount(Some(source.as_str()), pin, None::<&str>, MsFlags::MS_BIND, None::<&str>)?)
}

/// A namespace is made by leaving one's own, so a thread is spent on it.
fn on_a_thread(f: impl FnOnce() -> io::Result<OwnedFd> + Send) -> io::Result<OwnedFd> {
    let died = || io::Error::other("the thread that makes namespaces died");
    std::thread::scope(|scope| scope.spawn(f).join().unwrap_or_else(|_| Err(died())))
}

/// Unpins a namespace; the kernel takes it away, with all that is in it, when nothing else holds it. Absent is fine.
///
/// # Errors
/// The pin cannot be unmounted or removed.
pub fn remove(pin: &Path) -> io::Result<()> {
    match nix::mount::umount2(pin, MntFlags::MNT_DETACH) {
        // EINVAL: the file is there and nothing is mounted on it, as after a reboot.
        Ok(()) | Err(nix::Error::EINVAL | nix::Error::ENOENT) => {}
        Err(error) => return Err(error.into()),
    }
    match std::fs::remove_file(pin) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
