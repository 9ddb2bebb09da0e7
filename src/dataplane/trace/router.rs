//! A router: what comes in, is translated, goes on. The rules stand in `router_rules`; here they are for one packet, beside the
//! routes that `dataplane::router` makes.

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use super::packet::{Content, Packet};
use super::walk::{Place, Walk};
use super::{End, v4};
use crate::dataplane::router_rules::{inner, open};
use crate::model::Key;
use crate::model::chart::RouterChart;
use crate::model::view::{ExternalView, Part, RouterView};

/// Where a router sends a packet on.
#[derive(Clone, Debug, PartialEq)]
enum Out {
    /// Into a tenant's network, to this address there.
    Leg(Key, Ipv4Addr),
    /// To the outside, to this address there.
    Outside(Ipv4Addr),
    /// To the node that translates.
    Gateway(String),
    Nowhere,
}

impl Walk<'_> {
    /// A packet comes to a router on a node, from the outside or from inside.
    pub fn route(&mut self, key: &Key, place: &Rc<Place>, mut packet: Packet, from_outside: bool) -> End {
        let at = format!("Router {key}");
        let node = Some(place.name.clone());
        let node = node.as_deref();
        let Some(router) = place.view.routers.get(key).cloned() else {
            return self.dropped(at, node, "the router is not on the node that it leaves by: is it Ready?");
        };
        let chart = self.chart.clone();
        let Some(chart) = chart.routers.iter().find(|chart| chart.name == *key) else {
            return self.dropped(at, node, "the router is not yours to read");
        };
        let external = router.external.as_ref();
        if let Some(why) = refused(&router, packet, from_outside) {
            return self.dropped(at, node, why);
        }
        // Which of its floating IPs is translated where, is said by the node that has them.
        let forwarded = external.and_then(|external| inward(external, packet));
        if let Some(to) = forwarded {
            let as_target = match to.content.forwarded().filter(|_| to.content != packet.content) {
                Some((_, port)) => format!("{}:{port}", to.target),
                None => to.target.to_string(),
            };
            self.hop(&at, node, format!("floating IP {} leads to {as_target}", packet.target));
            packet = to;
            self.translated = true;
        } else if is_own(&router, packet.target) {
            let forwards = external.is_some_and(|e| e.forwarding.contains_key(&IpAddr::V4(packet.target)));
            return self.itself(&at, node, packet, forwards);
        }
        let out = if from_outside && external.is_some_and(|e| e.part == Part::Floating) {
            // What came by the outside goes to who has the floating IP; that is here.
            lookup(&router, packet, None)
        } else {
            lookup(&router, packet, elsewhere(chart, &router, place, packet))
        };
        match out {
            Out::Leg(network, next) => {
                let target = IpAddr::V4(packet.target);
                let known = router.interfaces.iter().any(|i| i.peers.contains_key(&target));
                if !known && !open(&router).iter().any(|net| net.contains(&packet.target)) {
                    if let Some(port) = self.unplugged(&network, packet.target) {
                        return self.dropped(format!("Port {port}"), None, "nobody has plugged it");
                    }
                    return self.dropped(at, node, format!("nobody has the address {}: it answers so", packet.target));
                }
                if forwarded.is_some() && !from_outside {
                    packet.source = self.hairpin(&at, node, external, packet.source);
                }
                let via = if next == packet.target { String::new() } else { format!(" via {next}") };
                self.hop(&at, node, format!("routed to {}{via}, into Network {network}", packet.target));
                self.deliver(&network, place, next, packet)
            }
            Out::Outside(next) => {
                let Some(external) = external else { return self.dropped(at, node, "it has no way to the outside") };
                match outward(&router, external, packet.source) {
                    Ok((source, how)) => {
                        self.translated |= source != packet.source;
                        packet.source = source;
                        self.hop(&at, node, format!("to the outside, Network {}, {how}", external.network));
                    }
                    Err(why) => return self.dropped(at, node, why),
                }
                self.leave(&external.network.clone(), place, next, packet)
            }
            Out::Gateway(name) if name == place.name => self.beyond(chart, place, packet),
            Out::Gateway(name) => {
                let there = self.place(&name);
                let vni = router.transit.as_ref().map_or(String::new(), |transit| format!(", VNI {}", transit.vni));
                self.cross(&at, place, &there, &format!("by the tunnel{vni}: the router translates there"));
                if there
                    .view
                    .routers
                    .get(key)
                    .is_none_or(|r| r.external.is_none() && r.interfaces.iter().all(|i| i.distant))
                {
                    return self.beyond(chart, &there, packet);
                }
                self.route_at_gateway(key, &there, packet)
            }
            Out::Nowhere => self.dropped(at, node, format!("it has no route to {}", packet.target)),
        }
    }

    /// A packet comes to the gateway node from another one.
    fn route_at_gateway(&mut self, key: &Key, place: &Rc<Place>, packet: Packet) -> End {
        self.route(key, place, packet, false)
    }

    /// A packet goes to the outside.
    fn leave(&mut self, network: &Key, place: &Rc<Place>, next: Ipv4Addr, packet: Packet) -> End {
        let end = self.deliver(network, place, next, packet);
        match end {
            // On the outside there are others than ours.
            End::Dropped { at, because } if because == format!("nobody has the address {next}") => {
                self.hops.pop();
                self.hop(at, Some(&place.name), format!("{next} is none of ours"));
                End::Leaves { at: format!("the outside, as {}", packet.source) }
            }
            end => end,
        }
    }

    /// The outside is there, and is not ours to read.
    fn beyond(&mut self, chart: &RouterChart, place: &Rc<Place>, packet: Packet) -> End {
        let at = format!("Router {}", chart.name);
        let Some(external) = &chart.external else {
            return self.dropped(at, Some(&place.name), format!("it has no route to {}", packet.target));
        };
        let source = external.addresses.first().filter(|_| external.snat);
        let source = source.map_or(packet.source.to_string(), ToString::to_string);
        self.hop(
            &at,
            Some(&place.name),
            format!("to the outside, Network {}, which is not yours to read", external.network),
        );
        End::Leaves { at: format!("the outside, as {source} or a floating IP; what is there is not yours to read") }
    }

    /// A packet is for a router itself. `forwards`: the address is a floating IP with port forwardings.
    fn itself(&mut self, at: &str, node: Option<&str>, packet: Packet, forwards: bool) -> End {
        if !matches!(packet.content, Content::Echo { answer: false }) {
            let why = if forwards {
                format!("floating IP {} forwards no {}", packet.target, packet.content)
            } else {
                format!("{} is the router's own address, which answers ping only", packet.target)
            };
            return self.dropped(at, node, why);
        }
        self.hop(at, node, format!("{} is its own address: it answers", packet.target));
        self.answers = true;
        self.returns().unwrap_or(End::Allowed { at: at.to_owned() })
    }

    /// What a guest appears as that calls a floating IP from inside.
    fn hairpin(&mut self, at: &str, node: Option<&str>, external: Option<&ExternalView>, source: Ipv4Addr) -> Ipv4Addr {
        let Some(external) = external else { return source };
        let own = external.floating.iter().find(|(_, to)| to.fixed == IpAddr::V4(source)).map(|(ip, _)| ip);
        let as_source = own.or(Some(&external.shared)).and_then(v4).unwrap_or(source);
        self.hop(at, node, format!("it appears as {as_source} (a floating IP called from inside)"));
        as_source
    }

    /// The port that has an address of a network, and that nobody plugged.
    fn unplugged(&self, network: &Key, ip: Ipv4Addr) -> Option<Key> {
        let network = self.chart.networks.iter().find(|other| other.name == *network)?;
        let port = network.ports.iter().find(|port| port.addresses.contains(&IpAddr::V4(ip)))?;
        port.node.is_none().then(|| port.name.clone())
    }
}

