//! Files, through one seam: [`Disk`] and [`DiskFile`]. Tests put a faulty one behind it.
//!
//! **Invariant:** every change to a file of the data directory passes through here, so a test that records these
//! calls sees everything that a crash could lose.

mod real;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

pub use real::RealDisk;

/// A file system. Errors are the operating system's; the callers add what they were doing.
pub trait Disk: Send + Sync {
    /// Creates a new file for reading and writing; it must not exist.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens an existing file, for writing too if `writable`.
    fn open(&self, path: &Path, writable: bool) -> io::Result<Arc<dyn DiskFile>>;
    /// Renames a file over another, atomically.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file a second name, which must not exist; both are the same file from then on.
    fn hard_link(&self, original: &Path, link: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// Creates a directory and its parents; existing ones are fine.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Makes creations, links, renames and removals inside a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// The entries of a directory, in order of their names.
    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>>;
    /// The one absolute name of a file or directory that exists, without symbolic links.
    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf>;
    /// Takes the exclusive lock of a lock file, creating it, and writes this process's id into it; `None` when another
    /// process has it.
    fn lock(&self, path: &Path) -> io::Result<Option<Lock>>;
}

/// An exclusive lock, held until this is dropped.
pub struct Lock(File);

impl Lock {
    /// Takes over a file that was locked.
    #[must_use]
    pub fn held_by(file: File) -> Self {
        Self(file)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file is not enough: a child process that was just forked holds it too until it runs its program.
        let _ = self.0.unlock();
    }
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Writes all of `bytes` at `offset`.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes written content, and the size needed to read it, durable (`fdatasync`).
    fn sync_data(&self) -> io::Result<()>;
    /// Makes the file zero-filled up to `bytes`, space reserved; never shrinks it.
    fn allocate(&self, bytes: u64) -> io::Result<()>;
    /// Makes the bytes from `from` to `to` zero, inside the file. The file is never cut: it may be mapped.
    fn clear(&self, from: u64, to: u64) -> io::Result<()>;
    /// Gives the space of the bytes from `from` to `to` back: they read as zero, and the size stays. Where the file system
    /// cannot, nothing happens.
    fn release(&self, from: u64, to: u64) -> io::Result<()> {
        let _ = (from, to);
        Ok(())
    }
    /// Gets the bytes from `from` to `to` into memory, and none beside them: whoever then reads them where they are mapped
    /// does not wait for the megabytes that a system reads ahead. Where the system cannot, nothing happens.
    fn load(&self, from: u64, to: u64) {
        let _ = (from, to);
    }
    /// The file's size in bytes.
    fn size(&self) -> io::Result<u64>;
    /// The file's present size as shared memory; later writes inside it show through.
    fn map(&self) -> io::Result<Bytes>;
}
