//! What the guests of ports may send and receive.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::cel::unique;
use super::condition::ConditionText;
use super::{Conditions, Reference, text};

/// What the guests of ports may send and receive: what any rule of any of a port's groups allows passes, all else is dropped.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "tenet.network",
    version = "v1alpha1",
    kind = "SecurityGroup",
    namespaced,
    status = "SecurityGroupStatus",
    derive = "PartialEq",
    shortname = "tsg",
    category = "tenet"
)]
#[x_kube(
    validation = Rule::new(concat!("!has(self.rules) || ", unique!("self.rules", "a == b")))
        .message("rules have a rule twice: remove one")
)]
#[serde(rename_all = "camelCase")]
pub struct SecurityGroupSpec {
    /// Whether answers to what a rule allows pass, too. All groups of a port are alike in this. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stateful: Option<bool>,
    /// What is allowed, at most 200 rules; their order has no meaning. Default: nothing.
    #[schemars(length(max = 200))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<SecurityGroupRule>,
}

/// Allows packets that fit all its fields.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[x_kube(
    validation = Rule::new("!has(self.port) || has(self.protocol) && self.protocol in ['TCP', 'UDP', 'SCTP']")
        .message("port needs a protocol that has ports: write protocol TCP, UDP or SCTP, or remove port"),
    validation = Rule::new("!has(self.endPort) || has(self.port)")
        .message("endPort needs port: write the first port of the range, too"),
    validation = Rule::new("!has(self.endPort) || !has(self.port) || self.port <= self.endPort")
        .message("endPort is less than port: exchange the two"),
    validation = Rule::new("!has(self.icmpType) || has(self.protocol) && self.protocol in ['ICMP', 'ICMPv6']")
        .message("icmpType needs a protocol that has types: write protocol ICMP or ICMPv6, or remove icmpType"),
    validation = Rule::new("!has(self.icmpCode) || has(self.icmpType)")
        .message("icmpCode needs icmpType: a code has a meaning only beside a type"),
    validation = Rule::new(concat!(
        "!has(self.protocol) || !has(self.family) || !(self.protocol in ['ICMP', 'ICMPv6']) || ",
        "(self.protocol == 'ICMP') == (self.family == 'IPv4')"
    ))
        .message("protocol contradicts family: ICMP is IPv4's, ICMPv6 is IPv6's"),
    validation = Rule::new(concat!(
        "!has(self.family) || !has(self.remote) || !has(self.remote.cidr) || !isCIDR(self.remote.cidr) || ",
        "(cidr(self.remote.cidr).ip().family() == 4) == (self.family == 'IPv4')"
    ))
        .message("remote.cidr contradicts family: remove family, or write a range of that family"),
    validation = Rule::new(concat!(
        "has(self.family) || !has(self.protocol) || !(self.protocol in ['ICMP', 'ICMPv6']) || ",
        "!has(self.remote) || !has(self.remote.cidr) || !isCIDR(self.remote.cidr) || ",
        "(cidr(self.remote.cidr).ip().family() == 4) == (self.protocol == 'ICMP')"
    ))
        .message("remote.cidr contradicts protocol: ICMP is IPv4's, ICMPv6 is IPv6's")
)]
#[serde(rename_all = "camelCase")]
pub struct SecurityGroupRule {
    /// Which way, seen by the guest: Ingress to it, Egress from it.
    pub direction: RuleDirection,
    /// Address family: IPv4 or IPv6. Default: both, or the one that `protocol` or `remote` have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<IpFamily>,
    /// TCP, UDP, SCTP, ICMP, `ICMPv6`, or the number of an IP protocol, 0 to 255, in quotes. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<IpProtocol>,
    /// Destination port, or the first of a range, 1 to 65535; of TCP, UDP and SCTP only. Default: all ports.
    #[schemars(range(min = 1, max = 65535))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The last port of a range that `port` begins, 1 to 65535. Default: `port` alone.
    #[schemars(range(min = 1, max = 65535))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_port: Option<u16>,
    /// Type, 0 to 255; of ICMP and `ICMPv6` only. Default: all types.
    #[schemars(range(min = 0, max = 255))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icmp_type: Option<u8>,
    /// Code, 0 to 255, of `icmpType`. Default: all codes.
    #[schemars(range(min = 0, max = 255))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icmp_code: Option<u8>,
    /// The other end: where Ingress comes from, where Egress goes to. Default: anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<RuleRemote>,
    /// What the rule is for, at most 255 characters.
    #[schemars(length(max = 255))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// The other end of a rule: a range of addresses, or the members of a group.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(
    validation = Rule::new("has(self.cidr) != has(self.groupRef)")
        .message("remote needs cidr or groupRef, one of the two")
)]
#[serde(rename_all = "camelCase")]
pub struct RuleRemote {
    /// Addresses, in CIDR notation with the host bits zero.
    #[schemars(with = "Option<text::Cidr>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr: Option<IpNet>,
    /// A `SecurityGroup`: fixed IPs of ports in it, as far as routers join their networks with the port's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_ref: Option<Reference>,
}

