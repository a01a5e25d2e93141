//! Letting everybody else go first.

/// Gives the calling thread the lowest priority that the system knows, where threads have one of their own.
#[cfg(target_os = "linux")]
pub(crate) fn lower() {
    // On Linux a "process" is a thread here. It may always lower itself; if it cannot, it merely competes.
    let thread = rustix::thread::gettid();
    let _ = rustix::process::setpriority_process(Some(thread), 19);
}

/// Gives the calling thread the lowest priority that the system knows, where threads have one of their own.
#[cfg(not(target_os = "linux"))]
pub(crate) fn lower() {}
