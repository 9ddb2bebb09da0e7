//! Which rows are asked for, and how they are printed.

use crate::row::Row;

/// Rows that are measured together.
pub type Group = (&'static [&'static str], fn() -> Vec<Row>);

/// Measures what the command line asks for; ends with 1 if a target is missed.
pub fn main(groups: &[Group]) {
    let (mut json, mut wanted) = (false, Vec::new());
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            // cargo says this to every bench.
            "--bench" => {}
            "-o" => json = words.next().as_deref() == Some("json"),
            name if groups.iter().any(|(names, _)| names.contains(&name)) => wanted.push(word),
            _ => {
                let names: Vec<_> = groups.iter().flat_map(|(names, _)| names.iter().copied()).collect();
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
    for (names, measure) in groups.iter().copied() {
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
