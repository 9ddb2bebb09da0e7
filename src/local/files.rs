//! The folders that users write to: which file declares which object, and what is wrong with which file.
//!
//! Only files that have changed are read again, and of those only the documents whose text has changed.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::yaml::{self, Document};
use crate::model::Id;
use crate::model::object::Object;

/// All files below some folders.
#[derive(Debug, Default)]
pub struct Files {
    roots: Vec<PathBuf>,
    read: BTreeMap<PathBuf, Declarations>,
    claims: BTreeMap<Id, BTreeSet<PathBuf>>,
    /// Objects that several files declare.
    doubles: BTreeSet<Id>,
    faults: BTreeMap<PathBuf, Vec<String>>,
    foreign: BTreeMap<PathBuf, Vec<String>>,
}

/// What one file declares.
#[derive(Debug, Default)]
struct Declarations {
    /// Modification time (s, ns), size and inode when it was read.
    stamp: Stamp,
    documents: Vec<Document>,
    objects: BTreeMap<Id, Object>,
}

/// What reading files has brought to light.
#[derive(Debug, Default)]
pub struct Touched {
    /// Objects that may be declared differently now, or no longer.
    pub objects: BTreeSet<Id>,
    /// Files that were wrong and are right now: what they kept alive may go.
    pub healed: BTreeSet<PathBuf>,
}

impl Files {
    /// Folders to read, not read yet.
    ///
    /// # Errors
    /// The first one that is no folder.
    pub fn new(roots: &[PathBuf]) -> io::Result<Self> {
        let mut files = Self::default();
        for root in roots {
            let named = |why: &dyn std::fmt::Display| {
                io::Error::other(format!("folder {} cannot be read: {why}; create it or name another", root.display()))
            };
            let path = root.canonicalize().map_err(|e| named(&e))?;
            if !path.is_dir() {
                return Err(named(&"it is not a directory"));
            }
            files.roots.push(path);
        }
        Ok(files)
    }

    /// The folders.
    #[must_use]
    pub fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    /// The folder that a file is below, if any.
    #[must_use]
    pub fn root_of(&self, file: &Path) -> Option<&Path> {
        let above = self.roots.iter().filter(|root| file.starts_with(root));
        above.max_by_key(|root| root.as_os_str().len()).map(PathBuf::as_path)
    }

    /// The declaration that counts: that of the first file, by path.
    #[must_use]
    pub fn declared(&self, id: &Id) -> Option<(&Path, &Object)> {
        let path = self.claims.get(id)?.first()?;
        Some((path, self.read.get(path)?.objects.get(id)?))
    }

    /// Whether what a file declared must be kept, because the file, or a folder above it, cannot be read.
    #[must_use]
    pub fn vouches_for(&self, file: &Path) -> bool {
        file.ancestors().any(|path| self.faults.contains_key(path))
    }

    /// What is wrong, in sentences that begin with the file's name.
    pub fn problems(&self) -> impl Iterator<Item = String> {
        let faults =
            self.faults.iter().flat_map(|(path, all)| all.iter().map(move |f| format!("{}: {f}", path.display())));
        let claims = self.doubles.iter().filter_map(|id| Some((id, self.claims.get(id)?)));
        let doubles = claims.flat_map(|(id, paths)| {
            let first = paths.first().map(|p| p.display().to_string()).unwrap_or_default();
            let message =
                move |p: &PathBuf| format!("{}: {id} is declared in {first} already; that one counts", p.display());
            paths.iter().skip(1).map(message)
        });
        faults.chain(doubles)
    }

    /// Objects of other groups, in sentences that begin with the file's name.
    pub fn foreign(&self) -> impl Iterator<Item = String> {
        let line = |(path, all): (&PathBuf, &Vec<String>)| format!("{}: skipped {}", path.display(), all.join(", "));
        self.foreign.iter().map(line)
    }

    /// Reads what has changed below the folders. Every directory is given to `enter` before it is listed.
    pub fn scan(&mut self, enter: &mut dyn FnMut(&Path)) -> Touched {
        let mut touched = Touched::default();
        for root in self.roots.clone() {
            self.scan_tree(&root, enter, &mut touched);
        }
        touched
    }

    /// Reads what has changed below one directory; it may be gone.
    pub fn scan_tree(&mut self, dir: &Path, enter: &mut dyn FnMut(&Path), touched: &mut Touched) {
        let mut seen = BTreeSet::new();
        self.walk(dir, enter, touched, &mut seen);
        let below: Vec<_> = self.read.range(dir.to_path_buf()..).map(|(p, _)| p.clone()).collect();
        for path in below.into_iter().take_while(|p| p.starts_with(dir)).filter(|p| !seen.contains(p)) {
            if !path.parent().is_some_and(|parent| self.vouches_for(parent)) {
                self.read(&path, touched);
            }
        }
    }

