//! *How is a call performed by the process that owns the directory?* Whoever sends it, it goes through [`Seat`].
//!
//! Useful for: what holds for every call of the owner: no panic gets out, none starts after the owner has left, and a
//! damaged store refuses writes with its damage. Not for: who the owner is ([`Host`](super::Host)).
//!
//! **Invariant:** the store is closed only when no call is running.

use std::any::Any;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use parking_lot::RwLock;

use super::call::{Kind, Outcome, Request, Said};
use crate::engine::{Engine, EngineOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::event::quote;
use crate::store::{Durability, Mode, Options, Store};
use crate::tools;

/// What everyone who uses a damaged store should know; each answer says where the damage is.
const DAMAGED: &str = "the store is damaged: writes are refused, and reads leave out what cannot be read; `allsource verify` \
                       says where, `allsource salvage` copies the rest into a new store";

/// A file by its path and by what the system knows it by, which differs once the path leads elsewhere.
struct LockFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl LockFile {
    fn in_dir(dir: &Path) -> Option<Self> {
        let path = dir.join("LOCK");
        let file = fs::metadata(&path).ok()?;
        Some(Self { path, device: file.dev(), inode: file.ino() })
    }

    /// The error of a directory that was moved or deleted: another process can have a second store at its path.
    fn check(&self) -> Result<()> {
        let file = fs::metadata(&self.path).ok();
        if file.is_some_and(|file| (file.dev(), file.ino()) == (self.device, self.inode)) {
            return Ok(());
        }
        let dir = self.path.parent().unwrap_or(&self.path).display();
        let message = format!(
            "write to the directory {dir}: it was moved, deleted or replaced while the process with pid {} has it, so \
             what is written would be lost; put it back, or end that process and start again",
            std::process::id()
        );
        Err(Error::new(ErrorKind::Unavailable, "directory_moved", message)
            .with("owner_pid", std::process::id()))
    }
}

/// The open store of the process that owns the directory.
pub(super) struct Seat {
    /// Whether the lock on the directory is held; a store open for reading alone holds none.
    locked: bool,
    /// `None` once the owner has left. Running calls hold it for reading, leaving takes it for writing.
    engine: RwLock<Option<Engine>>,
    /// The lock file as this process locked it; `None` where none is held or the disk is not the system's.
    lock: Option<LockFile>,
    /// Why the store is open for reading alone although writing was asked for: damage, or a directory that takes no writes.
    refusal: Option<Said>,
    durability: Durability,
}

impl Seat {
    /// Takes the directory; a store that is damaged, that is a backup, or that lies where nothing can be written, is taken
    /// for reading alone.
    pub(super) fn take(dir: &Path, wanted: &EngineOptions) -> Result<Self> {
        let options = &wanted.store;
        let (store, refusal) = match Store::open(dir, options.clone()) {
            Err(error) if options.mode == Mode::Write && can_be_read(&error) => {
                let reading = Options { mode: Mode::Read, ..options.clone() };
                match Store::open(dir, reading) {
                    Ok(store) => (store, Some(Said::of(&error))),
                    // It cannot be read either: what was wrong first is what matters.
                    Err(_) => return Err(error),
                }
            }
            opened => (opened?, None),
        };
        let locked = options.mode == Mode::Write && refusal.is_none();
        let lock = if locked { LockFile::in_dir(dir) } else { None };
        let mut engine = Engine::new(store, options.clock.clone()).searching(wanted.search.clone());
        if locked {
            engine = engine.keeping_queries(dir, options.disk.clone());
        }
        let mode = if locked { Mode::Write } else { Mode::Read };
        engine = engine.auditing(dir, &Options { mode, ..options.clone() });
        if wanted.index_at_once {
            engine.indexer()?;
        }
        Ok(Self { locked, lock, engine: RwLock::new(Some(engine)), refusal, durability: options.durability })
    }

    /// Whether this process holds the lock on the directory, and so may bind its socket.
    pub(super) fn is_locked(&self) -> bool {
        self.locked
    }

    /// How long an acknowledged append may be lost to a crash of the machine, if at all.
    pub(super) fn interval_ms(&self) -> Option<u64> {
        match self.durability {
            Durability::Fsync => None,
            Durability::Interval { ms } => Some(ms),
        }
    }

    /// What everyone who uses this directory should know: why nothing is written to it, if so.
    pub(super) fn warnings(&self) -> Vec<String> {
        let warning = self.refusal.as_ref().map(|refusal| match refusal.again() {
            error if error.kind() == ErrorKind::Corrupt => DAMAGED.to_owned(),
            error => format!("the store is open for reading only: failed to {error}"),
        });
        warning.into_iter().collect()
    }

    /// Performs a call; `None` when this process has left the directory.
    pub(super) fn perform(&self, request: &Request<'_>) -> Option<Outcome> {
        let held = self.engine.read();
        let engine = held.as_ref()?;
        if let Some(refusal) = self.refusal.as_ref().filter(|_| request.writes()) {
            return Some(Outcome::refused(request.kind, refusal.again()));
        }
        if let Some(Err(moved)) = self.lock.as_ref().filter(|_| request.writes()).map(LockFile::check) {
            return Some(Outcome::refused(request.kind, moved));
        }
        let Request { kind, name, arguments, caller } = *request;
        Some(guarded(kind, name, || match kind {
            Kind::Tool => Outcome::Tool(tools::call(engine, name, arguments, caller)),
            Kind::Operation => Outcome::Operation(tools::operate(engine, name, arguments, caller)),
        }))
    }

    /// Keeps every call waiting until the guard is dropped.
    #[cfg(test)]
    pub(super) fn hold(&self) -> impl Drop + '_ {
        self.engine.write()
    }

    /// Waits for the running calls, then gives the directory back.
    pub(super) fn leave(&self) -> Result<()> {
        if let Some(engine) = self.engine.read().as_ref() {
            engine.end_waits();
        }
        match self.engine.write().take() {
            Some(engine) => engine.close(),
            None => Ok(()),
        }
    }
}

/// Whether a store that cannot be opened for writing may still be open for reading.
fn can_be_read(error: &Error) -> bool {
    error.kind() == ErrorKind::Corrupt || matches!(error.code(), "directory_unusable" | "is_a_backup")
}

/// Performs a call of which a panic must not get out.
fn guarded(kind: Kind, name: &str, call: impl FnOnce() -> Outcome) -> Outcome {
    let performed = catch_unwind(AssertUnwindSafe(call));
    performed.unwrap_or_else(|panic| Outcome::refused(kind, panicked(name, panic.as_ref())))
}

/// The error of a call that panicked: a defect, which ends that call alone.
fn panicked(name: &str, panic: &(dyn Any + Send)) -> Error {
    let said = panic.downcast_ref::<&str>().copied();
    let said =
        said.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given");
    let (name, said) = (quote(name), quote(said));
    Error::internal(format!("perform {name}: it panicked with {said}; please report it, other calls go on"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_the_error_of_its_call_alone() {
        let Outcome::Operation(Err(error)) = guarded(Kind::Operation, "dig", || panic!("no ground")) else {
            panic!("not an error")
        };
        assert_eq!((error.kind(), error.code()), (ErrorKind::Internal, "internal"));
        assert!(error.message().contains("dig") && error.message().contains("no ground"), "{error}");
    }
}
