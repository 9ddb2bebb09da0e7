//! Values that rules and sets compare, and the octets that the kernel knows them by.

use std::fmt;
use std::net::Ipv4Addr;

use crate::api::MacAddr;
use crate::dataplane::state::IfName;

/// Octets of a key or of data: one value as it is, several each filled up with zeros to a multiple of four.
///
/// Kept in one number, the octets from the top and their count (0 to 15) in the lowest octet: there may be tens of
/// thousands of them, compared in every convergence. Ours have 12 octets at most; of longer ones the first 15 are kept.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Octets(u128);

impl Octets {
    /// The octets.
    #[must_use]
    pub fn to_vec(self) -> Vec<u8> {
        let bytes = self.0.to_be_bytes();
        bytes[..usize::from(bytes[15])].to_vec()
    }

    /// Whether there is none: a set's element has no data.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl From<&[u8]> for Octets {
    fn from(octets: &[u8]) -> Self {
        let mut bytes = [0; 16];
        let len = octets.len().min(15);
        bytes[..len].copy_from_slice(&octets[..len]);
        bytes[15] = len.to_le_bytes()[0];
        Self(u128::from_be_bytes(bytes))
    }
}

impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_vec().fmt(f)
    }
}

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
    pub fn octets(self) -> Option<usize> {
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
    pub fn octets(&self) -> Vec<u8> {
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
        let [one] = values else {
            let mut all = Vec::with_capacity(16);
            for value in values {
                all.extend(value.octets());
                all.resize(all.len().next_multiple_of(4), 0);
            }
            return Octets::from(all.as_slice());
        };
        Octets::from(one.octets().as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_concatenation_fills_each_value_up_to_four_octets() {
        let key = Value::join(&[Value::Proto(6), Value::Ip([192, 0, 2, 1].into()), Value::Port(80)]);
        assert_eq!(key.to_vec(), [6, 0, 0, 0, 192, 0, 2, 1, 0, 80, 0, 0]);
        assert_eq!(Value::join(&[Value::Mac(MacAddr([2, 0, 0, 0, 0, 1]))]).to_vec().len(), 6);
    }
}
