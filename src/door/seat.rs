//! *How is a call performed by the process that owns the directory?* Whoever sends it, it goes through [`Seat`].
//!
//! Useful for: what holds for every call of the owner: no panic gets out, none starts after the owner has left, and a
//! damaged store refuses writes with its damage. Not for: who the owner is ([`Host`](super::Host)).
//!
//! **Invariant:** the store is closed only when no call is running.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parking_lot::RwLock;
use serde_json::{Map, Value};

use crate::engine::{Caller, Engine};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Mode, Options, Store};
use crate::tools::{self, Answer, Object};

/// Whether a call is a tool of the agents or an operation of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Tool,
    Operation,
}

/// A call as it is performed here or sent to the owner.
#[derive(Clone, Debug)]
pub(super) struct Request<'a> {
    pub(super) kind: Kind,
    pub(super) name: &'a str,
    pub(super) arguments: &'a Object,
    pub(super) caller: &'a Caller,
}

impl Request<'_> {
    /// Whether the call would change the store.
    fn writes(&self) -> bool {
        match self.kind {
            Kind::Tool => tools::TOOLS.iter().any(|tool| tool.name == self.name && !tool.hints.read_only),
            Kind::Operation => self.name.starts_with("append"),
        }
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
            Kind::Tool => Self::Tool(answer_of(&error)),
            Kind::Operation => Self::Operation(Err(error)),
        }
    }
}

/// An error in the shape in which every tool answers one.
fn answer_of(error: &Error) -> Answer {
    let mut fields = Map::new();
    fields.insert("code".to_owned(), Value::from(error.code()));
    fields.insert("message".to_owned(), Value::from(error.to_string()));
    fields.extend(error.details().clone());
    let mut body = Object::new();
    body.insert("error".to_owned(), Value::Object(fields));
    Answer { body, is_error: true }
}

/// What an [`Error`] says, without its cause: it can be kept, sent and given again.
#[derive(Clone, Debug)]
pub(super) struct Said {
    kind: ErrorKind,
    code: String,
    message: String,
    details: Object,
}

impl Said {
    pub(super) fn of(error: &Error) -> Self {
        Self {
            kind: error.kind(),
            code: error.code().to_owned(),
            message: error.to_string(),
            details: error.details().clone(),
        }
    }

    pub(super) fn again(&self) -> Error {
        let error = Error::new(self.kind, self.code.clone(), self.message.clone());
        self.details.iter().fold(error, |error, (name, value)| error.with(name, value.clone()))
    }
}

/// The open store of the process that owns the directory.
pub(super) struct Seat {
    /// `None` once the owner has left. Running calls hold it for reading, leaving takes it for writing.
    engine: RwLock<Option<Engine>>,
    /// Why a damaged store is open for reading alone.
    damage: Option<Said>,
}

impl Seat {
    /// Takes the directory; a damaged store is taken for reading alone.
    pub(super) fn take(dir: &Path, options: &Options) -> Result<Self> {
        let (store, damage) = match Store::open(dir, options.clone()) {
            Err(error) if error.kind() == ErrorKind::Corrupt && options.mode == Mode::Write => {
                let reading = Options { mode: Mode::Read, ..options.clone() };
                (Store::open(dir, reading)?, Some(Said::of(&error)))
            }
            opened => (opened?, None),
        };
        let mut engine = Engine::new(store, options.clock.clone());
        if options.mode == Mode::Write && damage.is_none() {
            engine = engine.keeping_queries(dir, options.disk.clone());
        }
        Ok(Self { engine: RwLock::new(Some(engine)), damage })
    }

    /// What everyone who uses this directory should know.
    pub(super) fn warnings(&self) -> Vec<String> {
        let damage = self.damage.iter();
        damage.map(|damage| format!("writes are refused and reads skip damage: {}", damage.message)).collect()
    }

    /// Performs a call; `None` when this process has left the directory.
    pub(super) fn perform(&self, request: &Request<'_>) -> Option<Outcome> {
        let held = self.engine.read();
        let engine = held.as_ref()?;
        if let Some(damage) = self.damage.as_ref().filter(|_| request.writes()) {
            return Some(Outcome::refused(request.kind, damage.again()));
        }
        let Request { kind, name, arguments, caller } = *request;
        let performed = catch_unwind(AssertUnwindSafe(|| match kind {
            Kind::Tool => Outcome::Tool(tools::call(engine, name, arguments, caller)),
            Kind::Operation => Outcome::Operation(tools::operate(engine, name, arguments, caller)),
        }));
        Some(performed.unwrap_or_else(|panic| Outcome::refused(kind, panicked(name, panic.as_ref()))))
    }

    /// Waits for the running calls, then gives the directory back.
    pub(super) fn leave(&self) -> Result<()> {
        match self.engine.write().take() {
            Some(engine) => engine.store().clone().close(),
            None => Ok(()),
        }
    }
}

/// The error of a call that panicked: a defect, which ends that call alone.
fn panicked(name: &str, panic: &(dyn Any + Send)) -> Error {
    let said = panic.downcast_ref::<&str>().copied();
    let said =
        said.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given");
    let (name, said) = (Value::from(name), Value::from(said));
    Error::internal(format!("perform {name}: it panicked with {said}; please report it, other calls go on"))
}
