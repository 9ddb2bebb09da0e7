//! What is not ours is never touched, also when it looks like ours.

use nix::sys::signal::Signal;

use crate::addresses::BLUE;
use crate::floating::OUTSIDE;
use crate::support::{Guest, Host, ip, run, until};

/// The group of our links, in decimal as `ip` takes it.
const GROUP: u32 = tenet::dataplane::names::GROUP;

/// All that is in a namespace but what is said to be ours.
fn picture(place: &Guest, ours: &[&str]) -> String {
    let mut text = String::new();
    for line in ["ip -o link", "ip -o addr", "ip route show table all", "ip neigh", "nft list ruleset", "bridge fdb"] {
        let said = place.run(line).out;
        let foreign = said.lines().filter(|line| !ours.iter().any(|word| line.contains(word)));
        // Lifetimes and counters go on by themselves.
        let foreign = foreign.filter(|line| !line.contains("fe80") && !line.contains("ff02"));
        foreign.for_each(|line| text += &format!("{line}\n"));
    }
    text
}

#[test]
fn foreign_links_tables_addresses_and_routes_stay_as_they_are() {
    let mut host = Host::new();
    host.bridge("br-ext", "203.0.113.1/24");
    let here = host.outside();
    // Our kind of name without our group; our group without our kind of name; names that nearly are.
    ip(&format!(
        "link add tptaaaaaaaaaaaa type bridge
        link add tbr0123456789ab type veth peer name tpt0123456789ab
        link add other0 group {GROUP} type bridge
        link add tptaaaaaaaaaaax group {GROUP} type bridge
        link add tpt123 group {GROUP} type bridge
        link set other0 up
        addr add 10.0.0.1/24 dev other0
        route add 172.16.0.0/12 dev other0 proto 116
        neigh add 10.0.0.77 lladdr 02:00:00:00:00:77 dev other0 nud permanent"
    ));
    let nft = host.dir.join("foreign.nft");
    let table =
        "table ip tenet {\n chain input {\n type filter hook input priority 0\n ip daddr 192.0.2.1 drop\n }\n}\n";
    std::fs::write(&nft, table).unwrap();
    run(&format!("nft -f {}", nft.display())).expect_ok();
    let names = std::fs::read_dir("/run/netns").map_or(0, Iterator::count);
    std::fs::write(host.dir.join("rtr-notours"), "mine").unwrap();
    let before = picture(&here, &["br-ext"]);
    host.declare("all.yaml", &[OUTSIDE, BLUE, WORLD].concat());
    host.start();
    let a = host.plugged("a", "a");
    a.wait_pings("203.0.113.1");
    let router = host.ours_named(|name| name.starts_with("rtr-") && name != "rtr-notours");
    router.ip("link add mine type bridge\nlink set mine up\naddr add 192.168.7.1/24 dev mine\nroute add 198.18.0.0/15 dev mine");
    router.run("nft add table ip mine").expect_ok();
    let during = picture(&here, &["tlp", "tuh", "br-ext", "link-netns a"]);
    for line in before.lines() {
        assert!(during.contains(line), "{line}\nis missing in\n{during}");
    }
    host.stop(Signal::SIGKILL);
    host.start();
    host.declare("more.yaml", "Port b {networkRef: {name: blue}}");
    host.plugged("b", "b");
    let inside = picture(&router, &["tlg"]);
    for what in ["mine", "192.168.7.1", "198.18.0.0/15", "table ip mine"] {
        assert!(inside.contains(what), "{what} is gone from the router:\n{inside}");
    }
    host.stop(Signal::SIGTERM);
    host.tenet("clean --yes").expect_ok();
    until("all of ours is gone", || picture(&here, &["br-ext"]) == before);
    assert_eq!(std::fs::read_to_string(host.dir.join("rtr-notours")).unwrap(), "mine");
    assert_eq!(std::fs::read_dir("/run/netns").unwrap().count(), names + 2);
    assert!(!host.dir.join("vswitch").exists());
}

const WORLD: &str = "
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Router r {interfaces: [{subnetRef: {name: web}}], externalGateway: {networkRef: {name: public}}}
FloatingIP f {networkRef: {name: public}, portRef: {name: a}}
";
