//! Every integration test, in one binary: a file per promise.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed, and says where"
)]

mod tidy;
mod surface;
