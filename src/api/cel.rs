//! Words for CEL rules, which have no functions of their own and no arithmetic on addresses.

/// An IPv4 address as a number. `$ip` is an expression; it has to be an IPv4 address.
macro_rules! number {
    ($ip:literal) => {
        concat!(
            "(int(",
            $ip,
            ".split('.')[0]) * 16777216 + int(",
            $ip,
            ".split('.')[1]) * 65536 + int(",
            $ip,
            ".split('.')[2]) * 256 + int(",
            $ip,
            ".split('.')[3]))"
        )
    };
}

/// Whether every element of a list differs from every other by `$same`, an expression of `a` and `b`.
macro_rules! unique {
    ($list:literal, $same:literal) => {
        concat!($list, ".all(a, ", $list, ".exists_one(b, ", $same, "))")
    };
}

/// No two wishes for addresses name the same. A filtered list has no bound that the API server could reckon with.
pub(super) const UNIQUE_IPS: &str = "!has(self.addresses) || self.addresses.all(a, !has(a.ip) || \
    self.addresses.exists_one(b, has(b.ip) && a.ip == b.ip))";

/// A range of addresses, be it written as one or as a single address.
macro_rules! range {
    ($ip:literal) => {
        concat!("cidr(isIP(", $ip, ") ? ", $ip, " + (ip(", $ip, ").family() == 4 ? '/32' : '/128') : ", $ip, ")")
    };
}

/// A MAC address in one spelling; none: no text.
macro_rules! mac {
    ($of:literal) => {
        concat!("(has(", $of, ".macAddress) ? ", $of, ".macAddress.lowerAscii() : '')")
    };
}

/// No two pairs allow the same, however they are written.
pub(super) const UNIQUE_PAIRS: &str = concat!(
    "!has(self.allowedAddressPairs) || !self.allowedAddressPairs.all(p, isIP(p.ip) || isCIDR(p.ip)) || ",
    "self.allowedAddressPairs.all(a, self.allowedAddressPairs.exists_one(b, ",
    range!("a.ip"),
    " == ",
    range!("b.ip"),
    " && ",
    mac!("a"),
    " == ",
    mac!("b"),
    "))"
);

pub(super) use {number, unique};
