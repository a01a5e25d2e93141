//! Letting others go first.

/// Behind everybody: what has time, such as merging files and making graphs.
pub(crate) const LAST: i32 = 19;
/// Behind who appends and reads, but not so far that a compiler beside the store keeps new events from being found.
pub(crate) const BEHIND: i32 = 10;

/// Gives the calling thread, and those that it starts from then on, a lower priority (the `nice` value), where threads have one of
/// their own.
#[cfg(target_os = "linux")]
pub(crate) fn lower(nice: i32) {
    // On Linux a "process" is a thread here. It may always lower itself; if it cannot, it merely competes.
    let thread = rustix::thread::gettid();
    let _ = rustix::process::setpriority_process(Some(thread), nice);
}

/// Gives the calling thread a lower priority, where threads have one of their own.
#[cfg(not(target_os = "linux"))]
pub(crate) fn lower(_nice: i32) {}
