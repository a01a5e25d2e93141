//! What a power cut would leave: the content that a sync covered, and the changes that none has covered yet.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A change to a file that no sync has covered.
pub enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Grow { size: usize },
}

impl Change {
    /// Makes the change; writing beyond the end grows the file.
    pub fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => write(content, *offset, bytes),
            Self::Grow { size } => content.resize(content.len().max(*size), 0),
        }
    }
}

/// Puts bytes at an offset, with zeros before them where there was nothing.
pub fn write(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

/// A file, under whatever names it has.
#[derive(Default)]
pub struct FileRecord {
    pub durable: Vec<u8>,
    pub pending: Vec<Change>,
}

impl FileRecord {
    /// What `fdatasync` does.
    pub fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.durable);
        }
    }
}

/// What a name leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    File(usize),
    Directory,
}

/// A change of names that no directory sync has covered.
pub enum NameChange {
    Create { path: PathBuf, entry: Entry },
    Rename { from: PathBuf, to: PathBuf, entry: Entry },
    Remove { path: PathBuf },
}

impl NameChange {
    /// Whether syncing `directory` covers the change.
    fn is_in(&self, directory: &Path) -> bool {
        let (Self::Create { path, .. } | Self::Rename { to: path, .. } | Self::Remove { path }) = self;
        path.parent() == Some(directory)
    }

    /// Makes the change.
    pub fn apply(&self, names: &mut BTreeMap<PathBuf, Entry>) {
        match self {
            Self::Create { path, entry } => {
                names.insert(path.clone(), *entry);
            }
            Self::Rename { from, to, entry } => {
                names.remove(from);
                names.insert(to.clone(), *entry);
            }
            Self::Remove { path } => {
                names.remove(path);
            }
        }
    }
}

/// Everything below one directory, as a power cut would see it. Paths are relative to that directory.
pub struct Record {
    pub files: Vec<FileRecord>,
    /// The names that programs see now.
    pub names: BTreeMap<PathBuf, Entry>,
    pub durable_names: BTreeMap<PathBuf, Entry>,
    pub pending_names: Vec<NameChange>,
}

impl Record {
    /// Takes what is in `root` now for durable.
    pub fn of(root: &Path) -> Self {
        let mut record = Self {
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending_names: Vec::new(),
        };
        record.take_in(root, root, &mut BTreeMap::new());
        record.durable_names = record.names.clone();
        record
    }

    fn take_in(&mut self, root: &Path, directory: &Path, known: &mut BTreeMap<u64, usize>) {
        for found in fs::read_dir(directory).expect("a readable directory") {
            let path = found.expect("a readable entry").path();
            let name = path.strip_prefix(root).expect("below the root").to_owned();
            if path.is_dir() {
                self.names.insert(name, Entry::Directory);
                self.take_in(root, &path, known);
            } else {
                let inode = fs::metadata(&path).expect("a readable file").ino();
                let id = *known.entry(inode).or_insert(self.files.len());
                self.names.insert(name, Entry::File(id));
                if id == self.files.len() {
                    let durable = fs::read(&path).expect("a readable file");
                    self.files.push(FileRecord { durable, pending: Vec::new() });
                }
            }
        }
    }

    /// The file behind a name; a new one is recorded as created.
    pub fn file(&mut self, path: &Path) -> usize {
        if let Some(Entry::File(id)) = self.names.get(path) {
            return *id;
        }
        let id = self.files.len();
        self.files.push(FileRecord::default());
        self.change_name(NameChange::Create { path: path.to_owned(), entry: Entry::File(id) });
        id
    }

    /// Records the directories on the way to `path` that are not there yet, and `path` itself.
    pub fn directory(&mut self, path: &Path) {
        let mut ancestors: Vec<&Path> = path.ancestors().filter(|p| !p.as_os_str().is_empty()).collect();
        ancestors.reverse();
        for ancestor in ancestors {
            if !self.names.contains_key(ancestor) {
                self.change_name(NameChange::Create { path: ancestor.to_owned(), entry: Entry::Directory });
            }
        }
    }

    pub fn rename(&mut self, from: &Path, to: &Path) {
        if let Some(entry) = self.names.get(from).copied() {
            self.change_name(NameChange::Rename { from: from.to_owned(), to: to.to_owned(), entry });
        }
    }

    /// The new name leads to the same file; what is synced under one name is synced under both.
    pub fn link(&mut self, original: &Path, link: &Path) {
        if let Some(entry) = self.names.get(original).copied() {
            self.change_name(NameChange::Create { path: link.to_owned(), entry });
        }
    }

    pub fn remove(&mut self, path: &Path) {
        self.change_name(NameChange::Remove { path: path.to_owned() });
    }

    fn change_name(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending_names.push(change);
    }

    /// What a directory's `fsync` does.
    pub fn sync_directory(&mut self, directory: &Path) {
        let (covered, rest): (Vec<_>, Vec<_>) =
            self.pending_names.drain(..).partition(|change| change.is_in(directory));
        self.pending_names = rest;
        for change in covered {
            change.apply(&mut self.durable_names);
        }
    }
}
