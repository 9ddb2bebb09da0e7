//! The end of a wire that a guest holds: frames are sent and heard as they are, whatever they say.

use std::collections::HashSet;
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::thread;
use std::time::{Duration, Instant};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{LinkAddr, bind, setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use crate::frames::Mac;
use crate::support::{Guest, Host, SOON};

/// `ETH_P_ALL`.
const EVERYTHING: u16 = 3;

/// Runs a test with packets straight from guest to guest, and with all of them over the bridge.
pub fn on_both_paths(test: impl Fn(Host) + Sync) {
    for args in [vec![], vec!["--no-fast-path"]] {
        println!("tenet local {}", args.join(" "));
        let run = || {
            let mut host = Host::bare();
            host.arguments.clone_from(&args);
            test(host);
        };
        // Each on a thread of its own, for a host is a thread's.
        thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    }
}

/// A guest that is plugged and says nothing by itself: it has no address, not even the link's.
pub fn mute(host: &Host, port: &str) -> Guest {
    let guest = host.guest(port);
    guest.run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1").expect_ok();
    host.tenet(&format!("plug {port} --netns {port} --timeout 10s")).expect_ok();
    guest
}

/// A packet socket; none: on all interfaces of the namespace.
fn socket(guest: &Guest, device: Option<&str>, protocol: u16) -> Socket {
    guest.within(|| {
        let protocol = Protocol::from(i32::from(protocol.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol)).unwrap();
        if let Some(device) = device {
            let links = getifaddrs().unwrap().filter(|link| link.interface_name == device);
            let address: LinkAddr = links.filter_map(|link| link.address?.as_link_addr().copied()).next().unwrap();
            bind(socket.as_raw_fd(), &address).unwrap();
        }
        socket
    })
}

/// Sends frames.
pub struct Mouth(Socket);

impl Mouth {
    pub fn of(guest: &Guest) -> Self {
        // Of no protocol: it hears nothing.
        Self(socket(guest, Some("eth0"), 0))
    }

    pub fn say(&self, frame: &[u8]) {
        let sent = self.0.send(frame);
        assert!(sent.is_ok(), "{sent:?}: {frame:02x?}");
    }

    /// As [`Self::say`], with a queue that may be full.
    pub fn try_say(&self, frame: &[u8]) -> bool {
        self.0.send(frame).is_ok()
    }
}

/// Hears frames.
pub struct Ear {
    socket: Socket,
    /// All that was heard so far, without the outermost VLAN tag, which the kernel keeps beside a frame.
    pub heard: HashSet<Vec<u8>>,
}

impl Ear {
    pub fn of(guest: &Guest) -> Self {
        Self::on(guest, Some("eth0"))
    }

    /// On an interface of a station; none: on all.
    pub fn on(guest: &Guest, device: Option<&str>) -> Self {
        let socket = socket(guest, device, EVERYTHING);
        setsockopt(&socket, sockopt::RcvBufForce, &(64 << 20)).unwrap();
        Self { socket, heard: HashSet::new() }
    }

    /// The next frame, if it comes in time.
    pub fn next(&mut self, wait: Duration) -> Option<Vec<u8>> {
        self.socket.set_read_timeout(Some(wait.max(Duration::from_millis(1)))).unwrap();
        let mut bytes = [0; 2048];
        let length = self.socket.read(&mut bytes).ok()?;
        Some(bytes[..length].to_vec())
    }

    /// Whether a frame was heard, or is within that time.
    pub fn hears(&mut self, frame: &[u8], within: Duration) -> bool {
        let (frame, until) = (untagged(frame), Instant::now() + within);
        while !self.heard.contains(&frame) {
            let left = until.saturating_duration_since(Instant::now());
            match self.next(left) {
                Some(next) => _ = self.heard.insert(next),
                None if left.is_zero() => return false,
                None => {}
            }
        }
        true
    }

    /// Hears a frame that must come.
    #[track_caller]
    pub fn must_hear(&mut self, frame: &[u8], what: &str) {
        assert!(self.hears(frame, SOON), "not heard: {what}");
    }

    /// Hears all that comes until nothing does.
    pub fn drain(&mut self) {
        while let Some(next) = self.next(Duration::from_millis(200)) {
            self.heard.insert(next);
        }
    }
}

/// A frame as it is heard.
pub fn untagged(frame: &[u8]) -> Vec<u8> {
    match frame.get(12..14) {
        Some([0x81, 0x00] | [0x88, 0xa8]) => [&frame[..12], &frame[16..]].concat(),
        _ => frame.to_vec(),
    }
}

/// The same frame to another station.
pub fn to(station: Mac, frame: &[u8]) -> Vec<u8> {
    [&station[..], &frame[6..]].concat()
}
