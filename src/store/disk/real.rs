//! The operating system's files.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use memmap2::Mmap;

use super::{Disk, DiskFile, Lock};

/// The operating system's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

#[expect(clippy::disallowed_methods, reason = "the one door through which files enter")]
impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn open(&self, path: &Path, writable: bool) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(writable).open(path)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn hard_link(&self, original: &Path, link: &Path) -> io::Result<()> {
        fs::hard_link(original, link)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let mut paths = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        path.canonicalize()
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {
                // For whoever finds it locked. Without it (a full disk) the lock holds all the same. The file is never
                // empty in between: somebody who is about to read it has it mapped.
                let pid = format!("{}\n", std::process::id());
                let _ = file.write_all_at(pid.as_bytes(), 0).and_then(|()| file.set_len(pid.len() as u64));
                Ok(Some(Lock::held_by(file)))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

struct RealFile(File);

/// How much is loaded at once: 64 KiB.
const LOADED_BYTES_MAX: usize = 64 << 10;

/// How much is cleared at once where the file system cannot do it by itself: 1 MiB.
const CLEARED_BYTES: usize = 1 << 20;

impl RealFile {
    /// Writes zeros over what is not zero already, so that holes stay holes.
    fn write_zeros(&self, mut from: u64, to: u64) -> io::Result<()> {
        let (zeros, mut found) = (vec![0; CLEARED_BYTES], vec![0; CLEARED_BYTES]);
        while from < to {
            let step = usize::try_from(to - from).unwrap_or(CLEARED_BYTES).min(CLEARED_BYTES);
            let (zeros, found) =
                (zeros.get(..step).unwrap_or_default(), found.get_mut(..step).unwrap_or_default());
            self.0.read_exact_at(found, from)?;
            if found != zeros {
                self.0.write_all_at(zeros, from)?;
            }
            from += step as u64;
        }
        Ok(())
    }
}

impl DiskFile for RealFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        rustix::fs::fallocate(&self.0, rustix::fs::FallocateFlags::empty(), 0, bytes).or_else(|errno| {
            match errno {
                // Some file systems cannot reserve; a hole reads the same, only a full disk shows later.
                rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS if self.size()? < bytes => {
                    self.0.set_len(bytes)
                }
                rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS => Ok(()),
                other => Err(other.into()),
            }
        })
    }

    fn clear(&self, from: u64, to: u64) -> io::Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        if from >= to {
            return Ok(());
        }
        match fallocate(&self.0, FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE, from, to - from) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => self.write_zeros(from, to),
            cleared => Ok(cleared?),
        }
    }

    fn release(&self, from: u64, to: u64) -> io::Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        if from >= to {
            return Ok(());
        }
        match fallocate(&self.0, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, from, to - from) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            released => Ok(released?),
        }
    }

    fn load(&self, from: u64, to: u64) {
        use rustix::fs::{Advice, fadvise};
        let mut loaded =
            vec![0; usize::try_from(to.saturating_sub(from)).map_or(0, |len| len.min(LOADED_BYTES_MAX))];
        // All of this is advice: what is not in memory then is read when it is needed.
        let _ = fadvise(&self.0, 0, None, Advice::Random);
        let _ = self.0.read_at(&mut loaded, from);
        let _ = fadvise(&self.0, 0, None, Advice::Normal);
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn map(&self) -> io::Result<Bytes> {
        // SAFETY: this program never cuts a file that may be mapped and never changes bytes below a published head, the only
        // ones that readers look at. Whoever cuts a file of the data directory by other means ends the process (SIGBUS).
        let map = unsafe { Mmap::map(&self.0)? };
        Ok(Bytes::from_owner(map))
    }
}
