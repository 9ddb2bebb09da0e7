//! `tenet trace`: what becomes of a packet.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr};

use super::Ended;
use super::args::{Protocol, Show, Trace};
use super::seen::{read, wait};
use crate::dataplane::trace::{self, Question, Sent};
use crate::model::chart::{Chart, PortChart};
use crate::model::{Key, Snapshot};

/// The exit code of a packet that is dropped.
const DROPPED: u8 = 2;

/// `tenet trace`
pub fn run(args: &Trace, plugin: bool) -> Ended {
    let (target, port) = target(&args.to)?;
    let sent = sent(args.protocol, port)?;
    let source = match args.source {
        Some(IpAddr::V6(ip)) => return Err(format!("{ip}: only IPv4 is traced").into()),
        Some(IpAddr::V4(ip)) => Some(ip),
        None => None,
    };
    let world = wait(read(&args.place, plugin))?;
    let port = sender(&args.from, &world.namespace, &world.topology.chart(), &world.seen.snapshot)?;
    let trace = trace::trace(&world.topology, &Question { port, source, target, sent })?;
    let text = match args.output {
        Show::Json => serde_json::to_string_pretty(&trace)? + "\n",
        Show::Text => text(&trace),
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(if trace.end.passes() { 0 } else { DROPPED })
}

/// Address and port of `ADDRESS[:PORT]`.
fn target(text: &str) -> Result<(Ipv4Addr, Option<u16>), String> {
    let (address, port) = match text.split_once(':') {
        Some((address, port)) if !port.contains(':') => (address, Some(port)),
        _ => (text, None),
    };
    let port = port.map(|port| port.parse().ok().filter(|port: &u16| *port > 0).ok_or(port)).transpose();
    let port = port.map_err(|port| format!("`{port}` is no port: write a number from 1 to 65535"))?;
    let ip: IpAddr = address.parse().map_err(|_| format!("`{text}` is no address: write 10.0.0.5 or 10.0.0.5:443"))?;
    match ip {
        IpAddr::V4(ip) if ip.is_multicast() || ip.is_broadcast() || ip.is_unspecified() => {
            Err(format!("{ip} is no address of one station: only such are traced"))
        }
        IpAddr::V4(ip) => Ok((ip, port)),
        IpAddr::V6(ip) => Err(format!("{ip}: only IPv4 is traced")),
    }
}

fn sent(protocol: Option<Protocol>, port: Option<u16>) -> Result<Sent, String> {
    match (protocol, port) {
        (None | Some(Protocol::Tcp), Some(port)) => Ok(Sent::Tcp(port)),
        (Some(Protocol::Udp), Some(port)) => Ok(Sent::Udp(port)),
        (None | Some(Protocol::Icmp), None) => Ok(Sent::Echo),
        (Some(Protocol::Icmp), Some(_)) => Err("ICMP has no ports: write the address alone".into()),
        (Some(_), None) => Err("TCP and UDP need a port: write ADDRESS:PORT".into()),
    }
}

/// The port that is meant: by its name, or as the only one of a pod.
fn sender(text: &str, namespace: &str, chart: &Chart, snapshot: &Snapshot) -> Result<Key, String> {
    let words: Vec<&str> = text.split('/').collect();
    let (namespace, pod) = match words[..] {
        [name] => return Ok(Key::new(namespace, name)),
        ["pod", pod] => (namespace, pod),
        [namespace, name] => return Ok(Key::new(namespace, name)),
        [namespace, "pod", pod] => (namespace, pod),
        _ => return Err(format!("`{text}` is no port: write NAMESPACE/PORT, or pod/NAME")),
    };
    let owns = |port: &Key| {
        let meta = snapshot.ports.get(port).map(|object| &object.metadata);
        let owners = meta.and_then(|meta| meta.owner_references.as_ref()).into_iter().flatten();
        owners.into_iter().any(|owner| owner.kind == "Pod" && owner.name == pod)
    };
    let is = |port: &&PortChart| {
        *port.name.namespace == *namespace && (port.pod.as_deref() == Some(pod) || owns(&port.name))
    };
    let ports: Vec<&Key> = chart.networks.iter().flat_map(|n| &n.ports).filter(is).map(|port| &port.name).collect();
    match ports[..] {
        [port] => Ok(port.clone()),
        [] => Err(format!("pod {namespace}/{pod} has no Port that you may read")),
        _ => {
            let names: Vec<_> = ports.iter().map(ToString::to_string).collect();
            Err(format!("pod {namespace}/{pod} has several Ports; name one of them: {}", names.join(", ")))
        }
    }
}

/// For people: the end first, then step by step; what happens at one place stands under it.
fn text(trace: &trace::Trace) -> String {
    let mut text = trace.end.sentence() + "\n";
    let mut before = None;
    for hop in &trace.hops {
        let place = (&hop.at, &hop.node);
        if before != Some(place) {
            let node = hop.node.as_ref().map_or(String::new(), |node| format!("  on {node}"));
            let _ = writeln!(text, "\n{}{node}", hop.at);
            before = Some(place);
        }
        let _ = writeln!(text, "    {}", hop.says);
    }
    super::topology::words::lines(&text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn targets_are_read_and_bad_ones_are_told_what_to_write() {
        assert_eq!(target("10.0.0.5:443"), Ok(("10.0.0.5".parse().unwrap(), Some(443))));
        assert_eq!(target("10.0.0.5"), Ok(("10.0.0.5".parse().unwrap(), None)));
        for wrong in
            ["", ":", "10.0.0.5:", "10.0.0.5:0", "10.0.0.5:99999", "web-0", "::1", "fe80::1", "224.0.0.1", "0.0.0.0"]
        {
            assert!(target(wrong).is_err(), "{wrong}");
        }
        assert!(sent(Some(Protocol::Udp), None).is_err() && sent(Some(Protocol::Icmp), Some(1)).is_err());
        assert_eq!((sent(None, None), sent(None, Some(5))), (Ok(Sent::Echo), Ok(Sent::Tcp(5))));
    }
}
