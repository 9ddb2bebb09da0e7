//! What dies, and what somebody else takes away: all converges to the same state.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::addresses::BLUE;
use crate::floating::OUTSIDE;
use crate::support::{Guest, Host, ip, run, until};

const GUESTS: &str = "
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}]}
Port c {networkRef: {name: blue}, addresses: [{ip: 10.0.1.11}]}
Router r {interfaces: [{subnetRef: {name: web}}, {subnetRef: {name: db}}], externalGateway: {networkRef: {name: public}}}
FloatingIP f {networkRef: {name: public}, ip: 203.0.113.100, portRef: {name: c}}
";

/// Three guests, `a` and `b` in one subnet and `c` in another, all with an outside.
fn world() -> (Host, [Guest; 3]) {
    let mut host = Host::new();
    host.bridge("br-ext", "203.0.113.1/24");
    host.declare("all.yaml", &[OUTSIDE, BLUE, GUESTS].concat());
    host.start();
    let guests = ["a", "b", "c"].map(|name| host.plugged(name, name));
    for to in ["10.0.0.12", "10.0.1.11", "203.0.113.1", "203.0.113.100"] {
        guests[0].wait_pings(to);
    }
    (host, guests)
}

fn plan(host: &Host) -> crate::support::Said {
    host.tenet(&format!("plan {}", host.yaml()))
}

#[test]
fn no_packet_is_lost_while_the_agent_is_killed_and_started_again() {
    let (mut host, [a, b, c]) = world();
    let outside = host.outside();
    let flows = [
        ("in the subnet", a.stream_to(&b, "10.0.0.12")),
        ("through the floating IP", outside.stream_to(&c, "203.0.113.100")),
        ("translated", b.stream_to(&outside, "203.0.113.1")),
    ];
    for _ in 0..6 {
        host.stop(Signal::SIGKILL);
        std::thread::sleep(Duration::from_millis(50));
        host.start();
        std::thread::sleep(Duration::from_millis(100));
    }
    host.stop(Signal::SIGTERM);
    for (what, flow) in flows {
        let (sent, lost) = flow.end();
        assert!(sent > 500, "{what}: {sent}");
        assert_eq!(lost, 0, "{what}: of {sent}");
    }
    assert_eq!(plan(&host).code, Some(0), "{}", plan(&host).out);
}

#[test]
fn killed_at_any_instant_of_converging_it_comes_to_the_same_end() {
    let (mut host, [a, ..]) = world();
    let more = |n: u64| {
        format!(
            "Network n{n}\nSubnet s{n} {{networkRef: {{name: n{n}}}, cidr: 10.9.{n}.0/24}}
Router r{n} {{interfaces: [{{subnetRef: {{name: s{n}}}}}], externalGateway: {{networkRef: {{name: public}}}}}}
Port m{n} {{networkRef: {{name: n{n}}}}}\n"
        )
    };
    for n in 0..12_u64 {
        // Even rounds make something, odd ones take it away.
        let floating = format!(
            "FloatingIP g {{networkRef: {{name: public}}, portRef: {{name: {}}}}}",
            if n % 2 == 0 { "a" } else { "b" }
        );
        host.declare("more.yaml", &(if n % 2 == 0 { more(n) } else { String::new() } + &floating));
        std::thread::sleep(Duration::from_micros(n * 4700 % 60_000));
        host.stop(Signal::SIGKILL);
        host.start();
    }
    host.declare("more.yaml", &more(1));
    let guest = host.plugged("m1", "m1");
    guest.wait_pings("203.0.113.1");
    a.wait_pings("10.0.1.11");
    until("nothing is left to change", || plan(&host).code == Some(0));
    let pins = std::fs::read_dir(&host.dir)
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with("rtr-"));
    assert_eq!(pins.count(), 2);
    host.stop(Signal::SIGKILL);
    host.tenet("clean --yes").expect_ok();
    assert!(run("ip -br link").out.lines().all(|line| !line.starts_with('t')));
    assert!(!host.socket().exists(), "the socket of who was killed is Tenet's, too");
}

