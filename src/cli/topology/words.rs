//! What a drawing says of each thing, as text and as a picture.

use std::fmt::Write as _;

use crate::model::Key;
use crate::model::chart::{Chart, Fault, FloatingChart, NetworkChart, PortChart, RouterChart};

/// Most ports of a network that are drawn.
pub const PORTS: usize = 24;

/// A box: its title, what stands at the title's right end, and its lines, each with a right end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// `Network team-a/blue`
    pub title: String,
    /// `VNI 7, MTU 1450`
    pub facts: String,
    /// Whether it is not Ready.
    pub fault: bool,
    /// What is in it.
    pub lines: Vec<Line>,
}

/// A line of a box.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// What kind of line.
    pub mark: Mark,
    /// At the left end.
    pub left: String,
    /// At the right end.
    pub right: String,
}

/// What a line stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// Something else.
    #[default]
    None,
    /// A port that is plugged, and Ready.
    Plugged,
    /// A port that nobody plugged, and Ready.
    Free,
    /// What is not Ready.
    Fault,
}

impl Mark {
    /// As one character.
    pub fn sign(self) -> char {
        match self {
            Self::None => ' ',
            Self::Plugged => '●',
            Self::Free => '○',
            Self::Fault => '✗',
        }
    }
}

/// How things are called: those of `home` without their namespace.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The namespace; none: all are called in full.
    pub home: Option<&'a str>,
}

impl Names<'_> {
    /// The name of a thing.
    pub fn of(self, key: &Key) -> String {
        let short = self.home.is_some_and(|home| *key.namespace == *home);
        clean(&if short { key.name.to_string() } else { key.to_string() })
    }
}

/// Text without what would move a cursor or turn a line round: names and messages are written by others.
pub fn clean(text: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    text.chars().map(|c| if c.is_control() || turns(c) { '?' } else { c }).collect()
}

/// The same of several lines.
pub fn lines(text: &str) -> String {
    text.lines().map(|line| clean(line) + "\n").collect()
}

/// The box of a network.
pub fn network(network: &NetworkChart, chart: &Chart, names: Names<'_>) -> Card {
    let mut facts = Vec::new();
    if !network.known {
        facts.push("not yours to read, or not there".to_owned());
    }
    facts.extend(network.external.then(|| "external".to_owned()));
    facts.extend(network.provider.as_deref().map(clean));
    facts.extend(network.vni.map(|vni| format!("VNI {vni}")));
    facts.extend(network.mtu.map(|mtu| format!("MTU {mtu}")));
    let mut lines: Vec<Line> = network.fault.iter().map(fault).collect();
    for subnet in &network.subnets {
        let gateway = subnet.gateway.map_or(", no gateway".into(), |ip| format!(", gateway {ip}"));
        let used = subnet.used.map_or(String::new(), |(used, total)| format!("{used} of {total} used"));
        let left = format!("{} {}{gateway}", names.of(&subnet.name), subnet.cidr);
        lines.push(Line { mark: Mark::None, left, right: used });
        lines.extend(subnet.fault.iter().map(fault));
    }
    ports(network, chart, names, &mut lines);
    let idle = |ip: &&FloatingChart| ip.network == network.name && ip.router.is_none();
    for ip in chart.floating_ips.iter().filter(idle) {
        lines.push(floating(ip, names));
    }
    Card {
        title: format!("Network {}", names.of(&network.name)),
        facts: facts.join(", "),
        fault: network.fault.is_some(),
        lines,
    }
}

/// The lines of a network's ports: what is not Ready comes first, so that it is seen in any case.
fn ports(network: &NetworkChart, chart: &Chart, names: Names<'_>, lines: &mut Vec<Line>) {
    let mut ports: Vec<&PortChart> = network.ports.iter().collect();
    ports.sort_by_key(|port| port.fault.is_none());
    let shown = &ports[..ports.len().min(PORTS)];
    let call = |port: &PortChart| names.of(&port.name);
    let addresses = |port: &PortChart| port.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let width =
        |of: &dyn Fn(&PortChart) -> String| shown.iter().map(|port| of(port).chars().count()).max().unwrap_or(0);
    let (wide, wider) = (width(&call).min(40), width(&addresses).min(40));
    for port in shown {
        let mark = match (&port.fault, &port.node) {
            (Some(_), _) => Mark::Fault,
            (None, Some(_)) => Mark::Plugged,
            (None, None) => Mark::Free,
        };
        let mut left = format!("{:wide$}  {:wider$}", call(port), addresses(port));
        let leads = |ip: &&FloatingChart| ip.to.iter().any(|to| leads_to(ip, to, port));
        for ip in chart.floating_ips.iter().filter(leads).filter_map(|ip| ip.ip) {
            let _ = write!(left, "  ⇄ {ip}");
        }
        let mut right = match (&port.fault, &port.node, &port.pod) {
            (Some(fault), ..) => fault.reason.clone(),
            (None, Some(node), Some(pod)) => format!("pod {pod} on {node}"),
            (None, Some(node), None) => node.clone(),
            (None, None, _) => "not plugged".into(),
        };
        right = clean(&right);
        lines.push(Line { mark, left: left.trim_end().to_owned(), right });
    }
    if ports.len() > shown.len() {
        let left = format!("… and {} ports more", ports.len() - shown.len());
        lines.push(Line { left, ..Line::default() });
    }
}

/// Whether one way of a floating IP leads to a port.
fn leads_to(ip: &FloatingChart, to: &str, port: &PortChart) -> bool {
    let name =
        if port.name.namespace == ip.name.namespace { port.name.name.to_string() } else { port.name.to_string() };
    let to = to.split_once(" to ").map_or(to, |(_, to)| to);
    to.split([' ', ':']).next() == Some(&*name)
}

/// The box of a router.
pub fn router(router: &RouterChart, chart: &Chart, names: Names<'_>) -> Card {
    let mut lines: Vec<Line> = router.fault.iter().map(fault).collect();
    for leg in router.legs.iter().filter(|leg| leg.network.is_none()) {
        let left = format!("a leg on subnet {}, not yours to read, or not there", names.of(&leg.subnet));
        lines.push(Line { left, ..Line::default() });
    }
    for route in &router.routes {
        lines.push(Line { left: format!("route {route}"), ..Line::default() });
    }
    for ip in chart.floating_ips.iter().filter(|ip| ip.router.as_ref() == Some(&router.name)) {
        lines.push(floating(ip, names));
    }
    let facts = router.gateway_node.as_ref().filter(|_| router.external.is_some());
    Card {
        title: format!("Router {}", names.of(&router.name)),
        facts: facts.map_or(String::new(), |node| format!("gateway on {}", clean(node))),
        fault: router.fault.is_some(),
        lines,
    }
}

fn floating(ip: &FloatingChart, names: Names<'_>) -> Line {
    let address = ip.ip.map_or_else(|| "no address".into(), |ip| ip.to_string());
    let to = if ip.to.is_empty() { "reserved".into() } else { format!("⇄ {}", clean(&ip.to.join("; "))) };
    let right = ip.fault.as_ref().map(|fault| clean(&fault.reason)).or(ip.node.as_deref().map(clean));
    let left = format!("{address} {to}  ({})", names.of(&ip.name));
    let mark = if ip.fault.is_some() { Mark::Fault } else { Mark::None };
    Line { mark, left, right: right.unwrap_or_default() }
}

fn fault(fault: &Fault) -> Line {
    let left = clean(&format!("{}: {}", fault.reason, fault.message));
    Line { mark: Mark::Fault, left, right: String::new() }
}
