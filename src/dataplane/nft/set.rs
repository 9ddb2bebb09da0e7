//! Sets and maps: typed keys, elements as the octets that the kernel compares.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::api::MacAddr;
use crate::dataplane::state::IfName;

/// Octets of a key or of data: one value as it is, several each filled up with zeros to a multiple of four.
pub type Octets = Vec<u8>;

/// What one value of a key or of data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// IPv4 address.
    Ipv4Addr,
    /// MAC address.
    EtherAddr,
    /// IP protocol number.
    InetProto,
    /// Transport port.
    InetService,
    /// One that we never use, by nft's number.
    Unknown(u8),
}

impl Type {
    /// nft's number of the type. The kernel keeps it and gives it no meaning.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Ipv4Addr => 7,
            Self::EtherAddr => 9,
            Self::InetProto => 12,
            Self::InetService => 13,
            Self::Unknown(number) => number,
        }
    }

    /// The type of a number.
    #[must_use]
    pub fn of_number(number: u8) -> Self {
        let ours = [Self::Ipv4Addr, Self::EtherAddr, Self::InetProto, Self::InetService];
        ours.into_iter().find(|t| t.number() == number).unwrap_or(Self::Unknown(number))
    }

    /// Length in octets; none: not known.
    #[must_use]
    pub fn len(self) -> Option<usize> {
        match self {
            Self::Ipv4Addr => Some(4),
            Self::EtherAddr => Some(6),
            Self::InetProto => Some(1),
            Self::InetService => Some(2),
            Self::Unknown(_) => None,
        }
    }
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// IPv4 address.
    Ip(Ipv4Addr),
    /// MAC address.
    Mac(MacAddr),
    /// IP protocol number.
    Proto(u8),
    /// Transport port.
    Port(u16),
    /// Name of a link.
    Name(IfName),
    /// A number of one octet: an ICMP type.
    Octet(u8),
}

impl Value {
    /// The octets of the value, in network order.
    #[must_use]
    pub fn octets(&self) -> Octets {
        match self {
            Self::Ip(ip) => ip.octets().to_vec(),
            Self::Mac(mac) => mac.0.to_vec(),
            Self::Proto(n) | Self::Octet(n) => vec![*n],
            Self::Port(n) => n.to_be_bytes().to_vec(),
            Self::Name(name) => {
                // The kernel compares all of IFNAMSIZ, zeros included.
                let mut octets = name.as_bytes().to_vec();
                octets.resize(16, 0);
                octets
            }
        }
    }

    /// The octets of a key or of data.
    #[must_use]
    pub fn join(values: &[Self]) -> Octets {
        match values {
            [one] => one.octets(),
            several => several.iter().flat_map(|v| padded(v.octets())).collect(),
        }
    }
}

fn padded(mut octets: Octets) -> Octets {
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

/// How a set holds its elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Single keys, found by hash.
    Exact,
    /// Ranges of IPv4 addresses; an element's key is the first and the last address.
    Ranges,
    /// Single keys that rules add and the kernel forgets: never part of a value.
    Dynamic,
    /// One that we never use.
    Unknown,
}

/// A set, or a map if it has data.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    /// Type of a key.
    pub key: Vec<Type>,
    /// Type of an element's data; empty for a set.
    pub data: Vec<Type>,
    /// How it holds elements.
    pub shape: Shape,
    /// Elements: key to data.
    pub elements: BTreeMap<Octets, Octets>,
}

impl Set {
    /// A set of single keys.
    pub fn exact<const N: usize>(key: [Type; N], keys: impl IntoIterator<Item = [Value; N]>) -> Self {
        let elements = keys.into_iter().map(|k| (Value::join(&k), Octets::new())).collect();
        Self { key: key.into(), data: Vec::new(), shape: Shape::Exact, elements }
    }

    /// A map; of equal keys the last one counts.
    pub fn map<const N: usize, const M: usize>(
        key: [Type; N],
        data: [Type; M],
        elements: impl IntoIterator<Item = ([Value; N], [Value; M])>,
    ) -> Self {
        let elements = elements.into_iter().map(|(k, d)| (Value::join(&k), Value::join(&d))).collect();
        Self { key: key.into(), data: data.into(), shape: Shape::Exact, elements }
    }

    /// A set of IPv4 ranges. The kernel refuses overlaps, so what touches or overlaps becomes one range.
    pub fn ranges(nets: impl IntoIterator<Item = Ipv4Net>) -> Self {
        let mut nets: Vec<(u32, u32)> =
            nets.into_iter().map(|n| (n.network().to_bits(), n.broadcast().to_bits())).collect();
        nets.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::new();
        for (first, last) in nets {
            match merged.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        let elements = merged.into_iter().map(|(first, last)| (range(first, last), Octets::new())).collect();
        Self { key: vec![Type::Ipv4Addr], data: Vec::new(), shape: Shape::Ranges, elements }
    }

    /// A set that rules fill.
    #[must_use]
    pub fn dynamic(key: Type) -> Self {
        Self { key: vec![key], data: Vec::new(), shape: Shape::Dynamic, elements: BTreeMap::new() }
    }

    /// Whether `other` differs in nothing but elements.
    #[must_use]
    pub fn same_type(&self, other: &Self) -> bool {
        (&self.key, &self.data, self.shape) == (&other.key, &other.data, other.shape)
    }
}

/// The key of a range of IPv4 addresses, both ends included.
#[must_use]
fn range(first: u32, last: u32) -> Octets {
    [first.to_be_bytes(), last.to_be_bytes()].concat()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_or_overlap_become_one() {
        let nets = ["10.0.2.0/24", "10.0.1.0/24", "10.0.1.7/32", "10.9.0.0/16", "255.255.255.255/32"];
        let set = Set::ranges(nets.map(|n| n.parse().unwrap()));
        let keys: Vec<_> = set.elements.keys().cloned().collect();
        let expected =
            [[10, 0, 1, 0, 10, 0, 2, 255], [10, 9, 0, 0, 10, 9, 255, 255], [255, 255, 255, 255, 255, 255, 255, 255]];
        assert_eq!(keys, expected);
    }

    #[test]
    fn a_concatenation_fills_each_value_up_to_four_octets() {
        let key = Value::join(&[Value::Proto(6), Value::Ip([192, 0, 2, 1].into()), Value::Port(80)]);
        assert_eq!(key, [6, 0, 0, 0, 192, 0, 2, 1, 0, 80, 0, 0]);
        assert_eq!(Value::join(&[Value::Mac(MacAddr([2, 0, 0, 0, 0, 1]))]).len(), 6);
    }
}
