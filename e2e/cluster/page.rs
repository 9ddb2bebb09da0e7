//! Pages that a controller and agents serve: probes and figures.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::nodes::{CONTROLLER_METRICS, Cluster, METRICS, Node, SERVER};
use crate::support::until;

/// The status line's number and the body.
#[track_caller]
pub fn get(address: &str, path: &str) -> (u16, String) {
    try_get(address, path).unwrap_or_else(|| panic!("{address} does not answer"))
}

/// As [`get`]; none: nobody answers.
pub fn try_get(address: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// The value of a figure, with its labels as they stand.
#[track_caller]
pub fn figure(page: &str, name: &str) -> u64 {
    let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name}:\n{page}")).parse().unwrap()
}

/// How often the controller and each agent wrote.
pub fn writes(cluster: &Cluster) -> Vec<u64> {
    let agents = cluster.nodes.iter().map(|node| format!("{}:{METRICS}", node.address));
    let all = [format!("{SERVER}:{CONTROLLER_METRICS}")].into_iter().chain(agents);
    all.map(|address| written(&address)).collect()
}

/// How often who serves this page wrote.
pub fn written(address: &str) -> u64 {
    figure(&get(address, "/metrics").1, "tenet_api_writes_total{result=\"written\"}")
}

/// Waits until an agent has made its kernel as it is to be.
#[allow(dead_code, reason = "no target uses all of it")]
#[track_caller]
pub fn converged(node: &Node) {
    let address = format!("{}:{METRICS}", node.address);
    until("an agent has converged", || try_get(&address, "/readyz").is_some_and(|(status, _)| status == 200));
}
