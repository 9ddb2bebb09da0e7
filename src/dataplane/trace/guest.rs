//! A guest sends and receives; its port's filter judges.

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;

use super::packet::{Content, Packet};
use super::walk::{Found, Place, Walk};
use super::{End, back, v4};
use crate::api::SecurityGroupRule;
use crate::dataplane::filter::{By, Policy, Reason, Verdict, verdict};
use crate::model::Key;
use crate::model::security::{Direction, Remote, RuleView, SecurityView};
use crate::model::view::PortView;

/// Where a guest sends what goes to an address: straight, or to a router.
enum Way {
    Straight,
    Via(Ipv4Addr),
    Nowhere,
}

impl Walk<'_> {
    /// A guest sends.
    pub fn send(&mut self, from: &Found, source: Option<Ipv4Addr>, target: Ipv4Addr, content: Content) -> End {
        let at = format!("Port {}", from.chart.name);
        let Some(name) = from.chart.node.clone() else {
            let why = from.chart.fault.as_ref().map(|fault| format!("; it is not Ready either: {}", fault.message));
            return self.dropped(at, None, format!("nobody has plugged it{}", why.unwrap_or_default()));
        };
        let place = self.place(&name);
        let Some(port) = port(&place, &from.network, &from.chart.name) else {
            let fault = from.chart.fault.as_ref();
            let why = fault.map_or("see its conditions".into(), |fault| format!("{}: {}", fault.reason, fault.message));
            return self.dropped(at, Some(&name), format!("it is not in force: {why}"));
        };
        let Some(source) = source.or_else(|| choose(&port, target)) else {
            return self.dropped(at, Some(&name), "it has no IPv4 address: name one with --source");
        };
        let packet = Packet { source, target, content };
        if port.addresses.iter().any(|(ip, _)| *ip == IpAddr::V4(target)) {
            self.hop(&at, Some(&name), format!("{target} is its own address: nothing leaves the guest"));
            return End::Allowed { at: format!("{at} itself") };
        }
        let way = way(&port, target);
        let by = match way {
            Way::Straight => "straight".into(),
            Way::Via(router) => format!("by its gateway {router}"),
            Way::Nowhere => {
                let why =
                    format!("the guest has no route to {target}: no subnet of its own has the address, or a gateway");
                return self.dropped(at, Some(&name), why);
            }
        };
        let what = if self.answers { "answers".into() } else { format!("sends {content} to") };
        self.hop(&at, Some(&name), format!("{source} {what} {target}, {by}"));
        if let Some(end) = self.judge(&place, &from.chart.name, &port, Direction::Egress, packet) {
            return end;
        }
        if !self.answers {
            self.sent = Some((from.clone(), packet));
        }
        let next = if let Way::Via(router) = way { router } else { target };
        self.deliver(&from.network, &place, next, packet)
    }

    /// A guest receives. `from`: the node that the packet comes from.
    pub fn receive(
        &mut self,
        network: &Key,
        from: &Rc<Place>,
        place: &Rc<Place>,
        next: Ipv4Addr,
        packet: Packet,
    ) -> End {
        let ip = IpAddr::V4(next);
        let ports = place.view.networks.get(network).map(|n| &n.ports);
        let found = ports
            .into_iter()
            .flatten()
            .find(|(_, port)| port.active.contains_key(&ip) || port.addresses.iter().any(|(own, _)| *own == ip));
        let Some((key, port)) = found.map(|(key, port)| (key.clone(), port.clone())) else {
            return self.dropped(
                format!("Network {network}"),
                Some(&place.name),
                format!("nobody has the address {next}"),
            );
        };
        let vni = from.view.networks.get(network).or(place.view.networks.get(network)).and_then(|n| n.overlay.as_ref());
        let way =
            vni.map_or("by the network's own way".into(), |overlay| format!("by the tunnel, VNI {}", overlay.vni));
        self.cross(&format!("Network {network}"), from, place, &way);
        if let Some(end) = self.judge(place, &key, &port, Direction::Ingress, packet) {
            return end;
        }
        let at = format!("Port {key}");
        if next != packet.target {
            self.hop(&at, Some(&place.name), format!("it is the next hop to {}: its guest is to route", packet.target));
            return End::Leaves { at: format!("{at}, whose guest is to route it to {}", packet.target) };
        }
        if self.answers {
            return End::Allowed { at };
        }
        let arrived = Found {
            network: network.clone(),
            chart: match self.find(&key) {
                Some(found) => found.chart,
                None => return End::Allowed { at },
            },
        };
        self.answer(&arrived, &port, packet).unwrap_or(End::Allowed { at })
    }

    /// What becomes of the answer to a packet that arrived; none: it comes back.
    fn answer(&mut self, guest: &Found, port: &PortView, packet: Packet) -> Option<End> {
        self.answers = true;
        let reply = back(&packet);
        if !self.translated {
            let end = self.send(guest, Some(reply.source), reply.target, reply.content);
            return (!end.passes()).then_some(end);
        }
        // What was translated on the way is translated back, wherever that was: of the way only its ends are judged.
        let at = format!("Port {}", guest.chart.name);
        let place = self.place(guest.chart.node.as_deref().unwrap_or_default());
        if matches!(way(port, reply.target), Way::Nowhere) {
            let why = format!("the guest has no way back to {}: its subnet has no gateway", reply.target);
            return Some(self.dropped(at, Some(&place.name), why));
        }
        self.hop(&at, Some(&place.name), format!("answers {}", reply.target));
        let out = self.judge(&place, &guest.chart.name, port, Direction::Egress, reply);
        out.or_else(|| self.returns())
    }

    /// The answer to what was sent comes to who sent it, from where it was sent to.
    pub fn returns(&mut self) -> Option<End> {
        let (from, sent) = self.sent.clone()?;
        let place = self.place(from.chart.node.as_deref()?);
        let port = port(&place, &from.network, &from.chart.name)?;
        self.judge(&place, &from.chart.name, &port, Direction::Ingress, back(&sent))
    }

    /// Asks the filter of a port; the end, if it drops the packet.
    fn judge(&mut self, place: &Rc<Place>, key: &Key, port: &PortView, way: Direction, packet: Packet) -> Option<End> {
        let pair =
            port.security.iter().flat_map(|s| &s.pairs).find(|pair| pair.net.contains(&IpAddr::V4(packet.source)));
        let mac = pair.map_or(port.mac, |pair| pair.mac);
        let said = verdict(&place.tables, &mut self.state, port.uid.into(), way, &packet.frame(mac), Duration::ZERO);
        let at = format!("Port {key}");
        let security = match place.tables.ports.get(&port.uid.into()) {
            Some(Policy::Guarded(security)) => Some(security.clone()),
            _ => None,
        };
        let direction = if way == Direction::Egress { "out" } else { "in" };
        match (said, security) {
            (Verdict::Pass(By::Rule { group, index }), _) => {
                let view = place.view.security_groups.get(&group);
                let rule = view.and_then(|view| Some((&view.key, view.rules.get(index)?)));
                let rule = rule.map_or("a rule".into(), |(group, rule)| self.rule(place, group, rule));
                self.hop(at, Some(&place.name), format!("let {direction} by {rule}"));
                None
            }
            (Verdict::Pass(by), _) => {
                self.hop(at, Some(&place.name), format!("let {direction}: {by}"));
                None
            }
            (Verdict::Drop(Reason::NotAllowed), Some(security)) => {
                let answer = if self.answers { " (the answer)" } else { "" };
                let why = none_of(place, &security, way, packet) + answer;
                Some(self.dropped(at, Some(&place.name), why))
            }
            (Verdict::Drop(Reason::Source), _) => {
                let why = format!("{} is none of the port's addresses (port security)", packet.source);
                Some(self.dropped(at, Some(&place.name), why))
            }
            (Verdict::Drop(reason), _) => Some(self.dropped(at, Some(&place.name), reason.to_string())),
        }
    }

    /// A rule as its author wrote it.
    fn rule(&self, place: &Place, group: &Key, rule: &RuleView) -> String {
        if let Some((index, written)) = self.topology.written(group, rule) {
            let what = written.description.as_ref().map_or(String::new(), |text| format!(" (\"{text}\")"));
            return format!("rule {index} of SecurityGroup {group}{what}: {}", words(written));
        }
        let other = match rule.remote {
            Remote::Group(number) => place
                .view
                .security_groups
                .get(&number)
                .map_or_else(|| "members of the same group".into(), |group| format!("members of {}", group.key)),
            _ => "anywhere".into(),
        };
        let way = if rule.direction == Direction::Egress { "Egress to" } else { "Ingress from" };
        format!("what is implied of SecurityGroup {group}: {way} {other}")
    }
}