/// Which way packets go.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleDirection {
    /// To the guest.
    Ingress,
    /// From the guest.
    Egress,
}

/// An address family.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IpFamily {
    /// IPv4.
    IPv4,
    /// IPv6.
    IPv6,
}

/// A protocol above IP (IANA, "Protocol Numbers"): those that rules look into have names, all have numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IpProtocol {
    /// 6; has ports.
    Tcp,
    /// 17; has ports.
    Udp,
    /// 132; has ports.
    Sctp,
    /// 1; has types and codes. IPv4's.
    Icmp,
    /// 58; has types and codes. IPv6's.
    IcmpV6,
    /// Any, by its number: without ports or types.
    Number(u8),
}

impl IpProtocol {
    /// As IP headers carry it.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
            Self::Icmp => 1,
            Self::IcmpV6 => 58,
            Self::Number(number) => number,
        }
    }
}

impl fmt::Display for IpProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp => f.write_str("TCP"),
            Self::Udp => f.write_str("UDP"),
            Self::Sctp => f.write_str("SCTP"),
            Self::Icmp => f.write_str("ICMP"),
            Self::IcmpV6 => f.write_str("ICMPv6"),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl FromStr for IpProtocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "TCP" => Self::Tcp,
            "UDP" => Self::Udp,
            "SCTP" => Self::Sctp,
            "ICMP" => Self::Icmp,
            "ICMPv6" => Self::IcmpV6,
            // One way to write a number: no sign, no leading zero.
            _ => {
                let number = text.parse().ok().filter(|number: &u8| number.to_string() == text);
                Self::Number(number.ok_or_else(|| format!("`{text}` {PROTOCOL}"))?)
            }
        })
    }
}

/// What is said of a protocol that is none.
const PROTOCOL: &str = "is no protocol: write TCP, UDP, SCTP, ICMP, ICMPv6, or a number from 0 to 255";

impl Serialize for IpProtocol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IpProtocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for IpProtocol {
    fn schema_name() -> Cow<'static, str> {
        "IpProtocol".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "minLength": 1, "maxLength": 6,
            "x-kubernetes-validations": [{
                "rule": "self in ['TCP', 'UDP', 'SCTP', 'ICMP', 'ICMPv6'] || self.matches('^(0|[1-9][0-9]{0,2})$') && int(self) <= 255",
                "message": PROTOCOL,
            }],
        })
    }
}

/// What Tenet says of a `SecurityGroup`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SecurityGroupStatus {
    /// How many of its rules are in force. One that names a group that is not there for it matches nothing; the condition
    /// `ResolvedRefs` says which.
    #[schemars(range(min = 0))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<i64>,
    /// How many ports are in the group.
    #[schemars(range(min = 0))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<i64>,
    /// Conditions, one of each type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<ConditionText>", length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Conditions,
}
