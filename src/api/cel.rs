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

pub(super) use {number, unique};
