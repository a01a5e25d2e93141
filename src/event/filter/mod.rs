//! *Which events?* The filter of every read: entity, type and time, and conditions in a small language like SQL.
//!
//! Useful for: deciding about one event. Not for: finding candidates, which is the store's indexes' work.
//!
//! A condition goes: text → [`lexer`] → [`parser`] → [`ast`] → [`conditions`] (compiled: which places of which document
//! are needed) → [`eval`] over what [`extract`] found in one pass.
//!
//! **Invariant:** pure, and no input makes it panic. A payload is read at most once per event, and not at all when
//! columns alone decide.
//!
//! # Meaning
//! 1. Names are case-sensitive, keywords are not.
//! 2. What is absent, or `null`, is NULL: comparisons with it are unknown, NOT of unknown is unknown, and only what is
//!    true matches. `IS NULL` and `IS NOT NULL` ask for it.
//! 3. A path with `[*]` means any element: `payload.items[*].sku <> 'A'` holds when some element differs,
//!    `NOT (payload.items[*].sku = 'A')` when none is equal. Over an empty array nothing holds but `IS NULL`.
//! 4. Numbers compare exactly, whatever their length; a number also equals a text that is written as one. Values of
//!    other different kinds are unequal and have no order.
//! 5. `CONTAINS` and `ILIKE` ignore case. `CONTAINS` on an object or array looks at all values in it, so
//!    `payload CONTAINS 'x'` searches the whole payload. In `LIKE` and `ILIKE`, `%` is any text, `_` any character.
//! 6. In quotes, a doubled quote, `\'`, `\"` and `\\` are one character; every other backslash is itself. In patterns `\%` and
//!    `\_` are the characters.

mod ast;
mod conditions;
mod criteria;
mod eval;
mod extract;
mod lexer;
mod mistake;
mod name_pattern;
mod number;
mod parser;
mod path;
mod pattern;
mod places;
mod remedy;
#[cfg(test)]
mod tests;

pub use conditions::Conditions;
pub use criteria::Filter;
pub(crate) use extract::Extraction;
pub use name_pattern::NamePattern;
pub(crate) use path::{Column, Path, Root, Step};
pub(crate) use places::{Places, Spot};