#[test]
fn a_second_instance_is_refused_and_told_the_first_ones_pid() {
    let (host, _) = world();
    let pid = host.pid().unwrap().to_string();
    let (tenet, dir) = (env!("CARGO_BIN_EXE_tenet"), host.dir.display());
    let same_host = run(&format!("{tenet} local {} --state {dir}/other --socket {dir}/other/tenet.sock", host.yaml()));
    assert_eq!(same_host.code, Some(1));
    assert!(same_host.err.contains(&pid) && same_host.err.contains("on this host"), "{}", same_host.err);
    let elsewhere = host.guest("elsewhere");
    let line = format!("{tenet} local {} --state {dir}/state --socket {dir}/other/tenet.sock", host.yaml());
    let same_state = elsewhere.run(&line);
    assert_eq!(same_state.code, Some(1));
    assert!(same_state.err.contains(&pid) && same_state.err.contains("state directory"), "{}", same_state.err);
    let clean = host.tenet("clean --yes");
    assert!(clean.code == Some(1) && clean.err.contains(&pid), "{clean:?}");
}

/// The first link of a namespace whose name starts so.
fn link(guest: &Guest, prefix: &str) -> String {
    let text = guest.run("ip -o link").expect_ok();
    let names = text.lines().filter_map(|line| line.split([' ', '@', ':']).filter(|word| !word.is_empty()).nth(1));
    names.map(str::to_owned).find(|name| name.starts_with(prefix)).unwrap_or_else(|| panic!("no {prefix} in {text}"))
}

#[test]
fn what_somebody_takes_away_is_back_within_a_second() {
    let (host, [a, b, c]) = world();
    let (vswitch, router) = (host.ours("vswitch"), host.ours("rtr-"));
    let leg = || link(&router, "tlg");
    let station = || {
        let text = vswitch.run("bridge fdb show").expect_ok();
        let line = text.lines().find(|line| line.contains("tpt") && line.contains("sticky")).unwrap().to_owned();
        let words: Vec<_> = line.split(' ').collect();
        format!("bridge fdb del {} dev {} master", words[0], words[2])
    };
    let inner = || {
        let text = router.run("ip -o -4 addr show to 10.0.0.1").expect_ok();
        text.split_whitespace().nth(1).unwrap().to_owned()
    };
    let meddle: [(&str, &Guest, String); 10] = [
        ("a port's veth", &vswitch, format!("ip link del {}", link(&vswitch, "tpt"))),
        ("a bridge", &vswitch, format!("ip link del {}", link(&vswitch, "tbr"))),
        ("a leg", &router, format!("ip link del {}", leg())),
        ("the rules", &router, "nft flush ruleset".into()),
        ("half of the rules", &router, "nft delete table arp tenet".into()),
        ("an element", &router, "nft flush set ip tenet ports".into()),
        ("an address", &router, format!("ip addr del 10.0.0.1/24 dev {}", inner())),
        ("the default route", &router, "ip route del default".into()),
        ("the neighbours", &router, "ip neigh flush nud permanent".into()),
        ("a station", &vswitch, station()),
    ];
    for (what, place, line) in meddle {
        // Names change when links are made anew; indices do, names of ours do not.
        place.run(&line).expect_ok();
        until(&format!("{what} is noticed"), || plan(&host).code == Some(0));
        let start = Instant::now();
        while !["10.0.0.12", "10.0.1.11", "203.0.113.1", "203.0.113.100"].iter().all(|to| a.pings(to)) {
            // A guest whose interface was made anew has lost its address, as one that was plugged anew.
            for (guest, address) in [(&a, "10.0.0.11"), (&b, "10.0.0.12"), (&c, "10.0.1.11")] {
                let gateway = format!("{}.1", address.rsplit_once('.').unwrap().0);
                guest.run(&format!("ip addr add {address}/24 dev eth0"));
                guest.run(&format!("ip route add default via {gateway}"));
            }
            assert!(start.elapsed() < Duration::from_secs(10), "{what} is not repaired:\n{}", plan(&host).out);
        }
    }
    for pin in ["vswitch", "rtr-"] {
        let path = host.ours(pin).path;
        run(&format!("umount {}", path.display())).expect_ok();
        run(&format!("rm -f {}", path.display())).expect_ok();
        // Nobody tells about a pin; the next look heals it.
        host.declare("poke.yaml", &format!("Network poke-{}", pin.trim_end_matches('-')));
        until("the pin is back", || path.exists());
    }
    a.wait_pings("10.0.1.11");
    assert_eq!(plan(&host).code, Some(0), "{}", plan(&host).out);
}

