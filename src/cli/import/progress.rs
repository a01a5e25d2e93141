//! How far an import is: a bar with rate and time left on a terminal, nothing elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::clock::Clock;

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

/// A number with its thousands apart: `54,235`.
pub(in crate::cli) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things: `1 event`, `54,235 events`.
pub(in crate::cli) fn counted(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_told_apart() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (54_235, "54,235"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), text);
        }
    }
}
