//! Connections that must not outlive a change of the rules.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::dataplane::nft::{ChainKind, Family, Octets, Ruleset, Set};

/// Where the floating IP stands in a key of `forwarded`: protocol, address, port, each filled up to four octets.
const FORWARDED_ADDRESS: std::ops::Range<usize> = 4..8;

/// Outside addresses that lead elsewhere, or nowhere, once `to` takes the place of `from`. What conntrack remembers of them
/// would go on by the old rules.
#[must_use]
pub fn cut(from: &Ruleset, to: &Ruleset) -> BTreeSet<IpAddr> {
    let mut addresses = BTreeSet::new();
    // Of what is no longer translated here (`home`) nothing may be remembered when the rules go, which is not at once: a packet
    // that is tracked for a moment more would be translated, and go where it is not to be translated.
    for (name, at) in [("public", 0..4), ("home", 0..4), ("floating", 0..4), ("forwarded", FORWARDED_ADDRESS)] {
        let after = set(to, name);
        let lost = |key: &Octets, data: &Octets| after.and_then(|set| set.elements.get(key)) != Some(data);
        let before = set(from, name).into_iter().flat_map(|set| &set.elements);
        addresses.extend(
            before.filter(|(key, data)| lost(key, data)).filter_map(|(key, _)| address(key.to_vec().get(at.clone())?)),
        );
    }
    addresses
}

/// Whether rules translate connections.
#[must_use]
pub fn translates(rules: &Ruleset) -> bool {
    let mut chains = rules.tables.values().flat_map(|table| table.chains.values());
    chains.any(|chain| chain.kind == ChainKind::Nat)
}

fn set<'a>(rules: &'a Ruleset, name: &str) -> Option<&'a Set> {
    rules.tables.get(&Family::Ip)?.sets.get(name)
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(octets).ok().map(IpAddr::from)
}
