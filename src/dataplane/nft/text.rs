//! Rule sets in nft's own syntax: what `tenet plan` and the logs print, and what `nft -f` would take.

use std::fmt::{self, Display, Formatter};
use std::net::Ipv4Addr;

use super::{Chain, ChainKind, Family, Field, Hook, Octets, Policy, Ruleset, Set, Shape, Table, Term, Type, Value};
use crate::api::MacAddr;
use crate::dataplane::names::TABLE;

/// Parts of a rule, as one line.
pub(super) fn of(terms: &[Term]) -> String {
    terms.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

impl Display for Ruleset {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.tables.iter().try_for_each(|(family, table)| write!(f, "table {family} {TABLE} {{\n{table}}}\n"))
    }
}

impl Display for Family {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip => f.write_str("ip"),
            Self::Arp => f.write_str("arp"),
            Self::Unknown(number) => write!(f, "family-{number}"),
        }
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (name, set) in &self.sets {
            let kind = if set.data.is_empty() { "set" } else { "map" };
            write!(f, "\t{kind} {name} {{\n{set}\t}}\n")?;
        }
        self.chains.iter().try_for_each(|(name, chain)| write!(f, "\tchain {name} {{\n{chain}\t}}\n"))
    }
}

impl Display for Chain {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { kind, hook, priority, policy, rules } = self;
        writeln!(f, "\t\ttype {kind} hook {hook} priority {priority}; policy {policy};")?;
        rules.iter().try_for_each(|rule| writeln!(f, "\t\t{}", rule.text()))
    }
}

impl Display for Set {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "\t\ttype {}", list(self.key.iter(), " . "))?;
        if !self.data.is_empty() {
            write!(f, " : {}", list(self.data.iter(), " . "))?;
        }
        writeln!(f)?;
        match self.shape {
            Shape::Exact => {}
            Shape::Ranges => writeln!(f, "\t\tflags interval")?,
            Shape::Dynamic { size, timeout: 0 } => writeln!(f, "\t\tsize {size}\n\t\tflags dynamic")?,
            Shape::Dynamic { size, timeout } => {
                writeln!(f, "\t\tsize {size}\n\t\tflags dynamic,timeout\n\t\ttimeout {timeout}s")?;
            }
            Shape::Unknown => writeln!(f, "\t\t# flags that are not ours")?,
        }
        if self.elements.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\t\telements = {{ {} }}",
            list(self.elements.iter().map(|(key, data)| element(self, *key, *data)), ",\n\t\t\t")
        )
    }
}

/// One element of a set.
pub(super) fn element(set: &Set, key: Octets, data: Octets) -> String {
    let key = match set.shape {
        Shape::Ranges => list(key.to_vec().chunks(4).map(address), "-"),
        _ => octets(&set.key, &key.to_vec()),
    };
    if set.data.is_empty() { key } else { format!("{key} : {}", octets(&set.data, &data.to_vec())) }
}

fn list(items: impl Iterator<Item = impl ToString>, between: &str) -> String {
    items.map(|i| i.to_string()).collect::<Vec<_>>().join(between)
}

fn address(octets: &[u8]) -> String {
    <[u8; 4]>::try_from(octets).map_or_else(|_| format!("{octets:02x?}"), |o| Ipv4Addr::from(o).to_string())
}

/// A key or data, by its types.
fn octets(types: &[Type], mut octets: &[u8]) -> String {
    let one = types.len() == 1;
    let value = |t: &Type| {
        let len = t.octets().unwrap_or(octets.len()).min(octets.len());
        let (value, rest) = octets.split_at(len);
        let padding = if one { 0 } else { len.next_multiple_of(4) - len };
        octets = rest.get(padding..).unwrap_or_default();
        match (t, value) {
            (Type::Ipv4Addr, _) => address(value),
            (Type::EtherAddr, mac) => {
                <[u8; 6]>::try_from(mac).map_or_else(|_| format!("{mac:02x?}"), |m| MacAddr(m).to_string())
            }
            (Type::InetProto, [n]) => protocol(*n),
            (Type::InetService, &[a, b]) => u16::from_be_bytes([a, b]).to_string(),
            _ => format!("{value:02x?}"),
        }
    };
    list(types.iter().map(value), " . ")
}

