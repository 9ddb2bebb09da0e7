//! Every row of the words, both ways: what passes, and what is dropped though it is nearly the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod any;
mod discovery;
mod errors;
mod flows;
mod fragments;
mod ipv4;
mod ipv6;
mod link;
mod rules;

#[path = "../../../../e2e/filter/frames.rs"]
#[allow(dead_code, missing_docs, reason = "they are for others, too")]
mod frames;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use frames::{Ip, Mac};

use super::Verdict::{Drop, Pass};
use super::{By, Policy, Reason, State, Tables, Verdict, verdict};
use crate::api::MacAddr;
use crate::model::security::Direction::{Egress, Ingress};
use crate::model::security::{Direction, Family, Member, Number, Pair, Remote, RuleView, SecurityView, Span};

/// The guest's MAC address; its link-local address is `fe80::aaff:fe00:5`.
const MAC: Mac = [2, 0, 0xaa, 0, 0, 5];
/// Another that it may send from, with addresses in 10.9.0.0/16.
const SECOND: Mac = [2, 0, 0, 0, 0, 0x99];
/// Somebody else's.
const OTHER: Mac = [2, 0, 0, 0, 0, 7];

const PORT: Number = Number(5);
const GROUP: Number = Number(70);
const DOMAIN: Number = Number(1000);

/// A rule in words: `out tcp 80-90 10.0.0.0/8`, `in v4 icmp 8/0`, `in any group` (members of [`GROUP`]).
fn rule(text: &str) -> RuleView {
    let mut rule = RuleView {
        direction: if text.starts_with("out") { Egress } else { Ingress },
        family: None,
        protocol: None,
        first: Span::ALL,
        second: Span::ALL,
        remote: Remote::Anywhere,
    };
    let span = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Span { first: first.parse().unwrap(), last: last.parse().unwrap() }
    };
    for word in text.split(' ').skip(1) {
        match word {
            "v4" => rule.family = Some(Family::V4),
            "v6" => rule.family = Some(Family::V6),
            "any" => rule.protocol = None,
            "icmp" => rule.protocol = Some(1),
            "tcp" => rule.protocol = Some(6),
            "udp" => rule.protocol = Some(17),
            "gre" => rule.protocol = Some(47),
            "icmpv6" => rule.protocol = Some(58),
            "sctp" => rule.protocol = Some(132),
            "group" => rule.remote = Remote::Group(GROUP),
            _ if word.contains(['.', ':']) => rule.remote = Remote::Net(word.parse().unwrap()),
            _ => {
                let (first, second) = word.split_once('/').map_or((word, None), |(a, b)| (a, Some(b)));
                rule.first = span(first);
                rule.second = second.map_or(Span::ALL, span);
            }
        }
    }
    rule
}

/// One guarded port, with a clock.
struct Bench {
    tables: Tables,
    state: State,
    now: Duration,
}

impl Bench {
    /// A stateful port with one group of such rules.
    fn new(rules: &[&str]) -> Self {
        let pair = |mac, net: &str| Pair { mac: MacAddr(mac), net: net.parse().unwrap() };
        let security = SecurityView {
            mac: MacAddr(MAC),
            pairs: vec![
                pair(MAC, "10.0.0.5/32"),
                pair(MAC, "2001:db8::5/128"),
                pair(SECOND, "10.9.0.0/16"),
                pair(SECOND, "2001:db8:9::/48"),
            ],
            groups: [GROUP].into(),
            stateful: true,
            domain: DOMAIN,
            announces: false,
        };
        let ports = [(PORT, Policy::Guarded(Arc::new(security)))].into();
        let tables = Tables { ports, groups: BTreeMap::new(), members: [].into(), epoch: 1 };
        let mut bench = Self { tables, state: State::default(), now: Duration::from_secs(1000) };
        bench.rules(rules);
        bench
    }

    fn stateless(rules: &[&str]) -> Self {
        let mut bench = Self::new(rules);
        bench.edit(|security| security.stateful = false);
        bench
    }

    /// Other rules from now on.
    fn rules(&mut self, rules: &[&str]) {
        self.tables.groups.insert(GROUP, rules.iter().map(|text| rule(text)).collect());
        self.tables.epoch += 1;
    }

    fn edit(&mut self, edit: impl FnOnce(&mut SecurityView)) {
        let Some(Policy::Guarded(security)) = self.tables.ports.get_mut(&PORT) else { panic!("the port") };
        edit(Arc::make_mut(security));
        self.tables.epoch += 1;
    }

    fn member(&mut self, domain: Number, ip: &str) {
        self.tables.members.insert(Member { group: GROUP, domain, ip: ip.parse().unwrap() });
        self.tables.epoch += 1;
    }

    fn judge(&mut self, direction: Direction, frame: &[u8]) -> Verdict {
        verdict(&self.tables, &mut self.state, PORT, direction, frame, self.now)
    }

    /// From the guest.
    fn sends(&mut self, packet: &Ip) -> Verdict {
        self.judge(Egress, &packet.frame(MAC))
    }

    /// To the guest.
    fn hears(&mut self, packet: &Ip) -> Verdict {
        self.judge(Ingress, &packet.frame(OTHER))
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }
}

/// The first rule.
const RULE: Verdict = Pass(By::Rule { group: GROUP, index: 0 });
/// The second one.
const RULE_2: Verdict = Pass(By::Rule { group: GROUP, index: 1 });
const FLOW: Verdict = Pass(By::Flow);

/// Judges frames, each by a port that has seen nothing before.
fn each(rules: &[&str], rows: &[(&str, Direction, Vec<u8>, Verdict)]) {
    for (what, direction, frame, expected) in rows {
        assert_eq!(Bench::new(rules).judge(*direction, frame), *expected, "{what}");
    }
}
