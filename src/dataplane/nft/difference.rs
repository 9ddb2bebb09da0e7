//! What changes between two rule sets, line by line, for readers of a plan.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ruleset, Table, text};
use crate::dataplane::names::TABLE;

impl Ruleset {
    /// What is to go (`-`) and what is to come (`+`) on the way from `from` to `self`: elements, rules, and whole sets,
    /// chains and tables. Empty if only the order of rules differs, or nothing.
    #[must_use]
    pub fn difference(&self, from: &Self) -> Vec<String> {
        let (old, new) = (lines(from), lines(self));
        let gone = old.difference(&new).map(|line| format!("- {line}"));
        gone.chain(new.difference(&old).map(|line| format!("+ {line}"))).collect()
    }
}

fn lines(rules: &Ruleset) -> BTreeSet<String> {
    let tables = rules.tables.iter().map(|(family, table)| (format!("table {family} {TABLE}"), table));
    let parts = |(name, table): (String, &Table)| {
        let inner = parts(table).into_iter().flat_map(|(part, inner)| {
            let all = inner.into_iter().map(|line| format!("{part}: {line}")).collect::<Vec<_>>();
            std::iter::once(part).chain(all)
        });
        let inner = inner.map(|line| format!("{name} {line}")).collect::<Vec<_>>();
        std::iter::once(name).chain(inner)
    };
    tables.flat_map(parts).collect()
}

/// Sets with their elements, chains with their rules.
fn parts(table: &Table) -> BTreeMap<String, Vec<String>> {
    let sets = table.sets.iter().map(|(name, set)| {
        let elements = set.elements.iter().map(|(key, data)| text::element(set, *key, *data));
        let kind = if set.data.is_empty() { "set" } else { "map" };
        (format!("{kind} {name}"), elements.collect())
    });
    let chains = table.chains.iter().map(|(name, chain)| {
        let rules = chain.rules.iter().map(|rule| rule.text().to_owned());
        (format!("chain {name}"), rules.collect())
    });
    sets.chain(chains).collect()
}

#[cfg(test)]
mod tests {
    use crate::dataplane::nft::{Family, Ruleset, Set, Table, Type, Value};

    fn rules(pairs: &[(u8, u8)]) -> Ruleset {
        let ip = |n: u8| [Value::Ip([10, 0, 0, n].into())];
        let map = Set::map([Type::Ipv4Addr], [Type::Ipv4Addr], pairs.iter().map(|(a, b)| (ip(*a), ip(*b))));
        let table = Table { sets: [("floating".into(), map)].into(), ..Table::default() };
        Ruleset { tables: [(Family::Ip, table)].into() }
    }

    #[test]
    fn a_difference_names_what_goes_and_what_comes() {
        let (first, second) = (rules(&[(1, 5), (2, 6)]), rules(&[(1, 5), (2, 7), (3, 8)]));
        assert_eq!(first.difference(&first), [""; 0]);
        let map = "table ip tenet map floating";
        let expected = [
            format!("- {map}: 10.0.0.2 : 10.0.0.6"),
            format!("+ {map}: 10.0.0.2 : 10.0.0.7"),
            format!("+ {map}: 10.0.0.3 : 10.0.0.8"),
        ];
        assert_eq!(second.difference(&first), expected);
        assert_eq!(rules(&[]).difference(&Ruleset::default()), ["+ table ip tenet", &format!("+ {map}")]);
    }
}
