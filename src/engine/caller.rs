//! *Who calls, what may they change, and do they still wait?*

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use super::{Limits, Progress};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Timestamp;

/// Whether somebody still waits for the answer of a call; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Nobody waits any more: the call may stop where it is.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the call may stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The clock of one call. Once nobody waits for the call, or its time is up, each look at it finds an hour gone, so that whatever
/// looks at the clock to know when to stop stops.
pub(crate) struct CallClock {
    clock: Arc<dyn Clock>,
    cancel: Cancel,
    progress: Progress,
    until: Option<Duration>,
    looks: AtomicU32,
}

impl CallClock {
    /// The clock of a call of `caller` that begins now.
    pub(crate) fn new(clock: &Arc<dyn Clock>, caller: &Caller) -> Self {
        let until = caller.limits.call_ms.map(|ms| clock.elapsed().saturating_add(Duration::from_millis(ms)));
        Self {
            clock: Arc::clone(clock),
            cancel: caller.cancel.clone(),
            progress: caller.progress.clone(),
            until,
            looks: AtomicU32::new(0),
        }
    }

    /// The time as it is, to say how long something took.
    pub(crate) fn measured(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Who is told how far the call has got.
    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Whether its client has cancelled the call.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Whether the call is to end.
    pub(crate) fn is_over(&self) -> bool {
        self.cancel.is_cancelled() || self.until.is_some_and(|until| self.clock.elapsed() >= until)
    }
}

impl Clock for CallClock {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn elapsed(&self) -> Duration {
        if self.is_over() {
            let looks = self.looks.fetch_add(1, Ordering::Relaxed);
            return self.clock.elapsed() + Duration::from_hours(1) * looks.saturating_add(1);
        }
        self.clock.elapsed()
    }
}

/// What a caller may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Writes {
    /// Nothing: reads only.
    None,
    /// Forks only; `main` stays as it is.
    Forks,
    /// Everything.
    #[default]
    All,
}

/// Who calls.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// What it may change.
    pub writes: Writes,
    /// The client's name as it gave it, such as `claude-code`.
    pub client: Option<String>,
    /// The client's version as it gave it.
    pub client_version: Option<String>,
    /// The [difference](crate::store::Promoted::diff) that a person was shown and agreed to promote. Set by whoever asked
    /// the person; no argument of a call reaches it.
    pub confirmed: Option<String>,
    /// The directory below which it may have files imported; `None`: nowhere.
    pub import_root: Option<PathBuf>,
    /// How much it may take.
    pub limits: Limits,
    /// Whether its calls are recorded on the branch `audit`.
    pub audited: bool,
    /// Set when nobody waits for the answer any more.
    pub cancel: Cancel,
    /// Who is told how far a call has got. A call that goes on in another process tells nobody.
    pub progress: Progress,
}

impl Caller {
    /// Refuses to begin what nobody waits for any more.
    ///
    /// # Errors
    /// `Unavailable` (`cancelled`).
    pub(crate) fn check_waits(&self) -> Result<()> {
        if !self.cancel.is_cancelled() {
            return Ok(());
        }
        let message = "go on with the call: its client cancelled it; nothing was changed";
        Err(Error::new(ErrorKind::Unavailable, "cancelled", message))
    }

    /// Whether its calls are recorded: who may change nothing leaves no trace either.
    pub(crate) fn is_recorded(&self) -> bool {
        self.audited && self.writes > Writes::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn time_is_up_once_nobody_waits_or_the_limit_has_passed() {
        let manual = Arc::new(ManualClock::at(Timestamp::from_micros(0)));
        let clock: Arc<dyn Clock> = manual.clone();
        let mut caller = Caller::default();
        let of_call = CallClock::new(&clock, &caller);
        let started = of_call.elapsed();
        assert!(!of_call.is_over() && of_call.elapsed() == started);
        caller.cancel.cancel();
        assert!(of_call.is_over());
        // Also for what begins only now.
        let begun = of_call.elapsed();
        assert!(begun >= started + Duration::from_hours(1));
        assert!(of_call.elapsed() >= begun + Duration::from_hours(1));

        caller = Caller { limits: Limits { call_ms: Some(50), ..Limits::default() }, ..Caller::default() };
        let of_call = CallClock::new(&clock, &caller);
        assert!(!of_call.is_over());
        manual.advance(Duration::from_millis(50));
        assert!(of_call.is_over());
    }
}
