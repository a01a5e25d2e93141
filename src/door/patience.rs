//! How long does a call wait for the next owner?

use std::time::Duration;

use super::DoorOptions;

/// The first and the longest pause between two attempts to take the directory or to reach its owner.
const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(100);

/// How long a call waits for the next owner, in pauses that grow.
pub(super) struct Patience {
    next: Duration,
    pub(super) waited: Duration,
    max: Duration,
}

impl Patience {
    pub(super) fn new(door: &DoorOptions) -> Self {
        Self { next: PAUSE_MIN, waited: Duration::ZERO, max: door.takeover_max() }
    }

    /// The next pause; `None` when the time is up.
    pub(super) fn pause(&mut self) -> Option<Duration> {
        let pause = self.next;
        self.next = (pause * 2).min(PAUSE_MAX);
        self.waited += pause;
        (self.waited <= self.max).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_grows_its_pauses_and_ends() {
        let mut patience = Patience::new(&DoorOptions { takeover_ms_max: 1_000, ..DoorOptions::default() });
        let pauses: Vec<_> = std::iter::from_fn(|| patience.pause()).collect();
        assert_eq!(pauses.first(), Some(&PAUSE_MIN));
        assert_eq!(pauses.last(), Some(&PAUSE_MAX));
        assert!(pauses.iter().sum::<Duration>() <= Duration::from_secs(1));
    }
}