fn protocol(number: u8) -> String {
    match number {
        1 => "icmp".into(),
        6 => "tcp".into(),
        17 => "udp".into(),
        other => other.to_string(),
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Mac(mac) => mac.fmt(f),
            Self::Proto(n) => f.write_str(&protocol(*n)),
            Self::Port(n) => n.fmt(f),
            Self::Name(name) => write!(f, "\"{name}\""),
            Self::Octet(n) => n.fmt(f),
        }
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let all = |fields: &[Field]| list(fields.iter(), " . ");
        match self {
            Self::Is(field, value) => write!(f, "{field} {value}"),
            Self::IsNot(field, value) => write!(f, "{field} != {value}"),
            Self::Within(field, net) => write!(f, "{field} {net}"),
            Self::In(fields, set) => write!(f, "{} @{set}", all(fields)),
            Self::NotIn(fields, set) => write!(f, "{} != @{set}", all(fields)),
            Self::ArpForIpv4 => f.write_str("arp htype 1 arp ptype ip arp hlen 6 arp plen 4"),
            Self::Syn => f.write_str("tcp flags & (syn | rst) == syn"),
            Self::New => f.write_str("ct state new"),
            Self::NewOrUntracked => f.write_str("ct state new,untracked"),
            Self::Dnatted => f.write_str("ct status dnat"),
            Self::Original => f.write_str("ct direction original"),
            Self::MoreConnections { set, over } => write!(f, "add @{set} {{ ip saddr ct count over {over} }}"),
            Self::Remember(set) => write!(f, "update @{set} {{ ip daddr }}"),
            Self::Mark(mark) => write!(f, "meta mark set {mark}"),
            Self::Notrack => f.write_str("notrack"),
            Self::ClampMss => f.write_str("tcp option maxseg size set rt mtu"),
            Self::Dnat { by, map, port: false } => write!(f, "dnat to {} map @{map}", all(by)),
            Self::Dnat { by, map, port: true } => write!(f, "dnat ip addr . port to {} map @{map}", all(by)),
            Self::Snat(map) => write!(f, "snat to ip saddr map @{map}"),
            Self::SnatTo(ip) => write!(f, "snat to {ip}"),
            Self::ArpSpeakAs { by, map } => write!(f, "arp saddr ip set {} map @{map}", all(by)),
            Self::Reject => f.write_str("reject with icmp host-unreachable"),
            Self::Accept => f.write_str("accept"),
            Self::Drop => f.write_str("drop"),
        }
    }
}

/// Words that stand for the values of an enum.
macro_rules! words {
    ($type:ident { $($name:pat => $word:literal),* $(,)? }) => {
        impl Display for $type {
            fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $($name => $word),* })
            }
        }
    };
}

words!(Field {
    Self::IifName => "iifname",
    Self::OifName => "oifname",
    Self::L4Proto => "meta l4proto",
    Self::IpSaddr => "ip saddr",
    Self::IpDaddr => "ip daddr",
    Self::ThDport => "th dport",
    Self::IcmpType => "icmp type",
    Self::ArpSaddrIp => "arp saddr ip",
    Self::ArpSaddrEther => "arp saddr ether",
    Self::ArpDaddrIp => "arp daddr ip",
});
words!(Type {
    Self::Ipv4Addr => "ipv4_addr",
    Self::EtherAddr => "ether_addr",
    Self::InetProto => "inet_proto",
    Self::InetService => "inet_service",
    Self::Unknown(_) => "unknown",
});
words!(ChainKind { Self::Filter => "filter", Self::Nat => "nat", Self::Unknown => "unknown" });
words!(Hook {
    Self::Prerouting => "prerouting",
    Self::Input => "input",
    Self::Forward => "forward",
    Self::Output => "output",
    Self::Postrouting => "postrouting",
    Self::Unknown => "unknown",
});
words!(Policy { Self::Accept => "accept", Self::Drop => "drop" });
