//! Many durations, and what they come to.

use std::time::Duration;

/// How long each of many calls took.
#[derive(Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Adds a call.
    pub fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them together.
    pub fn sum(&self) -> Duration {
        self.0.iter().sum()
    }

    /// What so many of a hundred stayed below, in milliseconds; 0 without any.
    pub fn percentile_ms(&mut self, percent: usize) -> f64 {
        self.0.sort_unstable();
        let Some(last) = self.0.len().checked_sub(1) else { return 0.0 };
        1e3 * self.0[(self.0.len() * percent / 100).min(last)].as_secs_f64()
    }
}
