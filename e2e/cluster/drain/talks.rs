//! A question every millisecond, and the answers to them.

use std::collections::HashSet;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use nix::sys::socket::{setsockopt, sockopt};

use crate::support::Guest;

/// How long the last packet may take.
const LATE: Duration = Duration::from_millis(500);
/// Each goes to a port of its own.
static NEXT: AtomicU16 = AtomicU16::new(30_000);

/// Questions and answers under way.
pub struct Talk {
    stop: Arc<AtomicBool>,
    began: Timestamp,
    sent: JoinHandle<Vec<Instant>>,
    answered: JoinHandle<Vec<u64>>,
    asked: JoinHandle<(HashSet<String>, HashSet<u64>)>,
}

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Counted {
    pub sent: usize,
    /// Questions without an answer.
    pub lost: usize,
    pub doubled: usize,
    /// Addresses and ports that questions came from.
    pub ports: usize,
}

impl Talk {
    /// Starts one between two guests; `to` is how who asks knows the other. `ports`: the port to ask, and what becomes of it.
    pub fn start(from: &Guest, sink: &Guest, to: &str, ports: Option<(u16, u16)>) -> Self {
        let own = NEXT.fetch_add(1, Ordering::Relaxed);
        let (asked, bound) = ports.unwrap_or((own, own));
        let stop = Arc::new(AtomicBool::new(false));
        let socket = |guest: &Guest, port| {
            let socket = guest.within(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
            socket.set_read_timeout(Some(LATE)).unwrap();
            setsockopt(&socket, sockopt::RcvBufForce, &(8 << 20)).unwrap();
            socket
        };
        let (echo, outward) = (socket(sink, bound), socket(from, 0));
        outward.connect((to.parse::<Ipv4Addr>().unwrap(), asked)).unwrap();
        let inward = outward.try_clone().unwrap();
        let stops = [(); 3].map(|()| stop.clone());
        let [here, there, beyond] = stops;
        let sent = thread::spawn(move || {
            let (start, mut sent) = (Instant::now(), Vec::new());
            while !here.load(Ordering::Relaxed) {
                while sent.len() as u128 <= start.elapsed().as_millis() {
                    let number = sent.len() as u64;
                    let octets = number.to_be_bytes();
                    // An ICMP error for an earlier packet is told here.
                    let _ = outward.send(&octets).or_else(|_| outward.send(&octets));
                    sent.push(Instant::now());
                }
                thread::sleep(Duration::from_millis(1));
            }
            sent
        });
        let answered = thread::spawn(move || {
            let (mut all, mut number) = (Vec::new(), [0; 8]);
            loop {
                match inward.recv(&mut number) {
                    Ok(_) => all.push(u64::from_be_bytes(number)),
                    Err(_) if there.load(Ordering::Relaxed) => return all,
                    Err(_) => {}
                }
            }
        });
        let asked = thread::spawn(move || {
            let (mut peers, mut heard, mut number) = (HashSet::new(), HashSet::new(), [0; 8]);
            loop {
                match echo.recv_from(&mut number) {
                    Ok((_, peer)) => {
                        peers.insert(peer.to_string());
                        heard.insert(u64::from_be_bytes(number));
                        let _ = echo.send_to(&number, peer);
                    }
                    Err(_) if beyond.load(Ordering::Relaxed) => return (peers, heard),
                    Err(_) => {}
                }
            }
        });
        Self { stop, began: Timestamp::now(), sent, answered, asked }
    }

    /// Ends it.
    pub fn end(self) -> Counted {
        self.end_but(&[])
    }

    /// Ends it. What was asked in one of these times is not counted.
    pub fn end_but(self, times: &[(Instant, Instant)]) -> Counted {
        self.stop.store(true, Ordering::Relaxed);
        let (sent, answered) = (self.sent.join().unwrap(), self.answered.join().unwrap());
        let (ports, heard) = self.asked.join().unwrap();
        let once: HashSet<u64> = answered.iter().copied().collect();
        let counts = |at: &Instant| !times.iter().any(|(from, to)| (from..=to).contains(&at));
        let asked = (0..).zip(&sent).filter(|(_, at)| counts(at)).map(|(number, _)| number);
        let lost: Vec<u64> = asked.filter(|number| !once.contains(number)).collect();
        if !lost.is_empty() || ports.len() > 1 {
            let times: Vec<_> = lost
                .iter()
                .map(|n| {
                    (
                        *n,
                        if heard.contains(n) { "the answer" } else { "the question" },
                        self.began + Duration::from_millis(*n),
                    )
                })
                .collect();
            println!("lost {times:?}; seen from {ports:?}");
        }
        Counted { sent: sent.len(), lost: lost.len(), doubled: answered.len() - once.len(), ports: ports.len() }
    }
}
