#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, unshare};

use super::*;
use crate::api::MacAddr;
use crate::dataplane::nft::{Chain, ChainKind, Family, Field, Hook, Policy, Rule, Set, Term, Type, Value};

/// Runs `f` in a namespace of its own, which goes when the thread ends.
fn private<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            f()
        });
        worker.join().unwrap()
    })
}

fn open() -> Nft {
    Nft::open(netns::current().unwrap().as_fd()).unwrap()
}

/// What `nft list ruleset` says; with `rules`, after `nft -f` has taken them.
fn nft(rules: Option<&str>) -> String {
    let mut nft = Command::new("nft");
    nft.args(if rules.is_some() { &["-f", "-"][..] } else { &["list", "ruleset"] });
    let mut child = nft.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(rules.unwrap_or_default().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "nft refuses:\n{rules:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn ip(last: u32) -> Value {
    Value::Ip(Ipv4Addr::from_bits(0x0a00_0000 + last))
}

/// A rule set with every term, every type and every shape.
fn everything() -> Ruleset {
    use Field::{
        ArpDaddrIp, ArpSaddrEther, ArpSaddrIp, IcmpType, IifName, IpDaddr, IpSaddr, L4Proto, OifName, ThDport,
    };
    let name = || Value::Name("tlg0123456789ab".into());
    let port_key = || vec![L4Proto, IpDaddr, ThDport];
    let chain = |kind, hook, priority, policy, rules: Vec<Vec<Term>>| {
        let rules = rules.into_iter().map(Rule::new).collect();
        Chain { kind, hook, priority, policy, rules }
    };
    let (accept, drop) = (Policy::Accept, Policy::Drop);
    let filter = vec![
        vec![Term::IsNot(IifName, name()), Term::NotIn(vec![IpSaddr], "ports".into()), Term::Drop],
        vec![Term::Is(OifName, name()), Term::In(vec![IpSaddr], "nets".into()), Term::Notrack, Term::Accept],
        vec![Term::Within(IpDaddr, "10.0.0.0/25".parse().unwrap()), Term::Reject],
        vec![Term::Is(L4Proto, Value::Proto(1)), Term::Is(IcmpType, Value::Octet(11)), Term::Accept],
        vec![Term::Is(L4Proto, Value::Proto(17)), Term::Is(ThDport, Value::Port(67)), Term::Accept],
    ];
    let more = vec![
        vec![Term::New, Term::MoreConnections { set: "connections".into(), over: 4096 }, Term::Drop],
        vec![Term::Syn, Term::ClampMss],
        vec![Term::Original, Term::Mark(1)],
        vec![Term::NewOrUntracked, Term::Remember("asked".into()), Term::Accept],
        vec![Term::Dnatted, Term::Original, Term::Drop],
    ];
    let dnat = vec![
        vec![Term::Dnat { by: vec![IpDaddr], map: "out".into(), port: false }],
        vec![Term::Dnat { by: port_key(), map: "forward".into(), port: true }],
    ];
    let snat = vec![vec![Term::Snat("out".into())], vec![Term::SnatTo([192, 0, 2, 1].into())]];
    let ip_table = Table {
        sets: [
            ("ports", Set::exact([Type::Ipv4Addr], (0..3).map(|n| [ip(n)]))),
            ("nets", Set::ranges(["10.0.0.0/24", "10.7.0.0/16", "128.0.0.0/1"].map(|n| n.parse().unwrap()))),
            ("connections", Set::dynamic(Type::Ipv4Addr, 65_535, 0)),
            ("asked", Set::dynamic(Type::Ipv4Addr, 100, 30)),
            ("out", Set::map([Type::Ipv4Addr], [Type::Ipv4Addr], (0..9).map(|n| ([ip(n)], [ip(n + 100)])))),
            (
                "forward",
                Set::map(
                    [Type::InetProto, Type::Ipv4Addr, Type::InetService],
                    [Type::Ipv4Addr, Type::InetService],
                    [([Value::Proto(6), ip(1), Value::Port(80)], [ip(2), Value::Port(8080)])],
                ),
            ),
        ]
        .map(|(name, set)| (name.into(), set))
        .into(),
        chains: [
            ("first", chain(ChainKind::Filter, Hook::Prerouting, -300, accept, filter)),
            ("second", chain(ChainKind::Filter, Hook::Forward, 7, drop, more)),
            ("third", chain(ChainKind::Nat, Hook::Prerouting, -100, accept, dnat)),
            ("fourth", chain(ChainKind::Nat, Hook::Postrouting, 100, accept, snat)),
            ("fifth", chain(ChainKind::Filter, Hook::Output, 0, accept, vec![])),
        ]
        .map(|(name, chain)| (name.into(), chain))
        .into(),
    };
    let pair = || [ip(1), Value::Mac(MacAddr([2, 0, 0, 0, 0, 1]))];
    let guard = vec![
        vec![Term::ArpForIpv4, Term::In(vec![ArpSaddrIp, ArpSaddrEther], "pairs".into()), Term::Accept],
        vec![Term::Is(ArpSaddrIp, ip(0)), Term::Accept],
        vec![Term::ArpSpeakAs { by: vec![ArpDaddrIp, ArpSaddrEther], map: "hops".into() }, Term::Accept],
    ];
    let arp_table = Table {
        sets: [
            ("pairs".into(), Set::exact([Type::Ipv4Addr, Type::EtherAddr], [pair()])),
            ("hops".into(), Set::map([Type::Ipv4Addr, Type::EtherAddr], [Type::Ipv4Addr], [(pair(), [ip(2)])])),
        ]
        .into(),
        chains: [("guard".into(), chain(ChainKind::Filter, Hook::Input, 0, drop, guard))].into(),
    };
    Ruleset { tables: [(Family::Ip, ip_table), (Family::Arp, arp_table)].into() }
}

#[test]
fn what_is_applied_is_what_is_observed() {
    private(|| {
        let (mut nft, rules) = (open(), everything());
        assert_eq!(nft.observe().unwrap(), None);
        nft.apply(None, Some(&rules)).unwrap();
        let generation = nft.generation().unwrap();
        let found = nft.observe().unwrap().unwrap();
        assert_eq!(found, rules);
        assert_eq!(found.to_string(), rules.to_string());
        nft.apply(Some(&found), Some(&rules)).unwrap();
        assert_eq!(nft.generation().unwrap(), generation, "nothing to change, so nothing was sent");
        nft.apply(Some(&found), None).unwrap();
        assert_eq!(nft.observe().unwrap(), None);
    });
}

#[test]
fn nft_lists_the_same_whether_it_or_we_made_the_rules() {
    let rules = everything();
    let ours = private(|| {
        open().apply(None, Some(&rules)).unwrap();
        nft(None)
    });
    let theirs = private(|| {
        nft(Some(&rules.to_string()));
        nft(None)
    });
    let sorted = |text: &str| text.split("\n}\n").map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(sorted(&ours), sorted(&theirs), "ours:\n{ours}\ntheirs:\n{theirs}");
}

#[test]
fn elements_change_alone_and_anything_else_replaces_the_table() {
    private(|| {
        let (mut nft, first) = (open(), everything());
        nft.apply(None, Some(&first)).unwrap();
        let mut second = first.clone();
        let table = second.tables.get_mut(&Family::Ip).unwrap();
        let out = table.sets.get_mut("out").unwrap();
        *out.elements.get_mut(&Value::join(&[ip(1)])).unwrap() = Value::join(&[ip(200)]);
        out.elements.remove(&Value::join(&[ip(2)]));
        out.elements.extend((1000..31_000).map(|n| (Value::join(&[ip(n)]), Value::join(&[ip(n + 40_000)]))));
        table.sets.get_mut("nets").unwrap().elements =
            Set::ranges(["10.0.0.0/25", "10.7.0.0/16", "10.8.0.0/24"].map(|n| n.parse().unwrap())).elements;
        nft.apply(Some(&first), Some(&second)).unwrap();
        // The kernel's hash table is still growing.
        assert!(nft.observe().unwrap().unwrap() == second);
        let mut third = second.clone();
        third.tables.get_mut(&Family::Ip).unwrap().chains.get_mut("first").unwrap().rules.reverse();
        nft.apply(Some(&second), Some(&third)).unwrap();
        let found = nft.observe().unwrap().unwrap();
        assert!(found == third);
        assert!(found != second, "the order of rules counts");
    });
}

#[test]
fn what_others_did_to_our_tables_is_seen_and_put_right() {
    for meddling in [
        "add rule ip tenet first accept",
        "insert rule ip tenet first ip saddr 10.0.0.1 drop comment \"mine\"",
        "flush chain ip tenet first",
        "flush set ip tenet ports",
        "add element ip tenet ports { 10.9.9.9 }",
        "add element ip tenet nets { 100.64.0.0/10 }",
        "add chain ip tenet other",
        "add set ip tenet other { type inet_service; flags interval; }",
        "add table bridge tenet",
        "delete table arp tenet",
        "chain ip tenet second { policy accept; }",
    ] {
        private(|| {
            let (mut n, rules) = (open(), everything());
            n.apply(None, Some(&rules)).unwrap();
            let generation = n.generation().unwrap();
            nft(Some(meddling));
            assert_ne!(n.generation().unwrap(), generation, "{meddling}");
            let found = n.observe().unwrap();
            assert_ne!(found.as_ref(), Some(&rules), "{meddling}");
            n.apply(found.as_ref(), Some(&rules)).unwrap();
            assert_eq!(n.observe().unwrap().unwrap(), rules, "{meddling}");
        });
    }
}

#[test]
fn tables_of_others_are_neither_seen_nor_touched() {
    private(|| {
        let (mut n, rules) = (open(), everything());
        nft(Some(
            "add table ip tenet2\nadd chain ip tenet2 first\nadd table inet filter\nadd set inet filter ports { type ipv4_addr; }",
        ));
        let before = nft(None);
        assert_eq!(n.observe().unwrap(), None);
        n.apply(None, Some(&rules)).unwrap();
        assert_eq!(n.observe().unwrap().unwrap(), rules);
        n.apply(Some(&rules), None).unwrap();
        assert_eq!(nft(None), before);
    });
}

#[test]
fn a_refusal_names_the_object_and_changes_nothing() {
    private(|| {
        let (mut n, mut rules) = (open(), everything());
        let term = Term::In(vec![Field::IpSaddr], "nowhere".into());
        rules.tables.get_mut(&Family::Ip).unwrap().chains.get_mut("second").unwrap().rules.push(Rule::new([term]));
        let error = n.apply(None, Some(&rules)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let text = error.to_string();
        assert!(text.contains("rule `ip saddr @nowhere` in chain second of table ip tenet"), "{text}");
        assert_eq!(n.observe().unwrap(), None);
        // A change of elements that aren't there.
        let rules = everything();
        assert_eq!(n.apply(Some(&Ruleset::default()), Some(&rules)).map_err(|e| e.to_string()), Ok(()));
        let mut less = rules.clone();
        let ports = less.tables.get_mut(&Family::Ip).unwrap().sets.get_mut("ports").unwrap();
        ports.elements.clear();
        n.apply(Some(&rules), Some(&less)).unwrap();
        let error = n.apply(Some(&rules), Some(&less)).unwrap_err().to_string();
        assert!(error.contains("elements in set ports of table ip tenet"), "{error}");
    });
}

#[test]
fn from_any_elements_to_any_others_the_kernel_ends_with_the_others() {
    use proptest::collection::{btree_map, btree_set};
    let nets = btree_set((0..64_u32, 24..=32_u8), 0..20);
    let states = proptest::collection::vec((btree_map(0..40_u32, 0..40_u32, 0..30), nets), 2..12);
    let sets = |(map, nets): (std::collections::BTreeMap<u32, u32>, std::collections::BTreeSet<(u32, u8)>)| {
        let nets = nets.into_iter().map(|(n, len)| {
            // Up to the very last address, whose range has no end.
            ipnet::Ipv4Net::new(Ipv4Addr::from_bits(u32::MAX - n * 64), len).unwrap()
        });
        let mut rules = everything();
        let table = rules.tables.get_mut(&Family::Ip).unwrap();
        table.sets.insert("nets".into(), Set::ranges(nets));
        let map = map.into_iter().map(|(a, b)| ([ip(a)], [ip(b)]));
        table.sets.insert("out".into(), Set::map([Type::Ipv4Addr], [Type::Ipv4Addr], map));
        rules
    };
    private(|| {
        proptest::proptest!(proptest::test_runner::Config::with_cases(64), |(states in states)| {
            let mut nft = open();
            let mut from = nft.observe().unwrap();
            for to in states.into_iter().map(sets) {
                nft.apply(from.as_ref(), Some(&to)).unwrap();
                from = nft.observe().unwrap();
                proptest::prop_assert_eq!(from.as_ref(), Some(&to));
            }
        });
    });
}
