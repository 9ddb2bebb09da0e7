//! What Tenet does, in a minute: `make demo`. Real guests, real DHCP clients, all in namespaces that end with it.
//!
//! `--keep` leaves everything up and says what to try.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a step that fails becomes a red line")]

mod show;
#[path = "../support/mod.rs"]
mod support;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Uid;
use show::Show;
use support::{Guest, Host, ip, until};

const INFRA: &str = include_str!("yaml/infra.yaml");
const TENANT: &str = include_str!("yaml/tenant.yaml");
const FLOATING: &str = include_str!("yaml/floating.yaml");

/// The outside host.
const OUTSIDE: &str = "203.0.113.200";
/// The floating IP.
const FLOATING_IP: &str = "203.0.113.100";
/// Where guests say who they are.
const PORT: u16 = 80;

fn main() -> ExitCode {
    if !Uid::effective().is_root() {
        eprintln!("error: the demo makes network namespaces, which needs root; run it with sudo");
        return ExitCode::FAILURE;
    }
    let keep = std::env::args().any(|argument| argument == "--keep");
    let mut host = Host::bare();
    let mut show = Show::new();
    // A step that cannot be done makes those after it pointless.
    let whole = scenes(&mut host, &mut show).is_some();
    println!();
    if !whole || show.failed() > 0 {
        println!("{} What the agent said:\n{}", show.paint("31", &format!("{} failed.", show.failed())), host.log());
    } else {
        println!("{}", show.paint("32", "All as promised."));
    }
    if keep && whole {
        let pid = host.leave();
        try_this(pid);
    }
    ExitCode::from(u8::from(!whole || show.failed() > 0))
}

fn scenes(host: &mut Host, show: &mut Show) -> Option<()> {
    show.part("Two tenants, alice and bob, with the same addresses: 10.0.0.0/24 and 10.0.1.0/24, a router each");
    let outside = show.step("an outside host on the wire, br-ext", || (outside(host), OUTSIDE.into()))?;
    host.write("infra.yaml", INFRA);
    host.write("alice.yaml", &tenant("alice", "50"));
    host.write("bob.yaml", &tenant("bob", "77"));
    host.write("floating.yaml", FLOATING);
    show.step("tenet local: everything in the YAML is Ready", || {
        host.start();
        host.wait_all_ready();
        ((), format!("{} objects", host.tenet("get -A").out.lines().filter(|l| l.contains(".tenet.network/")).count()))
    })?;
    let mut guest = |tenant: &str, port: &str| {
        let what = format!("{tenant}/{port} is plugged and gets a lease by DHCP");
        show.step(&what, || leased(host, tenant, port))
    };
    let [alice, alice_1, alice_db] = [guest("alice", "web-0")?, guest("alice", "web-1")?, guest("alice", "db-0")?];
    let [bob, _bob_1, bob_db] = [guest("bob", "web-0")?, guest("bob", "web-1")?, guest("bob", "db-0")?];

    show.part("Inside a tenant");
    pings(show, &alice, "10.0.0.50", "ping on the same network");
    pings(show, &alice, "10.0.1.2", "ping across the router");
    answers(show, &alice, "10.0.1.2", "alice/db-0 sees 10.0.0.2", "TCP across the router, untranslated");

    show.part("Between tenants: the same addresses, different guests");
    answers(show, &bob, "10.0.1.2", "bob/db-0 sees 10.0.0.2", "bob's 10.0.1.2 is bob's");
    pings(show, &bob_db, "10.0.0.77", "bob reaches his 10.0.0.77");
    show.step("alice does not", || {
        let there = [&alice, &alice_1, &alice_db].iter().any(|guest| guest.pings("10.0.0.77"));
        assert!(!there, "10.0.0.77 of bob answers a guest of alice");
        ((), "none of her three guests gets an answer".into())
    });

    show.part("The outside");
    answers(show, &alice_1, OUTSIDE, "outside sees 203.0.113.10", "SNAT: alice goes out as her router");
    answers(show, &bob, OUTSIDE, "outside sees 203.0.113.11", "SNAT: bob goes out as his");
    answers(show, &outside, FLOATING_IP, "alice/web-0 sees 203.0.113.200", "the floating IP, called from the outside");
    answers(show, &alice, OUTSIDE, "outside sees 203.0.113.100", "and its guest goes out under it");

    show.part("Security groups: who may come in");
    show.step("alice's group web lets in port 80 alone: no ping", || {
        assert!(!outside.pings(FLOATING_IP), "what no rule allows is answered");
        ((), format!("outside -> {FLOATING_IP}: no answer"))
    });
    show.step("a rule for ICMP, and it answers", || {
        host.edit("alice.yaml", "  rules:\n", "  rules:\n  - {direction: Ingress, protocol: ICMP}\n");
        until("the ping is answered", || outside.pings(FLOATING_IP));
        ((), format!("outside -> {FLOATING_IP}: answered"))
    });

    show.part("An edit of the YAML");
    show.step("portRef: web-1, and the floating IP has moved", || {
        host.edit("floating.yaml", "web-0", "web-1");
        until("web-1 answers", || outside.asks(FLOATING_IP, PORT).is_some_and(|text| text.starts_with("alice/web-1")));
        ((), format!("outside -> {FLOATING_IP}: \"alice/web-1 …\""))
    });

    show.part("kill -9 of the agent under traffic, 1000 packets a second, for 3 seconds");
    killed(host, show, &alice, &outside)?;
    show.step("after the restart nothing is to be changed", || {
        host.wait_all_ready();
        let plan = host.tenet(&format!("plan {}", host.yaml()));
        assert_eq!(plan.code, Some(0), "{}", plan.out);
        ((), "tenet plan: exit code 0".into())
    })
}

