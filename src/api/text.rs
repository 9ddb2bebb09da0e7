//! What strings must look like: the schema of every address, range and name that YAML writes as a string.
//!
//! The types here have no values. They stand in `#[schemars(with = …)]`, so that a string is bounded and judged the same
//! way wherever it occurs. Bounds are part of the rules: the API server refuses a CRD whose rules might cost too much, and
//! reckons with the longest string allowed.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

macro_rules! text {
    ($(#[doc = $doc:literal])+ $name:ident, $min:literal..=$max:literal, $($rule:literal: $message:literal),+) => {
        $(#[doc = $doc])+
        pub enum $name {}

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string", "minLength": $min, "maxLength": $max,
                    "x-kubernetes-validations": [$({ "rule": $rule, "message": $message }),+],
                })
            }
        }
    };
}

text!(
    /// An IP address in its usual form: at most 39 characters, no prefix length, no zone.
    Ip, 2..=39,
    "isIP(self)": "must be an IP address such as 10.0.0.5"
);

text!(
    /// An address that a station can have.
    HostIp, 2..=39,
    "isIP(self)": "must be an IP address such as 10.0.0.5",
    "!isIP(self) || ip(self).isGlobalUnicast()": "must be the address of one station: not unspecified, loopback, link-local, multicast or broadcast"
);

text!(
    /// A range in CIDR notation with the host bits zero, at most 43 characters.
    Cidr, 4..=43,
    "isCIDR(self)": "must be a range in CIDR notation such as 10.0.0.0/24",
    "!isCIDR(self) || cidr(self) == cidr(self).masked()": "has host bits set: write the first address of the range"
);

text!(
    /// Name of an object of ours: dot-separated DNS labels of lower case letters, digits and dashes (RFC 1123).
    ObjectName, 1..=253,
    "!format.dns1123Subdomain().validate(self).hasValue()": "must be an object's name: lower case letters, digits, '-' and '.' (RFC 1123)"
);

text!(
    /// Name of a namespace: one DNS label of lower case letters, digits and dashes (RFC 1123).
    NamespaceName, 1..=63,
    "!format.dns1123Label().validate(self).hasValue()": "must be a namespace's name: lower case letters, digits and '-' (RFC 1123)"
);

text!(
    /// A DNS domain without a trailing dot (RFC 1123).
    Domain, 1..=253,
    "!format.dns1123Subdomain().validate(self).hasValue()": "must be a domain such as blue.example: lower case letters, digits, '-' and '.' (RFC 1123)"
);

text!(
    /// A host name: one label of letters, digits and dashes (RFC 1123, 2.1).
    Hostname, 1..=63,
    "self.matches('^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$')": "must be a host name such as web-0: letters, digits and '-', without a dot (RFC 1123)"
);

text!(
    /// Name of a network device: what the kernel takes (`dev_valid_name`), less the characters that no shell takes.
    Device, 1..=15,
    "self.matches('^[!-.0-9;-~]+$') && self != '.' && self != '..'": "must be a device's name: no blanks, '/' or ':'"
);

text!(
    /// Value of a DHCP option: 1 to 255 octets of NVT ASCII (RFC 2132, 2).
    OptionValue, 1..=255,
    "self.matches('^[ -~]*$')": "must be printable ASCII without control characters: write other bytes as 0x…",
    "!self.startsWith('0x') || self.matches('^0x([0-9a-fA-F]{2})+$')": "must have pairs of hexadecimal digits after 0x"
);

text!(
    /// Whose references are granted: a namespace, or `*`.
    GrantNamespace, 1..=63,
    "self == '*' || !format.dns1123Label().validate(self).hasValue()": "must be a namespace's name or *"
);

text!(
    /// A label's value (Kubernetes, "Labels and Selectors"): empty, or up to 63 characters.
    LabelValue, 0..=63,
    "!format.labelValue().validate(self).hasValue()": "must be a label's value: letters, digits, '-', '_' and '.'"
);
