//! *Who holds the directory?* One process owns it and listens on a local socket; the others send it their calls.
//!
//! Useful for: several windows, and the command line, on one directory. Not for: MCP, which each process ends itself.
//!
//! **Invariant:** only the lock holder unlinks and binds the socket.
//!
//! A call goes: [`Host`] → the [`seat`] of this process, or a [`peer`] connection → [`frame`]s over a [`socket`] → the
//! [`owner`]'s connection thread → its [`seat`].

mod call;
#[cfg(test)]
mod fixture;
mod frame;
mod host;
mod options;
mod owner;
mod patience;
mod peer;
mod seat;
mod socket;
mod waiting;

pub use host::Host;
pub use options::DoorOptions;
