//! The DHCP responder: one thread that sleeps until a guest asks.
//!
//! Its sockets hold their namespaces alive: a router's namespace goes when it is gone from [`Server::update`], the vswitch's
//! when the server is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use socket2::{Domain, Protocol, Socket, Type};

use crate::dataplane::dhcp::{CLIENT_PORT, SERVER_PORT, Silence, Table, answer, answer_routed};
use crate::dataplane::kernel::netns;
use crate::dataplane::kernel::packet::PacketSocket;
use crate::dataplane::state::{IfName, Netns};

/// What the thread is woken for; router sockets count on from the last.
const STOP: u64 = 0;
const DHCP: u64 = 1;
const ARP: u64 = 2;

/// Longest frame that is read; no DHCP request is longer.
const FRAME: usize = 2048;
/// Packets taken from one socket before the others get their turn.
const BATCH: usize = 64;

/// A running responder. Dropping it ends the thread.
pub struct Server {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    epoll: Epoll,
    stop: EventFd,
    dhcp: PacketSocket,
    arp: PacketSocket,
    world: Mutex<World>,
}

/// What is answered from.
#[derive(Default)]
struct World {
    table: Arc<Table>,
    bridges: BTreeMap<u32, IfName>,
    held: BTreeSet<Ipv4Addr>,
    routed: BTreeMap<(Netns, Ipv4Addr), Routed>,
    last_token: u64,
}

/// A socket on a router's address.
struct Routed {
    token: u64,
    /// Inode of the namespace that the socket is in.
    netns: u64,
    socket: Arc<UdpSocket>,
}

impl Server {
    /// Starts a responder for the bridges in namespace `vswitch`. It answers nobody before the first [`Self::update`].
    ///
    /// # Errors
    /// The namespace cannot be entered, or no packet socket opened there (`EPERM`: `CAP_SYS_ADMIN` or
    /// `CAP_NET_RAW` is missing).
    pub fn start(vswitch: BorrowedFd<'_>) -> io::Result<Self> {
        let (dhcp, arp) = netns::within(vswitch, || io::Result::Ok((PacketSocket::dhcp()?, PacketSocket::arp()?)))??;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let stop = EventFd::from_flags(EfdFlags::EFD_CLOEXEC)?;
        epoll.add(&stop, EpollEvent::new(EpollFlags::EPOLLIN, STOP))?;
        epoll.add(&dhcp, EpollEvent::new(EpollFlags::EPOLLIN, DHCP))?;
        epoll.add(&arp, EpollEvent::new(EpollFlags::EPOLLIN, ARP))?;
        let world = Mutex::new(World { last_token: ARP, ..World::default() });
        let shared = Arc::new(Shared { epoll, stop, dhcp, arp, world });
        let mine = shared.clone();
        let thread = std::thread::Builder::new().name("dhcp".into()).spawn(move || mine.serve())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Answers from `table` from now on. `bridges`: names of the bridges by interface index; `routers`: namespaces of the
    /// routers here. Whatever is the same as before is left alone, so this may be called after every convergence.
    ///
    /// # Errors
    /// Where no socket could be opened; all else is in force, and the next call tries again.
    pub fn update<'a>(
        &self,
        table: Arc<Table>,
        bridges: BTreeMap<u32, IfName>,
        routers: impl IntoIterator<Item = (Netns, BorrowedFd<'a>)>,
    ) -> io::Result<()> {
        let mut world = self.shared.world();
        let mut result = Ok(());
        let held = table.held();
        if held != world.held {
            match self.shared.arp.hear(&held) {
                Ok(()) => world.held = held,
                Err(error) => result = Err(error),
            }
        }
        let mut wanted = BTreeSet::new();
        for (router, fd) in routers {
            for local in table.routed(&router) {
                let leg = (router.clone(), local);
                if let Err(error) = self.shared.listen(fd, &leg, &mut world) {
                    let message = format!("cannot answer DHCP at {local} in {router}: {error}");
                    result = Err(io::Error::new(error.kind(), message));
                }
                wanted.insert(leg);
            }
        }
        // A closed socket leaves epoll by itself.
        world.routed.retain(|leg, _| wanted.contains(leg));
        world.table = table;
        world.bridges = bridges;
        result
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.shared.stop.write(1).is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a socket on a router's address, unless there is one. Bound to that address it hears no broadcasts, which the
    /// bridge's socket hears; the address itself may still be on its way.
    fn listen(&self, fd: BorrowedFd<'_>, leg: &(Netns, Ipv4Addr), world: &mut World) -> io::Result<()> {
        let netns = netns::inode(fd)?;
        if world.routed.get(leg).is_some_and(|there| there.netns == netns) {
            return Ok(());
        }
        let socket = netns::within(fd, || -> io::Result<Socket> {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
            socket.set_freebind_v4(true)?;
            socket.bind(&SocketAddrV4::new(leg.1, SERVER_PORT).into())?;
            Ok(socket)
        })??;
        world.last_token += 1;
        let token = world.last_token;
        self.epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, token))?;
        world.routed.insert(leg.clone(), Routed { token, netns, socket: Arc::new(socket.into()) });
        Ok(())
    }

