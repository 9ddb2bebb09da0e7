//! Requests that make, change and delete tables, chains, rules, sets and their elements.

use std::collections::BTreeMap;

use super::{Object, expression};
use crate::dataplane::kernel::netfilter::Request;
use crate::dataplane::nft::{Chain, ChainKind, Family, Hook, Octets, Policy, Rule, Set, Shape, Table, Type};

/// Subsystem of nft, and its requests.
pub const NFTABLES: u16 = 10;
const NEW_TABLE: u16 = 0;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const NEW_SET: u16 = 9;
const NEW_ELEMENTS: u16 = 12;
const DELETE_ELEMENTS: u16 = 14;

/// `NLM_F_CREATE`, `NLM_F_APPEND`: without the latter a new rule goes to the front of its chain.
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;

/// `NFT_SET_INTERVAL`, `NFT_SET_MAP`, `NFT_SET_TIMEOUT`, `NFT_SET_EVAL`; `NFT_SET_ELEM_INTERVAL_END`.
pub const INTERVAL: u32 = 4;
pub const MAP: u32 = 8;
pub const TIMEOUT: u32 = 0x10;
pub const DYNAMIC: u32 = 0x20;
pub const RANGE_END: u32 = 1;
/// Type number of a text under `NFTA_RULE_USERDATA`: nft prints type 0 as a comment and passes over what it does not know.
pub const MARK: u8 = 0x74;
/// A list of elements is one attribute of at most 64 KiB: an element needs 52 octets at most.
const ELEMENTS_MAX: usize = 1000;

/// Which table.
#[derive(Clone, Copy)]
pub struct At<'a> {
    /// Its family.
    pub family: Family,
    /// Its name.
    pub table: &'a str,
}

/// The kernel's number of a family.
pub fn family(family: Family) -> u8 {
    match family {
        Family::Ip => 2,
        Family::Arp => 3,
        Family::Unknown(number) => number,
    }
}

fn request(kind: u16, flags: u16, of: At<'_>, object: &Object<'_>) -> Request {
    Request::new(NFTABLES, kind, flags, family(of.family), format!("{object} of table {} {}", of.family, of.table))
}

/// Deletes a table with all that is in it. The creation before makes the absence of the table no error.
pub fn delete(of: At<'_>, out: &mut Vec<Request>) {
    for (kind, flags) in [(NEW_TABLE, CREATE), (DELETE_TABLE, 0)] {
        let mut r = request(kind, flags, of, &Object::Table);
        r.text(1, of.table);
        out.push(r);
    }
}

/// Makes a table and all that is in it: sets before the rules that look things up in them.
pub fn create(of: At<'_>, table: &Table, out: &mut Vec<Request>) {
    let mut r = request(NEW_TABLE, CREATE, of, &Object::Table);
    r.text(1, of.table);
    out.push(r);
    for (id, (name, set)) in (1..).zip(&table.sets) {
        out.push(new_set(of, name, set, id));
        elements(of, name, set, set.elements.iter(), true, out);
    }
    for (name, chain) in &table.chains {
        out.push(new_chain(of, name, chain));
        out.extend(chain.rules.iter().map(|rule| new_rule(of, name, rule)));
    }
}

/// Makes the elements of one table's sets what those of another's are.
pub fn change_elements(of: At<'_>, from: &Table, to: &Table, out: &mut Vec<Request>) {
    for (name, set) in &to.sets {
        let Some(old) = from.sets.get(name) else { continue };
        let (gone, new) = difference(&old.elements, &set.elements);
        elements(of, name, set, gone.into_iter(), false, out);
        elements(of, name, set, new.into_iter(), true, out);
    }
}

type Element<'a> = (&'a Octets, &'a Octets);

/// What only the first has and what only the second has, in one walk through both.
fn difference<'a>(
    from: &'a BTreeMap<Octets, Octets>,
    to: &'a BTreeMap<Octets, Octets>,
) -> (Vec<Element<'a>>, Vec<Element<'a>>) {
    let (mut gone, mut new) = (Vec::new(), Vec::new());
    let (mut old, mut wanted) = (from.iter().peekable(), to.iter().peekable());
    loop {
        match (old.peek(), wanted.peek()) {
            (Some(a), Some(b)) if a == b => {
                old.next();
                wanted.next();
            }
            (Some(a), b) if b.is_none_or(|b| a <= b) => gone.extend(old.next()),
            (_, Some(_)) => new.extend(wanted.next()),
            (_, None) => return (gone, new),
        }
    }
}

fn new_chain(of: At<'_>, name: &str, chain: &Chain) -> Request {
    let mut r = request(NEW_CHAIN, CREATE, of, &Object::Chain(name));
    r.text(1, of.table);
    r.text(3, name);
    r.nest(4, |h| {
        h.be32(1, hook_number(of.family, chain.hook));
        h.be32(2, chain.priority.cast_unsigned());
    });
    r.be32(5, u32::from(chain.policy == Policy::Accept));
    r.text(7, if chain.kind == ChainKind::Nat { "nat" } else { "filter" });
    r
}

