//! One way of packets, with both ends in one hand.
//!
//! On veth the whole path (bridge, netfilter, router, receive stack) runs on the CPU of whoever sends, inside `send`. So the
//! CPU time of a thread that owns both ends is the cost of the path, nearly untouched by what else the machine does.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use tenet::dataplane::kernel::netns;

use crate::guest::Guest;
use crate::meter::{self, Dice, quantile};

/// CPU time of one measurement.
const SLICE: Duration = Duration::from_millis(20);
/// Measurements of one lane in one round.
const SLICES: usize = 12;
/// Payload, bytes.
const PAYLOAD: [u8; 18] = [0; 18];
/// Where receivers listen.
pub const PORT: u16 = 7000;

/// A one-way flow of UDP.
pub struct Lane {
    from: UdpSocket,
    at: UdpSocket,
    to: SocketAddrV4,
}

impl Lane {
    /// A flow between two guests, to an address that leads to the second one. `port`: the receiver's.
    pub fn new(from: &Guest, at: &Guest, to: Ipv4Addr, port: u16) -> Self {
        let lane = Self { from: from.udp(0), at: at.udp(port), to: SocketAddrV4::new(to, port) };
        lane.at.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        lane.greet();
        lane
    }

    /// An answer, so that connection tracking has seen both directions. What is sent at first may find ARP unanswered.
    fn greet(&self) {
        for _ in 0..50 {
            let _ = self.from.send_to(&PAYLOAD, self.to);
            if let Ok((_, back)) = self.at.recv_from(&mut [0; 64]) {
                self.at.send_to(&PAYLOAD, back).unwrap();
                self.from.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
                self.from.recv(&mut [0; 64]).expect("an answer on its way back");
                while self.at.recv(&mut [0; 64]).is_ok() {}
                return;
            }
        }
        panic!("no packet reaches {}", self.to);
    }

    fn send(&self, number: u64) {
        let _ = self.from.send_to(&number.to_be_bytes(), self.to);
    }

    /// How many packets have come in.
    fn drain(&self) -> u64 {
        self.at.set_nonblocking(true).unwrap();
        let mut count = 0;
        while self.at.recv(&mut [0; 64]).is_ok() {
            count += 1;
        }
        count
    }

    fn pass(&self) {
        self.from.send_to(&PAYLOAD, self.to).unwrap();
        self.at.recv(&mut [0; 64]).expect("a packet is lost");
    }
}

/// What came of a flow on one lane.
pub struct Counted {
    pub sent: u64,
    pub lost: u64,
}

/// Sends a packet a millisecond on each lane while `work` is done.
pub fn counted<T>(lanes: &[Lane], work: impl FnOnce() -> T) -> (T, Vec<Counted>) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let flows = scope.spawn(|| {
            let (mut sent, mut got) = (0, vec![0; lanes.len()]);
            let drain = |got: &mut [u64]| lanes.iter().zip(got).for_each(|(lane, got)| *got += lane.drain());
            let mut next = Instant::now();
            while !over.load(Ordering::Relaxed) {
                lanes.iter().for_each(|lane| lane.send(sent));
                sent += 1;
                drain(&mut got);
                next += Duration::from_millis(1);
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            std::thread::sleep(Duration::from_millis(200));
            drain(&mut got);
            got.into_iter().map(|got| Counted { sent, lost: sent - got }).collect()
        });
        let done = work();
        over.store(true, Ordering::Relaxed);
        (done, flows.join().unwrap())
    })
}

/// A way for connections: called, taken, and torn down without waiting (RST), so that no port is used up.
pub struct Calls {
    from: OwnedFd,
    at: TcpListener,
    to: SocketAddrV4,
}

impl Calls {
    pub fn new(from: &Guest, at: &Guest, to: Ipv4Addr) -> Self {
        let netns = from.within(|| netns::current().unwrap());
        Self { from: netns, at: at.listen(PORT), to: SocketAddrV4::new(to, PORT) }
    }

    fn pass(&self) {
        let call = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        call.set_linger(Some(Duration::ZERO)).unwrap();
        call.connect(&self.to.into()).unwrap();
        drop(self.at.accept().unwrap());
    }
}

/// What can be measured.
pub enum Way<'a> {
    Packets(&'a Lane),
    Calls(&'a Calls),
}

impl Way<'_> {
    /// CPU nanoseconds of one operation, in the tenth best of a hundred slices.
    fn cost(&self) -> f64 {
        match self {
            Self::Packets(lane) => tenth(100, || lane.pass()),
            Self::Calls(calls) => netns::within(calls.from.as_fd(), || tenth(8, || calls.pass())).unwrap(),
        }
    }
}

fn tenth(batch: u32, pass: impl Fn()) -> f64 {
    (0..batch).for_each(|_| pass());
    let slice = |_| {
        let (start, mut count) = (meter::thread(), 0);
        loop {
            (0..batch).for_each(|_| pass());
            count += batch;
            let spent = meter::thread() - start;
            if spent >= SLICE {
                return spent.as_nanos() as f64 / f64::from(count);
            }
        }
    };
    quantile((0..SLICES).map(slice).collect(), 0.1)
}

/// Costs of several ways: the least of all rounds, because other load can only add. Order is random in every round.
pub fn costs(ways: &[Way<'_>], rounds: usize) -> Vec<f64> {
    let mut dice = Dice(0x7e7e_0001);
    let mut least = vec![f64::INFINITY; ways.len()];
    let mut order: Vec<usize> = (0..ways.len()).collect();
    for _ in 0..rounds {
        dice.shuffle(&mut order);
        for at in &order {
            least[*at] = least[*at].min(ways[*at].cost());
        }
    }
    least
}
