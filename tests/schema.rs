//! Schemas keep their word: compatibility by the field's rules, enforcement at every door, and a history like everything else's.

mod compatibility;
mod doors;
