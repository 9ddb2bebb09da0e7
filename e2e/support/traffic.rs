//! Packets between stations: questions over TCP and UDP, calls that stay, flows whose packets are counted.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};
use tenet::api::Protocol;

use super::{Guest, SOON, Said, until};

/// How long an answer may take that is to come, on a machine that is busy.
const ANSWER: Duration = Duration::from_secs(2);
/// How long no answer is waited for.
const SILENCE: Duration = Duration::from_millis(400);
/// The port that flows go to.
const FLOW: u16 = 9000;

impl Guest {
    /// Answers every octet over TCP and every packet over UDP with the guest's name and the caller's address.
    pub fn answers(&self, port: u16) {
        let name = self.name.clone();
        self.answers_with(port, move |peer| format!("{name} {}", peer.ip()));
    }

    /// Answers every octet over TCP and every packet over UDP with what `says` of the caller, while the test lasts.
    pub fn answers_with(&self, port: u16, says: impl Fn(SocketAddr) -> String + Clone + Send + 'static) {
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let (tcp, udp) = self.within(|| (TcpListener::bind(any).unwrap(), UdpSocket::bind(any).unwrap()));
        // What waits for a thread that gets no processor is not lost.
        setsockopt(&udp, sockopt::RcvBufForce, &(8 << 20)).unwrap();
        let by_udp = says.clone();
        thread::spawn(move || {
            for stream in tcp.incoming() {
                let (mut stream, says) = (stream.unwrap(), says.clone());
                thread::spawn(move || {
                    let Ok(peer) = stream.peer_addr() else { return };
                    let answer = says(peer).into_bytes();
                    while matches!(stream.read(&mut [0]), Ok(1)) && stream.write_all(&answer).is_ok() {}
                });
            }
        });
        thread::spawn(move || {
            while let Ok((_, peer)) = udp.recv_from(&mut [0; 16]) {
                let _ = udp.send_to(by_udp(peer).as_bytes(), peer);
            }
        });
    }

    /// Calls `to` (address and port); none: nobody answers.
    pub fn call(&self, protocol: Protocol, to: &str) -> Option<Call> {
        self.call_for(protocol, to, ANSWER)
    }

    /// As [`Self::call`], with a time after which nobody is there.
    pub fn call_for(&self, protocol: Protocol, to: &str, wait: Duration) -> Option<Call> {
        let to: SocketAddr = to.parse().unwrap();
        self.within(|| match protocol {
            Protocol::TCP => TcpStream::connect_timeout(&to, wait).ok().map(Call::Tcp),
            Protocol::UDP => {
                let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
                socket.connect(to).ok().map(|()| Call::Udp(socket))
            }
        })
    }

    /// Who answers there, and by which address it sees the guest; none: nobody.
    pub fn seen(&self, protocol: Protocol, to: &str) -> Option<String> {
        self.call(protocol, to)?.ask(ANSWER)
    }

    /// Whether nobody answers there, by neither protocol.
    pub fn silent(&self, to: &str) -> bool {
        let answer = |protocol| self.call_for(protocol, to, SILENCE)?.ask(SILENCE);
        answer(Protocol::TCP).is_none() && answer(Protocol::UDP).is_none()
    }

    /// Waits until this is what is seen there.
    #[track_caller]
    pub fn wait_seen(&self, protocol: Protocol, to: &str, answer: &str) {
        let (start, mut last) = (Instant::now(), None);
        while last.as_deref() != Some(answer) {
            assert!(start.elapsed() < SOON, "{} asks {to} by {protocol:?} and hears {last:?}, not {answer}", self.name);
            last = self.call_for(protocol, to, SILENCE).and_then(|mut call| call.ask(SILENCE));
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a numbered packet every millisecond to `to`, which `receiver` counts.
    pub fn stream_to(&self, sink: &Self, to: &str) -> Flow {
        let stop = Arc::new(AtomicBool::new(false));
        let inward = sink.within(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, FLOW)).unwrap());
        inward.set_read_timeout(Some(SILENCE)).unwrap();
        // What waits for a thread that gets no processor is not lost.
        setsockopt(&inward, sockopt::RcvBufForce, &(8 << 20)).unwrap();
        let outward = self.within(|| UdpSocket::bind("0.0.0.0:0").unwrap());
        outward.connect((to.parse::<Ipv4Addr>().unwrap(), FLOW)).unwrap();
        let (here, there) = (stop.clone(), stop.clone());
        let sent = thread::spawn(move || {
            let (start, mut sent) = (Instant::now(), 0_u64);
            while !here.load(Ordering::Relaxed) {
                // What a busy machine delays is sent later, so that the rate stays.
                while u128::from(sent) <= start.elapsed().as_millis() {
                    outward.send(&sent.to_be_bytes()).expect("the guest can send");
                    sent += 1;
                }
                thread::sleep(Duration::from_millis(1));
            }
            sent
        });
        let received = thread::spawn(move || {
            let (mut seen, mut number) = (std::collections::HashSet::new(), [0; 8]);
            loop {
                match inward.recv(&mut number) {
                    Ok(_) => _ = seen.insert(number),
                    Err(_) if there.load(Ordering::Relaxed) => return seen.len() as u64,
                    Err(_) => {}
                }
            }
        });
        Flow { stop, sent, received }
    }
}

/// A conversation that goes on from the same port.
pub enum Call {
    /// A connection.
    Tcp(TcpStream),
    /// A socket.
    Udp(UdpSocket),
}

impl Call {
    /// Asks again; none: no answer.
    pub fn ask(&mut self, wait: Duration) -> Option<String> {
        let mut answer = [0; 64];
        let len = match self {
            Self::Tcp(stream) => {
                stream.set_read_timeout(Some(wait)).unwrap();
                stream.write_all(b"?").ok()?;
                stream.read(&mut answer).ok().filter(|len| *len > 0)?
            }
            Self::Udp(socket) => {
                socket.set_read_timeout(Some(wait)).unwrap();
                socket.send(b"?").ok()?;
                socket.recv(&mut answer).ok()?
            }
        };
        Some(String::from_utf8_lossy(&answer[..len]).into_owned())
    }

    /// Whether it is answered.
    pub fn alive(&mut self) -> bool {
        self.ask(ANSWER).is_some()
    }

    /// Whether it is answered no more.
    pub fn dead(&mut self) -> bool {
        self.ask(SILENCE).is_none()
    }

    /// Waits until it is answered no more.
    #[track_caller]
    pub fn wait_dead(&mut self) {
        until("the call is cut", || self.dead());
    }
}

/// A flow of packets.
pub struct Flow {
    stop: Arc<AtomicBool>,
    sent: JoinHandle<u64>,
    received: JoinHandle<u64>,
}

impl Flow {
    /// Ends it: how many packets were sent, and how many were lost.
    pub fn end(self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.sent.join().unwrap();
        (sent, sent - self.received.join().unwrap())
    }
}

/// Waits until so many ports have the short way to their filters, which they get at rest. `run` runs a command line where the
/// filters are mounted, below `dir`.
#[allow(dead_code, reason = "no target uses all of it")]
pub fn hastened(run: impl Fn(&str) -> Said, dir: &Path, ports: u32) {
    let find = format!("find {} -path */tcx/*", dir.display());
    let start = Instant::now();
    while run(&find).out.lines().count() < 2 * ports as usize {
        // Each takes the kernel some 20 ms.
        assert!(start.elapsed() < SOON + Duration::from_millis(100) * ports, "not all ports have the short way");
        std::thread::sleep(Duration::from_millis(50));
    }
}