/// Why a router takes no notice of a packet (chain `arrival`).
fn refused(router: &RouterView, packet: Packet, from_outside: bool) -> Option<String> {
    let inside = inner(router).iter().any(|net| net.contains(&packet.source));
    if !from_outside {
        let known = router.interfaces.iter().any(|i| i.peers.contains_key(&IpAddr::V4(packet.source)));
        let open = open(router).iter().any(|net| net.contains(&packet.source));
        return (!known && !open).then(|| format!("nobody behind it has the address {}", packet.source));
    }
    let external = router.external.as_ref()?;
    let public = is_public(external, packet.target);
    let plain = external.part != Part::Floating && !external.snat;
    if !(public || plain && inner(router).iter().any(|net| net.contains(&packet.target))) {
        return Some(format!("{} is no public address of it", packet.target));
    }
    inside.then(|| format!("{} is an address of its inside, and comes from the outside", packet.source))
}

/// Whether an address is one that the outside knows.
fn is_public(external: &ExternalView, ip: Ipv4Addr) -> bool {
    let ip = IpAddr::V4(ip);
    external.addresses.iter().any(|net| net.addr() == ip)
        || external.floating.contains_key(&ip)
        || external.forwarding.contains_key(&ip)
}

/// Whether the router itself answers at an address.
fn is_own(router: &RouterView, ip: Ipv4Addr) -> bool {
    router.interfaces.iter().any(|i| i.ip == IpAddr::V4(ip))
        || router.external.as_ref().is_some_and(|e| is_public(e, ip))
}

