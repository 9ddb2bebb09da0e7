//! `tenet plan`: what would change, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};

use serde::Serialize;

use super::Ended;
use super::args::{Plan as Args, Show};
use crate::config;
use crate::dataplane::filter::Policy;
use crate::dataplane::plan::{Action, Change, Plan};
use crate::dataplane::state::{Link, Spec};

/// `tenet plan`
pub fn run(args: Args) -> Ended {
    let options = super::options(args.instance);
    let (plan, complaints) = crate::local::plan(&options)?;
    let mut err = io::stderr().lock();
    complaints.iter().try_for_each(|line| writeln!(err, "warning: {line}"))?;
    let text = match args.output {
        Show::Text => text(&plan, config::colour()),
        Show::Json => json(&plan)?,
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(if plan.0.is_empty() { 0 } else { 2 })
}

/// Shows a plan of an agent.
pub fn show(plan: &Plan) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text(plan, config::colour()).as_bytes())?;
    out.flush()
}

/// One change, as `-o json` shows it.
#[derive(Serialize)]
struct Line {
    action: &'static str,
    kind: &'static str,
    name: String,
    owner: Option<String>,
}

fn json(plan: &Plan) -> Result<String, serde_json::Error> {
    let line = |c: &Change| Line {
        action: word(c.action()),
        kind: c.item.kind(),
        name: c.item.to_string(),
        owner: c.owner.as_ref().map(ToString::to_string),
    };
    let changes: Vec<_> = plan.0.iter().map(line).collect();
    Ok(serde_json::to_string_pretty(&serde_json::json!({ "changes": changes }))? + "\n")
}

fn word(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Delete => "delete",
    }
}

/// Changes grouped by the object that they are for, and a last line that counts them.
fn text(plan: &Plan, colour: bool) -> String {
    if plan.0.is_empty() {
        return "Nothing to change: this host is as declared.\n".into();
    }
    // Groups stand in the order of their names; within one, in the order in which the changes are made.
    let mut groups: BTreeMap<String, Vec<&Change>> = BTreeMap::new();
    for change in &plan.0 {
        let nobody = if change.to.is_none() { "No longer declared" } else { "This host" };
        let owner = change.owner.as_ref().map_or_else(|| nobody.to_owned(), ToString::to_string);
        groups.entry(owner).or_default().push(change);
    }
    let paint = |code: u8, text: &str| if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    let mut out = String::new();
    for (owner, changes) in groups {
        let _ = writeln!(out, "{}", paint(1, &owner));
        for change in changes {
            let (code, sign) = match change.action() {
                Action::Create => (32, '+'),
                Action::Update => (33, '~'),
                Action::Delete => (31, '-'),
            };
            let line = format!("{sign} {} {}", change.item.kind(), change.item);
            let detail = detail(change);
            let detail = if detail.is_empty() { detail } else { format!("  {detail}") };
            let _ = writeln!(out, "  {}{}", paint(code, &line), paint(2, &detail));
        }
        out.push('\n');
    }
    let count = |action| plan.0.iter().filter(|c| c.action() == action).count();
    let (create, update, delete) = (count(Action::Create), count(Action::Update), count(Action::Delete));
    let _ = writeln!(out, "{create} to create (+), {update} to update (~), {delete} to delete (-).");
    out
}

/// What a reader wants to know beside the name.
fn detail(change: &Change) -> String {
    match (&change.from, &change.to) {
        (Some(from), Some(to)) => differences(from, to),
        (_, Some(spec)) | (Some(spec), None) => describe(spec),
        _ => String::new(),
    }
}

fn describe(spec: &Spec) -> String {
    match spec {
        Spec::Link(link) => {
            let bridge = link.bridge.as_ref().map_or(String::new(), |b| format!(", port of {}", b.bridge));
            format!("{}, mtu {}{bridge}", link.kind.word(), link.mtu)
        }
        Spec::Neighbour(mac) => format!("at {mac}"),
        Spec::Remote(node) => format!("through {node}"),
        Spec::Rule(rule) => format!("{:?} packets: table {:?}", rule.packets, rule.table).to_lowercase(),
        Spec::Route(route) => {
            let hop = |h: &crate::dataplane::state::Hop| {
                h.via.map_or_else(|| format!("on {}", h.device), |via| format!("via {via} on {}", h.device))
            };
            let mtu = route.mtu.map_or(String::new(), |mtu| format!(", mtu {mtu}"));
            route.hops.iter().map(hop).collect::<Vec<_>>().join(", ") + &mtu
        }
        Spec::Group(rules) => format!("{} rules", rules.len()),
        Spec::Policy(Policy::Open) => "no port security".into(),
        Spec::Policy(Policy::Guarded(view)) => {
            format!("{} sources, {} groups", view.pairs.len(), view.groups.len())
        }
        Spec::Sysctls(all) => format!("{} settings", all.len()),
        Spec::Namespace | Spec::Ruleset(_) | Spec::Fdb | Spec::Address | Spec::Member => String::new(),
    }
}

fn differences(from: &Spec, to: &Spec) -> String {
    match (from, to) {
        (Spec::Link(a), Spec::Link(b)) => link_differences(a, b).join(", "),
        (Spec::Sysctls(a), Spec::Sysctls(b)) => {
            let changed = b.iter().filter(|(path, value)| a.get(*path) != Some(value));
            changed.map(|(path, value)| format!("{path} = {value}")).collect::<Vec<_>>().join(", ")
        }
        (Spec::Ruleset(_), _) => "rules differ".into(),
        _ => format!("{} (was {})", describe(to), describe(from)),
    }
}

fn link_differences(from: &Link, to: &Link) -> Vec<String> {
    let mut all = Vec::new();
    let mut differ = |what: &str, a: String, b: String| {
        if a != b {
            all.push(format!("{what} {b} (was {a})"));
        }
    };
    let mac = |l: &Link| l.mac.map_or_else(|| "none".into(), |m| m.to_string());
    let bridge =
        |l: &Link| l.bridge.as_ref().map_or_else(|| "none".into(), |b| format!("{} as {:?}", b.bridge, b.role));
    let filter = |l: &Link| l.filter.as_ref().map_or_else(|| "none".into(), |f| f.program.to_string());
    differ("kind", from.kind.word().into(), to.kind.word().into());
    differ("mac", mac(from), mac(to));
    differ("mtu", from.mtu.to_string(), to.mtu.to_string());
    differ("state", updown(from).into(), updown(to).into());
    differ("bridge", bridge(from), bridge(to));
    differ("filters", filter(from), filter(to));
    differ("for", from.alias.clone(), to.alias.clone());
    all
}

fn updown(link: &Link) -> &'static str {
    if link.up { "up" } else { "down" }
}

#[cfg(test)]
mod tests;
