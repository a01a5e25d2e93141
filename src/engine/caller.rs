//! *Who calls, what may they change, and do they still wait?*

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Limits;

/// Whether somebody still waits for the answer of a call; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Nobody waits any more: the call may stop where it is.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the call may stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a caller may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Writes {
    /// Nothing: reads only.
    None,
    /// Forks only; `main` stays as it is.
    Forks,
    /// Everything.
    #[default]
    All,
}

/// Who calls.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// What it may change.
    pub writes: Writes,
    /// The client's name as it gave it, such as `claude-code`.
    pub client: Option<String>,
    /// The client's version as it gave it.
    pub client_version: Option<String>,
    /// The [difference](crate::store::Promoted::diff) that a person was shown and agreed to promote. Set by whoever asked
    /// the person; no argument of a call reaches it.
    pub confirmed: Option<String>,
    /// The directory below which it may have files imported; `None`: nowhere.
    pub import_root: Option<PathBuf>,
    /// How much it may take.
    pub limits: Limits,
    /// Whether its calls are recorded on the branch `audit`.
    pub audited: bool,
    /// Set when nobody waits for the answer any more.
    pub cancel: Cancel,
}

impl Caller {
    /// Whether its calls are recorded: who may change nothing leaves no trace either.
    pub(crate) fn is_recorded(&self) -> bool {
        self.audited && self.writes > Writes::None
    }
}
