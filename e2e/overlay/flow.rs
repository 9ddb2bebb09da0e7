//! A numbered packet every millisecond, and what became of each.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};

use crate::support::Guest;

/// How long the last packet may take.
const LATE: Duration = Duration::from_millis(400);
/// Each flow goes to a port of its own.
static NEXT: AtomicU16 = AtomicU16::new(20_000);

/// A flow under way.
pub struct Flow {
    stop: Arc<AtomicBool>,
    sent: JoinHandle<u64>,
    received: JoinHandle<(u64, u64)>,
}

/// What became of a flow.
#[derive(Debug, PartialEq, Eq)]
pub struct Counted {
    pub sent: u64,
    pub lost: u64,
    pub doubled: u64,
}

#[allow(dead_code, reason = "no test target uses all of it")]
impl Flow {
    /// Starts one between two guests; `to` is how the sender knows the other.
    pub fn start(from: &Guest, sink: &Guest, to: &str) -> Self {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        let stop = Arc::new(AtomicBool::new(false));
        let inward = sink.within(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
        inward.set_read_timeout(Some(LATE)).unwrap();
        setsockopt(&inward, sockopt::RcvBufForce, &(8 << 20)).unwrap();
        let outward = from.within(|| UdpSocket::bind("0.0.0.0:0").unwrap());
        outward.connect((to.parse::<Ipv4Addr>().unwrap(), port)).unwrap();
        let (here, there) = (stop.clone(), stop.clone());
        let sent = thread::spawn(move || {
            let (start, mut sent) = (Instant::now(), 0_u64);
            while !here.load(Ordering::Relaxed) {
                while u128::from(sent) <= start.elapsed().as_millis() {
                    // An ICMP error for an earlier packet is told here.
                    let _ = outward.send(&sent.to_be_bytes()).or_else(|_| outward.send(&sent.to_be_bytes()));
                    sent += 1;
                }
                thread::sleep(Duration::from_millis(1));
            }
            sent
        });
        let received = thread::spawn(move || {
            let (mut seen, mut all, mut number) = (std::collections::HashSet::new(), 0, [0; 8]);
            loop {
                match inward.recv(&mut number) {
                    Ok(_) => {
                        all += 1;
                        seen.insert(number);
                    }
                    Err(_) if there.load(Ordering::Relaxed) => return (seen.len() as u64, all),
                    Err(_) => {}
                }
            }
        });
        Self { stop, sent, received }
    }

    /// Ends it.
    pub fn end(self) -> Counted {
        self.stop.store(true, Ordering::Relaxed);
        let (sent, (seen, all)) = (self.sent.join().unwrap(), self.received.join().unwrap());
        Counted { sent, lost: sent - seen, doubled: all - seen }
    }

    /// Ends it; nothing may be lost or doubled.
    #[track_caller]
    pub fn whole(self) {
        let counted = self.end();
        assert_eq!((counted.lost, counted.doubled), (0, 0), "{counted:?}");
    }
}
