//! What each layer may name.

use std::fmt::Write as _;

use crate::source::Source;

/// The layers from the ground up; each may name itself and those before it. `config`, the environment, is for the two
/// that talk to people.
const LAYERS: [&str; 12] =
    ["api", "model", "dataplane", "kernel", "agent", "cni", "local", "cluster", "controller", "node", "cli", "main"];

/// What the pure layers do without: files, other processes, the environment, a clock, the kernel.
const IMPURE: [&str; 14] = [
    "std::fs",
    "std::process",
    "std::env",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::os",
    "std::thread",
    "nix",
    "socket2",
    "netlink",
    "SystemTime",
    "Instant",
    "Timestamp::now",
];

/// The only file that makes and recognises our names.
pub const NAMES: &str = "dataplane/names.rs";
/// The only file that reads the environment.
const CONFIG: &str = "config.rs";
/// Who reads the wall clock names one of these.
const CLOCKS: [&str; 2] = ["SystemTime", "Timestamp::now"];
/// Layers that know neither cluster nor people: local mode stamps what it stores, `cli` shows ages.
const AT_HOME: [&str; 3] = ["local", "cli", "main"];
/// Of all others, the files that read the wall clock, which may be stepped: they stamp conditions, Events and Leases by it.
/// What takes how long, and who is silent since when, is counted by the monotonic clock.
const STAMPS: [&str; 4] = ["cluster/lease.rs", "cluster/event.rs", "controller/run.rs", "node/run.rs"];
/// The longest file, lines.
const LINES: usize = 400;

/// The layer of a file, by its path under `src/`. None: above all layers.
fn layer(file: &str) -> Option<&str> {
    if file.starts_with("dataplane/kernel") {
        return Some("kernel");
    }
    let top = file.split('/').next().unwrap_or(file);
    let top = top.strip_suffix(".rs").unwrap_or(top);
    (top != "lib").then_some(top)
}

fn height(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|name| *name == layer)
}

/// Module path of a file under `src/`.
fn module(file: &str) -> Vec<&str> {
    let path = file.strip_suffix(".rs").unwrap_or(file);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if matches!(path, "lib" | "main") { Vec::new() } else { path.split('/').collect() }
}

/// A path of a file, from the crate's root. None: it leads out of the crate, or to what is in scope.
fn from_root<'a>(file: &'a str, path: &[&'a str]) -> Option<Vec<&'a str>> {
    let mut base = module(file);
    let rest = match path {
        ["crate" | "tenet", rest @ ..] => return Some(rest.to_vec()),
        ["self", rest @ ..] => rest,
        ["super", rest @ ..] => {
            base.pop();
            let mut rest = rest;
            while let ["super", more @ ..] = rest {
                base.pop();
                rest = more;
            }
            rest
        }
        _ => return None,
    };
    base.extend(rest);
    Some(base)
}

/// What a file under `src/` does that its layer may not, in sentences. `prefixes` are those of our names.
pub fn faults(file: &str, code: &str, prefixes: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = code.lines().count();
    if lines > LINES {
        faults.push(format!("src/{file} has {lines} lines, more than {LINES}: split it by idea"));
    }
    let source = Source::read(code);
    let paths = source.paths();
    if let Some(own) = layer(file) {
        for path in &paths {
            if let Some(fault) = names_above(file, own, path) {
                faults.push(fault);
            }
        }
        let pure = matches!(own, "api" | "model" | "dataplane");
        let impure = paths.iter().map(|path| path.join("::")).chain(source.words.iter().cloned());
        for named in impure.filter(|_| pure) {
            if let Some(what) = IMPURE.iter().find(|what| reaches(&named, what)) {
                faults.push(format!("src/{file} names {named}, but layer {own} is pure: no {what} there"));
            }
        }
        let mut named = paths.iter().map(|path| path.join("::")).chain(source.words.iter().cloned());
        let wall = named.any(|named| CLOCKS.iter().any(|clock| reaches(&named, clock)));
        if wall && !AT_HOME.contains(&own) && !STAMPS.contains(&file) {
            faults.push(format!("src/{file} reads the wall clock, which may be stepped: count by Instant"));
        }
        let reads = paths.iter().any(|path| matches!(path.as_slice(), ["std", "env", ..]));
        if reads && file != CONFIG {
            faults.push(format!("src/{file} reads the environment; src/{CONFIG} alone does"));
        }
    }
    let ours = |text: &&String| prefixes.iter().any(|prefix| starts_name(text, prefix));
    for text in source.texts.iter().filter(|_| file != NAMES).filter(ours) {
        faults.push(format!("src/{file} has \"{text}\"; src/{NAMES} alone makes and recognises our names"));
    }
    faults.sort();
    faults.dedup();
    faults
}

fn names_above(file: &str, own: &str, path: &[&str]) -> Option<String> {
    let to = from_root(file, path)?;
    let target = match to.as_slice() {
        ["dataplane", "kernel", ..] => "kernel",
        [top, ..] => top,
        [] => return None,
    };
    let mut why = String::new();
    match target {
        "config" if matches!(own, "cli" | "config") => return None,
        "config" => _ = write!(why, "the environment is for cli alone"),
        // Between a kernel's hands and who moves them there is nobody else.
        "kernel" if !matches!(own, "kernel" | "agent") => _ = write!(why, "only agent may"),
        _ => {
            // Not a module of ours: an item of the crate's root.
            let target = height(target)?;
            if height(own).is_some_and(|own| target <= own) || own == "config" {
                return None;
            }
            _ = write!(why, "layers point down: {}", LAYERS.join(" <- "));
        }
    }
    Some(format!("src/{file} (layer {own}) names {}: {why}", path.join("::")))
}

/// Whether a path or word is, or leads through, what a pure layer does without.
fn reaches(named: &str, what: &str) -> bool {
    let whole = named == what || named.starts_with(&format!("{what}::"));
    let inside = named.contains(&format!("::{what}::")) || named.ends_with(&format!("::{what}"));
    let crates = what == "netlink" && (named.starts_with("netlink_") || named.starts_with("rtnetlink"));
    // `std::os` is for descriptors; the kernel's words for errors are no access to it.
    whole || crates || (inside && what.starts_with(char::is_uppercase))
}

/// Whether a text is a name of ours or begins one: the prefix, alone or before digits.
fn starts_name(text: &str, prefix: &str) -> bool {
    let rest = text.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| c == '{' || c.is_ascii_hexdigit()))
}

/// The prefixes of our names, as their file says them: texts of three letters that begin with `t`, and those that end in `-`.
pub fn prefixes(names: &str) -> Vec<String> {
    let link = |text: &String| text.len() == 3 && text.starts_with('t') && text.bytes().all(|b| b.is_ascii_lowercase());
    let pin = |text: &String| text.ends_with("-{}") || (text.len() > 1 && text.ends_with('-'));
    let texts = Source::read(names).texts.into_iter().filter(|text| link(text) || pin(text));
    texts.map(|text| text.trim_end_matches("{}").to_owned()).collect()
}
