//! What can go wrong, said so that the caller knows what to do next.
//!
//! **Invariant:** imports no sibling; every other module may import this one.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value};

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller should do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The store has moved on since the caller looked: read again, decide, retry.
    Conflict,
    /// The request itself is wrong: fix the named value and send it again.
    Invalid,
    /// What was named does not exist: choose one of the names in the message.
    NotFound,
    /// This mode or caller may not do that: ask for another mode, do not retry.
    Denied,
    /// A limit is reached: make the request smaller, or free what the message names.
    Exhausted,
    /// The store cannot do it now (a disk failed, or another process holds it): wait, or reopen.
    Unavailable,
    /// Stored bytes are not what was written: stop writing, run `allsource verify`.
    Corrupt,
    /// The store was closed: open it again.
    Closed,
    /// A defect in this program: report it.
    Internal,
}

impl ErrorKind {
    /// The kind's name on the wire, in `snake_case`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
            Self::NotFound => "not_found",
            Self::Denied => "denied",
            Self::Exhausted => "exhausted",
            Self::Unavailable => "unavailable",
            Self::Corrupt => "corrupt",
            Self::Closed => "closed",
            Self::Internal => "internal",
        }
    }

    /// The kind with that [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        const ALL: [ErrorKind; 9] = [
            ErrorKind::Conflict,
            ErrorKind::Invalid,
            ErrorKind::NotFound,
            ErrorKind::Denied,
            ErrorKind::Exhausted,
            ErrorKind::Unavailable,
            ErrorKind::Corrupt,
            ErrorKind::Closed,
            ErrorKind::Internal,
        ];
        ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The one error of this crate.
///
/// The message is a fragment that follows "failed to": what was attempted, what was wrong with both values,
/// and the remedy. [`details`](Self::details) carries the same values for programs.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    code: Cow<'static, str>,
    message: String,
    details: Map<String, Value>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind`, with a stable machine-readable `code` such as `version_conflict`.
    #[must_use]
    pub fn new(kind: ErrorKind, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        let (code, message) = (code.into(), message.into());
        Self(Box::new(Inner { kind, code, message, details: Map::new(), source: None }))
    }

    /// An [`ErrorKind::Invalid`] error.
    #[must_use]
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, code, message)
    }

    /// An [`ErrorKind::Internal`] error: a defect in this program.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, "internal", message)
    }

    /// Adds a value for programs to read, such as `current_version`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.details.insert(name.to_owned(), value.into());
        self
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Puts `context` and a colon before the message.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.0.message = format!("{context}: {}", self.0.message);
        self
    }

    /// The same error for another caller; the cause becomes part of the message.
    #[must_use]
    pub fn copy(&self) -> Self {
        let mut copy = Self::new(self.kind(), self.0.code.clone(), self.to_string());
        copy.0.details.clone_from(&self.0.details);
        copy
    }

    /// What the caller should do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable machine-readable code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// What was wrong and what to do, without the cause.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The values of the message, for programs.
    #[must_use]
    pub fn details(&self) -> &Map<String, Value> {
        &self.0.details
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
