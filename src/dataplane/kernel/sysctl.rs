//! Sysctls of a namespace. `/proc/sys/net` shows the namespace of the thread that looks.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use crate::dataplane::kernel::netns;

/// Where they are.
const ROOT: &str = "/proc/sys/net";

/// Reads sysctls, by path below `/proc/sys/net`; one that is missing is left out.
///
/// # Errors
/// The namespace cannot be entered.
pub fn read<'a>(
    netns: BorrowedFd<'_>,
    paths: impl Iterator<Item = &'a String>,
) -> io::Result<BTreeMap<String, String>> {
    let value = |path: &String| {
        let text = std::fs::read_to_string(Path::new(ROOT).join(path)).ok()?;
        Some((path.clone(), text.trim().to_owned()))
    };
    netns::within(netns, || paths.filter_map(value).collect())
}

/// Sets sysctls.
///
/// # Errors
/// The first that could not be set, by name (`EROFS`: `/proc/sys` is mounted read-only, as in an unprivileged container).
pub fn write(netns: BorrowedFd<'_>, values: &BTreeMap<String, String>) -> io::Result<()> {
    let set = |(path, value): (&String, &String)| {
        std::fs::write(Path::new(ROOT).join(path), value)
            .map_err(|error| io::Error::new(error.kind(), format!("net/{path}={value}: {error}")))
    };
    netns::within(netns, || values.iter().try_for_each(set))?
}

/// Those of `paths` that a namespace has.
///
/// # Errors
/// The namespace cannot be entered.
pub fn present(netns: BorrowedFd<'_>, paths: impl Iterator<Item = &'static str>) -> io::Result<BTreeSet<String>> {
    netns::within(netns, || paths.filter(|path| Path::new(ROOT).join(path).exists()).map(str::to_owned).collect())
}
