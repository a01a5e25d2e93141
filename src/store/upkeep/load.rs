//! *Is so much being appended that upkeep would be felt?* Then it waits, as far as its backlog allows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

/// From how many bytes of log a second on upkeep waits: 8 MiB.
const FAST_BYTES: u128 = 8 << 20;
/// The shortest time over which the rate is taken: 50 ms.
const SPAN_MIN: Duration = Duration::from_millis(50);

/// How much is being appended to a branch.
#[derive(Default)]
pub(crate) struct Load {
    appended_bytes: AtomicU64,
    last: Mutex<Look>,
}

#[derive(Default)]
struct Look {
    at: Duration,
    appended_bytes: u64,
    is_fast: bool,
}

impl Load {
    /// Notes that so many bytes were written to the log.
    pub(crate) fn note(&self, bytes: usize) {
        self.appended_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Whether more than 8 MiB a second were appended since the last look.
    pub(super) fn is_fast(&self, now: Duration) -> bool {
        let mut last = self.last.lock();
        let span = now.saturating_sub(last.at);
        if span >= SPAN_MIN {
            let appended_bytes = self.appended_bytes.load(Ordering::Relaxed);
            let came = u128::from(appended_bytes - last.appended_bytes);
            *last = Look { at: now, appended_bytes, is_fast: came * 1_000 > FAST_BYTES * span.as_millis() };
        }
        last.is_fast
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_since_the_last_look() {
        let load = Load::default();
        let at = Duration::from_millis;
        load.note(9 << 20);
        assert!(!load.is_fast(at(10)), "too short to tell");
        assert!(load.is_fast(at(1_000)));
        assert!(load.is_fast(at(1_010)), "as it was a moment ago");
        load.note(1 << 20);
        assert!(!load.is_fast(at(2_000)));
        load.note(1 << 20);
        assert!(load.is_fast(at(2_100)));
    }
}