    fn walk(&mut self, dir: &Path, enter: &mut dyn FnMut(&Path), touched: &mut Touched, seen: &mut BTreeSet<PathBuf>) {
        enter(dir);
        let entries = match std::fs::read_dir(dir).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
            Ok(entries) => entries,
            Err(error) => {
                self.faults.remove(dir);
                if error.kind() != io::ErrorKind::NotFound {
                    self.faults.insert(dir.into(), vec![format!("cannot be read: {error}; what it held is kept")]);
                }
                return;
            }
        };
        if self.faults.remove(dir).is_some() {
            touched.healed.insert(dir.into());
        }
        for entry in entries {
            let path = entry.path();
            if is_dir(&entry) && !is_hidden(&path) {
                self.walk(&path, enter, touched, seen);
            } else if is_yaml(&path) {
                let now = std::fs::metadata(&path).as_ref().map(stamp).ok();
                if now.is_none() || self.read.get(&path).map(|f| f.stamp) != now || self.faults.contains_key(&path) {
                    self.read(&path, touched);
                }
                seen.insert(path);
            }
        }
    }

    /// Reads one file again; it may be gone.
    pub fn read(&mut self, path: &Path, touched: &mut Touched) {
        let before = self.read.remove(path).unwrap_or_default();
        let was_wrong = self.faults.remove(path).is_some();
        self.foreign.remove(path);
        let mut after = Declarations::default();
        let mut faults = Vec::new();
        let exists = match content(path) {
            Ok((stamp, bytes)) => {
                after.stamp = stamp;
                match bytes.map(String::from_utf8) {
                    Some(Ok(text)) => after.documents = yaml::read(&text, &before.documents),
                    Some(Err(error)) => faults.push(format!("is not UTF-8: {error}; what it held is kept")),
                    None => faults.push("is no file, so it is not read; what it held is kept".to_owned()),
                }
                true
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => {
                faults.push(format!("cannot be read: {error}; what it held is kept"));
                true
            }
        };
        let mut foreign = Vec::new();
        for document in &after.documents {
            foreign.extend(document.foreign.iter().cloned());
            faults.extend(document.errors.iter().cloned());
            for object in &document.objects {
                let id = object.id();
                match after.objects.entry(id) {
                    Entry::Occupied(entry) => {
                        faults.push(format!("{} is declared twice; the first one counts", entry.key()));
                    }
                    Entry::Vacant(entry) => {
                        entry.insert(object.clone());
                    }
                }
            }
        }
        let same = |id: &Id| match (before.objects.get(id), after.objects.get(id)) {
            (Some(a), Some(b)) => a.is(b),
            _ => false,
        };
        let ids: BTreeSet<&Id> = before.objects.keys().chain(after.objects.keys()).collect();
        for id in ids {
            let claims = self.claims.entry(id.clone()).or_default();
            if after.objects.contains_key(id) {
                claims.insert(path.into())
            } else {
                claims.remove(path)
            };
            if claims.len() > 1 {
                self.doubles.insert(id.clone())
            } else {
                self.doubles.remove(id)
            };
            if claims.is_empty() {
                self.claims.remove(id);
            }
            if !same(id) {
                touched.objects.insert(id.clone());
            }
        }
        if was_wrong && faults.is_empty() {
            touched.healed.insert(path.into());
        }
        if !faults.is_empty() {
            self.faults.insert(path.into(), faults);
        }
        if !foreign.is_empty() {
            self.foreign.insert(path.into(), foreign);
        }
        if exists {
            self.read.insert(path.into(), after);
        }
    }
}

/// Tells whether a file is another or has changed: modification time, size, inode.
type Stamp = (i64, i64, u64, u64);

/// What a path holds; none if it is no file: a pipe would never end, nor a device.
fn content(path: &Path) -> io::Result<(Stamp, Option<Vec<u8>>)> {
    let meta = std::fs::metadata(path)?;
    let bytes = meta.is_file().then(|| std::fs::read(path)).transpose()?;
    Ok((stamp(&meta), bytes))
}

fn stamp(meta: &Metadata) -> Stamp {
    (meta.mtime(), meta.mtime_nsec(), meta.size(), meta.ino())
}

/// Symbolic links to directories are not followed: they may lead in a circle, and Kubernetes' `..data` shows every file twice.
fn is_dir(entry: &std::fs::DirEntry) -> bool {
    entry.file_type().is_ok_and(|t| t.is_dir())
}

/// Whether a path ends in a name with a leading dot: what editors, git and mounted `ConfigMap`s keep for themselves.
#[must_use]
pub fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// Whether a file is read: `.yaml` or `.yml`, not hidden.
#[must_use]
pub fn is_yaml(path: &Path) -> bool {
    !is_hidden(path) && path.extension().is_some_and(|e| e == "yaml" || e == "yml")
}

#[cfg(test)]
mod tests;