/// The packet with its target translated (chain `inward`).
fn inward(external: &ExternalView, packet: Packet) -> Option<Packet> {
    let ip = IpAddr::V4(packet.target);
    if let Some(to) = external.floating.get(&ip) {
        return Some(Packet { target: v4(&to.fixed)?, ..packet });
    }
    let (to, port) = external.forwarding.get(&ip)?.ports.get(&packet.content.forwarded()?)?;
    Some(Packet { target: v4(to)?, content: packet.content.to_port(*port), ..packet })
}

/// What a packet appears as on its way out, and how; or why it does not leave (chains `outward`, `leak`).
fn outward(router: &RouterView, external: &ExternalView, source: Ipv4Addr) -> Result<(Ipv4Addr, String), String> {
    let own = external.floating.iter().find(|(_, to)| to.fixed == IpAddr::V4(source));
    if let Some((ip, _)) = own.and_then(|(ip, to)| Some((v4(ip)?, to))) {
        return Ok((ip, format!("as its floating IP {ip}")));
    }
    let inside = inner(router).iter().any(|net| net.contains(&source));
    if external.snat && external.part != Part::Floating && inside {
        let ip = v4(&external.shared).unwrap_or(source);
        return Ok((ip, format!("as {ip} (SNAT)")));
    }
    if !external.snat && inside {
        return Ok((source, "untranslated (no SNAT)".into()));
    }
    Err(format!("{source} would leave untranslated"))
}

/// The node that a packet goes on to before it leaves; none: it leaves from here.
fn elsewhere(chart: &RouterChart, router: &RouterView, place: &Place, packet: Packet) -> Option<String> {
    let gateway = chart.gateway_node.clone()?;
    let external = router.external.as_ref();
    if gateway == place.name {
        return external.is_none().then_some(gateway).filter(|_| chart.external.is_some());
    }
    // A floating IP of a port that is here is translated here.
    let owned =
        external.is_some_and(|e| e.floating.values().any(|to| to.home && to.fixed == IpAddr::V4(packet.source)));
    (!owned).then_some(gateway)
}

/// The longest route that fits. `elsewhere`: the node that whatever does not stay inside goes to.
fn lookup(router: &RouterView, packet: Packet, elsewhere: Option<String>) -> Out {
    let target = IpAddr::V4(packet.target);
    let mut ways: Vec<(u8, Out)> = Vec::new();
    for leg in router.interfaces.iter().filter(|leg| leg.cidr.contains(&target)) {
        let out = match &elsewhere {
            Some(node) if leg.distant => Out::Gateway(node.clone()),
            _ => Out::Leg(leg.network.clone(), packet.target),
        };
        ways.push((leg.cidr.prefix_len(), out));
    }
    for (to, hops) in router.routes.iter().filter(|(to, _)| to.contains(&target)) {
        let inside = hops.iter().find_map(|hop| {
            let leg = router.interfaces.iter().find(|leg| leg.cidr.contains(hop))?;
            Some(Out::Leg(leg.network.clone(), v4(hop)?))
        });
        ways.extend(inside.map(|out| (to.prefix_len(), out)));
    }
    match (elsewhere, &router.external) {
        (Some(node), _) => ways.push((0, Out::Gateway(node))),
        (None, Some(external)) => {
            let near = external.cidrs.iter().filter(|cidr| cidr.contains(&target));
            ways.extend(near.map(|cidr| (cidr.prefix_len(), Out::Outside(packet.target))));
            for (to, hops) in external.routes.iter().filter(|(to, _)| to.contains(&target)) {
                ways.extend(hops.iter().find_map(v4).map(|hop| (to.prefix_len(), Out::Outside(hop))));
            }
            ways.extend(external.gateway.as_ref().and_then(v4).map(|hop| (0, Out::Outside(hop))));
        }
        (None, None) => {}
    }
    // Of equal length the first: a leg before a route.
    let mut best = None;
    for (length, out) in ways {
        if best.as_ref().is_none_or(|(longest, _)| length > *longest) {
            best = Some((length, out));
        }
    }
    best.map_or(Out::Nowhere, |(_, out)| out)
}
