//! The outside of a router: what is translated, and what may leave.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};

use crate::api::Protocol;
use crate::dataplane::nft::{Field, Set, Table, Term, Type, Value};
use crate::dataplane::state::IfName;
use crate::model::view::{ExternalView, Part};

use super::{MARK, known, unknown, v4};

/// Connections that one guest may have through its router; the kernel's table has room for 65 536 or more.
const CONNECTIONS: u32 = 4096;

/// Guests whose connections are counted; nft's own limit of a dynamic set.
const SOURCES: u32 = 65_535;
/// The outside of a router.
pub(super) struct Outside<'a> {
    pub(super) view: &'a ExternalView,
    leg: &'a IfName,
    /// The way between the router's nodes.
    transit: Option<&'a IfName>,
    /// The address that guests appear as.
    address: Ipv4Addr,
}

impl<'a> Outside<'a> {
    pub(super) fn new(view: &'a ExternalView, leg: &'a IfName, transit: Option<&'a IfName>) -> Option<Self> {
        Some(Self { view, leg, transit, address: v4(&view.shared)? })
    }

    /// Whether the router's own addresses are translated to and from, here or soon.
    pub(super) fn has_part(&self) -> bool {
        self.view.part != Part::Floating
    }

    /// Whether whatever leaves is translated, not only what has a floating IP.
    pub(super) fn translates_all(&self) -> bool {
        self.view.snat && self.has_part()
    }

    /// Whether another node translates what leaves, and this one is to follow.
    fn is_silent(&self) -> bool {
        matches!(self.view.part, Part::Next | Part::Takes)
    }

    /// Whether the router has other nodes.
    pub(super) fn has_nodes(&self) -> bool {
        self.transit.is_some()
    }

    pub(super) fn leg(&self) -> Value {
        Value::Name(self.leg.clone())
    }

    /// Floating IPs and the fixed IPs that they lead to.
    fn floating(&self) -> impl Iterator<Item = (Ipv4Addr, Ipv4Addr)> {
        self.view.floating.iter().filter_map(|(ip, to)| v4(ip).zip(v4(&to.fixed)))
    }

    /// The same, of those whose packets are translated on their way out from here.
    fn owned(&self) -> impl Iterator<Item = (Ipv4Addr, Ipv4Addr)> {
        let ours = self.view.floating.iter().filter(|(_, to)| to.home || !self.is_silent());
        ours.filter_map(|(ip, to)| v4(ip).zip(v4(&to.fixed)))
    }

    pub(super) fn sets(&self, inner: Vec<Ipv4Net>, table: &mut Table) {
        let view = self.view;
        let ip = |ip| [Value::Ip(ip)];
        let addresses = view.addresses.iter().map(IpNet::addr).collect::<Vec<_>>();
        let public = addresses.iter().chain(view.floating.keys()).chain(view.forwarding.keys()).filter_map(v4).map(ip);
        let address = [Type::Ipv4Addr];
        let forwarded =
            view.forwarding.iter().flat_map(|(ip, to)| to.ports.iter().map(move |(from, to)| (ip, from, to)));
        let forwarded: BTreeMap<_, _> = forwarded
            .filter_map(|(from, (protocol, port), (to, target))| {
                Some(((protocol_number(*protocol), v4(from)?, *port), (v4(to)?, *target)))
            })
            .collect();
        let by_port = forwarded.iter().map(|((protocol, from, port), (to, target))| {
            let key = [Value::Proto(*protocol), Value::Ip(*from), Value::Port(*port)];
            (key, [Value::Ip(*to), Value::Port(*target)])
        });
        let mut set = |name: &str, set| table.sets.insert(name.into(), set);
        set("public", Set::exact(address, public.clone()));
        set("inner", Set::ranges(inner));
        set("connections", Set::dynamic(Type::Ipv4Addr, SOURCES, 0));
        set("floating", Set::map(address, address, self.floating().map(|(out, fixed)| (ip(out), ip(fixed)))));
        set("fixed", Set::map(address, address, self.floating().map(|(out, fixed)| (ip(fixed), ip(out)))));
        let key = [Type::InetProto, Type::Ipv4Addr, Type::InetService];
        set("forwarded", Set::map(key, [Type::Ipv4Addr, Type::InetService], by_port));
        if self.has_nodes() || !view.snat {
            set("owned", Set::exact(address, self.owned().map(|(_, fixed)| ip(fixed))));
        }
        if self.has_nodes() && self.has_part() {
            let others = self.is_silent().then(Ipv4Net::default);
            set("theirs", Set::ranges(others));
            let own = public.filter(|_| !self.is_silent()).chain(self.owned().map(|(out, _)| ip(out)));
            set("home", Set::exact(address, own));
        }
        if !self.translates_all() {
            let targets = forwarded.values().map(|(to, _)| *to);
            set("translated", Set::exact(address, self.floating().map(|(_, fixed)| fixed).chain(targets).map(ip)));
        }
    }

    /// Outside addresses are not capped: a whole office may be behind one.
    pub(super) fn crowd(&self) -> Vec<Vec<Term>> {
        let more = Term::MoreConnections { set: "connections".into(), over: CONNECTIONS };
        vec![vec![Term::IsNot(Field::IifName, self.leg()), Term::New, more, Term::Drop]]
    }

    pub(super) fn outward(&self) -> Vec<Vec<Term>> {
        let out = || Term::Is(Field::OifName, self.leg());
        let hairpin = |last| {
            let inside = [Field::IifName, Field::OifName].map(|field| Term::IsNot(field, self.leg()));
            [inside.as_slice(), &[Term::Dnatted, last]].concat()
        };
        let own = || Term::Snat("fixed".into());
        let shared = || Term::SnatTo(self.address);
        let mut rules = vec![vec![out(), own()]];
        if self.translates_all() {
            rules.push(vec![out(), known(Field::IpSaddr, "inner"), shared()]);
        }
        rules.extend([hairpin(own()), hairpin(shared())]);
        rules
    }

    /// After destinations are translated back: what answers a tenant goes straight to it.
    pub(super) fn way(&self) -> Vec<Vec<Term>> {
        let inside = Term::IsNot(Field::IifName, self.leg());
        let owned = known(Field::IpSaddr, "owned");
        vec![vec![inside, owned, unknown(Field::IpDaddr, "inner"), Term::Mark(MARK)]]
    }

    pub(super) fn leak(&self) -> Vec<Vec<Term>> {
        let mut foreign = vec![Term::Is(Field::OifName, self.leg()), unknown(Field::IpSaddr, "public")];
        let mut rules = Vec::new();
        // Nothing that is translated here leaves by the way between nodes. If it tries, the routes are not yet what the rules
        // are: dropped now, the connection is not remembered without its translation.
        if let Some(transit) = self.transit {
            let owned = known(Field::IpSaddr, "owned");
            rules.push(vec![Term::Is(Field::OifName, Value::Name(transit.clone())), owned, Term::New, Term::Drop]);
        }
        if self.has_part() && !self.view.snat {
            foreign.push(unknown(Field::IpSaddr, "inner"));
            // A guest with a floating IP may answer as itself, but not call.
            let owned = known(Field::IpSaddr, "owned");
            rules.push(vec![Term::Is(Field::OifName, self.leg()), owned, Term::Original, Term::Drop]);
        }
        foreign.push(Term::Drop);
        rules.push(foreign);
        rules
    }
}

fn protocol_number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::TCP => 6,
        Protocol::UDP => 17,
    }
}
