//! What the value of a DHCP option means, by its code (RFC 2132 and its successors).

use kube::core::{Message, Rule};

/// Codes of the protocol itself: lease, message type, server, client and relay. They are never a port's to set.
pub const PROTOCOL: &[u8] = &[50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 61, 82];
/// Options with one IPv4 address.
pub const ADDRESS: &[u8] = &[1, 16, 28, 32, 118];
/// Options with IPv4 addresses.
pub const ADDRESSES: &[u8] = &[
    3, 4, 5, 6, 7, 8, 9, 10, 11, 41, 42, 44, 45, 48, 49, 65, 68, 69, 70, 71, 72, 73, 74, 75, 76, 85, 92, 112, 138, 150,
];
/// Options with pairs of IPv4 addresses.
pub const PAIRS: &[u8] = &[21, 33];
/// Options with true (1) or false (0).
pub const BOOLEAN: &[u8] = &[19, 20, 27, 29, 30, 31, 34, 36, 39];
/// Options with a number of 8 bits.
pub const BYTE: &[u8] = &[23, 37, 46, 116];
/// Options with a number of 16 bits.
pub const SHORT: &[u8] = &[13, 22, 26];
/// Options with numbers of 16 bits.
pub const SHORTS: &[u8] = &[25, 117];
/// Options with a number of 32 bits.
pub const LONG: &[u8] = &[24, 35, 38, 91, 108, 152, 153, 154, 155, 211];
/// Options with a signed number of 32 bits: the seconds east of Greenwich.
pub const SIGNED: &[u8] = &[2];
/// Options with domain names (RFC 3397).
pub const NAMES: &[u8] = &[119];
/// Options with destinations and next hops (RFC 3442, and Microsoft's double of it).
pub const ROUTES: &[u8] = &[121, 249];
/// Options with a structure of their own, which only raw bytes can give.
pub const STRUCTURE: &[u8] =
    &[43, 63, 77, 78, 79, 80, 81, 83, 84, 88, 89, 90, 93, 94, 95, 96, 97, 98, 99, 120, 122, 123, 124, 125];

pub(super) const IPV4: &str = "(isIP(self.value.trim()) && ip(self.value.trim()).family() == 4)";
pub(super) const IPV4_LIST: &str = "self.value.split(',').all(a, isIP(a.trim()) && ip(a.trim()).family() == 4)";
pub(super) const IPV4_PAIRS: &str = "(self.value.split(',').size() % 2 == 0 \
    && self.value.split(',').all(a, isIP(a.trim()) && ip(a.trim()).family() == 4))";
pub(super) const SHORT_LIST: &str =
    "self.value.split(',').all(n, n.trim().matches('^[0-9]{1,10}$') && int(n.trim()) <= 65535)";
pub(super) const DOMAIN_LIST: &str =
    "self.value.split(',').all(n, n.trim().matches('^[^. ]{1,63}([.][^. ]{1,63})*[.]?$'))";
/// Destinations carry a prefix length and next hops do not, so the slashes tell whether the two alternate.
pub(super) const ROUTE_LIST: &str = "(self.value.matches('^ *[^,/]+/[^,/]+, *[^,/]+(, *[^,/]+/[^,/]+, *[^,/]+)*$') \
    && self.value.split(',').all(p, isIP(p.trim()) ? ip(p.trim()).family() == 4 \
    : isCIDR(p.trim()) && cidr(p.trim()).ip().family() == 4))";

/// The CEL expression that the value is a number from `min` to `max`.
pub(super) fn number(min: i64, max: i64) -> String {
    let number = "self.value.trim()";
    format!("({number}.matches('^-?[0-9]{{1,10}}$') && int({number}) >= {min} && int({number}) <= {max})")
}

/// The rule that the value of an option with one of `codes` is `what`, by the CEL expression `test`, or raw bytes.
pub(super) fn typed(codes: &[u8], what: &str, test: &str) -> Rule {
    Rule::new(format!("!(self.code in {codes:?}) || self.value.startsWith('0x') || {test}"))
        .message(Message::Message(format!("value must be {what} for this code; raw bytes are written 0x…")))
}