#[test]
fn the_repair_takes_less_than_a_second() {
    let (host, [a, ..]) = world();
    let router = host.ours("rtr-");
    // Not by a plan: that makes namespaces to try the kernel in, which takes its time when the machine is busy.
    for (line, look, found) in [
        ("nft flush ruleset", "nft list ruleset", "table arp tenet"),
        ("ip route del default", "ip route", "default via 203.0.113.1"),
        ("ip neigh flush nud permanent", "ip neigh show nud permanent", "10.0.0.12"),
    ] {
        // The least of some tries: what else the machine does only ever adds.
        let took = (0..5).map(|_| {
            assert!(router.run(look).out.contains(found));
            router.run(line).expect_ok();
            let took = until("it is repaired", || router.run(look).out.contains(found));
            until("it is repaired wholly", || plan(&host).code == Some(0));
            took
        });
        let least = took.min().unwrap();
        assert!(least < Duration::from_secs(1), "{line}: {least:?}");
        assert!(a.pings("203.0.113.1"));
    }
}

#[test]
fn a_guest_whose_namespace_is_gone_is_unplugged() {
    let (host, [a, _, c]) = world();
    ip("netns del c");
    until("nobody has plugged it", || host.object("port", "c")["status"]["binding"].is_null());
    host.wait_ready("port", "c");
    assert_eq!(host.condition("port", "c", "Ready").unwrap().1, "Unbound");
    assert!(!a.pings("10.0.1.11"));
    assert_eq!(plan(&host).code, Some(0));
    drop(c);
    let c = host.plugged("c", "c2");
    c.wait_pings("10.0.0.11");
}

#[test]
fn after_a_reboot_guests_are_plugged_again_into_the_same_addresses() {
    let (mut host, _) = world();
    let before = ["a", "b", "c"].map(|name| host.object("port", name)["status"]["macAddress"].clone());
    host.stop(Signal::SIGKILL);
    run(&format!("umount {}", host.dir.join("filters").display())).expect_ok();
    for entry in std::fs::read_dir(&host.dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && (path.ends_with("vswitch") || path.to_string_lossy().contains("/rtr-")) {
            run(&format!("umount {}", path.display())).expect_ok();
            std::fs::remove_file(&path).unwrap();
        }
    }
    std::fs::remove_file(host.dir.join("tenet.sock")).unwrap();
    ["a", "b", "c"].iter().for_each(|name| ip(&format!("netns del {name}")));
    until("the kernel has let go of all links", || run("ip -br link").out.lines().all(|l| !l.starts_with('t')));
    host.start();
    until("nobody has plugged anything", || {
        ["a", "b", "c"].iter().all(|name| host.object("port", name)["status"]["binding"].is_null())
    });
    let [a, ..] = ["a", "b", "c"].map(|name| host.plugged(name, name));
    for to in ["10.0.0.12", "10.0.1.11", "203.0.113.1", "203.0.113.100"] {
        a.wait_pings(to);
    }
    let after = ["a", "b", "c"].map(|name| host.object("port", name)["status"]["macAddress"].clone());
    assert_eq!(before, after);
    assert_eq!(plan(&host).code, Some(0), "{}", plan(&host).out);
}
