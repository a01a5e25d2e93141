//! Which earlier schemas must a new one get along with, and in which direction?

use serde_json::{Value, json};

use super::compare::{Difference, differences};

/// What a new version of a schema must be able to do. *Reads* means: what the other took, it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Anything goes.
    None,
    /// It reads what the version before it took.
    #[default]
    Backward,
    /// It reads what every earlier version took.
    BackwardTransitive,
    /// The version before it reads what it takes.
    Forward,
    /// Every earlier version reads what it takes.
    ForwardTransitive,
    /// Both, with the version before it.
    Full,
    /// Both, with every earlier version.
    FullTransitive,
}

impl Mode {
    /// The names of all modes, the default first.
    pub const NAMES: &[&str] = &[
        "backward",
        "backward_transitive",
        "forward",
        "forward_transitive",
        "full",
        "full_transitive",
        "none",
    ];

    /// Its name in calls and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Backward => "backward",
            Self::BackwardTransitive => "backward_transitive",
            Self::Forward => "forward",
            Self::ForwardTransitive => "forward_transitive",
            Self::Full => "full",
            Self::FullTransitive => "full_transitive",
        }
    }

    /// The mode with that [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        const ALL: [Mode; 7] = [
            Mode::None,
            Mode::Backward,
            Mode::BackwardTransitive,
            Mode::Forward,
            Mode::ForwardTransitive,
            Mode::Full,
            Mode::FullTransitive,
        ];
        ALL.into_iter().find(|mode| mode.name() == name)
    }

    const fn is_transitive(self) -> bool {
        matches!(self, Self::BackwardTransitive | Self::ForwardTransitive | Self::FullTransitive)
    }

    const fn looks_back(self) -> bool {
        matches!(self, Self::Backward | Self::BackwardTransitive | Self::Full | Self::FullTransitive)
    }

    const fn looks_ahead(self) -> bool {
        matches!(self, Self::Forward | Self::ForwardTransitive | Self::Full | Self::FullTransitive)
    }
}

/// One reason against a new version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The earlier version, counted from 1.
    pub version: u32,
    /// Whether it is the earlier version that cannot read what the new one takes.
    pub is_forward: bool,
    /// What differs.
    pub difference: Difference,
}

impl Verdict {
    /// As it is answered.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let Difference { path, kind, reason } = &self.difference;
        let reader = if self.is_forward { "old" } else { "new" };
        json!({"path": path, "kind": kind.name(), "reader": reader, "version": self.version, "reason": reason})
    }
}

/// What speaks against `new` as the version after `earlier`, oldest first; nothing when it may follow.
#[must_use]
pub fn judge(earlier: &[(u32, &Value)], new: &Value, mode: Mode) -> Vec<Verdict> {
    let counts = if mode.is_transitive() { usize::MAX } else { 1 };
    let mut verdicts = Vec::new();
    for (version, old) in earlier.iter().rev().take(counts) {
        let mut note = |is_forward: bool, found: Vec<Difference>| {
            let breaking = found.into_iter().filter(|difference| difference.kind.breaks());
            verdicts.extend(breaking.map(|difference| Verdict { version: *version, is_forward, difference }));
        };
        if mode.looks_back() {
            note(false, differences(old, new));
        }
        if mode.looks_ahead() {
            note(true, differences(new, old));
        }
    }
    verdicts
}
