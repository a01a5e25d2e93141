//! *What can an agent ask for?* One file per tool; [`TOOLS`] is the table that MCP, the command line and the door
//! between processes all render. [`operations`] holds what the command line asks for and no agent sees.
//!
//! Useful for: everything about an answer: its arguments, size, order, pages and next steps. Not for: deciding what
//! is allowed or how an event is found ([`engine`](crate::engine)).
//!
//! **Invariant:** knows no protocol. A tool takes a JSON object and gives a JSON object.

mod answer;
mod argument;
mod arguments;
mod budget;
mod call;
mod cursor;
mod operations;

use serde_json::{Map, Value};

pub use argument::{Argument, Field, Kind};
pub use operations::{OPERATIONS, Operation, operate};

use crate::engine::{Caller, Engine};
use crate::error::{Error, Result};
use answer::Reply;
use call::Call;

/// A JSON object.
pub type Object = Map<String, Value>;

/// What a client may assume about a tool before it calls it (MCP `ToolAnnotations`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hints {
    /// It changes nothing.
    pub read_only: bool,
    /// It may overwrite or remove.
    pub destructive: bool,
    /// Calling it twice with the same arguments does no more than once.
    pub idempotent: bool,
    /// It reaches beyond the store.
    pub open_world: bool,
}

impl Hints {
    /// The hints of a tool that only reads the store.
    pub(crate) const READ: Self =
        Self { read_only: true, destructive: false, idempotent: true, open_world: false };
}

/// One tool of the table.
pub struct Tool {
    /// Its name, a verb and its object.
    pub name: &'static str,
    /// Its title for people.
    pub title: &'static str,
    /// The set it belongs to.
    pub toolset: &'static str,
    /// What, when, when not, limits; at most 500 characters.
    pub description: &'static str,
    /// What a client may assume.
    pub hints: Hints,
    /// Its arguments, in groups that several tools share.
    pub arguments: &'static [&'static [Argument]],
    /// The fields of its answer beyond those that every answer has.
    pub fields: &'static [Field],
    /// Arguments of a call that works, as JSON; errors show it.
    pub example: &'static str,
    /// Does it.
    pub(crate) run: fn(&mut Call<'_>) -> Result<Reply>,
}

impl Tool {
    /// JSON Schema of the arguments: flat, no `$ref`, no union.
    pub fn input_schema(&self) -> Object {
        argument::object_schema(self.arguments)
    }

    /// JSON Schema of the answer: an object with `error` among its properties, nothing required.
    pub fn output_schema(&self) -> Object {
        argument::answer_schema(self.fields)
    }

    /// The argument with that name.
    pub fn argument(&self, name: &str) -> Option<&'static Argument> {
        self.arguments.iter().copied().flatten().find(|argument| argument.name == name)
    }
}

/// What a tool answers: the object that becomes `structuredContent`, and whether it is an error.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The answer's fields in the order that the tool rules give.
    pub body: Object,
    /// The caller made a mistake or the store refused: `body.error` says what and what next.
    pub is_error: bool,
}

impl Answer {
    /// The answer to a call that failed before a tool could see it.
    pub(crate) fn refused(error: &Error) -> Self {
        answer::error_answer(error, &[], budget::TOKENS_DEFAULT)
    }
}

/// Every tool, in the order in which a newcomer meets them.
pub static TOOLS: &[Tool] = &[];

/// Calls the tool with that name; an unknown name is an error that lists the names there are.
pub fn call(engine: &Engine, name: &str, arguments: &Object, caller: &Caller) -> Answer {
    call::call(engine, name, arguments, caller)
}
