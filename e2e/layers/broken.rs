//! The checker itself: each rule, broken, is told; what looks like a breach and is none is not.

use std::collections::BTreeMap;

use crate::{declared, rules};

fn faults(file: &str, code: &str) -> Vec<String> {
    rules::faults(file, code, &["tbr".into(), "rtr-".into()])
}

#[test]
fn what_breaks_a_rule_is_told() {
    for (file, code, word) in [
        ("api/port.rs", "use crate::model::Id;", "layers point down"),
        ("api/port.rs", "fn f() { crate::local::yaml::read() }", "layers point down"),
        ("model/ipam.rs", "use crate::{api::Port, dataplane::state::State};", "dataplane::state"),
        ("model/link/port.rs", "use super::super::super::dataplane::plan;", "layers point down"),
        ("dataplane/plan.rs", "use crate::agent::Agent;", "layers point down"),
        ("dataplane/plan.rs", "use super::kernel::Kernel;", "only agent may"),
        ("local/run.rs", "use crate::dataplane::kernel::link;", "only agent may"),
        ("agent/mod.rs", "use crate::local::store;", "layers point down"),
        ("local/run.rs", "use crate::cli::args;", "layers point down"),
        ("agent/mod.rs", "use crate::config;", "environment"),
        ("local/run.rs", "fn f() { std::env::var(\"X\"); }", "environment"),
        ("dataplane/plan.rs", "use std::fs;", "pure"),
        ("dataplane/plan.rs", "use std::{collections::BTreeMap, process::Command};", "std::process"),
        ("dataplane/plan.rs", "fn f() { let now = Instant::now(); }", "pure"),
        ("dataplane/plan.rs", "use std::time::{Duration, SystemTime};", "SystemTime"),
        ("dataplane/nft/mod.rs", "use netlink_packet_route::link;", "netlink"),
        ("model/id.rs", "fn f() -> nix::Result<()> { Ok(()) }", "nix"),
        ("model/id.rs", "use k8s_openapi::jiff::Timestamp; fn f() { Timestamp::now(); }", "Timestamp::now"),
        ("controller/pulse.rs", "fn f() { let now = Timestamp::now(); }", "wall clock"),
        ("node/world.rs", "use std::time::SystemTime;", "wall clock"),
        ("agent/mod.rs", "const X: &str = \"tbr\";", "names"),
        ("local/run.rs", "fn f() { format!(\"rtr-{}\", 1); }", "names"),
        ("cli/get.rs", "fn f() { g(r#\"tbr0123\"#) }", "names"),
    ] {
        let found = faults(file, code);
        assert!(found.iter().any(|fault| fault.contains(word)), "`{code}` in {file} is let through: {found:?}");
    }
    assert!(faults("api/long.rs", &"\n".repeat(401))[0].contains("401 lines"));
}

#[test]
fn what_only_looks_like_a_breach_is_none() {
    for (file, code) in [
        ("model/id.rs", "// use crate::agent::Agent;\n/* std::fs */ const X: &str = \"std::fs and crate::agent\";"),
        ("model/id.rs", "#[cfg(test)]\nmod tests { use std::fs; fn f() { crate::local::run() } }\nuse crate::api;"),
        ("model/id.rs", "#[cfg(test)]\n#[allow(clippy::panic)]\nmod tests { const C: char = '{'; }\nuse crate::api;"),
        ("model/id.rs", "#[cfg(test)]\nuse std::fs;\nfn f<'a>(x: &'a str) -> char { '\"' }"),
        ("dataplane/plan.rs", "use crate::{api, dataplane::state, model::{self, Id}};\nuse std::time::Duration;"),
        ("dataplane/kernel/link.rs", "use std::fs; use nix::sched; use crate::dataplane::names;"),
        ("agent/mod.rs", "use crate::dataplane::kernel::Kernel;"),
        ("cli/mod.rs", "use crate::{config, local};"),
        ("lib.rs", "pub mod agent;"),
        ("node/run.rs", "use k8s_openapi::jiff::Timestamp; fn f() { Timestamp::now(); }"),
        ("controller/pulse.rs", "fn f(now: Instant) { Instant::now() - now }"),
        ("main.rs", "fn main() { tenet::cli::main() }"),
        ("local/run.rs", "const X: &str = \"tbrush\";"),
    ] {
        assert_eq!(faults(file, code), Vec::<String>::new(), "`{code}` in {file}");
    }
}

#[test]
fn a_file_without_a_mod_line_is_an_orphan_and_tests_are_tests_all_the_way_down() {
    let files = [
        ("lib.rs", "pub mod model;"),
        ("model/mod.rs", "mod id;\n#[cfg(test)]\n#[allow(dead_code)]\nmod tests;\n// mod forgotten;"),
        ("model/id.rs", ""),
        ("model/tests.rs", "mod deep;"),
        ("model/tests/deep.rs", ""),
        ("model/forgotten.rs", ""),
    ];
    let files: BTreeMap<_, _> = files.map(|(file, code)| (file.to_owned(), code.to_owned())).into();
    let declared = declared(&files, &["lib.rs"]);
    assert_eq!(declared.get("model/forgotten.rs"), None);
    assert_eq!(declared.get("model/id.rs"), Some(&false));
    assert_eq!(declared.get("model/tests/deep.rs"), Some(&true));
}
