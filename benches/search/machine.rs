//! What the process uses of the machine, and what else the machine does.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How often memory is looked at.
const MEMORY_PAUSE: Duration = Duration::from_millis(10);

/// How busy the machine is, for a line of the report.
pub fn state() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("{cores} cores, load {}", load.split_whitespace().next().unwrap_or("unknown"))
}

/// What this process has used of the processors, all threads together; 0 where the system does not tell.
pub fn processor() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name in brackets: user and system time are the 12th and 13th, in hundredths of a second.
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    Duration::from_millis(10 * ticks.sum::<u64>())
}

/// What this thread has used of the processors; 0 where the system does not tell.
pub fn thread_processor() -> Duration {
    let used = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = used.split_whitespace().next().and_then(|used| used.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

/// The anonymous resident memory of this process in bytes; 0 where the system does not tell.
pub fn anonymous_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    1_024 * line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default()
}

/// Does something, and gives the most anonymous memory meanwhile too.
pub fn peak_during<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let (peak, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let done = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                peak.fetch_max(anonymous_bytes(), Ordering::Relaxed);
                std::thread::sleep(MEMORY_PAUSE);
            }
        });
        let done = work();
        over.store(true, Ordering::Relaxed);
        done
    });
    (done, peak.into_inner())
}

/// The bytes of the files below a directory whose path holds `part`.
pub fn bytes_below(dir: &Path, part: &str) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let bytes = |entry: fs::DirEntry| {
        let path = entry.path();
        if path.is_dir() {
            return bytes_below(&path, part);
        }
        let is_part = path.components().any(|component| component.as_os_str() == part);
        if is_part { entry.metadata().map_or(0, |about| about.len()) } else { 0 }
    };
    entries.map(bytes).sum()
}

/// Bytes in MiB.
pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
