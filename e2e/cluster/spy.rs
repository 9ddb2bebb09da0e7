//! Somebody on the wire who keeps asking by ARP who has an address, and writes down who answers.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{LinkAddr, MsgFlags, recv, sendto};
use socket2::{Domain, Protocol, Socket, Type};

use crate::support::{Guest, ip};

const ETH_P_ARP: u16 = 0x0806;
/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(3);

/// Who said when to have which address.
pub type Heard = BTreeMap<Ipv4Addr, Vec<(Duration, [u8; 6])>>;

/// The spy.
pub struct Spy {
    /// How many it asks for.
    addresses: usize,
    stop: Arc<AtomicBool>,
    ask: JoinHandle<()>,
    listen: JoinHandle<Heard>,
}

impl Spy {
    /// Joins the wire between nodes and asks for these addresses.
    pub fn start(addresses: &[&str]) -> Self {
        Self::start_on("wire", addresses)
    }

    /// Joins a bridge of the host and asks for these addresses there.
    pub fn start_on(bridge: &str, addresses: &[&str]) -> Self {
        let name = format!("spy-{bridge}");
        ip(&format!(
            "netns add {name}\nlink add {name} type veth peer name eth0 netns {name}\nlink set {name} master {bridge} up\n-n {name} link set eth0 up"
        ));
        let addresses: Vec<Ipv4Addr> = addresses.iter().map(|a| a.parse().unwrap()).collect();
        let (socket, link) = Guest::named(&name).within(|| {
            let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(i32::from(ETH_P_ARP.to_be()))));
            let eth0 = getifaddrs().unwrap().find(|i| i.interface_name == "eth0" && is_link(i.address.as_ref()));
            (socket.unwrap(), *eth0.unwrap().address.unwrap().as_link_addr().unwrap())
        });
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (mouth, here, there) = (socket.try_clone().unwrap(), stop.clone(), stop.clone());
        let (wanted, number) = (addresses.clone(), addresses.len());
        let ask = thread::spawn(move || {
            while !here.load(Ordering::Relaxed) {
                for address in &addresses {
                    let _ = sendto(mouth.as_raw_fd(), &question(&link, *address), &link, MsgFlags::empty());
                }
                thread::sleep(PAUSE);
            }
        });
        let listen = thread::spawn(move || {
            let (start, mut heard, mut frame) = (Instant::now(), Heard::new(), [0; 128]);
            while !there.load(Ordering::Relaxed) {
                let Ok(length) = recv(socket.as_raw_fd(), &mut frame, MsgFlags::empty()) else { continue };
                if let Some((ip, mac)) = said(&frame[..length])
                    && wanted.contains(&ip)
                {
                    heard.entry(ip).or_default().push((start.elapsed(), mac));
                }
            }
            heard
        });
        Self { addresses: number, stop, ask, listen }
    }

    /// Ends it: what it heard.
    pub fn heard(self) -> Heard {
        self.stop.store(true, Ordering::Relaxed);
        self.ask.join().unwrap();
        self.listen.join().unwrap()
    }

    /// Ends it: each address was at one station after the other, as often as the router moved, and never back at one before.
    #[track_caller]
    pub fn end(self, moves: usize) {
        let addresses = self.addresses;
        let heard = self.heard();
        assert_eq!(heard.len(), addresses, "each is answered for");
        for (ip, answers) in heard {
            let turns: Vec<_> = answers.chunk_by(|a, b| a.1 == b.1).collect();
            for pair in turns.windows(2) {
                let (last, first) = (pair[0].last().unwrap(), pair[1].first().unwrap());
                println!("{ip}: last {:?}, then {:?} later by {:x?}", last.0, first.0.checked_sub(last.0), first.1);
            }
            assert_eq!(turns.len(), moves + 1, "{ip} changes its station as often as the router moves");
        }
    }
}

fn is_link(address: Option<&nix::sys::socket::SockaddrStorage>) -> bool {
    address.is_some_and(|a| a.as_link_addr().is_some())
}

/// A probe (RFC 5227): who asks has no address.
fn question(link: &LinkAddr, address: Ipv4Addr) -> Vec<u8> {
    let own = link.addr().unwrap();
    [&[0xff; 6], &own[..], &ETH_P_ARP.to_be_bytes(), &[0, 1, 8, 0, 6, 4, 0, 1], &own, &[0; 10], &address.octets()]
        .concat()
}

/// The address and the station in what somebody says: an answer, or an announcement.
fn said(frame: &[u8]) -> Option<(Ipv4Addr, [u8; 6])> {
    let (mac, ip) = (frame.get(22..28)?, frame.get(28..32)?);
    let ip = Ipv4Addr::from(<[u8; 4]>::try_from(ip).ok()?);
    (!ip.is_unspecified()).then_some((ip, mac.try_into().ok()?))
}
