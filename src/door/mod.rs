//! *Who holds the directory?* One process owns it and listens on a local socket; the others send it their calls.
//!
//! Useful for: several windows, and the command line, on one directory. Not for: MCP, which each process ends itself.
//!
//! **Invariant:** only the lock holder unlinks and binds the socket.

mod host;
mod seat;

pub use host::Host;
