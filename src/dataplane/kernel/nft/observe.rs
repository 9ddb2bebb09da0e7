//! Reading tables back, as far as telling ours from what it should be takes.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use super::request::{At, DYNAMIC, INTERVAL, MAP, MARK, NFTABLES, RANGE_END, TIMEOUT, hook, types};
use crate::dataplane::kernel::netfilter::{Answer, Netfilter, Request, attributes, be32, text};
use crate::dataplane::nft::{Chain, ChainKind, Family, Hook, Octets, Policy, Rule, Ruleset, Set, Shape, range};

const GET_TABLE: u16 = 1;
const GET_CHAIN: u16 = 4;
const GET_RULE: u16 = 7;
const GET_SET: u16 = 10;
const GET_ELEMENTS: u16 = 13;
/// All families.
const ANY: u8 = 0;

/// `NFT_SET_CONSTANT` and `NFT_SET_CONCAT` change nothing of what a set holds; we set neither.
const NO_MATTER: u32 = 0x02 | 0x80;

/// A dynamic set with a time for its elements.
const LASTING: u32 = DYNAMIC | TIMEOUT;

/// Seconds of what the kernel counts in milliseconds.
fn seconds(milliseconds: [u8; 8]) -> u32 {
    u32::try_from(u64::from_be_bytes(milliseconds) / 1000).unwrap_or(u32::MAX)
}

/// All tables of a name; none: there is none.
pub fn read(netfilter: &mut Netfilter, name: &str) -> io::Result<Option<Ruleset>> {
    let mut out = Ruleset::default();
    netfilter.dump(Request::new(NFTABLES, GET_TABLE, 0, ANY, "reading tables"), |answer| {
        if Values::of(&answer).text(1) == name {
            out.tables.entry(family(&answer)).or_default();
        }
    })?;
    if out.tables.is_empty() {
        return Ok(None);
    }
    chains(netfilter, name, &mut out)?;
    rules(netfilter, name, &mut out)?;
    sets(netfilter, name, &mut out)?;
    Ok(Some(out))
}

fn chains(netfilter: &mut Netfilter, table_name: &str, out: &mut Ruleset) -> io::Result<()> {
    netfilter.dump(Request::new(NFTABLES, GET_CHAIN, 0, ANY, "reading chains"), |answer| {
        let values = Values::of(&answer);
        let Some(table) = out.tables.get_mut(&family(&answer)).filter(|_| values.text(1) == table_name) else { return };
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
fn rules(netfilter: &mut Netfilter, table_name: &str, out: &mut Ruleset) -> io::Result<()> {
    for (of, table) in &mut out.tables {
        let mut request = Request::new(NFTABLES, GET_RULE, 0, super::request::family(*of), "reading rules");
        request.text(1, table_name);
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

fn sets(netfilter: &mut Netfilter, table_name: &str, out: &mut Ruleset) -> io::Result<()> {
    for (of, table) in &mut out.tables {
        let mut request = Request::new(NFTABLES, GET_SET, 0, super::request::family(*of), "reading sets");
        request.text(1, table_name);
        netfilter.dump(request, |answer| {
            let values = Values::of(&answer);
            let shape = match values.number(3).unwrap_or_default() & !(MAP | NO_MATTER) {
                0 => Shape::Exact,
                INTERVAL => Shape::Ranges,
                DYNAMIC | LASTING => Shape::Dynamic {
                    size: Values::inside(values.get(9)).number(1).unwrap_or_default(),
                    timeout: <[u8; 8]>::try_from(values.get(11)).map_or(0, seconds),
                },
                _ => Shape::Unknown,
            };
            let types = |kind| values.number(kind).map(types).unwrap_or_default();
            let set = Set { key: types(4), data: types(6), shape, elements: BTreeMap::new() };
            table.sets.insert(values.text(2).into(), set);
        })?;
        for (name, set) in table.sets.iter_mut().filter(|(_, set)| !matches!(set.shape, Shape::Dynamic { .. })) {
            set.elements = elements(netfilter, At { family: *of, table: table_name }, name, set.shape)?;
        }
    }
    Ok(())
}

/// The kernel hands out a set in parts and finds its place again by counting. A hash table that grows meanwhile has another
/// order then: as many elements come twice as are missed. That ends within milliseconds.
fn elements(netfilter: &mut Netfilter, of: At<'_>, name: &str, shape: Shape) -> io::Result<BTreeMap<Octets, Octets>> {
    for pause in [0, 1, 2, 4, 8, 16, 32, 64] {
        std::thread::sleep(Duration::from_millis(pause));
        let mut found = parts(netfilter, of, name)?;
        let count = found.len();
        found.sort_unstable();
        found.dedup();
        if found.len() == count {
            return Ok(if shape == Shape::Ranges { ranges(found) } else { singles(found) });
        }
    }
    Err(io::ErrorKind::Interrupted.into())
}

/// Key, whether it is more than the end of a range, and data.
type Element = (Octets, bool, Octets);

fn parts(netfilter: &mut Netfilter, of: At<'_>, name: &str) -> io::Result<Vec<Element>> {
    let what = format!("reading set {name}");
    let mut request = Request::new(NFTABLES, GET_ELEMENTS, 0, super::request::family(of.family), what);
    request.text(1, of.table);
    request.text(2, name);
    let mut found = Vec::new();
    netfilter.dump(request, |answer| {
        let list = answer.attributes().find(|(kind, _)| *kind == 3).map(|(_, list)| list);
        found.extend(attributes(list.unwrap_or_default()).map(|(_, one)| element(one)));
    })?;
    Ok(found)
}

fn singles(found: Vec<Element>) -> BTreeMap<Octets, Octets> {
    found.into_iter().map(|(key, _, data)| (key, data)).collect()
}

/// Sorted elements as ranges. An end and the start of the next range may be the same address: ends sort first.
fn ranges(found: Vec<Element>) -> BTreeMap<Octets, Octets> {
    let number = |address: Octets| <[u8; 4]>::try_from(address.to_vec()).map_or(0, u32::from_be_bytes);
    let mut ranges = BTreeMap::new();
    let mut found = found.into_iter().peekable();
    while let Some((first, start, data)) = found.next() {
        if start {
            let end = found.next_if(|(_, start, _)| !start).map(|(end, ..)| number(end).wrapping_sub(1));
            ranges.insert(range(number(first), end.unwrap_or(u32::MAX)), data);
        }
    }
    ranges
}

/// One element. There may be many, so nothing is allocated.
fn element(value: &[u8]) -> Element {
    let mut out = (Octets::default(), true, Octets::default());
    for (kind, value) in attributes(value) {
        let octets = || attributes(value).next().map_or(Octets::default(), |(_, octets)| Octets::from(octets));
        match kind {
            1 => out.0 = octets(),
            2 => out.2 = octets(),
            3 => out.1 = be32(value).unwrap_or_default() & RANGE_END == 0,
            _ => {}
        }
    }
    out
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
