//! *Which schemas hold here, and what do they say?* The registry of a branch, kept up to date, and the three things done with it:
//! appends are checked ([`enforce`]), schemas are registered ([`register`]), stored events are gone through ([`survey`]).
//!
//! Useful for: everything about schemas that needs the store. Not for: what a schema means ([`schema`](crate::schema)).
//!
//! **Invariant:** the registry is the fold of the branch's events and nothing else: it is the same after a restart, on a fork up to its
//! cut, and as of any position.

mod enforce;
mod known;
mod register;
mod survey;
mod upcaster;

pub(crate) use known::Schemas;
pub(crate) use register::{Registered, Registration};
pub(crate) use survey::{Failure, Measure, Survey, filter_of};
pub(crate) use upcaster::Upcaster;

#[cfg(test)]
mod tests;
