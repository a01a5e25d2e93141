//! Every integration test, in one binary: a file per promise.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has failed and says where; tests make and break files by hand"
)]

mod tidy;
mod trust;
mod readme;
mod cli;
mod analysis;
mod processes;
mod retention;
mod segments;
mod surface;
mod machines;
mod callers;
mod faults;
mod damage;
mod flips;
mod backup;
mod forks;
mod formats;
mod sealed;
mod readers;
mod search;
mod schema;
mod sql;
mod kill;
mod mcp;
mod fuzz;
mod questions;
mod lessons;
