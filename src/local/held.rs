//! What is held back, where `tenet get` can read it: a small file in the state directory.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::agent::durable;

/// Name of the file in the state directory.
pub const FILE: &str = "held.json";

/// How many objects are held back, by folder; nothing when the file is missing or not ours.
#[must_use]
pub fn read(state: &Path) -> BTreeMap<String, usize> {
    let text = std::fs::read(state.join(FILE)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Writes it; nothing held back is no file.
///
/// # Errors
/// The disk's.
pub fn write(state: &Path, held: &BTreeMap<String, usize>) -> io::Result<()> {
    let path = state.join(FILE);
    if held.is_empty() {
        return durable::remove(&path);
    }
    durable::replace(&path, |out| Ok(serde_json::to_writer(out, held)?)).map(drop)
}
