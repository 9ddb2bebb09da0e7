//! The file that the store lives in: JSON lines, only ever appended to, each line one batch.
//!
//! A line that a crash cut short was never answered for, so it is dropped: whatever was cut off, what is left is a
//! moment that was. A file that has grown is written anew beside itself and renamed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::agent::durable;
use crate::model::object::Object;

/// Name of the journal in the state directory.
pub const FILE: &str = "journal";

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
        durable::discard(&path)?;
        let missing = !path.exists();
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path)?;
        if missing {
            durable::sync_directory(&path)?;
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
    /// The disk's; whichever journal stands then is gone on with.
    pub fn rewrite(&mut self, mut records: impl Iterator<Item = Record>) -> io::Result<()> {
        let written = durable::replace(&self.path, |out| {
            records.try_for_each(|record| {
                serde_json::to_writer(&mut *out, &[record])?;
                out.write_all(b"\n")
            })
        });
        let (file, done) = match written {
            Ok(file) => (file, Ok(())),
            Err(error) => (OpenOptions::new().append(true).open(&self.path)?, Err(error)),
        };
        self.length = file.metadata()?.len();
        self.file = file;
        if done.is_ok() {
            self.compact = self.length;
        }
        done
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
