//! What the vectors promise, at small sizes.

mod damage;
mod durable;
mod fixture;
mod forked;
mod graphs;
mod nearest;
