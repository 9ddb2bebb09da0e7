//! A port's own DHCP options: text in, bytes out, typed by the option's code.

use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::Ipv4Net;

use crate::api::{DhcpOption, dhcp_type as dhcp};

/// What the bytes of an option mean (RFC 2132 and its successors).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    /// One IPv4 address.
    Address,
    /// IPv4 addresses.
    Addresses,
    /// Pairs of IPv4 addresses.
    Pairs,
    /// 0 or 1.
    Boolean,
    Byte,
    Short,
    Shorts,
    Long,
    /// Seconds east of Greenwich.
    SignedLong,
    /// ASCII.
    Text,
    /// Domain names (RFC 3397).
    Names,
    /// Destinations and next hops (RFC 3442).
    Routes,
    /// A structure of its own; only raw bytes.
    Structure,
    /// The protocol's own: never a port's.
    Protocol,
}

/// The type of a code. Text: names, paths and URLs, and what nobody has defined, where text is as good as any.
fn type_of(code: u8) -> Type {
    let table: [(&[u8], Type); 13] = [
        (dhcp::PROTOCOL, Type::Protocol),
        (dhcp::ADDRESS, Type::Address),
        (dhcp::ADDRESSES, Type::Addresses),
        (dhcp::PAIRS, Type::Pairs),
        (dhcp::BOOLEAN, Type::Boolean),
        (dhcp::BYTE, Type::Byte),
        (dhcp::SHORT, Type::Short),
        (dhcp::SHORTS, Type::Shorts),
        (dhcp::LONG, Type::Long),
        (dhcp::SIGNED, Type::SignedLong),
        (dhcp::NAMES, Type::Names),
        (dhcp::ROUTES, Type::Routes),
        (dhcp::STRUCTURE, Type::Structure),
    ];
    // Padding and end are octets of the format, not options.
    let framing = matches!(code, 0 | 255).then_some(Type::Protocol);
    framing.or_else(|| table.iter().find(|(codes, _)| codes.contains(&code)).map(|(_, t)| *t)).unwrap_or(Type::Text)
}

/// The bytes of an option. `0x…` is taken as it is, whatever the code.
///
/// # Errors
/// A sentence that says what the option wants.
pub fn encode_option(option: &DhcpOption) -> Result<Vec<u8>, String> {
    let DhcpOption { code, value } = option;
    let wants = |what: &str| {
        Err(format!("value must be {what} for code {code}, and `{value}` is not; raw bytes are written 0x…"))
    };
    let kind = type_of(*code);
    if kind == Type::Protocol {
        return Err(format!("code {code} belongs to DHCP itself (50 to 59, 61 and 82): remove the option"));
    }
    if value.is_empty() || !value.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
        let what = "must be printable ASCII without control characters: write other bytes as 0x…";
        return Err(format!("the value of {code} {what}"));
    }
    if let Some(digits) = value.strip_prefix("0x") {
        return raw(digits).ok_or_else(|| {
            format!("the value of {code} must have pairs of hexadecimal digits after 0x, and `{value}` has not")
        });
    }
    let (bytes, what) = match kind {
        Type::Address => (one(value, |a: Ipv4Addr| a.octets()), "one IPv4 address"),
        Type::Addresses => (list(value, |a: Ipv4Addr| a.octets()), "IPv4 addresses separated by commas"),
        Type::Pairs => {
            let pairs = list(value, |a: Ipv4Addr| a.octets()).filter(|bytes| bytes.len() % 8 == 0);
            (pairs, "pairs of IPv4 addresses, all separated by commas")
        }
        Type::Boolean => (boolean(value), "true or false"),
        Type::Byte => (one(value, u8::to_be_bytes), "a number from 0 to 255"),
        Type::Short => (one(value, u16::to_be_bytes), "a number from 0 to 65535"),
        Type::Shorts => (list(value, u16::to_be_bytes), "numbers from 0 to 65535 separated by commas"),
        Type::Long => (one(value, u32::to_be_bytes), "a number from 0 to 4294967295"),
        Type::SignedLong => (one(value, i32::to_be_bytes), "a number of seconds"),
        Type::Text => (Some(value.clone().into_bytes()), "text"),
        Type::Names => (names(value), "domain names separated by commas"),
        Type::Routes => (routes_of(value), "destination,next hop,… such as 172.16.0.0/12,10.0.0.2"),
        Type::Structure | Type::Protocol => (None, "raw bytes"),
    };
    bytes.map_or_else(|| wants(what), Ok)
}

fn one<T: FromStr, const N: usize>(text: &str, bytes: impl Fn(T) -> [u8; N]) -> Option<Vec<u8>> {
    text.trim().parse().ok().map(|value| bytes(value).to_vec())
}

