//! Values that YAML writes as strings and that cannot be wrong once read.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An Ethernet address, written `02:00:00:00:00:05`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// Whether the address names one station: the group bit is clear and not all bits are zero (IEEE 802).
    #[must_use]
    pub fn is_unicast(self) -> bool {
        self.0[0] & 1 == 0 && self.0 != [0; 6]
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02x}", if i == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MacAddr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a MAC address like 02:00:00:00:00:05");
        let mut bytes = [0; 6];
        let mut groups = text.split(':');
        for byte in &mut bytes {
            let group = groups.next().filter(|g| g.len() == 2 && g.bytes().all(|b| b.is_ascii_hexdigit()));
            *byte = group.and_then(|g| u8::from_str_radix(g, 16).ok()).ok_or_else(wrong)?;
        }
        if groups.next().is_some() { Err(wrong()) } else { Ok(Self(bytes)) }
    }
}

impl Serialize for MacAddr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MacAddr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for MacAddr {
    fn schema_name() -> Cow<'static, str> {
        "MacAddr".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "minLength": 17, "maxLength": 17,
            "pattern": "^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$",
            "x-kubernetes-validations": [{
                "rule": "self.matches('^.[02468aceACE]') && self != '00:00:00:00:00:00'",
                "message": "must be a unicast MAC address: the second digit even, not all zero",
            }],
        })
    }
}

/// The gateway of a subnet: an address, or `None` for a subnet without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GatewayIP {
    /// The subnet has no gateway; written `None`, as in a Service's `clusterIP: None`.
    None,
    /// The address of the gateway.
    Address(IpAddr),
}

impl fmt::Display for GatewayIP {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Address(ip) => ip.fmt(f),
        }
    }
}

impl Serialize for GatewayIP {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GatewayIP {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        if text == "None" {
            return Ok(Self::None);
        }
        let wrong = || D::Error::custom(format!("`{text}` is neither an IP address nor None"));
        text.parse().map(Self::Address).map_err(|_| wrong())
    }
}

impl JsonSchema for GatewayIP {
    fn schema_name() -> Cow<'static, str> {
        "GatewayIP".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "minLength": 2, "maxLength": 39,
            "x-kubernetes-validations": [{
                "rule": "self == 'None' || isIP(self)",
                "message": "is neither an IP address nor None: write 10.0.0.1, say, or None",
            }],
        })
    }
}

/// Addresses of stations: one, written as an address or a range of one, or all of a range in CIDR notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressRange(pub IpNet);

impl AddressRange {
    /// The address, if it is but one.
    #[must_use]
    pub fn single(self) -> Option<IpAddr> {
        (self.0.prefix_len() == self.0.max_prefix_len()).then(|| self.0.addr())
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.single() {
            Some(ip) => ip.fmt(f),
            None => self.0.fmt(f),
        }
    }
}

impl Serialize for AddressRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AddressRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let range = text.parse::<IpAddr>().map(IpNet::from).or_else(|_| text.parse());
        let wrong = |_| D::Error::custom(format!("`{text}` is neither an IP address nor a range in CIDR notation"));
        range.map(Self).map_err(wrong)
    }
}

impl JsonSchema for AddressRange {
    fn schema_name() -> Cow<'static, str> {
        "AddressRange".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "minLength": 2, "maxLength": 43,
            "x-kubernetes-validations": [{
                "rule": "isIP(self) || isCIDR(self)",
                "message": "must be an IP address such as 10.0.0.5, or a range in CIDR notation such as 10.0.0.0/24",
            }, {
                "rule": "!isCIDR(self) || cidr(self) == cidr(self).masked()",
                "message": "has host bits set: write the first address of the range",
            }, {
                "rule": "!isCIDR(self) || cidr(self).prefixLength() > 0",
                "message": "is every address, which is no port security by another name: write a longer prefix, or portSecurity: false",
            }, {
                "rule": "isCIDR(self) ? cidr(self).prefixLength() == 0 || cidr(self).ip().isGlobalUnicast() || cidr(self).ip().isLinkLocalUnicast() \
                    : !isIP(self) || ip(self).isGlobalUnicast() || ip(self).isLinkLocalUnicast()",
                "message": "must be of stations: not unspecified, loopback, multicast or broadcast",
            }],
        })
    }
}
