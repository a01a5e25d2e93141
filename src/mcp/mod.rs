//! *How does an agent talk to the store?* MCP over standard input and output: a rendering of
//! [`tools::TOOLS`](crate::tools::TOOLS), of the workflows as prompts, and of the store as resources.
//!
//! Useful for: every client that starts a server process, from protocol version 2024-11-05 to 2026-07-28. Not for:
//! what a tool does or how its answer looks ([`tools`](crate::tools)), or who holds the directory
//! ([`door`](crate::door)).
//!
//! **Invariant:** standard output carries the protocol and nothing else; this is the only module that knows it.

mod completions;
mod confirm;
mod envelope;
mod image;
mod lines;
mod open_requests;
mod progress;
mod prompts;
mod resources;
mod server;
mod stdio;
mod subscriptions;
mod surface;
mod transport;
mod uri;

pub use stdio::serve_stdio;
pub use surface::ServeOptions;
