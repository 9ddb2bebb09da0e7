//! Files that are replaced whole: whatever happens, power cut included, there is the old one or the new one.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Replaces a file by what `write` writes, readable by root only. Returns the new file, open for appending.
///
/// # Errors
/// What `write` says, or the disk. At `path` is the old file then, or, if all but the directory was brought to disk, the new
/// one.
pub fn replace(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<File> {
    let written = write_fresh(path, write);
    if written.is_err() {
        // A full disk must not stay full for this; the error that counts is the first.
        let _ = discard(path);
    }
    let file = written?;
    sync_directory(path)?;
    Ok(file)
}

fn write_fresh(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<File> {
    discard(path)?;
    let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(fresh(path))?;
    let mut out = BufWriter::new(file);
    write(&mut out)?;
    let file = out.into_inner()?;
    file.sync_all()?;
    std::fs::rename(fresh(path), path)?;
    Ok(file)
}

/// Removes a file, and what a crash left beside it; nothing there is fine.
///
/// # Errors
/// The disk's.
pub fn remove(path: &Path) -> io::Result<()> {
    discard(path)?;
    absent(path)
}

/// Removes what a crash left beside a file that was being replaced.
///
/// # Errors
/// The disk's.
pub fn discard(path: &Path) -> io::Result<()> {
    absent(&fresh(path))
}

/// Where the next content of a file is written.
fn fresh(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn absent(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Brings to disk that a file was made, renamed or removed.
///
/// # Errors
/// The disk's.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot begin ends there")]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_the_old_one_or_the_new_one_and_nothing_is_left_beside_it() {
        let dir = std::env::temp_dir().join(format!("durable-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("a.json");
        replace(&path, |out| out.write_all(b"one")).unwrap();
        let failed = replace(&path, |out| {
            out.write_all(b"tw")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        // A crash left half of a longer one.
        std::fs::write(fresh(&path), b"something longer").unwrap();
        replace(&path, |out| out.write_all(b"two")).unwrap().write_all(b", and more").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two, and more");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let names: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["a.json"]);
        std::fs::write(fresh(&path), b"a crash's").unwrap();
        remove(&path).and_then(|()| remove(&path)).unwrap();
        std::fs::remove_dir(&dir).unwrap();
    }
}
