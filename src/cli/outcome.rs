//! How a command ends: its exit code, and what stopped it.

use std::io;

use crate::error::{Error, ErrorKind};

/// How a command ended, as an exit code that scripts can rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// It did what was asked.
    Done = 0,
    /// It could not; standard error says why and what to do.
    Failed = 1,
    /// Some lines of an import were bad and are named; the rest is stored.
    BadLines = 3,
    /// Stored bytes are damaged; standard output says where.
    Damage = 4,
}

/// What stopped a command.
#[derive(Debug)]
pub(super) enum Stop {
    /// It failed.
    Failed(Error),
    /// Whoever read its output has gone, as `head` does: no failure.
    NobodyReads,
}

/// The result of a command or a part of one.
pub(super) type Ended<T = Exit> = Result<T, Stop>;

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::NobodyReads;
        }
        let message = "write the output: it cannot be written; check its disk";
        Self::Failed(Error::new(ErrorKind::Unavailable, "output_failed", message).caused_by(error))
    }
}
