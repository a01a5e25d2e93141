//! A disk that fails on demand. It works on real files, so that mapping them works, and records what a power cut
//! would leave of them ([`record`]); [`FaultyDisk::cut_power`] then writes such a state into a new directory.
//!
//! It never syncs the real files: what is durable is what it recorded as synced. Only calls that change something
//! are counted, because stopping between two reads leaves the same disk as stopping at the next change.

mod names;
mod power_cut;
mod record;

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use allsource::store::disk::{Disk, DiskFile, Lock, RealDisk};
use bytes::Bytes;

use record::{Change, Record};

/// The calls that change a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Create,
    Rename,
    Link,
    Remove,
    CreateDir,
    SyncDir,
    Lock,
    Write,
    SyncData,
    Allocate,
    Clear,
}

/// The next call of a kind fails, and the disk goes on.
pub struct Fault {
    pub call: Call,
    /// A folder or name in the path of the call.
    pub within: &'static str,
    pub error: io::ErrorKind,
}

struct State {
    record: Record,
    calls: Vec<(Call, PathBuf)>,
    stop_at: usize,
    fail_at: Option<(usize, io::ErrorKind)>,
    faults: Vec<Fault>,
}

/// What becomes of one call.
enum Verdict {
    /// It does its work.
    Go,
    /// The power goes while it is under way: it fails, and a power cut may or may not show it.
    Last,
    /// The power is off.
    Off,
    /// It fails alone.
    Fail(io::ErrorKind),
}

impl State {
    fn is_off(&self) -> bool {
        self.calls.len() >= self.stop_at
    }

    fn judge(&mut self, call: Call, path: &Path) -> Verdict {
        if self.is_off() {
            return Verdict::Off;
        }
        self.calls.push((call, path.to_owned()));
        if self.is_off() {
            return Verdict::Last;
        }
        if let Some((at, error)) = self.fail_at
            && at == self.calls.len()
        {
            return Verdict::Fail(error);
        }
        let is_due =
            |fault: &Fault| fault.call == call && path.iter().any(|part| part == OsStr::new(fault.within));
        if let Some(at) = self.faults.iter().position(is_due) {
            return Verdict::Fail(self.faults.remove(at).error);
        }
        Verdict::Go
    }

    /// Runs a change that is recorded by `note` and done by `act`.
    fn change<T>(
        &mut self,
        call: Call,
        path: &Path,
        note: impl FnOnce(&mut Record),
        act: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        match self.judge(call, path) {
            Verdict::Go => {
                let done = act()?;
                note(&mut self.record);
                Ok(done)
            }
            Verdict::Last => {
                note(&mut self.record);
                Err(power_is_off())
            }
            Verdict::Off => Err(power_is_off()),
            Verdict::Fail(kind) => Err(kind.into()),
        }
    }
}

fn power_is_off() -> io::Error {
    io::Error::other("the power is off")
}

/// A disk that fails on demand.
#[derive(Clone)]
pub struct FaultyDisk {
    root: PathBuf,
    state: Arc<Mutex<State>>,
}

impl FaultyDisk {
    /// A disk without faults over `root`; what is in there is durable.
    pub fn over(root: &Path) -> Self {
        let state = State {
            record: Record::of(root),
            calls: Vec::new(),
            stop_at: usize::MAX,
            fail_at: None,
            faults: Vec::new(),
        };
        Self { root: root.to_owned(), state: Arc::new(Mutex::new(state)) }
    }

    /// The power goes at the `call`-th change, counted from 1 and from the beginning.
    pub fn stop_at(self, call: usize) -> Self {
        self.state().stop_at = call;
        self
    }

    /// The `call`-th change fails, counted as for [`stop_at`](Self::stop_at), and the disk goes on.
    pub fn fail_at(self, call: usize, error: io::ErrorKind) -> Self {
        self.state().fail_at = Some((call, error));
        self
    }

    /// Makes one call fail.
    pub fn fail(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// The changes asked for so far.
    pub fn calls(&self) -> Vec<(Call, PathBuf)> {
        self.state().calls.clone()
    }

    /// Whether the power went.
    pub fn has_stopped(&self) -> bool {
        self.state().is_off()
    }

    /// Writes the disk that a power cut leaves into the empty directory `into`: seed 0 loses all that was not synced,
    /// seed 1 keeps it, every other keeps, loses or tears each change on its own.
    pub fn cut_power(&self, seed: u64, into: &Path) {
        let state = self.state();
        power_cut::leave(&state.record, seed, state.calls.len() as u64, into);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the disk")
    }

    /// The path below the root; `None` outside of it.
    fn inside<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        path.strip_prefix(&self.root).ok()
    }