/// A port of a node.
fn port(place: &Place, network: &Key, key: &Key) -> Option<PortView> {
    place.view.networks.get(network)?.ports.get(key).cloned()
}

/// The address that a guest sends from: of the subnet that has the target, else of one with a gateway, else the first.
fn choose(port: &PortView, target: Ipv4Addr) -> Option<Ipv4Addr> {
    let all = || port.addresses.iter().filter(|(ip, _)| ip.is_ipv4());
    let near = all().find(|(_, subnet)| subnet.cidr.contains(&IpAddr::V4(target)));
    let found = near.or_else(|| all().find(|(_, subnet)| subnet.gateway.is_some())).or_else(|| all().next());
    found.and_then(|(ip, _)| v4(ip))
}

/// Where a guest sends what goes to an address, if it does as DHCP tells it.
fn way(port: &PortView, target: Ipv4Addr) -> Way {
    let target = IpAddr::V4(target);
    if port.addresses.iter().any(|(_, subnet)| subnet.cidr.contains(&target)) {
        return Way::Straight;
    }
    let routes = port.addresses.iter().flat_map(|(_, subnet)| &subnet.host_routes);
    let fits = routes.filter(|(to, _)| to.contains(&target)).max_by_key(|(to, _)| to.prefix_len());
    let gateway = || port.addresses.iter().find_map(|(_, subnet)| subnet.gateway);
    let next = fits.map(|(_, via)| *via).or_else(gateway);
    next.as_ref().and_then(v4).map_or(Way::Nowhere, Way::Via)
}

