//! What the vectors promise, at small sizes.

mod durable;
mod fixture;
mod nearest;
