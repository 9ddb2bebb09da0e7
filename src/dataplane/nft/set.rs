//! Sets and maps: typed keys, elements as the octets that the kernel compares.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;

use super::value::{Octets, Type, Value};

/// How a set holds its elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Single keys, found by hash.
    Exact,
    /// Ranges of IPv4 addresses; an element's key is the first and the last address.
    Ranges,
    /// Single keys that rules add and the kernel forgets: never part of a value.
    Dynamic {
        /// So many at most.
        size: u32,
        /// For so many seconds; 0: while their connections last.
        timeout: u32,
    },
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
        let elements = keys.into_iter().map(|k| (Value::join(&k), Octets::default())).collect();
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
        let elements = merged.into_iter().map(|(first, last)| (range(first, last), Octets::default())).collect();
        Self { key: vec![Type::Ipv4Addr], data: Vec::new(), shape: Shape::Ranges, elements }
    }

    /// A set that rules fill, with so many keys at most, each kept for so many seconds (0: while its connections last).
    #[must_use]
    pub fn dynamic(key: Type, size: u32, timeout: u32) -> Self {
        let shape = Shape::Dynamic { size, timeout };
        Self { key: vec![key], data: Vec::new(), shape, elements: BTreeMap::new() }
    }

    /// Whether `other` differs in nothing but elements.
    #[must_use]
    pub fn same_type(&self, other: &Self) -> bool {
        (&self.key, &self.data, self.shape) == (&other.key, &other.data, other.shape)
    }
}

/// The key of a range of IPv4 addresses, both ends included.
#[must_use]
pub fn range(first: u32, last: u32) -> Octets {
    Octets::from([first.to_be_bytes(), last.to_be_bytes()].as_flattened())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_or_overlap_become_one() {
        let nets = ["10.0.2.0/24", "10.0.1.0/24", "10.0.1.7/32", "10.9.0.0/16", "255.255.255.255/32"];
        let set = Set::ranges(nets.map(|n| n.parse().unwrap()));
        let keys: Vec<_> = set.elements.keys().map(|k| k.to_vec()).collect();
        let expected =
            [[10, 0, 1, 0, 10, 0, 2, 255], [10, 9, 0, 0, 10, 9, 255, 255], [255, 255, 255, 255, 255, 255, 255, 255]];
        assert_eq!(keys, expected);
    }
}
