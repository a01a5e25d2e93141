//! *Who holds the directory?* One process owns it and listens on a local socket; the others send it their calls.
//!
//! Useful for: several windows, and the command line, on one directory. Not for: MCP, which each process ends itself.
//!
//! **Invariant:** only the lock holder unlinks and binds the socket.

use std::path::Path;

use crate::engine::Caller;
use crate::error::Result;
use crate::store::Options;
use crate::tools::{Answer, Object};

/// A directory in use: owned by this process or reached through the owner's socket; it changes over when the owner goes.
pub struct Host {}

impl Host {
    /// Takes the directory, or connects to the process that has it.
    pub fn open(dir: &Path, options: Options) -> Result<Self> {
        let _ = (dir, options);
        unimplemented!()
    }

    /// Calls a tool of [`tools::TOOLS`](crate::tools::TOOLS) in this process or in the owner's.
    pub fn call(&self, name: &str, arguments: &Object, caller: &Caller) -> Answer {
        let _ = (name, arguments, caller);
        unimplemented!()
    }

    /// Performs an operation that no agent sees: the bulk work of the command line (`import`, `export`, `verify`) and
    /// completions. Same shape as a tool, from `tools::operations`.
    pub fn operate(&self, name: &str, arguments: &Object, caller: &Caller) -> Result<Object> {
        let _ = (name, arguments, caller);
        unimplemented!()
    }

    /// Whether this process owns the directory.
    pub fn is_owner(&self) -> bool {
        unimplemented!()
    }
}
