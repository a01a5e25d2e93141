//! *What can an agent ask for?* One file per tool; [`TOOLS`] is the table that MCP, the command line and the door
//! between processes all render.
//!
//! **Invariant:** knows no protocol. A tool takes a JSON object and gives a JSON object.

use serde_json::{Map, Value};

use crate::engine::{Caller, Engine};
use crate::error::Result;

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
    /// JSON Schema of the arguments: flat, no `$ref`, no union.
    pub input_schema: fn() -> Object,
    /// JSON Schema of the answer: an object with `error` among its properties, nothing required.
    pub output_schema: fn() -> Object,
    /// Does it.
    pub handler: fn(&Engine, &Object, &Caller) -> Answer,
}

/// What a tool answers: the object that becomes `structuredContent`, and whether it is an error.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The answer's fields in the order that the tool rules give.
    pub body: Object,
    /// The caller made a mistake or the store refused: `body.error` says what and what next.
    pub is_error: bool,
}

/// Every tool, in the order in which a newcomer meets them.
pub static TOOLS: &[Tool] = &[];

/// Calls the tool with that name; an unknown name is an error that lists the names there are.
pub fn call(engine: &Engine, name: &str, arguments: &Object, caller: &Caller) -> Answer {
    let _ = (engine, name, arguments, caller);
    unimplemented!()
}

/// Performs an operation that the command line asks for and no agent sees.
///
/// # Errors
/// Those of the operation; `NotFound` for an unknown name.
pub fn operate(engine: &Engine, name: &str, arguments: &Object, caller: &Caller) -> Result<Object> {
    let _ = (engine, name, arguments, caller);
    unimplemented!()
}
