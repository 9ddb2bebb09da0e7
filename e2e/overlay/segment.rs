//! One network on several nodes.

use std::time::Duration;

use crate::support::{Guest, run};
use crate::world::World;

const BLUE: &str = "
    Network blue
    Subnet blue {networkRef: {name: blue}, cidr: 10.0.0.0/24}
    Port a {networkRef: {name: blue}}
    Port b {networkRef: {name: blue}}";

/// Frames that cross the underlay while `f` runs, and that match.
fn crossing(filter: &str, f: impl FnOnce()) -> usize {
    let dump = std::process::Command::new("tcpdump")
        .args(["-i", "underlay", "-nn", "-l", "--immediate-mode", "-c", "1000"])
        .args(filter.split(' '))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn();
    let mut dump = dump.unwrap();
    std::thread::sleep(Duration::from_millis(300));
    f();
    std::thread::sleep(Duration::from_millis(300));
    dump.kill().unwrap();
    let output = dump.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).lines().count()
}

fn pings(guest: &Guest, ip: &str) {
    guest.run(&format!("ping -c 3 -i 0.2 -W 1 {ip}")).expect_ok();
}

#[test]
fn a_network_is_one_network_on_two_nodes() {
    let mut world = World::new(2, 0);
    world.declare(BLUE);
    let guests = world.guests(&[("a", 0), ("b", 1)]);
    let b = world.address("b");
    pings(&guests["a"], &b);
    guests["b"].answers(7000);
    assert_eq!(guests["a"].asks(&b, 7000).as_deref(), Some(&*format!("b {}", world.address("a"))));
    // Nothing of it shows in the host.
    assert!(!run("ip -n node-1 -d link").expect_ok().contains("vxlan"));
    assert!(run("which tcpdump").ok());
    guests["a"].ip("neigh flush dev eth0");
    // Inside VXLAN an Ethernet header starts 8 octets behind the UDP header: its type is at 8 + 8 + 12.
    let arp = crossing("udp port 14789 and udp[28:2] = 0x0806", || pings(&guests["a"], &b));
    assert_eq!(arp, 0, "ARP is answered where it is asked");
    assert_eq!(crossing("udp port 14789", || pings(&guests["a"], &b)), 6);
}