/// Kills the agent and starts it again under three flows: across the router, to the outside, to the floating IP.
fn killed(host: &mut Host, show: &mut Show, alice: &Guest, outside: &Guest) -> Option<()> {
    let ways = [("routed", alice, "10.0.1.2"), ("SNAT", alice, OUTSIDE), ("floating IP", outside, FLOATING_IP)];
    let flow = |(name, from, to): (_, &Guest, _)| {
        (name, from.flow(to, PORT, Duration::from_millis(1), Duration::from_secs(3)))
    };
    let flows = ways.map(flow);
    std::thread::sleep(Duration::from_millis(500));
    let restarted = show.step("killed; a second later started again", || {
        host.stop(Signal::SIGKILL);
        std::thread::sleep(Duration::from_secs(1));
        let start = Instant::now();
        host.start();
        ((), format!("back after {:.1} ms", start.elapsed().as_secs_f64() * 1000.0))
    });
    for (name, flow) in flows {
        show.step(&format!("{name}: packets lost"), || {
            let flow = flow.join().unwrap();
            assert!(flow.lost == 0 && flow.sent > 1000, "{} of {} lost", flow.lost, flow.sent);
            ((), format!("0 of {}", flow.sent))
        });
    }
    restarted
}

fn tenant(name: &str, web_1: &str) -> String {
    TENANT.replace("TENANT", name).replace("WEB1", web_1)
}

/// A machine of the outside with a server; the host itself has 203.0.113.1 there.
fn outside(host: &Host) -> Guest {
    host.bridge("br-ext", "203.0.113.1/24");
    let guest = host.guest("outside");
    ip(&format!(
        "link add out0 type veth peer name eth0 netns outside
         link set out0 master br-ext up
         -n outside addr add {OUTSIDE}/24 dev eth0
         -n outside link set eth0 up"
    ));
    guest.serve(PORT, "outside");
    guest
}

fn leased(host: &Host, tenant: &str, port: &str) -> (Guest, String) {
    let guest = host.leased(&format!("{tenant}/{port}"), &format!("{tenant}-{port}"));
    guest.serve(PORT, &format!("{tenant}/{port}"));
    let addresses = guest.run("ip -4 -br address show eth0").expect_ok();
    let address = addresses.split_whitespace().nth(2).unwrap_or_default();
    (guest, format!("{address}, by udhcpc"))
}

fn pings(show: &mut Show, from: &Guest, to: &str, what: &str) {
    show.step(what, || {
        let said = from.run(&format!("ping -c 1 -W 2 {to}")).expect_ok();
        let time = said.lines().find_map(|line| line.split_once("time=")).map_or("", |(_, time)| time);
        ((), format!("{} -> {to}: {time}", from.name))
    });
}

fn answers(show: &mut Show, from: &Guest, to: &str, wanted: &str, what: &str) {
    show.step(what, || {
        let answer = from.asks(to, PORT).unwrap_or_else(|| "no answer".into());
        assert_eq!(answer, wanted, "{} -> {to}", from.name);
        ((), format!("{} -> {to}: \"{answer}\"", from.name))
    });
}

/// Commands for a host that was left up.
fn try_this(pid: u32) {
    let tenet = std::env::current_exe().unwrap().parent().unwrap().join("../tenet").canonicalize().unwrap();
    let (tenet, state) = (tenet.display(), "--state /run/test/state");
    let socket = "--socket /run/test/tenet.sock";
    println!(
        "
It stays up, in namespaces of process {pid}. Try:

  in=\"nsenter -t {pid} -n -m\"
  $in {tenet} get -A {state}
  $in {tenet} get ports -A -o wide {state}
  $in ip netns                                            # the guests
  $in ip netns exec alice-web-0 ping -c 3 10.0.1.2        # across alice's router
  $in ip netns exec alice-web-0 ping -c 3 10.0.0.77       # bob's: no answer
  $in ip netns exec outside ping -c 3 {FLOATING_IP}       # the floating IP
  $in sed -i s/web-1/web-0/ /run/test/yaml/floating.yaml  # moves it back
  $in tail -f /run/test/log                               # what the agent says
  $in ip netns exec alice-db-0 tcpdump -ni eth0
  $in {tenet} plan /run/test/yaml {state} {socket}

  kill {pid}                                              # ends it; nothing is left behind"
    );
}
