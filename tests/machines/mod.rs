//! The machines that try to break the store: a disk that fails, a model that knows better, and a power cut at every
//! disk call.

mod concurrent;
mod crash;
mod failures;
pub mod faulty_disk;
pub mod ledger;
pub mod model;
mod sealing;
pub mod workload;

/// A directory for a test, in memory where there is such a place: what is durable there is decided by the test.
pub fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory for a test")
}
