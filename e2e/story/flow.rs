//! A flow of packets that are answered, for as long as a scene lasts: how many were lost, and when no answers came.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::socket::{MsgFlags, send, setsockopt, sockopt};

use crate::support::Guest;

/// How long the last answers may take.
const LAST: Duration = Duration::from_millis(500);

/// A packet a millisecond, from one port.
pub struct Flow {
    stop: Arc<AtomicBool>,
    sent: JoinHandle<u64>,
    answers: JoinHandle<Vec<Instant>>,
}

/// What became of a flow.
pub struct Told {
    /// Packets that were sent.
    pub sent: u64,
    /// When answers came.
    answers: Vec<Instant>,
}

impl Flow {
    /// Sends from a station to an address and port, where all is answered, from now on.
    pub fn start(from: &Guest, to: &str) -> Self {
        let socket = from.within(|| UdpSocket::bind("0.0.0.0:0").unwrap());
        socket.connect(to.parse::<SocketAddr>().unwrap()).unwrap();
        // What waits for a thread that gets no processor is not lost.
        setsockopt(&socket, sockopt::RcvBufForce, &(8 << 20)).unwrap();
        let heard = socket.try_clone().unwrap();
        heard.set_read_timeout(Some(LAST)).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (here, there) = (stop.clone(), stop.clone());
        let sent = thread::spawn(move || {
            let (start, mut sent) = (Instant::now(), 0);
            while !here.load(Ordering::Relaxed) {
                // What a busy machine delays is sent later, so that the rate stays.
                while !here.load(Ordering::Relaxed) && u128::from(sent) <= start.elapsed().as_millis() {
                    // Also what cannot leave is lost; nobody waits for room behind an address that does not answer.
                    let _ = send(socket.as_raw_fd(), b"?", MsgFlags::MSG_DONTWAIT);
                    sent += 1;
                }
                thread::sleep(Duration::from_millis(1));
            }
            sent
        });
        let answers = thread::spawn(move || {
            let mut answers = Vec::new();
            loop {
                match heard.recv(&mut [0; 64]) {
                    Ok(_) => answers.push(Instant::now()),
                    Err(_) if there.load(Ordering::Relaxed) => return answers,
                    Err(_) => {}
                }
            }
        });
        Self { stop, sent, answers }
    }

    /// Ends it.
    pub fn end(self) -> Told {
        self.stop.store(true, Ordering::Relaxed);
        Told { sent: self.sent.join().unwrap(), answers: self.answers.join().unwrap() }
    }
}

impl Told {
    /// Packets without an answer.
    pub fn lost(&self) -> u64 {
        self.sent - self.answers.len() as u64
    }

    /// The longest time without an answer, between two.
    pub fn away(&self) -> Duration {
        self.answers.windows(2).map(|two| two[1] - two[0]).max().unwrap_or(Duration::MAX)
    }

    /// From a moment to the first answer; none: none came.
    pub fn first_after(&self, moment: Instant) -> Option<Duration> {
        self.answers.first().map(|first| first.saturating_duration_since(moment))
    }

    /// From a moment to the last answer; none: none came.
    pub fn last_after(&self, moment: Instant) -> Option<Duration> {
        self.answers.last().map(|last| last.saturating_duration_since(moment))
    }

    /// As people read it.
    pub fn words(&self) -> String {
        format!("{} of {}", self.lost(), self.sent)
    }
}
