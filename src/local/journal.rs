//! The file that the store lives in: JSON lines, only ever appended to, each line one batch.
//!
//! A line that a crash cut short was never answered for, so it is dropped: whatever was cut off, what is left is a
//! moment that was. A file that has grown is written anew beside itself and renamed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::object::Object;

/// Name of the journal in the state directory.
pub const FILE: &str = "journal";
/// Name of a journal that is being written anew.
pub const FRESH: &str = "journal.new";

/// One change.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Record {
    /// The object is now like this.
    Put {
        /// File that declares it.
        source: String,
        /// The object, with metadata and status.
        object: Object,
    },
    /// The object is gone.
    Gone {
        /// Kind.
        kind: String,
        /// Namespace, or empty.
        namespace: String,
        /// Name.
        name: String,
    },
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Length, bytes.
    length: u64,
    /// Length when it was last written anew, bytes.
    compact: u64,
}

/// A journal grows to this many bytes, and to three times what it was when new, before it is written anew.
const ROOM: u64 = 4 << 20;

impl Journal {
    /// Opens the journal of a state directory, makes it when it is missing, cuts off a torn end.
    /// Every record is given to `each`, in order.
    ///
    /// # Errors
    /// The directory cannot be written; a line that is not the last one is damaged.
    pub fn open(dir: &Path, each: impl FnMut(Record)) -> io::Result<Self> {
        let path = dir.join(FILE);
        remove(&dir.join(FRESH))?;
        let missing = !path.exists();
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path)?;
        if missing {
            File::open(dir)?.sync_all()?;
        }
        let whole = replay(&path, each)?;
        if file.metadata()?.len() > whole {
            file.set_len(whole)?;
        }
        Ok(Self { path, file, length: whole, compact: whole })
    }

    /// Appends one batch. `durable`: it survives a power cut once this returns.
    ///
    /// # Errors
    /// The disk's; nothing of the batch stands then.
    pub fn append(&mut self, batch: &[Record], durable: bool) -> io::Result<()> {
        let mut line = serde_json::to_vec(batch)?;
        line.push(b'\n');
        let done = self.file.write_all(&line).and_then(|()| if durable { self.file.sync_data() } else { Ok(()) });
        if done.is_err() {
            self.file.set_len(self.length)?;
            return done;
        }
        self.length += line.len() as u64;
        Ok(())
    }

    /// Whether the journal should be written anew.
    #[must_use]
    pub fn has_grown(&self) -> bool {
        self.length > ROOM.max(3 * self.compact)
    }

    /// Writes the journal anew with these records alone. Until the rename the old one stands.
    ///
    /// # Errors
    /// The disk's; the old journal stands then.
    pub fn rewrite(&mut self, records: impl Iterator<Item = Record>) -> io::Result<()> {
        let fresh = self.path.with_file_name(FRESH);
        remove(&fresh)?;
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&fresh)?;
        let mut out = io::BufWriter::new(file);
        for record in records {
            serde_json::to_writer(&mut out, &[record])?;
            out.write_all(b"\n")?;
        }
        let file = out.into_inner()?;
        file.sync_all()?;
        std::fs::rename(&fresh, &self.path)?;
        if let Some(dir) = self.path.parent() {
            File::open(dir)?.sync_all()?;
        }
        self.length = file.metadata()?.len();
        self.compact = self.length;
        self.file = file;
        Ok(())
    }
}

/// Removes a journal that was not finished.
fn remove(fresh: &Path) -> io::Result<()> {
    match std::fs::remove_file(fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Gives every record of a journal to `each` and returns the length of what is whole, bytes. Writes nothing.
///
/// # Errors
/// It cannot be read; a line that is not the last one is damaged.
pub fn replay(path: &Path, mut each: impl FnMut(Record)) -> io::Result<u64> {
    let text = std::fs::read(path)?;
    let mut whole = 0;
    for (number, line) in text.split_inclusive(|b| *b == b'\n').enumerate() {
        let end = whole + line.len();
        match serde_json::from_slice::<Vec<Record>>(line) {
            Ok(batch) if line.ends_with(b"\n") => batch.into_iter().for_each(&mut each),
            _ if end == text.len() => break,
            Ok(_) => break,
            Err(error) => {
                let why = format!(
                    "line {} of {} is damaged ({error}); restore the file, or move it away to start with new addresses",
                    number + 1,
                    path.display()
                );
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
        }
        whole = end;
    }
    Ok(whole as u64)
}
