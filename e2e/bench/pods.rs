//! What the plugin costs a pod: one that asks for a port, and one that does not.

use std::process::{Command, Stdio};
use std::time::Instant;

use crate::meter::{ms, quantile};
use crate::row::{Row, Unit};
use crate::runtime::Pod;
use crate::support::Host;

const ROUNDS: usize = 200;

/// ADD of a pod whose port is there, from the call to the answer; and the call of a pod without annotation, beside a program
/// that does nothing.
pub fn rows() -> Vec<Row> {
    let mut host = Host::bare();
    let ports = (0..ROUNDS).map(|n| format!("Port p{n} {{networkRef: {{name: blue}}}}\n"));
    let world = "Network blue\nSubnet web {networkRef: {name: blue}, cidr: 10.0.0.0/22}\n";
    host.declare("world.yaml", &format!("{world}{}", ports.collect::<String>()));
    host.start_at("info");
    host.wait_all_ready();
    let first = host.guest("first");
    let plain = Pod::new(&host, &first, &[]);
    let (mut passed, mut nothing) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let program = Command::new("/bin/true").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        program.wait_with_output().unwrap();
        nothing.push(ms(start.elapsed()));
        let start = Instant::now();
        plain.add();
        passed.push(ms(start.elapsed()));
    }
    let mut added = Vec::new();
    for n in 0..ROUNDS {
        let guest = host.guest(&format!("g{n}"));
        let pod = Pod::new(&host, &guest, &[("ports", &format!("p{n}"))]);
        let start = Instant::now();
        pod.add();
        added.push(ms(start.elapsed()));
    }
    let (pass, nothing) = (quantile(passed.clone(), 0.5), quantile(nothing, 0.5));
    let note = format!("p99 {:.2} ms; /bin/true takes {nothing:.2} ms", quantile(passed, 0.99));
    vec![
        Row::new("pass", "ADD without annotation, exec included, p50", 2.0, pass, Unit::Ms).note(note),
        Row::new("pod", "ADD with an annotation, p50", 30.0, quantile(added.clone(), 0.5), Unit::Ms),
        Row::new("pod", "ADD with an annotation, p99", 100.0, quantile(added, 0.99), Unit::Ms),
    ]
}
