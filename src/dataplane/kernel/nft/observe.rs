//! Reading tables back, as far as telling ours from what it should be takes.

use std::collections::BTreeMap;
use std::io;

use super::request::{DYNAMIC, INTERVAL, MAP, MARK, NFTABLES, RANGE_END, hook, types};
use crate::dataplane::kernel::netfilter::{Answer, Netfilter, Request, attributes, be32, text};
use crate::dataplane::names::TABLE;
use crate::dataplane::nft::{Chain, ChainKind, Family, Hook, Octets, Policy, Rule, Ruleset, Set, Shape};

const GET_TABLE: u16 = 1;
const GET_CHAIN: u16 = 4;
const GET_RULE: u16 = 7;
const GET_SET: u16 = 10;
const GET_ELEMENTS: u16 = 13;
/// All families.
const ANY: u8 = 0;

/// `NFT_SET_CONSTANT` and `NFT_SET_CONCAT` change nothing of what a set holds; we set neither.
const NO_MATTER: u32 = 0x02 | 0x80;

/// All tables of our name; none: there is none.
pub fn read(netfilter: &mut Netfilter) -> io::Result<Option<Ruleset>> {
    let mut out = Ruleset::default();
    netfilter.dump(Request::new(NFTABLES, GET_TABLE, 0, ANY, "reading tables"), |answer| {
        if Values::of(&answer).text(1) == TABLE {
            out.tables.entry(family(&answer)).or_default();
        }
    })?;
    if out.tables.is_empty() {
        return Ok(None);
    }
    chains(netfilter, &mut out)?;
    rules(netfilter, &mut out)?;
    sets(netfilter, &mut out)?;
    Ok(Some(out))
}

fn chains(netfilter: &mut Netfilter, out: &mut Ruleset) -> io::Result<()> {
    netfilter.dump(Request::new(NFTABLES, GET_CHAIN, 0, ANY, "reading chains"), |answer| {
        let values = Values::of(&answer);
        let Some(table) = out.tables.get_mut(&family(&answer)).filter(|_| values.text(1) == TABLE) else { return };
        let hooked = Values::inside(values.get(4));
        let kind = match values.text(7).as_str() {
            "filter" => ChainKind::Filter,
            "nat" => ChainKind::Nat,
            _ => ChainKind::Unknown,
        };
        let chain = Chain {
            kind,
            hook: hooked.number(1).map_or(Hook::Unknown, |number| hook(family(&answer), number)),
            priority: hooked.number(2).unwrap_or_default().cast_signed(),
            policy: if values.number(5) == Some(0) { Policy::Drop } else { Policy::Accept },
            rules: Vec::new(),
        };
        table.chains.insert(values.text(3).into(), chain);
    })
}

/// Unlike the questions before, those for rules and sets want the family together with the table.
fn rules(netfilter: &mut Netfilter, out: &mut Ruleset) -> io::Result<()> {
    for (of, table) in &mut out.tables {
        let mut request = Request::new(NFTABLES, GET_RULE, 0, super::request::family(*of), "reading rules");
        request.text(1, TABLE);
        netfilter.dump(request, |answer| {
            let values = Values::of(&answer);
            let mark = match values.get(7) {
                [MARK, len, mark @ ..] if usize::from(*len) == mark.len() => text(mark),
                _ => String::new(),
            };
            if let Some(chain) = table.chains.get_mut(values.text(2).as_str()) {
                chain.rules.push(Rule::found(mark));
            }
        })?;
    }
    Ok(())
}

fn sets(netfilter: &mut Netfilter, out: &mut Ruleset) -> io::Result<()> {
    for (of, table) in &mut out.tables {
        let mut request = Request::new(NFTABLES, GET_SET, 0, super::request::family(*of), "reading sets");
        request.text(1, TABLE);
        netfilter.dump(request, |answer| {
            let values = Values::of(&answer);
            let shape = match values.number(3).unwrap_or_default() & !(MAP | NO_MATTER) {
                0 => Shape::Exact,
                INTERVAL => Shape::Ranges,
                DYNAMIC => Shape::Dynamic,
                _ => Shape::Unknown,
            };
            let types = |kind| values.number(kind).map(types).unwrap_or_default();
            let set = Set { key: types(4), data: types(6), shape, elements: BTreeMap::new() };
            table.sets.insert(values.text(2).into(), set);
        })?;
        for (name, set) in table.sets.iter_mut().filter(|(_, set)| set.shape != Shape::Dynamic) {
            set.elements = elements(netfilter, *of, name, set.shape)?;
        }
    }
    Ok(())
}

fn elements(netfilter: &mut Netfilter, of: Family, name: &str, shape: Shape) -> io::Result<BTreeMap<Octets, Octets>> {
    let what = format!("reading set {name}");
    let mut request = Request::new(NFTABLES, GET_ELEMENTS, 0, super::request::family(of), what);
    request.text(1, TABLE);
    request.text(2, name);
    let mut found = Vec::new();
    netfilter.dump(request, |answer| {
        for (_, element) in attributes(Values::of(&answer).get(3)) {
            let values = Values::inside(element);
            let value = |kind| Values::inside(values.get(kind)).get(1).to_vec();
            let end = values.number(3).unwrap_or_default() & RANGE_END != 0;
            found.push((value(1), !end, value(2)));
        }
    })?;
    if shape != Shape::Ranges {
        return Ok(found.into_iter().map(|(key, _, data)| (key, data)).collect());
    }
    // An end and the start of the next range may be the same address: ends sort first.
    found.sort_unstable();
    let last = |end: &[u8]| <[u8; 4]>::try_from(end).map_or(u32::MAX, |o| u32::from_be_bytes(o).wrapping_sub(1));
    let mut ranges = BTreeMap::new();
    let mut found = found.into_iter().peekable();
    while let Some((first, start, data)) = found.next() {
        if start {
            let end = found.next_if(|(_, start, _)| !start).map_or(u32::MAX, |(end, ..)| last(&end));
            ranges.insert([first.as_slice(), &end.to_be_bytes()].concat(), data);
        }
    }
    Ok(ranges)
}

fn family(answer: &Answer<'_>) -> Family {
    let ours = [Family::Ip, Family::Arp].into_iter();
    ours.into_iter().find(|f| super::request::family(*f) == answer.family()).unwrap_or(Family::Unknown(answer.family()))
}

/// Attributes by type.
struct Values<'a>(BTreeMap<u16, &'a [u8]>);

impl<'a> Values<'a> {
    fn of(answer: &Answer<'a>) -> Self {
        Self(answer.attributes().collect())
    }

    fn inside(value: &'a [u8]) -> Self {
        Self(attributes(value).collect())
    }

    fn get(&self, kind: u16) -> &'a [u8] {
        self.0.get(&kind).copied().unwrap_or_default()
    }

    fn text(&self, kind: u16) -> String {
        text(self.get(kind))
    }

    fn number(&self, kind: u16) -> Option<u32> {
        be32(self.get(kind))
    }
}
