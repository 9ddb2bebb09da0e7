//! Every folder of `examples/` keeps what its first lines promise: everything Ready, and packets that say so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;

use support::keepalived::Keepalived;
use support::talk::asks;
use support::{Guest, Host, binary, ip, repository, run, until};

/// A host with the outside bridge, on which one example runs and everything is Ready.
fn host(example: &str) -> Host {
    let host = waiting(example);
    host.wait_all_ready();
    host
}

/// The same without waiting.
fn waiting(example: &str) -> Host {
    let mut host = Host::bare();
    host.bridge("br-ext", "203.0.113.1/24");
    host.bridge("br-lan", "192.0.2.1/24");
    host.example(example);
    host.start();
    host
}

/// A guest with a server that says its name.
fn serving(host: &Host, port: &str, name: &str) -> Guest {
    let guest = host.leased(port, name);
    guest.serve(8080, name);
    guest
}

#[test]
fn every_example_is_tested_here() {
    let here = include_str!("examples.rs");
    // These need a cluster: `schema` reads them, `pods` runs them.
    let elsewhere = ["lease.sh", "ci", "gitops"];
    for entry in std::fs::read_dir(repository().join("examples")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(elsewhere.contains(&&*name) || here.contains(&format!("(\"{name}\")")), "no test runs examples/{name}");
    }
}

#[test]
fn guests_of_one_network_reach_each_other() {
    let host = host("01-one-network");
    let (a, b) = (host.leased("web-0", "a"), host.leased("web-1", "b"));
    a.wait_pings("10.0.0.50");
    b.wait_pings("10.0.0.2");
    // A third port, as the file invites to.
    host.write("more.yaml", PORT);
    let c = host.leased("web-2", "c");
    c.wait_pings("10.0.0.50");
    host.wait_all_ready();
}

const PORT: &str =
    "apiVersion: tenet.network/v1alpha1\nkind: Port\nmetadata: {name: web-2}\nspec: {networkRef: {name: blue}}\n";

#[test]
fn guests_learn_by_dhcp_what_subnet_and_port_say() {
    let host = host("02-dhcp-options-and-pools");
    let printer = host.guest("printer");
    host.tenet("plug printer --netns printer").expect_ok();
    let told = printer.lease();
    let lines: BTreeSet<_> = told.lines().collect();
    for line in [
        "ip=10.0.0.10/24",
        "router=10.0.0.254",
        "dns=192.0.2.53 192.0.2.54",
        "domain=office.example",
        "hostname=printer",
        "tftp=tftp.office.example",
        "mtu=1400",
        "lease=86400",
        "serverid=10.0.0.254",
    ] {
        assert!(lines.contains(line), "no {line} in\n{told}");
    }
    assert!(told.contains("172.16.0.0/12 10.0.0.2"), "{told}");
    let scanner = host.leased("scanner", "scanner");
    assert!(scanner.run("ip -br link show eth0").expect_ok().contains("02:00:00:00:00:05"));
    scanner.wait_pings("10.0.0.10");
}

#[test]
fn a_router_joins_two_networks_and_an_interface_less_parts_them() {
    let host = host("03-two-subnets-one-router");
    let (web, db) = (serving(&host, "web", "web"), host.leased("db", "db"));
    web.wait_pings("10.0.1.2");
    assert_eq!(db.asks("10.0.0.2", 8080).as_deref(), Some("web sees 10.0.1.2"));
    let interface = "  - subnetRef: {name: db}\n";
    host.edit("networks.yaml", interface, "");
    until("the networks are parted", || !web.pings("10.0.1.2"));
    host.edit("networks.yaml", "  - subnetRef: {name: web}\n", &format!("  - subnetRef: {{name: web}}\n{interface}"));
    web.wait_pings("10.0.1.2");
}

#[test]
fn guests_reach_the_outside_as_their_router() {
    let host = host("04-outside-snat");
    let web = host.leased("web-0", "a");
    outside().serve(80, "outside");
    web.wait_pings("203.0.113.200");
    assert_eq!(web.asks("203.0.113.200", 80).as_deref(), Some("outside sees 203.0.113.10"));
    assert_eq!(web.asks_udp("203.0.113.200", 80).as_deref(), Some("outside sees 203.0.113.10"));
    host.edit("blue.yaml", "networkRef: {name: public}\n", "networkRef: {name: public}\n    snat: false\n");
    until("without SNAT no answer comes", || !web.pings("203.0.113.200"));
}

