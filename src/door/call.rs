//! *What passes the door?* A [`Request`] goes in, an [`Outcome`] comes out, here or from another process.
//!
//! **Invariant:** whatever goes wrong on the way becomes an outcome of the same kind as the request.

use serde::{Deserialize, Serialize};

use crate::engine::Caller;
use crate::error::{Error, ErrorKind, Result};
use crate::tools::{self, Answer, Object};

/// The argument that makes a call harmless to send twice.
pub(super) const KEY: &str = "idempotency_key";
/// The one operation that changes the store.
const APPEND_BATCH: &str = "append_batch";

/// Whether a call is a tool of the agents or an operation of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Tool,
    Operation,
}

/// A call as it is performed here or sent to the owner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) kind: Kind,
    pub(super) name: &'a str,
    pub(super) arguments: &'a Object,
    pub(super) caller: &'a Caller,
}

impl Request<'_> {
    /// Whether the call takes an idempotency key, so that sending it twice with one does it once.
    pub(super) fn takes_key(&self) -> bool {
        match self.kind {
            Kind::Tool => self.tool().is_some_and(|tool| tool.argument(KEY).is_some()),
            Kind::Operation => self.name == APPEND_BATCH,
        }
    }

    /// Whether the call may wait for events that are not there yet.
    pub(super) fn waits(&self) -> bool {
        self.arguments.get("wait_ms").is_some_and(|wait| !wait.is_null())
    }

    /// Whether the call would change the store.
    pub(super) fn writes(&self) -> bool {
        match self.kind {
            Kind::Tool => self.tool().is_some_and(|tool| !tool.hints.read_only),
            Kind::Operation => self.name == APPEND_BATCH,
        }
    }

    fn tool(&self) -> Option<&'static tools::Tool> {
        tools::TOOLS.iter().find(|tool| tool.name == self.name)
    }
}

/// What a call came to.
#[derive(Debug)]
pub(super) enum Outcome {
    Tool(Answer),
    Operation(Result<Object>),
}

impl Outcome {
    /// The outcome of a call that failed before a tool could answer it.
    pub(super) fn refused(kind: Kind, error: Error) -> Self {
        match kind {
            Kind::Tool => Self::Tool(Answer::refused(&error)),
            Kind::Operation => Self::Operation(Err(error)),
        }
    }
}

/// What an [`Error`] says, without its cause: it can be kept, sent and given again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Said {
    kind: String,
    code: String,
    message: String,
    details: Object,
}

impl Said {
    pub(super) fn of(error: &Error) -> Self {
        Self {
            kind: error.kind().name().to_owned(),
            code: error.code().to_owned(),
            message: error.to_string(),
            details: error.details().clone(),
        }
    }

    pub(super) fn again(&self) -> Error {
        let kind = ErrorKind::from_name(&self.kind).unwrap_or(ErrorKind::Internal);
        let error = Error::new(kind, self.code.clone(), self.message.clone());
        self.details.iter().fold(error, |error, (name, value)| error.with(name, value.clone()))
    }
}