fn list<T: FromStr, const N: usize>(text: &str, bytes: impl Fn(T) -> [u8; N]) -> Option<Vec<u8>> {
    let parts: Option<Vec<[u8; N]>> = text.split(',').map(|part| part.trim().parse().ok().map(&bytes)).collect();
    parts.map(|parts| parts.concat())
}

fn boolean(text: &str) -> Option<Vec<u8>> {
    match text.trim() {
        "true" | "1" => Some(vec![1]),
        "false" | "0" => Some(vec![0]),
        _ => None,
    }
}

fn raw(digits: &str) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect();
    bytes.filter(|bytes| !bytes.is_empty())
}

fn names(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for name in text.split(',') {
        for label in name.trim().trim_end_matches('.').split('.') {
            let length = u8::try_from(label.len()).ok().filter(|n| (1..=63).contains(n) && label.is_ascii())?;
            out.push(length);
            out.extend(label.bytes());
        }
        out.push(0);
    }
    Some(out)
}

fn routes_of(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split(',').map(str::trim);
    let mut all = Vec::new();
    while let Some(destination) = parts.next() {
        all.push((destination.parse().ok()?, parts.next()?.parse().ok()?));
    }
    Some(routes(&all))
}

/// Routes as RFC 3442 packs them: prefix length, the bytes of the destination that it covers, next hop.
#[must_use]
pub fn routes(routes: &[(Ipv4Net, Ipv4Addr)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (destination, hop) in routes {
        let significant = usize::from(destination.prefix_len()).div_ceil(8);
        out.push(destination.prefix_len());
        out.extend(destination.trunc().addr().octets().iter().take(significant));
        out.extend(hop.octets());
    }
    out
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn encode(code: u8, value: &str) -> Result<Vec<u8>, String> {
        encode_option(&DhcpOption { code, value: value.into() })
    }

    #[test]
    fn each_type_has_its_bytes() {
        let table: [(u8, &str, &[u8]); 17] = [
            (28, "10.0.0.255", &[10, 0, 0, 255]),
            (42, "192.0.2.1, 192.0.2.2", &[192, 0, 2, 1, 192, 0, 2, 2]),
            (33, "10.1.0.1,10.0.0.1", &[10, 1, 0, 1, 10, 0, 0, 1]),
            (19, "true", &[1]),
            (27, "0", &[0]),
            (23, "64", &[64]),
            (26, "1400", &[5, 120]),
            (25, "68,296", &[0, 68, 1, 40]),
            (35, "60", &[0, 0, 0, 60]),
            (2, "-3600", &[0xff, 0xff, 0xf1, 0xf0]),
            (66, "tftp.example", b"tftp.example"),
            (224, "site", b"site"),
            (119, "a.example, b", b"\x01a\x07example\x00\x01b\x00"),
            (121, "172.16.0.0/12,10.0.0.2", &[12, 172, 16, 10, 0, 0, 2]),
            (249, "0.0.0.0/0,10.0.0.1,10.9.9.9/32,10.0.0.3", &[0, 10, 0, 0, 1, 32, 10, 9, 9, 9, 10, 0, 0, 3]),
            (43, "0x0104DEADbeef", &[1, 4, 0xde, 0xad, 0xbe, 0xef]),
            (26, "0x0578", &[5, 120]),
        ];
        for (code, value, bytes) in table {
            assert_eq!(encode(code, value).as_deref(), Ok(bytes), "{code} {value}");
        }
    }

    #[test]
    fn values_of_another_type_are_refused_with_a_sentence() {
        let table = [
            (28, "10.0.0.255,10.0.1.255"),
            (42, "ntp.example"),
            (42, "192.0.2.1,,192.0.2.2"),
            (42, "2001:db8::1"),
            (33, "10.1.0.1"),
            (19, "yes"),
            (23, "256"),
            (26, "-1"),
            (66, "tftp\nexample"),
            (66, "tüftp"),
            (66, ""),
            (119, "a..example"),
            (121, "172.16.0.0/12"),
            (121, "172.16.0.0/33,10.0.0.2"),
            (43, "text"),
            (43, "0x"),
            (43, "0x123"),
            (43, "0xzz"),
            (51, "60"),
            (52, "0x01"),
            (53, "0x05"),
            (54, "10.0.0.1"),
            (58, "1"),
            (59, "1"),
            (61, "0x01"),
            (82, "0x01"),
        ];
        for (code, value) in table {
            let sentence = encode(code, value).expect_err(value);
            assert!(sentence.contains(&code.to_string()), "{sentence}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_bytes_or_a_sentence(code in 0_u8..=255, value in "\\PC{0,80}|[0-9.,x/a-f]{0,40}") {
            if let Ok(bytes) = encode(code, &value) {
                proptest::prop_assert!(!bytes.is_empty() && bytes.len() <= 4 * 255, "{bytes:?}");
            }
        }
    }
}
