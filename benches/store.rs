//! How fast the store is, as a share of what this machine could do at best: see `benches/README.md`.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench measures real time on real files, prints what it finds, and has nobody to report an error to"
)]

mod append;
mod limit;
mod read;
mod report;
mod segments;

use std::time::Duration;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    append::measure(&mut criterion);
    read::measure(&mut criterion);
    segments::measure(&mut criterion);
    criterion.final_summary();
}

/// A directory on the disk that the build is on, gone when it is dropped.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory for a bench")
}
