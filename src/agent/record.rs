//! The node's own record of what is plugged: one file, replaced whole and durably.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::durable;
use crate::dataplane::attachment::{Attachment, Attachments, Sandbox, Target};
use crate::model::{Key, Uid};

/// Its file in the state directory. The CNI plugin looks into it when nobody answers.
pub const FILE: &str = "plugged.json";

/// One line of the record.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    namespace: String,
    name: String,
    uid: String,
    target: Target,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pod: Option<Sandbox>,
}

/// The record.
pub struct Record {
    path: PathBuf,
    attachments: Attachments,
    /// Whether the file says something else.
    dirty: bool,
    /// Plugged, and not on disk.
    fresh: BTreeSet<Key>,
}

impl Record {
    /// Reads the record of a state directory; an absent one is empty.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub fn open(state_dir: &Path) -> io::Result<Self> {
        let path = state_dir.join(FILE);
        let lines: Vec<Line> = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| damaged(&path, &error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let attachment = |line: Line| {
            let key = Key::new(&line.namespace, &line.name);
            (key, Attachment { port: Uid::parse(&line.uid), target: line.target, pod: line.pod })
        };
        Ok(Self {
            path,
            attachments: lines.into_iter().map(attachment).collect(),
            dirty: false,
            fresh: BTreeSet::new(),
        })
    }

    /// What is plugged.
    pub fn attachments(&self) -> &Attachments {
        &self.attachments
    }

    /// What is plugged and on disk: all, unless the disk took the last of it not.
    pub fn durable(&self) -> Cow<'_, Attachments> {
        if self.fresh.is_empty() {
            return Cow::Borrowed(&self.attachments);
        }
        let old = self.attachments.iter().filter(|(key, _)| !self.fresh.contains(*key));
        Cow::Owned(old.map(|(key, attachment)| (key.clone(), attachment.clone())).collect())
    }

    /// What is plugged, and not on disk.
    pub fn fresh(&self) -> &BTreeSet<Key> {
        &self.fresh
    }

    /// Plugs; it is on disk after the next [`Self::flush`].
    pub fn insert(&mut self, port: Key, attachment: Attachment) {
        self.fresh.insert(port.clone());
        self.attachments.insert(port, attachment);
        self.dirty = true;
    }

    /// Unplugs; whether anything was plugged. It is on disk after the next [`Self::flush`].
    pub fn forget(&mut self, port: &Key) -> bool {
        self.fresh.remove(port);
        let found = self.attachments.remove(port).is_some();
        self.dirty |= found;
        found
    }

    /// Brings the record to disk: whatever happens, the file is the old one or the new one.
    ///
    /// # Errors
    /// The disk's; the next call tries again.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.dirty {
            self.write()?;
            self.dirty = false;
            self.fresh.clear();
        }
        Ok(())
    }

    fn write(&self) -> io::Result<()> {
        let line = |(key, attachment): (&Key, &Attachment)| Line {
            namespace: key.namespace.to_string(),
            name: key.name.to_string(),
            uid: format!("{:?}", attachment.port),
            target: attachment.target.clone(),
            pod: attachment.pod.clone(),
        };
        let lines: Vec<Line> = self.attachments.iter().map(line).collect();
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        durable::replace(&self.path, |out| Ok(serde_json::to_writer(out, &lines)?)).map(drop)
    }

    /// Takes the record away.
    ///
    /// # Errors
    /// The disk's; an absent file is fine.
    pub fn remove(&mut self) -> io::Result<()> {
        self.attachments.clear();
        self.fresh.clear();
        self.dirty = false;
        durable::remove(&self.path)
    }
}

fn damaged(path: &Path, error: &serde_json::Error) -> io::Error {
    let message = format!("{} is damaged ({error}): remove it and plug the ports again", path.display());
    io::Error::new(io::ErrorKind::InvalidData, message)
}
