//! Security groups: who may begin, whose answers come in, and how an edit cuts or lets in.

mod cuts;
mod errors;
mod flows;
mod steps;
mod tenants;

use std::time::{Duration, Instant};

use tenet::api::Protocol::{TCP, UDP};

use crate::support::{Call, Guest, Host, SOON, until};

/// A client 10.0.0.11 whose rules let nobody in, a server 10.0.0.12 that begins nothing and serves its clients, a stranger 10.0.0.13.
const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
SecurityGroup stranger {rules: [{direction: Egress}]}
Port stranger {networkRef: {name: blue}, addresses: [{ip: 10.0.0.13}], securityGroupRefs: [{name: stranger}]}
";
const CLIENTS: &str = "SecurityGroup client {rules: [{direction: Egress}]}\n";
const SERVERS: &str = "SecurityGroup server {rules: [
    {direction: Ingress, protocol: TCP, port: 80, endPort: 81, remote: {groupRef: {name: client}}},
    {direction: Ingress, protocol: UDP, port: 80, endPort: 81, remote: {groupRef: {name: client}}},
    {direction: Ingress, protocol: ICMP, icmpType: 8, remote: {groupRef: {name: client}}}]}\n";
const CLIENT: &str =
    "Port client {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}], securityGroupRefs: [{name: client}]}\n";
const SERVER: &str =
    "Port server {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}], securityGroupRefs: [{name: server}]}\n";

/// Where the server is asked.
const SERVED: &str = "10.0.0.12:80";
/// What it answers the client.
const ANSWER: &str = "server 10.0.0.11";

/// Each part of the world in a file that is edited by itself: `clients`, `servers` (groups), `client`, `server` (ports).
fn files(host: &Host) {
    let parts = [("world", WORLD), ("clients", CLIENTS), ("servers", SERVERS), ("client", CLIENT), ("server", SERVER)];
    for (file, objects) in parts {
        host.declare(&format!("{file}.yaml"), objects);
    }
}

/// Client, server and stranger, all of which answer on port 80.
fn guests(host: &Host) -> [Guest; 3] {
    ["client", "server", "stranger"].map(|name| {
        let guest = host.plugged(name, name);
        guest.answers(80);
        guest
    })
}

/// A client's connection and its datagrams, both answered.
fn calls(client: &Guest, to: &str, answer: &str) -> [Call; 2] {
    [TCP, UDP].map(|protocol| {
        client.wait_seen(protocol, to, answer);
        let mut call = client.call(protocol, to).unwrap();
        assert!(call.alive());
        call
    })
}

/// How long after an edit calls may go on. A removal of an object is believed after 200 ms.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Runs an edit while calls go on, and waits until no answer comes any more: not much later, and it stays so.
#[track_caller]
fn cut(what: &str, calls: &mut [Call], edit: impl FnOnce()) {
    let ask = |calls: &mut [Call]| calls.iter_mut().filter_map(|call| call.ask(Duration::from_millis(30))).count();
    assert_eq!(ask(calls), calls.len(), "{what}: they go on before");
    let begun = Instant::now();
    edit();
    let (mut last, mut silent) = (Duration::ZERO, 0);
    while silent < 10 {
        if ask(calls) > 0 {
            (last, silent) = (begun.elapsed(), 0);
        } else {
            silent += 1;
        }
        assert!(begun.elapsed() < SOON, "{what}: they go on");
    }
    println!("{what}: the last answer came {} ms after the edit", last.as_millis());
    assert!(last < AT_ONCE, "{what}: {last:?} is not at once");
}

/// Waits until who asks is answered over both protocols.
#[track_caller]
fn let_in(what: &str, client: &Guest, to: &str, answer: &str, edit: impl FnOnce()) {
    assert!(client.silent(to), "{what}: nobody answers before");
    let mut call = client.call(UDP, to).unwrap();
    edit();
    let took = until(what, || call.ask(Duration::from_millis(5)).is_some());
    println!("{what}: the first answer came after {} ms", took.as_millis());
    for protocol in [TCP, UDP] {
        client.wait_seen(protocol, to, answer);
    }
}
