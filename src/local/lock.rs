//! One instance for each host namespace and for each state directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

/// Abstract socket addresses belong to a network namespace and vanish with their holder, also when it is killed:
/// exactly a lock for each host namespace.
const ADDRESS: &str = "tenet-local";

/// Name of the lock in the state directory.
pub const FILE: &str = "lock";

/// Held while an instance runs; the kernel releases it at its death.
#[derive(Debug)]
pub struct Lock {
    _host: UnixListener,
    _state: File,
}

impl Lock {
    /// Takes the lock.
    ///
    /// # Errors
    /// Another instance holds it (the message says which process), or the state directory cannot be written.
    pub fn take(state: &Path) -> io::Result<Self> {
        let address = SocketAddr::from_abstract_name(ADDRESS)?;
        let host = match UnixListener::bind_addr(&address) {
            Ok(listener) => listener,
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let process =
                    UnixStream::connect_addr(&address).ok().and_then(|s| getsockopt(&s, PeerCredentials).ok());
                return Err(held(process.map(|c| c.pid()), "on this host"));
            }
            Err(error) => return Err(error),
        };
        let path = state.join(FILE);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                file.read_to_string(&mut text)?;
                return Err(held(text.trim().parse().ok(), &format!("with the state directory {}", state.display())));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { _host: host, _state: file })
    }
}

fn held(process: Option<i32>, place: &str) -> io::Error {
    let process = process.filter(|p| *p > 0).map_or(String::new(), |p| format!(" (process {p})"));
    io::Error::other(format!("another tenet{process} runs {place}; stop it first"))
}
