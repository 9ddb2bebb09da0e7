//! The layers hold: what each file under `src/` names, how long it is, who makes names, and that nothing lies there
//! undeclared. Read from the source itself, so that no macro and no build can hide it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod broken;
mod rules;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use source::Source;

/// Every file under `src/` that ends in `.rs`, by its path there, with its text.
fn files() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = BTreeMap::new();
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

/// Follows the `mod` lines from a root. Files found, and whether only tests see them.
fn declared(files: &BTreeMap<String, String>, roots: &[&str]) -> BTreeMap<String, bool> {
    let mut found: BTreeMap<String, bool> = roots.iter().map(|root| ((*root).to_owned(), false)).collect();
    let mut open: Vec<String> = found.keys().cloned().collect();
    while let Some(file) = open.pop() {
        let stem = file.strip_suffix(".rs").unwrap();
        let folder = if matches!(stem, "lib" | "main") { "" } else { stem.strip_suffix("/mod").unwrap_or(stem) };
        let under = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        for (module, test) in Source::read(files.get(&file).map_or("", String::as_str)).modules {
            let paths = [format!("{under}{module}.rs"), format!("{under}{module}/mod.rs")];
            for path in paths.into_iter().filter(|path| files.contains_key(path)) {
                found.insert(path.clone(), test || found[&file]);
                open.push(path);
            }
        }
    }
    found
}

#[test]
fn every_file_keeps_to_its_layer() {
    let files = files();
    let prefixes = rules::prefixes(&files[rules::NAMES]);
    assert!(prefixes.len() > 8, "the names' file has changed its looks: {prefixes:?}");
    let declared = declared(&files, &["lib.rs", "main.rs"]);
    let product = files.iter().filter(|(file, _)| declared.get(*file) == Some(&false));
    let faults: Vec<_> = product.flat_map(|(file, code)| rules::faults(file, code, &prefixes)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_file_is_longer_than_one_can_read() {
    let long: Vec<_> =
        files().into_iter().filter(|(_, code)| code.lines().count() > 400).map(|(file, _)| file).collect();
    assert!(long.is_empty(), "split by idea: {long:?}");
}

#[test]
fn every_file_is_declared() {
    let files = files();
    let declared: BTreeSet<_> = declared(&files, &["lib.rs", "main.rs"]).into_keys().collect();
    let orphans: Vec<_> = files.keys().filter(|file| !declared.contains(*file)).collect();
    assert!(orphans.is_empty(), "no `mod` line leads to {orphans:?}, so nothing there is compiled");
}