    fn name<'a>(&self, path: &'a Path) -> &'a Path {
        self.inside(path).expect("the store stays in its directory")
    }

    fn when_on(&self) -> io::Result<()> {
        if self.has_stopped() { Err(power_is_off()) } else { Ok(()) }
    }

    fn handle(&self, name: &Path, inner: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        let id = self.state().record.file(name);
        Arc::new(FaultyFile { disk: self.clone(), name: name.to_owned(), id, inner })
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let name = self.name(path);
        let note = |record: &mut Record| {
            record.file(name);
        };
        let inner = self.state().change(Call::Create, name, note, || RealDisk.create(path))?;
        Ok(self.handle(name, inner))
    }

    fn open(&self, path: &Path, writable: bool) -> io::Result<Arc<dyn DiskFile>> {
        self.when_on()?;
        Ok(self.handle(self.name(path), RealDisk.open(path, writable)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (old, new) = (self.name(from), self.name(to));
        assert_eq!(old.parent(), new.parent(), "a rename between directories needs two syncs");
        let note = |record: &mut Record| record.rename(old, new);
        self.state().change(Call::Rename, new, note, || RealDisk.rename(from, to))
    }

    fn hard_link(&self, original: &Path, link: &Path) -> io::Result<()> {
        let (old, new) = (self.name(original), self.name(link));
        let note = |record: &mut Record| record.link(old, new);
        self.state().change(Call::Link, new, note, || RealDisk.hard_link(original, link))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let name = self.name(path);
        let note = |record: &mut Record| record.remove(name);
        self.state().change(Call::Remove, name, note, || RealDisk.remove(path))
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        // What is left of a directory without files is another empty directory, which harms nobody.
        self.state().change(Call::Remove, self.name(path), |_| {}, || RealDisk.remove_dir(path))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let name = self.name(path);
        let note = |record: &mut Record| record.directory(name);
        self.state().change(Call::CreateDir, name, note, || RealDisk.create_dir_all(path))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let Some(name) = self.inside(path) else { return self.when_on() };
        let mut state = self.state();
        match state.judge(Call::SyncDir, name) {
            Verdict::Go => {
                state.record.sync_directory(name);
                Ok(())
            }
            Verdict::Last | Verdict::Off => Err(power_is_off()),
            Verdict::Fail(kind) => Err(kind.into()),
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.when_on()?;
        RealDisk.list(path)
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        self.when_on()?;
        RealDisk.canonicalize(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        let name = self.name(path);
        let note = |record: &mut Record| {
            record.file(name);
        };
        self.state().change(Call::Lock, name, note, || RealDisk.lock(path))
    }
}

struct FaultyFile {
    disk: FaultyDisk,
    name: PathBuf,
    id: usize,
    inner: Arc<dyn DiskFile>,
}

impl FaultyFile {
    fn change(&self, call: Call, change: Change, act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let note = |record: &mut Record| record.files[self.id].pending.push(change);
        self.disk.state().change(call, &self.name, note, act)
    }
}

fn as_size(bytes: u64) -> usize {
    usize::try_from(bytes).expect("files of tests are small")
}

impl DiskFile for FaultyFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let written = |bytes: &[u8]| Change::Write { offset: as_size(offset), bytes: bytes.to_vec() };
        let mut state = self.disk.state();
        match state.judge(Call::Write, &self.name) {
            Verdict::Go => {
                self.inner.write_all_at(bytes, offset)?;
                state.record.files[self.id].pending.push(written(bytes));
                Ok(())
            }
            Verdict::Last => {
                state.record.files[self.id].pending.push(written(bytes));
                Err(power_is_off())
            }
            Verdict::Off => Err(power_is_off()),
            Verdict::Fail(kind) => {
                // A write that fails has often written something.
                let half = &bytes[..bytes.len() / 2];
                self.inner.write_all_at(half, offset)?;
                state.record.files[self.id].pending.push(written(half));
                Err(kind.into())
            }
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        match state.judge(Call::SyncData, &self.name) {
            Verdict::Go => {
                state.record.files[self.id].sync();
                Ok(())
            }
            Verdict::Last | Verdict::Off => Err(power_is_off()),
            Verdict::Fail(kind) => {
                // The kernel gives up the pages of a failed sync: readers still see them, no later sync writes them.
                state.record.files[self.id].pending.clear();
                Err(kind.into())
            }
        }
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.change(Call::Allocate, Change::Grow { size: as_size(bytes) }, || self.inner.allocate(bytes))
    }

    fn clear(&self, from: u64, to: u64) -> io::Result<()> {
        let zeros = Change::Write { offset: as_size(from), bytes: vec![0; as_size(to - from)] };
        self.change(Call::Clear, zeros, || self.inner.clear(from, to))
    }

    fn size(&self) -> io::Result<u64> {
        self.disk.when_on()?;
        self.inner.size()
    }

    fn map(&self) -> io::Result<Bytes> {
        self.disk.when_on()?;
        self.inner.map()
    }
}
