//! The control socket: root-only, any number of clients, none of whom can make the others wait.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::Uid;
use tracing::warn;

use super::protocol::{Answer, Request};

/// Names a client while it is connected.
pub type ClientId = u64;

/// The longest request, bytes.
const LONGEST: usize = 1 << 20;

/// The socket and who is connected to it.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    listener: UnixListener,
    clients: BTreeMap<ClientId, Client>,
    next: ClientId,
}

#[derive(Debug)]
struct Client {
    stream: UnixStream,
    read: Vec<u8>,
}

/// What a client did.
#[derive(Debug)]
pub enum Event {
    /// It asked.
    Asked(ClientId, Request),
    /// It is gone.
    Left(ClientId),
}

impl Server {
    /// Listens at `path`; a socket that a dead instance left there is replaced (the lock says that it is dead).
    ///
    /// # Errors
    /// The directory cannot be made or written.
    pub fn listen(path: &Path) -> io::Result<Self> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        // Made under another name, so that nobody can connect before its mode is set.
        let fresh = path.with_extension("new");
        match std::fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&fresh)?;
        std::fs::set_permissions(&fresh, Permissions::from_mode(0o600))?;
        std::fs::rename(&fresh, path)?;
        listener.set_nonblocking(true)?;
        Ok(Self { path: path.into(), listener, clients: BTreeMap::new(), next: 0 })
    }

    /// Descriptors to poll.
    pub fn watched(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        std::iter::once(self.listener.as_fd()).chain(self.clients.values().map(|c| c.stream.as_fd()))
    }

    /// Takes in new clients and what they ask; does not wait.
    pub fn events(&mut self) -> Vec<Event> {
        while let Ok((stream, _)) = self.listener.accept() {
            match admit(&stream) {
                Ok(()) => {
                    self.clients.insert(self.next, Client { stream, read: Vec::new() });
                    self.next += 1;
                }
                Err(error) => warn!(%error, "a client of the control socket is refused"),
            }
        }
        let mut events = Vec::new();
        for (id, client) in &mut self.clients {
            match client.requests() {
                Ok(requests) => events.extend(requests.into_iter().map(|r| Event::Asked(*id, r))),
                Err(_) => events.push(Event::Left(*id)),
            }
        }
        for event in &events {
            if let Event::Left(id) = event {
                self.clients.remove(id);
            }
        }
        events
    }

    /// Answers a client; one that does not read is cut off, and has left with the next events.
    pub fn answer(&mut self, id: ClientId, answer: &Answer) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let Ok(mut line) = serde_json::to_vec(answer) else { return };
        line.push(b'\n');
        if client.stream.write_all(&line).is_err() {
            let _ = client.stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Removes the socket of an instance that was killed (the lock says that none lives); what is no socket stays.
///
/// # Errors
/// It cannot be removed.
pub fn forget(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_socket() => std::fs::remove_file(path),
        _ => Ok(()),
    }
}

fn admit(stream: &UnixStream) -> io::Result<()> {
    let peer = getsockopt(stream, PeerCredentials)?;
    if peer.uid() != 0 && peer.uid() != Uid::effective().as_raw() {
        return Err(io::Error::other(format!("user {} is not root", peer.uid())));
    }
    stream.set_nonblocking(true)
}

impl Client {
    /// Requests that are complete; an error means that the client is gone, or not one of ours.
    fn requests(&mut self) -> io::Result<Vec<Request>> {
        let mut chunk = [0; 4096];
        let ended = loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => break true,
                Ok(n) => self.read.extend_from_slice(chunk.get(..n).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.read.len() > LONGEST {
                return Err(io::Error::other("the request is too long"));
            }
        };
        let mut requests = Vec::new();
        while let Some(end) = self.read.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.read.drain(..=end).collect();
            requests.push(serde_json::from_slice(&line)?);
        }
        if ended && requests.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(requests) }
    }
}
