//! What guests say to each other: sockets opened inside a guest and used from here, so that no program has to run there.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::fd::{AsFd as _, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use tenet::api::Protocol;
use tenet::dataplane::kernel::netns;

use super::Guest;

/// How long an answer may take that comes.
const ANSWER: Duration = Duration::from_millis(500);

impl Guest {
    /// Runs `f` inside the guest's namespace.
    pub fn within<T>(&self, f: impl FnOnce() -> T) -> T {
        netns::within(self.netns().as_fd(), f).unwrap()
    }

    fn netns(&self) -> OwnedFd {
        netns::open(&self.path).unwrap()
    }

    /// Answers on a TCP and on the UDP port of the same number, for as long as the test lasts, with a name and
    /// the address that it sees the caller under: `web-0 sees 203.0.113.10`.
    pub fn serve(&self, port: u16, name: &str) {
        let name = name.to_owned();
        self.answers_with(port, move |peer| format!("{name} sees {}", peer.ip()));
    }

    /// What a TCP server answers; none: nobody does within half a second.
    pub fn asks(&self, ip: &str, port: u16) -> Option<String> {
        self.call_for(Protocol::TCP, &format!("{ip}:{port}"), ANSWER)?.ask(ANSWER)
    }

    /// The same over UDP.
    pub fn asks_udp(&self, ip: &str, port: u16) -> Option<String> {
        self.call_for(Protocol::UDP, &format!("{ip}:{port}"), ANSWER)?.ask(ANSWER)
    }

    /// A flow of UDP packets that are answered, sent from this guest by a thread.
    pub fn flow(&self, ip: &str, port: u16, every: Duration, how_long: Duration) -> thread::JoinHandle<Flow> {
        let socket = self.within(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap());
        socket.connect((ip.parse::<IpAddr>().unwrap(), port)).unwrap();
        thread::spawn(move || Flow::run(&socket, every, how_long))
    }
}

/// What a TCP server answers, asked from where the calling thread is.
pub fn asks(ip: &str, port: u16) -> Option<String> {
    Guest::here("the host").asks(ip, port)
}

/// What became of a flow.
#[derive(Debug)]
pub struct Flow {
    /// Packets sent.
    pub sent: u32,
    /// Packets without an answer.
    pub lost: u32,
}

impl Flow {
    fn run(socket: &UdpSocket, every: Duration, how_long: Duration) -> Self {
        let answers = socket.try_clone().unwrap();
        // The last answers need not come before the last packet leaves.
        answers.set_read_timeout(Some(ANSWER)).unwrap();
        let counted = thread::spawn(move || {
            let mut bytes = [0; 64];
            let mut count = 0;
            while answers.recv(&mut bytes).is_ok() {
                count += 1;
            }
            count
        });
        let start = Instant::now();
        let mut sent = 0;
        while start.elapsed() < how_long {
            if socket.send(b"?").is_ok() {
                sent += 1;
            }
            // From the start, not from the last packet: a late one does not slow the flow down.
            thread::sleep((every * sent).saturating_sub(start.elapsed()));
        }
        let answered: u32 = counted.join().unwrap();
        Self { sent, lost: sent - answered }
    }
}
