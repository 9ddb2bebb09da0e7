//! The guard of the tunnels, in the host's namespace: only other nodes are heard.
//!
//! Whoever may send to the tunnels' UDP port is on every overlay network at once. A pod may, where its packets are
//! masqueraded to its node's address on their way: so nothing is forwarded to that port either. A table of our own judges
//! nothing else, and what it lets through others may still drop. The same holds for the port at which agents hand routers over.

use crate::dataplane::nft::{
    Chain, ChainKind, Family, Field, Hook, Policy, Rule, Ruleset, Set, Table, Term, Type, Value,
};
use crate::dataplane::overlay::PORT;
use crate::dataplane::state::{Item, Netns, Spec, State};
use crate::model::view::TunnelView;
use crate::model::{Id, Kind};

/// TCP port at which a node tells the one that follows it of a router's connections; beside the port of the tunnels.
pub const HANDOVER: u16 = PORT + 1;

/// IP protocol numbers.
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Renders the guard.
pub fn render(tunnel: &TunnelView, state: &mut State) {
    let owner = Id::new(Kind::Agent, tunnel.agent.clone());
    state.want(Item::Ruleset(Netns::Host), Spec::Ruleset(ruleset(tunnel).into()), &owner, None);
}

/// The rules. Tunnels have no connections, so conntrack is spared them: one entry for each flow of every guest.
fn ruleset(tunnel: &TunnelView) -> Ruleset {
    let to = |protocol, port, last: &[Term]| {
        let protocol = Term::Is(Field::L4Proto, Value::Proto(protocol));
        Rule::new([&[protocol, Term::Is(Field::ThDport, Value::Port(port))], last].concat())
    };
    let to_tunnels = |last: &[Term]| to(UDP, PORT, last);
    let to_agent = |last: &[Term]| to(TCP, HANDOVER, last);
    let chain = |hook, priority, rules: Vec<Rule>| Chain {
        kind: ChainKind::Filter,
        hook,
        priority,
        policy: Policy::Accept,
        rules,
    };
    let known = &[Term::In(vec![Field::IpSaddr], "nodes".into()), Term::Accept];
    let input = vec![to_tunnels(known), to_tunnels(&[Term::Drop]), to_agent(known), to_agent(&[Term::Drop])];
    let nodes = Set::exact([Type::Ipv4Addr], tunnel.others.iter().map(|ip| [Value::Ip(*ip)]));
    let table = Table {
        sets: [("nodes".into(), nodes)].into(),
        chains: [
            ("arrival".into(), chain(Hook::Prerouting, -300, vec![to_tunnels(&[Term::Notrack])])),
            ("departure".into(), chain(Hook::Output, -300, vec![to_tunnels(&[Term::Notrack])])),
            ("forward".into(), chain(Hook::Forward, 0, vec![to_tunnels(&[Term::Drop]), to_agent(&[Term::Drop])])),
            ("input".into(), chain(Hook::Input, 0, input)),
        ]
        .into(),
    };
    Ruleset { tables: [(Family::Ip, table)].into() }
}
