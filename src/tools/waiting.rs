//! Waiting for events that are not there yet: the long poll of clients that have tools alone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::call::Call;
use crate::engine::{Found, Stretch, View};
use crate::error::{Error, ErrorKind, Result};

/// The longest wait: 25 s, which is less than any known client waits for an answer.
pub(super) const WAIT_MS_MAX: i64 = 25_000;
/// How many calls may wait at once; each holds a thread.
const WAITING_MAX: usize = 32;
/// How often a waiting call looks whether anybody still waits for it.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often whoever asked is told that it still waits.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// Arguments that hold a view still, so that nothing could ever come.
const FIXED: [&str; 5] = ["as_of", "as_of_position", "known_at", "event_ids", "before_position"];

static WAITING: AtomicUsize = AtomicUsize::new(0);

/// A place among the calls that wait.
struct Place;

impl Place {
    fn take() -> Result<Self> {
        let place = Self;
        if WAITING.fetch_add(1, Ordering::Relaxed) < WAITING_MAX {
            return Ok(place);
        }
        let message =
            format!("wait for events: {WAITING_MAX} calls wait already; ask again without wait_ms, or later");
        Err(Error::new(ErrorKind::Exhausted, "too_many_waiting", message).with("argument", "wait_ms"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Refuses to wait for what cannot come.
///
/// # Errors
/// `Invalid` (`bad_argument`).
pub(super) fn check(call: &Call<'_>) -> Result<()> {
    let fixed = FIXED.into_iter().find(|name| call.arguments.has(name));
    let fixed = fixed.or(call.branch_point.map(|_| "branch"));
    let Some(fixed) = fixed.filter(|_| call.arguments.has("wait_ms")) else { return Ok(()) };
    let message = format!(
        "wait for events: {fixed} holds the view still, so that none can come; leave out {fixed} or wait_ms"
    );
    Err(Error::invalid("bad_argument", message).with("argument", "wait_ms"))
}

/// What is found in the stretch, or in what comes behind it until the wait is over.
///
/// # Errors
/// `Exhausted` (`too_many_waiting`), and those of finding.
pub(super) fn find(call: &Call<'_>, view: View, stretch: &mut Stretch) -> Result<(View, Found)> {
    let found = view.find(stretch)?;
    // What was found once has further pages, which are there already.
    let waits = found.events.is_empty() && call.cursor.is_none();
    let Some(wait) = call.arguments.ordinal("wait_ms").filter(|_| waits) else {
        return Ok((view, found));
    };
    let _place = Place::take()?;
    let clock = call.engine.clock();
    let until = clock.elapsed().saturating_add(Duration::from_millis(wait));
    let longest = Duration::from_millis(wait);
    let (mut view, mut found, mut left, mut told) = (view, found, longest, Duration::ZERO);
    while found.events.is_empty()
        && !found.timed_out
        && !left.is_zero()
        && clock.elapsed() < until
        && !call.engine.waits_no_longer()
    {
        let (head, slice, waited) =
            (view.snapshot.head(), left.min(LOOK_EVERY), longest.saturating_sub(left));
        if waited.saturating_sub(told) >= TELL_EVERY {
            told = waited;
            call.engine.tell_waited(waited, longest, "ms waited for events, of those asked for");
        }
        if !call.engine.store().wait_beyond(head, slice) {
            left = left.saturating_sub(slice);
            continue;
        }
        stretch.after = stretch.after.max(head);
        view = call.wish().over(call.snapshot()?, call.now)?;
        found = view.find(stretch)?;
    }
    Ok((view, found))
}
