//! Tantivy's files over [`Disk`].

use std::collections::HashSet;
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use stable_deref_trait::StableDeref;
use tantivy::Directory;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    AntiCallToken, DirectoryLock, FileHandle, Lock, OwnedBytes, TerminatingWrite, WatchCallback, WatchHandle,
    WritePtr,
};

use crate::store::disk::{Disk, DiskFile};

/// Tantivy's list of the files that it made, from which it knows what to remove.
const MANAGED: &str = ".managed.json";
/// What an atomic write writes first: a name that no reader looks for.
const TEMPORARY: &str = ".new";
/// How much is written at once: 64 KiB.
const WRITTEN_BYTES: usize = 64 << 10;

/// A directory of Tantivy on a [`Disk`].
///
/// 1. A file is written once and synced when it is closed, so before `meta.json` names it.
/// 2. `meta.json` is replaced by a synced file's renaming, and the directory is synced behind it.
/// 3. Tantivy's list of its own files is what lies in the directory, not a file: whatever is there and is not named by
///    `meta.json` was left by a crash, and the next commit removes it.
/// 4. Locks are held in memory: the lock of the store already excludes other processes.
#[derive(Clone)]
pub(super) struct DiskDirectory(Arc<Inner>);

struct Inner {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    writable: bool,
    locks: Mutex<HashSet<PathBuf>>,
    unlocked: Condvar,
}

impl DiskDirectory {
    /// A directory that exists; nothing in it is touched unless it is `writable`.
    pub(super) fn new(disk: &Arc<dyn Disk>, dir: &Path, writable: bool) -> Self {
        Self(Arc::new(Inner {
            disk: Arc::clone(disk),
            dir: dir.to_owned(),
            writable,
            locks: Mutex::default(),
            unlocked: Condvar::new(),
        }))
    }

    fn path(&self, name: &Path) -> PathBuf {
        self.0.dir.join(name)
    }

    fn read(&self, name: &Path) -> io::Result<Bytes> {
        let file = self.0.disk.open(&self.path(name), false)?;
        // An empty file cannot be mapped.
        if file.size()? == 0 { Ok(Bytes::new()) } else { file.map() }
    }

    /// The names that Tantivy would have listed.
    fn names(&self) -> io::Result<Vec<String>> {
        let paths = self.0.disk.list(&self.0.dir)?;
        let names = paths.iter().filter_map(|path| path.file_name()?.to_str());
        Ok(names.filter(|name| !name.starts_with('.')).map(str::to_owned).collect())
    }

    fn may_write(&self) -> io::Result<()> {
        if self.0.writable {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "the keyword index is open for reading alone"))
    }
}

impl fmt::Debug for DiskDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DiskDirectory").field(&self.0.dir).finish()
    }
}

impl Directory for DiskDirectory {
    fn get_file_handle(&self, name: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let bytes = self.read(name).map_err(|error| unreadable(error, name))?;
        Ok(Arc::new(OwnedBytes::new(Mapped(bytes))))
    }

    fn delete(&self, name: &Path) -> Result<(), DeleteError> {
        let removed = self.may_write().and_then(|()| self.0.disk.remove(&self.path(name)));
        removed.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => DeleteError::FileDoesNotExist(name.to_owned()),
            _ => DeleteError::IoError { io_error: Arc::new(error), filepath: name.to_owned() },
        })
    }

    fn exists(&self, name: &Path) -> Result<bool, OpenReadError> {
        match self.0.disk.open(&self.path(name), false) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(unreadable(error, name)),
        }
    }

    fn open_write(&self, name: &Path) -> Result<WritePtr, OpenWriteError> {
        let created = self.may_write().and_then(|()| self.0.disk.create(&self.path(name)));
        let file = created.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => OpenWriteError::FileAlreadyExists(name.to_owned()),
            _ => OpenWriteError::wrap_io_error(error, name.to_owned()),
        })?;
        // Tantivy takes the inner writer out and puts a buffer of its own around it.
        Ok(BufWriter::new(Box::new(FileWriter { file, buffer: Vec::new(), offset: 0 })))
    }

    fn atomic_read(&self, name: &Path) -> Result<Vec<u8>, OpenReadError> {
        if name == Path::new(MANAGED) {
            let names = self.names().map_err(|error| unreadable(error, name))?;
            return serde_json::to_vec(&names).map_err(|error| unreadable(error.into(), name));
        }
        Ok(self.read(name).map_err(|error| unreadable(error, name))?.to_vec())
    }

    fn atomic_write(&self, name: &Path, content: &[u8]) -> io::Result<()> {
        self.may_write()?;
        if name == Path::new(MANAGED) {
            return Ok(());
        }
        let (disk, temporary) = (&self.0.disk, self.path(Path::new(TEMPORARY)));
        match disk.remove(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = disk.create(&temporary)?;
        file.write_all_at(content, 0)?;
        file.sync_data()?;
        disk.rename(&temporary, &self.path(name))?;
        disk.sync_dir(&self.0.dir)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.0.disk.sync_dir(&self.0.dir)
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        let mut locks = self.0.locks.lock();
        while !locks.insert(lock.filepath.clone()) {
            if !lock.is_blocking {
                return Err(LockError::LockBusy);
            }
            self.0.unlocked.wait(&mut locks);
        }
        let held = Held { directory: self.clone(), path: lock.filepath.clone() };
        Ok(DirectoryLock::from(Box::new(held)))
    }

    fn watch(&self, _: WatchCallback) -> tantivy::Result<WatchHandle> {
        // Readers are reloaded by the one who commits.
        Ok(WatchHandle::empty())
    }
}

fn unreadable(error: io::Error, name: &Path) -> OpenReadError {
    match error.kind() {
        io::ErrorKind::NotFound => OpenReadError::FileDoesNotExist(name.to_owned()),
        _ => OpenReadError::wrap_io_error(error, name.to_owned()),
    }
}

/// A lock in memory.
struct Held {
    directory: DiskDirectory,
    path: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.directory.0.locks.lock().remove(&self.path);
        self.directory.0.unlocked.notify_all();
    }
}

/// A mapped file.
struct Mapped(Bytes);

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

// SAFETY: `Bytes` points to memory that it shares and never keeps bytes in itself, so moving it moves none of them.
unsafe impl StableDeref for Mapped {}

/// Writes a file from its beginning to its end, and syncs it there.
struct FileWriter {
    file: Arc<dyn DiskFile>,
    buffer: Vec<u8>,
    offset: u64,
}

impl FileWriter {
    fn write_buffer(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.file.write_all_at(&self.buffer, self.offset)?;
            self.offset += self.buffer.len() as u64;
            self.buffer.clear();
        }
        Ok(())
    }
}

impl Write for FileWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= WRITTEN_BYTES {
            self.write_buffer()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_buffer()
    }
}

impl TerminatingWrite for FileWriter {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        self.write_buffer()?;
        self.file.sync_data()
    }
}
