//! Values that YAML writes as strings and that cannot be wrong once read.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

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
