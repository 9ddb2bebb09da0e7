//! The node's own record of what is plugged: one file, replaced whole and durably.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::dataplane::attachment::{Attachment, Attachments, Target};
use crate::model::{Key, Uid};

/// One line of the record.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    namespace: String,
    name: String,
    uid: String,
    target: Target,
}

/// The record.
pub struct Record {
    path: PathBuf,
    /// What is plugged.
    pub attachments: Attachments,
}

impl Record {
    /// Reads the record of a state directory; an absent one is empty.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub fn open(state_dir: &Path) -> io::Result<Self> {
        let path = state_dir.join("plugged.json");
        let lines: Vec<Line> = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| damaged(&path, &error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let attachment = |line: Line| {
            let key = Key::new(&line.namespace, &line.name);
            (key, Attachment { port: Uid::parse(&line.uid), target: line.target })
        };
        Ok(Self { path, attachments: lines.into_iter().map(attachment).collect() })
    }

    /// Writes the record: whatever happens, the file is the old one or the new one.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(&self) -> io::Result<()> {
        let line = |(key, attachment): (&Key, &Attachment)| Line {
            namespace: key.namespace.to_string(),
            name: key.name.to_string(),
            uid: format!("{:?}", attachment.port),
            target: attachment.target.clone(),
        };
        let lines: Vec<Line> = self.attachments.iter().map(line).collect();
        let Some(directory) = self.path.parent() else { return Ok(()) };
        std::fs::create_dir_all(directory)?;
        let next = self.path.with_extension("next");
        let mut file = File::create(&next)?;
        file.write_all(&serde_json::to_vec(&lines)?)?;
        file.sync_all()?;
        std::fs::rename(&next, &self.path)?;
        File::open(directory)?.sync_all()
    }

    /// Takes the record away.
    ///
    /// # Errors
    /// The disk's; an absent file is fine.
    pub fn remove(&mut self) -> io::Result<()> {
        self.attachments.clear();
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn damaged(path: &Path, error: &serde_json::Error) -> io::Error {
    let message = format!("{} is damaged ({error}): remove it and plug the ports again", path.display());
    io::Error::new(io::ErrorKind::InvalidData, message)
}
