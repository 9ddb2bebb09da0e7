//! Addresses that move from guest to guest: announced as VRRP does it, and how long others need to follow.

use std::io::Read as _;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{LinkAddr, MsgFlags, sendto};
use socket2::{Domain, Protocol, Socket, Type};

use super::Guest;

/// UDP port that packets are sent to.
const PORT: u16 = 9112;
/// How long anything is waited for.
const LONG: Duration = Duration::from_secs(20);

impl Guest {
    /// Says by one gratuitous ARP request that an address is at a device of this guest, as keepalived does.
    pub fn announces(&self, ip: &str, device: &str) {
        let ip: Ipv4Addr = ip.parse().unwrap();
        self.within(|| {
            let mut found = getifaddrs().unwrap().filter(|found| found.interface_name == device);
            let link: LinkAddr = found.find_map(|f| f.address?.as_link_addr().copied()).unwrap();
            let (mac, ip) = (link.addr().unwrap(), ip.octets());
            let head: [&[u8]; 4] = [&[0xff; 6], &mac, &[8, 6], &[0, 1, 8, 0, 6, 4, 0, 1]];
            let frame = [&head[..], &[&mac, &ip, &[0xff; 6], &ip]].concat().concat();
            let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0))).unwrap();
            sendto(socket.as_raw_fd(), &frame, &link, MsgFlags::empty()).unwrap();
        });
    }
}

/// When a guest first says by gratuitous ARP that an address is at it, from now on.
pub fn announced(guest: &Guest, ip: &str) -> JoinHandle<Instant> {
    // `ETH_P_ALL`: also what goes out.
    let all = Protocol::from(i32::from(3_u16.to_be()));
    let mut ear = guest.within(|| Socket::new(Domain::PACKET, Type::RAW, Some(all)).unwrap());
    ear.set_read_timeout(Some(LONG)).unwrap();
    let ip = ip.parse::<Ipv4Addr>().unwrap().octets();
    thread::spawn(move || {
        let mut frame = [0; 64];
        loop {
            let length = ear.read(&mut frame).expect("the guest announces the address");
            let arp = length >= 42 && frame[12..14] == [8, 6];
            if arp && frame[28..32] == ip && frame[38..42] == ip {
                return Instant::now();
            }
        }
    })
}

/// Packets that are sent to an address again and again, by several.
pub struct Senders {
    stop: Arc<AtomicBool>,
    count: usize,
}

impl Senders {
    /// Each of these sends to its address from now on, every half millisecond.
    pub fn start(all: &[(&Guest, &str)]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        for (number, (guest, to)) in all.iter().enumerate() {
            let socket = guest.within(|| UdpSocket::bind("0.0.0.0:0").unwrap());
            let (to, stop): (Ipv4Addr, _) = (to.parse().unwrap(), stop.clone());
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    // Nobody may be there now.
                    let _ = socket.send_to(&[u8::try_from(number).unwrap()], (to, PORT));
                    thread::sleep(Duration::from_micros(500));
                }
            });
        }
        Self { stop, count: all.len() }
    }

    /// When the first packet of each is heard at a guest, from now on; in the order in which they were given.
    pub fn heard(&self, guest: &Guest) -> JoinHandle<Vec<Instant>> {
        let ear = guest.within(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).unwrap());
        ear.set_read_timeout(Some(LONG)).unwrap();
        let mut first: Vec<Option<Instant>> = vec![None; self.count];
        thread::spawn(move || {
            let mut number = [0];
            while first.iter().any(Option::is_none) {
                ear.recv(&mut number).unwrap_or_else(|error| panic!("not all are heard, {first:?}: {error}"));
                first[usize::from(number[0])].get_or_insert_with(Instant::now);
            }
            first.into_iter().flatten().collect()
        })
    }
}

/// How long it took from an announcement until each was heard.
pub fn took(announced: Instant, heard: JoinHandle<Vec<Instant>>) -> Vec<Duration> {
    heard.join().unwrap().into_iter().map(|at| at.saturating_duration_since(announced)).collect()
}

impl Drop for Senders {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
