//! The figures of the product, each with its target, on the machine that this runs on (root needed).
//!
//! `make bench`, or `make bench ROWS="ping build"`; `-o json` prints a line of JSON for each row. Every group of rows has a
//! host of its own (network and mount namespaces), which ends with its thread.
#![allow(missing_docs, clippy::pedantic, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod crowd;
mod dhcp;
mod floating;
mod guest;
mod lane;
mod meter;
mod paths;
mod plug;
mod ports;
mod row;
mod thousand;
mod yaml;

use row::Row;

/// Rows that are measured together.
type Group = (&'static [&'static str], fn() -> Vec<Row>);

const GROUPS: [Group; 6] = [
    (&["ping", "dhcp"], ports::rows),
    (&["build", "idle", "restart", "delete"], thousand::rows),
    (&["add"], crowd::rows),
    (&["kills"], paths::kills),
    (&["same-node", "routed", "snat", "floating"], paths::rows),
    (&["floating-many"], floating::rows),
];

fn main() {
    let (mut json, mut wanted) = (false, Vec::new());
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            // cargo says this to every bench.
            "--bench" => {}
            "-o" => json = words.next().as_deref() == Some("json"),
            name if GROUPS.iter().any(|(names, _)| names.contains(&name)) => wanted.push(word),
            _ => {
                let names: Vec<_> = GROUPS.iter().flat_map(|(names, _)| names.iter().copied()).collect();
                eprintln!("no row {word}; there are: {}", names.join(" "));
                std::process::exit(1);
            }
        }
    }
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
    let limit = nix::sys::resource::Resource::RLIMIT_NOFILE;
    let (_, most) = nix::sys::resource::getrlimit(limit).unwrap();
    nix::sys::resource::setrlimit(limit, most, most).unwrap();
    let mut failed = false;
    for (names, measure) in GROUPS {
        if !names.iter().any(|name| is_wanted(name)) {
            continue;
        }
        match std::thread::spawn(measure).join() {
            Ok(rows) => {
                for row in rows.iter().filter(|row| is_wanted(row.name)) {
                    if json { println!("{}", row.json()) } else { println!("{row}") }
                }
            }
            Err(_) => failed = true,
        }
    }
    std::process::exit(i32::from(failed));
}
