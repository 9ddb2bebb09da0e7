//! Who is heard at the tunnels, and who is not.

use std::net::UdpSocket;

use crate::support::{Guest, ip};
use crate::world::{World, mac};

const BLUE: &str = "
    Network blue
    Subnet blue {networkRef: {name: blue}, cidr: 10.0.0.0/24}
    Port a {networkRef: {name: blue}}
    Port b {networkRef: {name: blue}}";

/// A UDP packet from 10.0.0.66 for a guest, as VXLAN carries it.
fn injected(vni: u32, mac: &str, to: &str) -> Vec<u8> {
    let mac: Vec<u8> = mac.trim().split(':').map(|octet| u8::from_str_radix(octet, 16).unwrap()).collect();
    let to: std::net::Ipv4Addr = to.parse().unwrap();
    let mut ip = vec![0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 66];
    ip.extend(to.octets());
    let sum: u32 = ip.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    let udp = [&4000_u16.to_be_bytes()[..], &9999_u16.to_be_bytes(), &9_u16.to_be_bytes(), &[0, 0], b"!"].concat();
    let vxlan = [&[8, 0, 0, 0][..], &vni.to_be_bytes()[1..], &[0]].concat();
    [vxlan, mac, vec![2, 0, 0, 0, 0, 0x66], vec![8, 0], ip, udp].concat()
}

#[test]
fn only_other_nodes_are_heard() {
    let mut world = World::new(2, 0);
    world.declare(BLUE);
    let guests = world.guests(&[("a", 0), ("b", 1)]);
    let vni = world.snapshot.networks.values().next().unwrap().status.as_ref().unwrap().vni.unwrap();
    let frame = injected(vni, &mac(&guests["a"]), &world.address("a"));
    let sink = guests["a"].within(|| UdpSocket::bind("0.0.0.0:9999").unwrap());
    sink.set_read_timeout(Some(std::time::Duration::from_millis(400))).unwrap();
    let hears = |from: &Guest, to: &str| {
        let socket = from.within(|| UdpSocket::bind("0.0.0.0:0").unwrap());
        socket.send_to(&frame, format!("{to}:14789")).unwrap();
        sink.recv(&mut [0; 8]).is_ok()
    };
    let host = &world.nodes[0].host;
    assert!(hears(&world.nodes[1].host, "172.31.0.1"), "the frame is one that a node would send");
    // A stranger on the underlay.
    ip("addr add 172.31.0.200/24 dev underlay");
    assert!(!hears(&world.outside, "172.31.0.1"));
    // A pod of the other node, masqueraded to its address on its way out; a pod of this one.
    let pod = |node: &Guest, net: &str| {
        let name = format!("pod-{}", node.name);
        ip(&format!("netns add {name}\n-n {} link add p0 type veth peer name eth0 netns {name}", node.name));
        node.ip(&format!("addr add {net}.1/24 dev p0\nlink set p0 up"));
        let pod = Guest::named(&name);
        pod.ip(&format!("link set eth0 up\naddr add {net}.2/24 dev eth0\nroute add default via {net}.1"));
        node.run("sysctl -qw net.ipv4.ip_forward=1").expect_ok();
        node.run("nft add table ip nat").expect_ok();
        node.run("nft add chain ip nat post { type nat hook postrouting priority 100 ; }").expect_ok();
        node.run("nft add rule ip nat post oifname eth0 masquerade").expect_ok();
        pod
    };
    let far = pod(&world.nodes[1].host, "10.244.2");
    assert!(far.pings("172.31.0.1"), "the pod has a way to the node");
    assert!(!hears(&far, "172.31.0.1"));
    assert!(!hears(&pod(host, "10.244.1"), "172.31.0.1"));
    // The nodes themselves are heard as before, and none of it is tracked.
    assert!(guests["a"].pings(&world.address("b")));
    assert!(!host.run("conntrack -L").out.contains("14789"));
}
