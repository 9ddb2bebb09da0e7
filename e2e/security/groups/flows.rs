//! Who may begin, and whose answers come in.

use std::net::UdpSocket;
use std::time::Duration;

use tenet::api::Protocol::{TCP, UDP};

use super::{ANSWER, SERVED, files, guests};
use crate::support::{Call, Guest, until};
use crate::wire::on_both_paths;

/// What a datagram to a port where nobody listens comes back as.
fn refused(client: &Guest, to: &str) -> bool {
    let socket = client.within(|| UdpSocket::bind("0.0.0.0:0").unwrap());
    socket.connect(to).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    socket.send(b"?").unwrap();
    socket.recv(&mut [0; 8]).is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
}

#[test]
fn answers_come_in_and_what_nobody_asked_for_does_not() {
    on_both_paths(|mut host| {
        files(&host);
        host.start();
        let [client, server, stranger] = guests(&host);
        for protocol in [TCP, UDP] {
            client.wait_seen(protocol, SERVED, ANSWER);
        }
        assert!(client.pings("10.0.0.12"), "and by ICMP");
        // The port is one that the group lets in; nobody is there. The server begins nothing, but its kernel's errors are of a flow.
        until("an error about a flow comes in", || refused(&client, "10.0.0.12:81"));
        assert!(!refused(&client, "10.0.0.12:82"), "nothing comes back from where the group lets nobody in");
        assert!(client.call_for(TCP, "10.0.0.12:81", Duration::from_secs(1)).is_none(), "a reset is an answer");
        for (guest, to) in [(&server, "10.0.0.11:80"), (&server, "10.0.0.13:80"), (&stranger, SERVED)] {
            assert!(guest.silent(to), "{} is not let in to {to}", guest.name);
        }
        assert!(client.silent("10.0.0.12:82"), "nor anybody to another service");
        for (guest, to) in [(&server, "10.0.0.11"), (&stranger, "10.0.0.12"), (&stranger, "10.0.0.11")] {
            assert!(!guest.pings(to), "{} does not ping {to}", guest.name);
        }
        let mut call = client.call(TCP, SERVED).unwrap();
        std::thread::sleep(Duration::from_millis(1500));
        assert!(call.alive(), "a connection may pause");
    });
}

/// Rules of a stateless group judge each packet by itself.
#[test]
fn a_stateless_group_remembers_nothing() {
    on_both_paths(|mut host| {
        files(&host);
        let stateless = |rules: &str| format!("SecurityGroup server {{stateful: false, rules: [{rules}]}}");
        let inward = "{direction: Ingress, protocol: TCP, port: 80}, {direction: Ingress, protocol: UDP, port: 80}";
        let outward = "{direction: Egress, protocol: TCP, port: 1024, endPort: 65535},
            {direction: Egress, protocol: UDP, port: 1024, endPort: 65535}";
        host.declare("servers.yaml", &stateless(inward));
        host.start();
        let [client, server, _stranger] = guests(&host);
        assert!(client.silent(SERVED), "answers are allowed by no rule");
        host.declare("servers.yaml", &stateless(&[inward, outward].join(", ")));
        for protocol in [TCP, UDP] {
            client.wait_seen(protocol, SERVED, ANSWER);
        }
        let mut calls = [TCP, UDP].map(|protocol| client.call(protocol, SERVED).unwrap());
        assert!(calls.iter_mut().all(Call::alive));
        assert!(server.silent("10.0.0.13:80"), "answers to what it asks come by no rule");
        host.declare("servers.yaml", &stateless(outward));
        calls.iter_mut().for_each(Call::wait_dead);
    });
}