/// A machine of the outside, on the wire beside the host.
fn outside() -> Guest {
    ip("netns add outside
        link add out0 type veth peer name eth0 netns outside
        link set out0 master br-ext up
        -n outside link set lo up
        -n outside addr add 203.0.113.200/24 dev eth0
        -n outside link set eth0 up");
    Guest::named("outside")
}

#[test]
fn a_floating_ip_leads_to_its_guest_and_moves_by_one_edit() {
    let host = host("05-floating-ip");
    let (a, _b) = (serving(&host, "web-0", "a"), serving(&host, "web-1", "b"));
    let outside = outside();
    outside.serve(80, "outside");
    until("web-0 answers", || outside.asks("203.0.113.100", 8080).as_deref() == Some("a sees 203.0.113.200"));
    assert_eq!(a.asks("203.0.113.200", 80).as_deref(), Some("outside sees 203.0.113.100"), "also when it calls out");
    assert!(run("ping -c 1 -W 1 203.0.113.100").ok(), "the host reaches it, too");
    host.edit("blue.yaml", "  - {direction: Ingress, protocol: ICMP}\n", "");
    until("its group lets in no ping", || !run("ping -c 1 -W 1 203.0.113.100").ok());
    host.edit("blue.yaml", "portRef: {name: web-0}", "portRef: {name: web-1}");
    until("web-1 answers", || outside.asks("203.0.113.100", 8080).as_deref() == Some("b sees 203.0.113.200"));
}

#[test]
fn one_address_leads_to_several_guests_port_by_port() {
    let host = host("06-port-forwarding");
    let (a, b) = (serving(&host, "web-0", "a"), serving(&host, "web-1", "b"));
    b.serve(5353, "b");
    until("web-0 answers at port 80", || asks("203.0.113.100", 80).as_deref() == Some("a sees 203.0.113.1"));
    assert_eq!(asks("203.0.113.100", 81).as_deref(), Some("b sees 203.0.113.1"));
    assert_eq!(outside().asks_udp("203.0.113.100", 53).as_deref(), Some("b sees 203.0.113.200"));
    assert!(a.asks("203.0.113.100", 81).is_some_and(|answer| answer.starts_with("b sees")), "also from inside");
    assert_eq!(asks("203.0.113.100", 8080), None, "nothing else leads anywhere");
    host.edit("blue.yaml", "port: 81", "port: 80");
    host.wait_refused("floatingip", "shared", "Accepted", "ForwardingConflict");
}

#[test]
fn tenants_with_the_same_addresses_never_meet() {
    let host = host("07-two-tenants-same-addresses");
    let guest = |tenant: &str, port: &str| serving(&host, &format!("{tenant}/{port}"), &format!("{tenant}-{port}"));
    let [(_one, alice), (_uno, bob)] = ["alice", "bob"].map(|tenant| (guest(tenant, "one"), guest(tenant, "two")));
    assert_eq!(alice.asks("10.0.0.5", 8080).as_deref(), Some("alice-one sees 10.0.0.2"));
    assert_eq!(bob.asks("10.0.0.5", 8080).as_deref(), Some("bob-one sees 10.0.0.77"));
    assert!(!alice.pings("10.0.0.77"), "bob's guest");
}

#[test]
fn a_grant_opens_the_outside_and_its_withdrawal_closes_it() {
    let host = waiting("08-shared-outside-with-a-grant");
    let (alice, bob) = (host.leased("alice/one", "alice"), host.leased("bob/one", "bob"));
    alice.wait_pings("203.0.113.1");
    host.wait_ready("router", "alice/main");
    host.wait_refused("router", "bob/main", "ResolvedRefs", "RefNotPermitted");
    assert!(!bob.pings("203.0.113.1"));
    host.edit("infra.yaml", "[{namespace: alice}]", "[{namespace: bob}]");
    bob.wait_pings("203.0.113.1");
    until("alice is cut", || !alice.pings("203.0.113.1"));
    host.edit("infra.yaml", "[{namespace: bob}]", "[{namespace: alice}, {namespace: bob}]");
    alice.wait_pings("203.0.113.1");
    host.wait_all_ready();
}

#[test]
fn a_static_route_leads_through_an_appliance() {
    let host = host("09-static-route");
    let (vpn, db) = (host.leased("vpn", "vpn"), host.leased("db", "db"));
    host.guest("far");
    ip("-n far link add eth0 type veth peer name far netns vpn
        -n vpn addr add 172.16.0.254/24 dev far
        -n vpn link set far up
        -n far addr add 172.16.0.1/24 dev eth0
        -n far link set eth0 up
        -n far route add default via 172.16.0.254");
    vpn.within(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap());
    db.wait_pings("172.16.0.1");
    host.edit("networks.yaml", "  routes: ", "  # routes: ");
    until("the route is gone", || !db.pings("172.16.0.1"));
}

#[test]
fn guests_sit_on_the_wire_beside_machines_that_are_there() {
    let host = host("10-guests-on-the-wire");
    let camera = serving(&host, "camera", "camera");
    camera.wait_pings("192.0.2.1");
    assert_eq!(asks("192.0.2.100", 8080).as_deref(), Some("camera sees 192.0.2.1"));
}

#[test]
fn a_web_server_answers_anybody_and_its_database_the_web_server() {
    let host = host("11-security-groups");
    let (web, db, visitor) = (host.leased("web", "web"), host.leased("db", "db"), host.leased("visitor", "visitor"));
    web.serve(80, "web");
    db.serve(5432, "db");
    assert_eq!(visitor.asks("10.0.0.10", 80).as_deref(), Some("web sees 10.0.0.2"));
    assert_eq!(web.asks("10.0.0.20", 5432).as_deref(), Some("db sees 10.0.0.10"));
    web.wait_pings("10.0.0.20");
    let groups = host.tenet("get tsg").expect_ok();
    let rows: Vec<String> =
        groups.lines().map(|row| row.split_whitespace().take(4).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(rows, ["NAME STATEFUL RULES PORTS", "db 2 1 True", "web 3 1 True"], "{groups}");
}

/// The commands of the README, block by block, as a reader types them; a reader takes longer than the agent to start.
#[test]
fn the_walk_of_the_readme_works_as_written() {
    let _host = Host::bare();
    run("mount -t tmpfs tmpfs /var/lib").expect_ok();
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let blocks = readme.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines = blocks.flat_map(str::lines).filter(|line| !line.starts_with("make ") && !line.starts_with("cargo "));
    let started = "&\nuntil [ -S /run/tenet/tenet.sock ]; do sleep 0.01; done\n";
    let typed = |line: &str| {
        let line = line.split('#').next().unwrap().trim();
        line.strip_suffix('&').map_or_else(|| format!("{line}\n"), |line| format!("{line}{started}"))
    };
    let script: String = lines.map(typed).collect();
    assert!(script.contains("tenet clean"), "the README has changed its looks:\n{script}");
    let beside = binary().parent().unwrap().display().to_string();
    let path = format!("{beside}:{}", std::env::var("PATH").unwrap());
    // -m: job control, for `kill %1`.
    let said = std::process::Command::new("bash").args(["-exmc", &script]).env("PATH", path).output().unwrap();
    let text = [said.stdout, said.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(said.status.success(), "{}\n{}", text[0], text[1]);
    assert!(text[0].contains("Port default/web-0 is plugged") && text[0].contains("all is gone"), "{}", text[0]);
}

/// What pods get of it on kubelets, `--test pods` tests: here there are none, and what is Tenet's in the file is made.
#[test]
fn what_pods_plug_is_made_and_pods_are_passed_over() {
    let host = host("12-pods");
    let (server, other) = (host.leased("server", "server"), host.guest("other"));
    server.wait_pings("10.0.0.10");
    host.write("more.yaml", PORT);
    host.tenet("plug web-2 --netns other --timeout 10s").expect_ok();
    other.lease();
    other.wait_pings("10.0.0.10");
}

#[test]
fn a_machine_is_behind_a_tap_and_reached_by_its_floating_ip() {
    let host = host("13-virtual-machines");
    ip("tuntap add dev tap0 mode tap");
    let said = host.tenet("plug vm-0 --tap tap0 --timeout 10s").expect_ok();
    assert!(said.contains("tap0") && !run("ip link show tap0").ok(), "{said}");
    host.wait_all_ready();
    host.tenet("unplug vm-0").expect_ok();
    until("the tap is given back", || run("ip link show tap0").ok());
    // What packets do is the same behind an interface in a namespace.
    let guest = host.leased("vm-0", "vm");
    guest.wait_pings("203.0.113.1");
    host.outside().wait_pings("203.0.113.20");
    guest.serve(22, "vm");
    assert_eq!(asks("203.0.113.20", 22).as_deref(), Some("vm sees 203.0.113.1"));
}

#[test]
fn an_address_that_two_guests_share_moves_when_one_is_gone() {
    let host = host("14-an-address-that-moves");
    let guests = ["web-0", "web-1"].map(|name| serving(&host, name, name));
    let conf = repository().join("examples/14-an-address-that-moves/keepalived.conf");
    let is_at = |name: &str| {
        let answer = format!("{name} sees 203.0.113.1");
        until(&answer, || asks("203.0.113.100", 8080).as_deref() == Some(&*answer));
        assert!(run("ping -c 1 -W 1 203.0.113.100").ok());
        let said = host.tenet(&format!("get port {name} -o yaml")).expect_ok();
        assert!(said.contains("activePairs:\n"), "{said}");
    };
    let mut first = Keepalived::start(&guests[0], &conf);
    is_at("web-0");
    let second = Keepalived::start(&guests[1], &conf);
    until("the other stands by", || second.said().contains("Entering BACKUP STATE"));
    first.stop();
    is_at("web-1");
    // Who comes back does not take it back; without the pair he may say what he likes.
    let first = Keepalived::start(&guests[0], &conf);
    until("the first stands by", || first.said().contains("Entering BACKUP STATE"));
    let groups = "  addresses: [{ip: 10.0.0.11}]\n  securityGroupRefs: [{name: default}, {name: web}]\n";
    host.edit("blue.yaml", &format!("{groups}  allowedAddressPairs: [{{ip: 10.0.0.100}}]\n"), groups);
    host.wait_all_ready();
    guests[0].announces("10.0.0.100", "eth0");
    is_at("web-1");
}