fn none_of(place: &Place, security: &SecurityView, way: Direction, packet: Packet) -> String {
    let groups = security.groups.iter().filter_map(|number| place.view.security_groups.get(number));
    let names: Vec<_> = groups.map(|group| group.key.to_string()).collect();
    let (what, other) = match way {
        Direction::Egress => ("Egress", format!("to {}", packet.target)),
        Direction::Ingress => ("Ingress", format!("from {}", packet.source)),
    };
    let groups = if names.is_empty() { "its groups, of which none is in force,".into() } else { names.join(", ") };
    format!("no rule of {groups} allows {what} {other}, {}", packet.content)
}

/// A rule in words.
fn words(rule: &SecurityGroupRule) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{:?}", rule.direction);
    if let Some(family) = rule.family {
        let _ = write!(text, " {family:?}");
    }
    if let Some(protocol) = rule.protocol {
        let _ = write!(text, " {protocol}");
    }
    if let Some(port) = rule.port {
        let _ = write!(text, " {port}");
    }
    if let Some(end) = rule.end_port {
        let _ = write!(text, "-{end}");
    }
    if let Some(kind) = rule.icmp_type {
        let _ = write!(text, " type {kind}");
    }
    let way = if rule.direction == crate::api::RuleDirection::Egress { "to" } else { "from" };
    let remote = rule.remote.as_ref();
    let group = remote.and_then(|remote| remote.group_ref.as_ref());
    let other = match (remote.and_then(|remote| remote.cidr), group) {
        (Some(cidr), _) => cidr.to_string(),
        (_, Some(group)) => {
            let namespace = group.namespace.as_ref().map_or(String::new(), |namespace| format!("{namespace}/"));
            format!("members of {namespace}{}", group.name)
        }
        _ => "anywhere".into(),
    };
    let _ = write!(text, " {way} {other}");
    text
}