/// IPv4 has five hooks, ARP two of its own.
fn hook_number(of: Family, hook: Hook) -> u32 {
    match (of, hook) {
        (Family::Arp, Hook::Input) | (_, Hook::Prerouting) => 0,
        (Family::Arp, Hook::Output) | (_, Hook::Input) => 1,
        (_, Hook::Forward) => 2,
        (_, Hook::Output) => 3,
        (_, Hook::Postrouting) => 4,
        (_, Hook::Unknown) => u32::MAX,
    }
}

/// The hook of a number.
pub fn hook(of: Family, number: u32) -> Hook {
    let all = [Hook::Input, Hook::Output, Hook::Prerouting, Hook::Forward, Hook::Postrouting];
    all.into_iter().find(|h| hook_number(of, *h) == number).unwrap_or(Hook::Unknown)
}

fn new_rule(of: At<'_>, chain: &str, rule: &Rule) -> Request {
    let mut r = request(NEW_RULE, CREATE | APPEND, of, &Object::Rule(chain, rule.text()));
    r.text(1, of.table);
    r.text(2, chain);
    r.nest(4, |list| rule.terms().iter().for_each(|term| expression::encode(term, list)));
    let mark = rule.mark().as_bytes();
    let head = [MARK, u8::try_from(mark.len()).unwrap_or(u8::MAX)];
    r.bytes(7, &[&head, mark].concat());
    r
}

fn new_set(of: At<'_>, name: &str, set: &Set, id: u32) -> Request {
    let mut r = request(NEW_SET, CREATE, of, &Object::Set(name));
    r.text(1, of.table);
    r.text(2, name);
    let shape = match set.shape {
        Shape::Exact | Shape::Unknown => 0,
        Shape::Ranges => INTERVAL,
        Shape::Dynamic { timeout: 0, .. } => DYNAMIC,
        Shape::Dynamic { .. } => DYNAMIC | TIMEOUT,
    };
    r.be32(3, shape | if set.data.is_empty() { 0 } else { MAP });
    r.be32(4, number(&set.key));
    r.be32(5, length(&set.key));
    if !set.data.is_empty() {
        r.be32(6, number(&set.data));
        r.be32(7, length(&set.data));
    }
    if let Shape::Dynamic { size, timeout } = set.shape {
        r.nest(9, |d| d.be32(1, size));
        if timeout != 0 {
            r.bytes(11, &(u64::from(timeout) * 1000).to_be_bytes());
        }
    }
    r.be32(10, id);
    r
}

/// nft's number of a concatenation: six bits for each type.
fn number(types: &[Type]) -> u32 {
    types.iter().fold(0, |number, t| (number << 6) | u32::from(t.number()))
}

/// The types of a number.
pub fn types(mut number: u32) -> Vec<Type> {
    let mut types = Vec::new();
    while number != 0 {
        types.insert(0, Type::of_number((number & 0x3f).to_le_bytes()[0]));
        number >>= 6;
    }
    types
}

fn length(types: &[Type]) -> u32 {
    let octets = match types {
        [one] => one.octets().unwrap_or_default(),
        several => several.iter().map(|t| t.octets().unwrap_or_default().next_multiple_of(4)).sum(),
    };
    u32::try_from(octets).unwrap_or(u32::MAX)
}

/// Adds or deletes elements.
fn elements<'a>(
    of: At<'_>,
    name: &str,
    set: &Set,
    elements: impl Iterator<Item = Element<'a>>,
    add: bool,
    out: &mut Vec<Request>,
) {
    let all: Vec<_> = elements.flat_map(|(key, data)| ends(set.shape, *key, *data)).collect();
    for chunk in all.chunks(ELEMENTS_MAX) {
        let (kind, flags) = if add { (NEW_ELEMENTS, CREATE) } else { (DELETE_ELEMENTS, 0) };
        let mut r = request(kind, flags, of, &Object::Elements(name));
        r.text(1, of.table);
        r.text(2, name);
        r.nest(3, |list| {
            for (key, data, flags) in chunk {
                list.nest(1, |e| {
                    e.nest(1, |v| v.bytes(1, &key.to_vec()));
                    if !data.is_empty() {
                        e.nest(2, |v| v.bytes(1, &data.to_vec()));
                    }
                    if *flags != 0 {
                        e.be32(3, *flags);
                    }
                });
            }
        });
        out.push(r);
    }
}

/// What the kernel calls elements: a key, or the first address of a range and the one after its last.
fn ends(shape: Shape, key: Octets, data: Octets) -> impl Iterator<Item = (Octets, Octets, u32)> {
    let octets = key.to_vec();
    let (first, last) = match octets.split_at_checked(4) {
        Some((first, last)) if shape == Shape::Ranges => (Octets::from(first), Some(last)),
        _ => (key, None),
    };
    let last = last.and_then(|last| <[u8; 4]>::try_from(last).ok());
    // A range up to the last address of all has no end.
    let after = last.and_then(|last| u32::from_be_bytes(last).checked_add(1));
    let end = after.map(|a| (Octets::from(a.to_be_bytes().as_slice()), Octets::default(), RANGE_END));
    std::iter::once((first, data, 0)).chain(end)
}
