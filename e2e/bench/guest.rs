//! Guests that cost next to nothing: a namespace with its sockets opened beforehand; nothing is forked.

use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkFlags, LinkMessage};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage};
use netlink_packet_route::route::{RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage as Message};
use nix::sys::socket::{LinkAddr, MsgFlags, sendto};
use socket2::{Domain, Protocol, Socket, Type};
use tenet::agent::protocol::Plugged;
use tenet::dataplane::attachment::Target;
use tenet::dataplane::kernel::netns;

use crate::dhcp;
use crate::support::{SOON, ip};

/// How long to wait for an answer before asking again.
const AGAIN: Duration = Duration::from_millis(2);
const ETH_P_IP: u16 = 0x0800;

/// A guest.
pub struct Guest {
    netns: OwnedFd,
    netlink: netlink_sys::Socket,
    icmp: Socket,
    packet: Socket,
}

impl Guest {
    pub fn new() -> Self {
        let netns = netns::scratch().unwrap();
        let sockets = || {
            let netlink = netlink_sys::Socket::new(netlink_sys::protocols::NETLINK_ROUTE).unwrap();
            netlink.connect(&netlink_sys::SocketAddr::new(0, 0)).unwrap();
            let icmp = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).unwrap();
            let protocol = Protocol::from(i32::from(ETH_P_IP.to_be()));
            (netlink, icmp, Socket::new(Domain::PACKET, Type::RAW, Some(protocol)).unwrap())
        };
        let (netlink, icmp, packet) = netns::within(netns.as_fd(), sockets).unwrap();
        icmp.set_read_timeout(Some(AGAIN)).unwrap();
        packet.set_read_timeout(Some(AGAIN)).unwrap();
        Self { netns, netlink, icmp, packet }
    }

    /// A path to its namespace, for whoever runs on the same machine.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.netns.as_raw_fd())
    }

    /// What `tenet plug` would send.
    pub fn target(&self) -> Target {
        let inode = netns::inode(self.netns.as_fd()).unwrap();
        Target::Netns { path: self.path(), inode, device: "eth0".into() }
    }

    pub fn within<T>(&self, f: impl FnOnce() -> T) -> T {
        netns::within(self.netns.as_fd(), f).unwrap()
    }

    /// A UDP socket in the guest.
    pub fn udp(&self, port: u16) -> UdpSocket {
        self.within(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap())
    }

    /// Whether a packet reaches another guest by this address and port.
    pub fn reaches(&self, other: &Self, to: Ipv4Addr, port: u16) -> bool {
        let (out, at) = (self.udp(0), other.udp(port));
        at.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let _ = out.send_to(b"?", (to, port));
        at.recv(&mut [0; 8]).is_ok()
    }

    /// A TCP socket in the guest that hears callers.
    pub fn listen(&self, port: u16) -> TcpListener {
        self.within(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap())
    }

    fn index(&self, device: &str) -> u32 {
        self.within(|| nix::net::if_::if_nametoindex(device)).unwrap()
    }

    fn ask(&self, message: Message) {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.netlink.send(&bytes, 0).unwrap();
        let (answer, _) = self.netlink.recv_from_full().unwrap();
        let answer = NetlinkMessage::<Message>::deserialize(&answer).unwrap();
        if let NetlinkPayload::Error(error) = answer.payload
            && let Some(code) = error.code
        {
            panic!("a guest cannot be set up: {}", io::Error::from_raw_os_error(-code.get()));
        }
    }

    /// Sets a device up.
    pub fn up(&self, device: &str) {
        let mut message = LinkMessage::default();
        message.header.index = self.index(device);
        (message.header.flags, message.header.change_mask) = (LinkFlags::Up, LinkFlags::Up);
        self.ask(Message::SetLink(message));
    }

    /// Sets an address, and a default route where there is a gateway.
    pub fn set(&self, device: &str, net: IpNet, gateway: Option<IpAddr>) {
        let index = self.index(device);
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.prefix_len = net.prefix_len();
        message.header.index = index;
        message.attributes.extend([AddressAttribute::Local(net.addr()), AddressAttribute::Address(net.addr())]);
        self.ask(Message::NewAddress(message));
        let Some(gateway) = gateway else { return };
        let mut message = RouteMessage::default();
        message.header.address_family = AddressFamily::Inet;
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Static;
        message.header.scope = RouteScope::Universe;
        message.header.kind = RouteType::Unicast;
        message.attributes.extend([RouteAttribute::Gateway(gateway.into()), RouteAttribute::Oif(index)]);
        self.ask(Message::NewRoute(message));
    }

    /// Sets what a port was given, by hand.
    pub fn take(&self, plugged: &Plugged) {
        for address in &plugged.addresses {
            self.set("eth0", IpNet::new(address.ip, address.prefix_length).unwrap(), address.gateway_ip);
        }
    }

    /// Forgets a neighbour: the kernel keeps a thousand for the whole machine (`gc_thresh3`), and there are a thousand guests.
    pub fn forget(&self, neighbour: Ipv4Addr) {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.ifindex = self.index("eth0");
        message.attributes.push(NeighbourAttribute::Destination(NeighbourAddress::Inet(neighbour)));
        self.ask(Message::DelNeighbour(message));
    }

    /// Pings until an answer comes.
    #[track_caller]
    pub fn ping(&self, to: Ipv4Addr) {
        let start = Instant::now();
        // Echo request 7 of 8; the sum of all words is 0xffff.
        let sum = !(0x0800_u16 + 7 + 8);
        let request = [[8, 0], sum.to_be_bytes(), 7_u16.to_be_bytes(), 8_u16.to_be_bytes()].concat();
        while start.elapsed() < SOON {
            if self.icmp.send_to(&request, &SocketAddrV4::new(to, 0).into()).is_err() {
                std::thread::sleep(AGAIN);
                continue;
            }
            let mut answer = [0; 128];
            while let Ok(length) = (&self.icmp).read(&mut answer) {
                if length >= 28 && answer[12..16] == to.octets() && answer[20] == 0 {
                    return;
                }
            }
        }
        panic!("{to} does not answer a guest");
    }

    /// Asks for an address until one is offered.
    #[track_caller]
    pub fn offer(&self, mac: [u8; 6]) -> Ipv4Addr {
        let start = Instant::now();
        let link = || -> Option<LinkAddr> {
            let all = nix::ifaddrs::getifaddrs().ok()?;
            all.filter(|a| a.interface_name == "eth0").find_map(|a| a.address?.as_link_addr().copied())
        };
        let link = self.within(link).expect("the guest has no eth0");
        let discover = dhcp::discover(mac);
        while start.elapsed() < SOON {
            let _ = sendto(self.packet.as_raw_fd(), &discover, &link, MsgFlags::empty());
            let mut frame = [0; 1500];
            let (wait, mut left) = (Instant::now(), true);
            while left && wait.elapsed() < AGAIN {
                match (&self.packet).read(&mut frame) {
                    Ok(length) => {
                        if let Some(ip) = dhcp::offered(&frame[..length]) {
                            return ip;
                        }
                    }
                    Err(_) => left = false,
                }
            }
        }
        panic!("no address is offered to {mac:02x?}");
    }
}

/// Joins two guests by veth.
pub fn join(a: (&Guest, &str, &str), b: (&Guest, &str, &str)) {
    let path = |guest: &Guest| guest.path();
    ip(&format!("link add {} netns {} type veth peer name {} netns {}", a.1, path(a.0), b.1, path(b.0)));
    for (guest, device, cidr) in [a, b] {
        guest.up(device);
        guest.set(device, cidr.parse().unwrap(), None);
    }
}