    fn serve(&self) {
        let mut events = [EpollEvent::empty(); 16];
        let mut buffer = [0; FRAME];
        loop {
            let count = match self.epoll.wait(&mut events, EpollTimeout::NONE) {
                Ok(count) => count,
                Err(nix::Error::EINTR) => 0,
                Err(error) => {
                    tracing::error!(%error, "the DHCP responder ends: restart Tenet");
                    return;
                }
            };
            for event in events.iter().take(count) {
                match event.data() {
                    STOP => return,
                    DHCP => self.hear(&self.dhcp, &mut buffer),
                    ARP => self.hear(&self.arp, &mut buffer),
                    token => self.hear_routed(token, &mut buffer),
                }
            }
        }
    }

    fn hear(&self, socket: &PacketSocket, buffer: &mut [u8]) {
        for _ in 0..BATCH {
            let (length, from) = match socket.receive(buffer) {
                Ok(Some(received)) => received,
                Ok(None) => return,
                Err(error) => return tracing::debug!(%error, "cannot receive from the bridges"),
            };
            let world = self.world();
            let bridge = u32::try_from(from.ifindex()).ok().and_then(|index| world.bridges.get(&index));
            let (Some(bridge), Some(frame)) = (bridge, buffer.get(..length)) else { continue };
            match answer(&world.table, bridge, frame) {
                Ok(reply) => match socket.reply(&reply.frame, &from) {
                    Ok(()) => tracing::debug!(port = %reply.port, "answered"),
                    Err(error) => tracing::debug!(port = %reply.port, %error, "cannot answer"),
                },
                Err(silence) => say(&silence, bridge),
            }
        }
    }

    fn hear_routed(&self, token: u64, buffer: &mut [u8]) {
        let leg = {
            let world = self.world();
            let found = world.routed.iter().find(|(_, leg)| leg.token == token);
            found.map(|((router, local), leg)| (router.clone(), *local, leg.socket.clone()))
        };
        let Some((router, local, socket)) = leg else { return };
        for _ in 0..BATCH {
            let (length, source) = match socket.recv_from(buffer) {
                Ok((length, SocketAddr::V4(source))) => (length, *source.ip()),
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return tracing::debug!(%error, %router, "cannot receive at a router"),
            };
            let Some(payload) = buffer.get(..length) else { continue };
            let reply = answer_routed(&self.world().table, &router, local, source, payload);
            match reply {
                Ok(reply) => match socket.send_to(&reply.payload, (IpAddr::from(reply.to), CLIENT_PORT)) {
                    Ok(_) => tracing::debug!(port = %reply.port, %router, "answered"),
                    Err(error) => tracing::debug!(port = %reply.port, %router, %error, "cannot answer"),
                },
                Err(silence) => say(&silence, &router),
            }
        }
    }
}

fn say(silence: &Silence, place: &dyn std::fmt::Display) {
    let port = silence.port.as_ref().map_or_else(|| "none of ours".into(), ToString::to_string);
    tracing::debug!(%port, %place, "not answered: {}", silence.why);
}
