//! How far an import is: a bar with rate and time left on a terminal, nothing elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::clock::Clock;
use crate::event::grouped;

/// A bar on standard error; it shows nothing when that is no terminal.
pub(super) struct Progress {
    bar: ProgressBar,
    /// Bytes of the file, or commits, that were read so far.
    read: Arc<AtomicU64>,
    clock: Arc<dyn Clock>,
    began: Duration,
    events: u64,
}

impl Progress {
    pub(super) fn start(name: &str, read: Arc<AtomicU64>, total: Option<u64>, clock: Arc<dyn Clock>) -> Self {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        let template = match total {
            Some(_) => "{prefix} {bar:30} {percent:>3} % · {msg} · {eta} left",
            None => "{prefix} {spinner} {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        let began = clock.elapsed();
        Self { bar, read, clock, began, events: 0 }
    }

    /// More events were dealt with.
    pub(super) fn advance(&mut self, events: u64) {
        self.events += events;
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_position(self.read.load(Ordering::Relaxed));
        let rate = per_second(self.events, self.clock.elapsed().saturating_sub(self.began));
        self.bar.set_message(format!("{} events · {}/s", grouped(self.events), grouped(rate)));
    }

    /// Runs `write`, which writes to the terminal, without tearing the bar.
    pub(super) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// `count` in one second, when it took `time`.
pub(super) fn per_second(count: u64, time: Duration) -> u64 {
    let micros = time.as_micros().max(1);
    u64::try_from(u128::from(count) * 1_000_000 / micros).unwrap_or(u64::MAX)
}
