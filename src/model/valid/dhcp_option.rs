//! A DHCP option of a port: its value is of the type that RFC 2132 gives its code.

use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::Ipv4Net;

use super::{Verdict, require, size, within};
use crate::api::{DhcpOption, Reason, dhcp_type as dhcp};

/// Judges one option.
pub(super) fn valid(DhcpOption { code, value }: &DhcpOption) -> Verdict {
    within("dhcpOptions.code", *code, 1, 254)?;
    require(!dhcp::PROTOCOL.contains(code), Reason::Invalid, || {
        format!("dhcpOptions: code {code} belongs to DHCP itself (50 to 59, 61 and 82): remove the option")
    })?;
    size("dhcpOptions.value", value.len(), 1, 255)?;
    require(value.bytes().all(|b| b == b' ' || b.is_ascii_graphic()), Reason::Invalid, || {
        format!(
            "dhcpOptions: the value of {code} must be printable ASCII without control characters: write other bytes as 0x…"
        )
    })?;
    if let Some(digits) = value.strip_prefix("0x") {
        let pairs = !digits.is_empty() && digits.len() % 2 == 0 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        return require(pairs, Reason::Invalid, || {
            format!(
                "dhcpOptions: the value of {code} must have pairs of hexadecimal digits after 0x, and `{value}` has not"
            )
        });
    }
    let checks: [(&[u8], &str, fn(&str) -> bool); 12] = [
        (dhcp::ADDRESS, "one IPv4 address", is::<Ipv4Addr>),
        (dhcp::ADDRESSES, "IPv4 addresses separated by commas", all::<Ipv4Addr>),
        (dhcp::PAIRS, "pairs of IPv4 addresses, all separated by commas", |text| {
            all::<Ipv4Addr>(text) && text.split(',').count() % 2 == 0
        }),
        (dhcp::BOOLEAN, "true or false", |text| matches!(text.trim(), "true" | "false" | "1" | "0")),
        (dhcp::BYTE, "a number from 0 to 255", is::<u8>),
        (dhcp::SHORT, "a number from 0 to 65535", is::<u16>),
        (dhcp::SHORTS, "numbers from 0 to 65535 separated by commas", all::<u16>),
        (dhcp::LONG, "a number from 0 to 4294967295", is::<u32>),
        (dhcp::SIGNED, "a number of seconds", is::<i32>),
        (dhcp::NAMES, "domain names separated by commas", |text| text.split(',').all(is_domain)),
        (dhcp::ROUTES, "destination,next hop,… such as 172.16.0.0/12,10.0.0.2", are_routes),
        (dhcp::STRUCTURE, "raw bytes", |_| false),
    ];
    let wants = checks.iter().find(|(codes, _, fits)| codes.contains(code) && !fits(value));
    wants.map_or(Ok(()), |(_, what, _)| {
        require(false, Reason::Invalid, || {
            format!("dhcpOptions: value must be {what} for code {code}, and `{value}` is not; or write it raw as 0x…")
        })
    })
}

fn is<T: FromStr>(text: &str) -> bool {
    text.trim().parse::<T>().is_ok()
}

fn all<T: FromStr>(text: &str) -> bool {
    text.split(',').all(is::<T>)
}

/// Labels of 1 to 63 octets (RFC 1035, 2.3.4), the root's dot optional.
fn is_domain(text: &str) -> bool {
    let name = text.trim();
    let name = name.strip_suffix('.').unwrap_or(name);
    name.split('.').all(|label| (1..=63).contains(&label.len()) && !label.contains(' '))
}

fn are_routes(text: &str) -> bool {
    let parts: Vec<&str> = text.split(',').collect();
    let (pairs, rest) = parts.as_chunks::<2>();
    rest.is_empty() && pairs.iter().all(|[destination, hop]| is::<Ipv4Net>(destination) && is::<Ipv4Addr>(hop))
}
