//! *Here or elsewhere?* [`Host`] performs a call in this process when it owns the directory.

use std::path::Path;

use serde_json::Value;

use super::seat::{Kind, Outcome, Request, Seat};
use crate::engine::Caller;
use crate::error::{Error, ErrorKind, Result};
use crate::store::Options;
use crate::tools::{Answer, Object};

/// A directory in use: owned by this process or reached through the owner's socket; it changes over when the owner goes.
///
/// Many threads may call at once. Dropping it is [`close`](Self::close) without its result.
pub struct Host {
    seat: Seat,
}

impl Host {
    /// Takes the directory, or connects to the process that has it.
    ///
    /// A damaged store is opened for reading: [`warnings`](Self::warnings) says so, and every write answers with the
    /// damage.
    ///
    /// # Errors
    /// Those of [`Store::open`](crate::store::Store::open), except `Corrupt`.
    pub fn open(dir: &Path, options: Options) -> Result<Self> {
        Ok(Self { seat: Seat::take(dir, &options)? })
    }

    /// Calls a tool of [`tools::TOOLS`](crate::tools::TOOLS) in this process or in the owner's.
    pub fn call(&self, name: &str, arguments: &Object, caller: &Caller) -> Answer {
        match self.perform(&Request { kind: Kind::Tool, name, arguments, caller }) {
            Outcome::Tool(answer) => answer,
            Outcome::Operation(result) => Answer { body: result.unwrap_or_default(), is_error: false },
        }
    }

    /// Performs an operation that no agent sees: the bulk work of the command line (`import`, `export`, `verify`) and
    /// completions. Same shape as a tool, from [`tools::operate`](crate::tools::operate).
    ///
    /// # Errors
    /// Those of the operation, and `Closed` after [`close`](Self::close).
    pub fn operate(&self, name: &str, arguments: &Object, caller: &Caller) -> Result<Object> {
        match self.perform(&Request { kind: Kind::Operation, name, arguments, caller }) {
            Outcome::Operation(result) => result,
            Outcome::Tool(answer) => Ok(answer.body),
        }
    }

    /// Whether this process owns the directory.
    pub fn is_owner(&self) -> bool {
        true
    }

    /// What whoever uses this directory should know: that the store is damaged, and where.
    pub fn warnings(&self) -> Vec<String> {
        self.seat.warnings()
    }

    /// Finishes the running calls and gives the directory back; later calls answer `Closed`.
    ///
    /// # Errors
    /// Those of [`Store::close`](crate::store::Store::close).
    pub fn close(&self) -> Result<()> {
        self.seat.leave()
    }

    fn perform(&self, request: &Request<'_>) -> Outcome {
        let closed = || {
            let name = Value::from(request.name);
            let message = format!("perform {name}: this handle on the directory was closed; open it again");
            Outcome::refused(request.kind, Error::new(ErrorKind::Closed, "closed", message))
        };
        self.seat.perform(request).unwrap_or_else(closed)
    }
}
