//! AllSource: the event store that AI agents operate themselves.

pub mod error;
pub mod event;
pub mod clock;
pub mod store;
pub mod engine;
pub mod tools;
pub mod door;
pub mod mcp;
pub mod cli;

pub use error::{Error, ErrorKind, Result};
