//! Addresses and numbers as bytes, one field after the other.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Bytes of an address and its mask.
pub const RANGE: usize = 32;

/// An address in network order; IPv4 as `::ffff:a.b.c.d`.
#[must_use]
pub fn address(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// First address and mask.
pub fn range(net: IpNet) -> [u8; RANGE] {
    let bits = 128 - u32::from(net.max_prefix_len() - net.prefix_len());
    let mask = u128::MAX.checked_shl(128 - bits).unwrap_or_default();
    let first = u128::from_be_bytes(address(net.network())) & mask;
    let mut out = [0; RANGE];
    out[..16].copy_from_slice(&first.to_be_bytes());
    out[16..].copy_from_slice(&mask.to_be_bytes());
    out
}

/// The addresses of a range.
pub fn net_of(bytes: &[u8; RANGE], family: u8) -> IpNet {
    let mut at = Reader(bytes);
    let first = Ipv6Addr::from(at.take::<16>());
    let bits = u128::from_be_bytes(at.take()).leading_ones();
    #[allow(clippy::cast_possible_truncation, reason = "at most 128")]
    let bits = bits as u8;
    match first.to_ipv4_mapped() {
        Some(first) if family == 4 => IpNet::V4(Ipv4Net::new(first, bits.saturating_sub(96)).unwrap_or_default()),
        _ => IpNet::V6(Ipv6Net::new(first, bits).unwrap_or_default()),
    }
}

/// Writes one field after the other; what does not fit is not written.
pub struct Writer<'a>(&'a mut [u8]);

impl<'a> Writer<'a> {
    /// Writes from the beginning.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self(bytes)
    }

    /// The next field.
    pub fn put(&mut self, field: &[u8]) {
        let bytes = std::mem::take(&mut self.0);
        let Some((here, rest)) = bytes.split_at_mut_checked(field.len()) else { return };
        here.copy_from_slice(field);
        self.0 = rest;
    }

    /// Leaves so many bytes as they are.
    pub fn skip(&mut self, length: usize) {
        let bytes = std::mem::take(&mut self.0);
        self.0 = bytes.get_mut(length..).unwrap_or_default();
    }
}

/// Reads one field after the other; what is not there is zero.
pub struct Reader<'a>(pub &'a [u8]);

impl Reader<'_> {
    /// The next field.
    pub fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((field, rest)) = self.0.split_first_chunk() else { return [0; N] };
        self.0 = rest;
        *field
    }

    /// The next 64 bits, as this machine has them.
    pub fn number(&mut self) -> u64 {
        u64::from_ne_bytes(self.take())
    }

    /// The next 16 bits, as this machine has them.
    pub fn small(&mut self) -> u16 {
        u16::from_ne_bytes(self.take())
    }
}
