//! Carrying out what retention leaves out.

use std::sync::Arc;
use std::time::Duration;

use super::cut::Cut;
use super::{Emptied, RETENTION_APPLIED, RETENTION_ENTITY, RetentionPolicy};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EventDraft, IdempotencyKey, Position, Timestamp};
use crate::store::append::Append;
use crate::store::branch::Branch;
use crate::store::open::Store;
use crate::store::segment::{SegmentEntry, SegmentName};
use crate::store::upkeep::choice::Urgency;
use crate::store::upkeep::merge::{Damaged, is_saved};
use crate::store::upkeep::{Due, Step};

/// How often policies by age are looked at in the background: 24 times in the age, but at most every minute and at
/// least every day.
const LOOKS_PER_AGE: u64 = 24;
const LOOK_SECONDS_MIN: u64 = 60;
const LOOK_SECONDS_MAX: u64 = 24 * 60 * 60;

/// When retention was looked at last, in the background.
pub(crate) struct Pace {
    at: Timestamp,
    segments: Option<Vec<SegmentEntry>>,
}

impl Pace {
    /// It is looked at first a minute after `now`.
    pub(in crate::store::upkeep) fn from(now: Timestamp) -> Self {
        Self { at: now, segments: None }
    }
}

impl Store {
    /// The retention policies, in order of their event types.
    #[must_use]
    pub fn retention(&self) -> Vec<RetentionPolicy> {
        self.branch.manifest.lock().retention.policies.clone()
    }

    /// Sets a retention policy, durably, in the place of one for the same types; it is carried out in the background.
    ///
    /// # Errors
    /// `Invalid` (`no_limit`) when it has no type or no limit, `Exhausted` beyond 256 policies, `Denied` when the store is
    /// open for reading only, `Unavailable` when the disk fails.
    pub fn set_retention(&self, policy: RetentionPolicy) -> Result<()> {
        self.branch.check_writable()?;
        let mut result = Ok(());
        self.branch.swap_manifest(|manifest| result = manifest.retention.set(policy))?;
        result
    }

    /// Takes a retention policy away, durably; false when there is none for exactly these types. What it has begun to
    /// empty is emptied.
    ///
    /// # Errors
    /// `Denied` when the store is open for reading only, `Unavailable` when the disk fails.
    pub fn clear_retention(&self, event_type: &str) -> Result<bool> {
        self.branch.check_writable()?;
        let mut is_found = false;
        self.branch.swap_manifest(|manifest| {
            let before = manifest.retention.policies.len();
            manifest.retention.policies.retain(|policy| policy.event_type != event_type);
            is_found = manifest.retention.policies.len() < before;
        })?;
        Ok(is_found)
    }

    /// Empties what the policies leave out now: payload and metadata go, the rest of each event stays.
    ///
    /// 1. What is to go is computed and noted durably. 2. For each policy that empties something an event of the type
    ///    [`RETENTION_APPLIED`] is stored. 3. Log files with such events become segments and are deleted. 4. Segments are
    ///    rewritten without what is to go, and the old ones deleted. With `dry_run` only the first is done, and nothing noted.
    ///
    /// Readers that pinned a [`Snapshot`](crate::store::Snapshot) before go on seeing what it held; a backup keeps what it
    /// has. A damaged segment is passed over, which the log says; a run after it was restored empties it.
    ///
    /// # Errors
    /// `Denied` when the store is open for reading only, `Exhausted` when the disk is full, `Unavailable` when it fails,
    /// `Corrupt` when the log or an index cannot be read; what was begun is finished by the next run.
    pub fn apply_retention(&self, dry_run: bool) -> Result<Vec<Emptied>> {
        if dry_run {
            let begun = self.branch.manifest.lock().retention.begun.clone();
            let cuts = if begun.is_empty() { self.branch.cuts(&mut Damaged::new())? } else { begun };
            return Ok(cuts.iter().map(Cut::emptied).collect());
        }
        self.branch.check_writable()?;
        let mut damaged = self.branch.take_turn()?;
        self.branch.retain(&mut damaged)
    }
}

impl Branch {
    /// Carries out retention in the background, when it is time for that.
    pub(in crate::store::upkeep) fn retain_in_time(&self, pace: &mut Pace) -> Result<()> {
        let (retention, segments) = {
            let manifest = self.manifest.lock();
            (manifest.retention.clone(), manifest.segments.clone())
        };
        if retention.is_empty() || self.fault().is_some() || self.background.is_closing() {
            return Ok(());
        }
        let now = self.options.clock.now();
        let ages = retention.policies.iter().filter_map(|policy| policy.max_age_seconds);
        let seconds = ages.min().map(|age| (age / LOOKS_PER_AGE).clamp(LOOK_SECONDS_MIN, LOOK_SECONDS_MAX));
        let passed = Duration::from_micros(now.as_micros().abs_diff(pace.at.as_micros())).as_secs();
        let has_changed = pace.segments.as_ref() != Some(&segments);
        let is_due =
            passed >= LOOK_SECONDS_MIN && (has_changed || seconds.is_some_and(|seconds| passed >= seconds));
        if !is_due {
            return Ok(());
        }
        // A run that fails is tried again in a minute, whatever was sealed or merged meanwhile.
        *pace = Pace::from(now);
        let done = self.retain(&mut self.upkeep_turn.lock())?;
        if !done.is_empty() {
            let events: u64 = done.iter().map(|emptied| emptied.events).sum();
            tracing::info!("retention emptied {events} events");
        }
        *pace = Pace { at: now, segments: Some(self.manifest.lock().segments.clone()) };
        Ok(())
    }

    /// What every policy leaves out now of what is durable: a position that a power cut takes is given to another event,
    /// which must not be emptied for the one before.
    fn cuts(&self, damaged: &mut Damaged) -> Result<Vec<Cut>> {
        let policies = self.manifest.lock().retention.policies.clone();
        let (snapshot, now) = (self.snapshot().up_to(self.durable()), self.options.clock.now());
        let cuts = policies.iter().map(|policy| Cut::of(policy, &snapshot, now, damaged));
        cuts.filter_map(Result::transpose).collect()
    }

    /// Finishes what was begun, then begins and finishes what is due now.
    fn retain(&self, known: &mut Damaged) -> Result<Vec<Emptied>> {
        let mut damaged = self.still_damaged(known);
        let done = self.retain_undamaged(&mut damaged);
        known.append(&mut damaged);
        done
    }

    /// Which of the segments that were damaged are so still: one that was restored is emptied like any other.
    fn still_damaged(&self, known: &Damaged) -> Damaged {
        let cold = self.manifest.lock().cold().to_vec();
        let known = cold.iter().filter(|entry| known.contains(&entry.name()));
        known.filter(|entry| self.is_damaged(entry)).map(SegmentEntry::name).collect()
    }

    fn retain_undamaged(&self, damaged: &mut Damaged) -> Result<Vec<Emptied>> {
        let mut done = self.finish_retention(damaged)?;
        self.sync_now();
        self.check_writable()?;
        let cuts = self.cuts(damaged)?;
        if !cuts.is_empty() {
            // Ordering: what is to go is durable before it is recorded, so that it is recorded once.
            self.swap_manifest(|manifest| manifest.retention.begun = cuts)?;
            done.extend(self.finish_retention(damaged)?);
        }
        Ok(done)
    }

    fn finish_retention(&self, damaged: &mut Damaged) -> Result<Vec<Emptied>> {
        let begun = self.manifest.lock().retention.begun.clone();
        if begun.is_empty() {
            return Ok(Vec::new());
        }
        // Ordering: it is recorded, durably, before a byte goes.
        begun.iter().try_for_each(|cut| self.record(cut))?;
        self.make_cold(&begun)?;
        self.empty_segments(&begun, damaged)?;
        self.swap_manifest(|manifest| manifest.retention.begun.clear())?;
        Ok(begun.iter().map(Cut::emptied).collect())
    }

    /// Stores the event that says what goes, once.
    fn record(&self, cut: &Cut) -> Result<()> {
        let key = format!("{RETENTION_ENTITY}:{}:{}", cut.head, cut.policy.event_type);
        let hash = xxhash_rust::xxh3::xxh3_128(cut.record().as_bytes());
        let key = IdempotencyKey::new(format!("{}:{hash:032x}", key.chars().take(48).collect::<String>()))?;
        let appended = self.append(Append {
            events: vec![EventDraft::new(RETENTION_ENTITY, RETENTION_APPLIED, cut.record())?],
            idempotency_key: Some(key),
            ..Append::default()
        })?;
        let position = appended.events.iter().map(|event| event.position).max().unwrap_or(appended.head);
        if self.durable() < position {
            self.sync_now();
        }
        if self.durable() < position {
            let message = "record what retention empties: it could not be made durable; nothing was emptied";
            return Err(Error::new(ErrorKind::Unavailable, "disk_failed", message));
        }
        Ok(())
    }

    /// Seals and deletes every log file that holds an event which is to be emptied.
    fn make_cold(&self, cuts: &[Cut]) -> Result<()> {
        let Some(last) = self.last_due_in_log(cuts)? else { return Ok(()) };
        {
            let mut writer = self.writer.lock();
            if writer.end.log.first() <= last {
                self.rotate(&mut writer, 0)?;
            }
        }
        self.background.wait_until_saved();
        let due = Due { urgency: Urgency::Now, hot_window_bytes: 0 };
        while self.manifest.lock().log_files.first().is_some_and(|&first| first <= last.get()) {
            if self.background.is_closing() {
                return Err(closing());
            }
            match self.next_of_log(due) {
                Some(Step::Seal(log, through)) => self.seal(&log, through)?,
                Some(Step::Retire(log)) => self.retire(&log)?,
                _ => {
                    let message = format!(
                        "empty events up to position {last}: their log file has no index yet; free space or check the disk"
                    );
                    return Err(Error::new(ErrorKind::Unavailable, "log_not_sealed", message));
                }
            }
        }
        Ok(())
    }

    fn last_due_in_log(&self, cuts: &[Cut]) -> Result<Option<Position>> {
        let view = self.view();
        for range in view.ranges.iter().rev().filter(|range| range.log().is_some()) {
            let mut last = None;
            for cut in cuts {
                cut.each_due(range, |event| last = last.max(Some(event.position)))?;
            }
            if last.is_some() {
                return Ok(last);
            }
        }
        Ok(None)
    }

    /// Rewrites every segment that holds an event which is to be emptied; those that are damaged stay as they are.
    fn empty_segments(&self, cuts: &[Cut], damaged: &mut Damaged) -> Result<()> {
        let cold = self.manifest.lock().cold().to_vec();
        let (mut failed, mut left) = (None, Vec::new());
        for entry in cold {
            if self.background.is_closing() {
                return Err(closing());
            }
            if damaged.contains(&entry.name()) {
                left.push(entry.name().to_string());
                continue;
            }
            match self.empty_segment(&entry, cuts) {
                Err(error) if error.kind() == ErrorKind::Corrupt && self.is_damaged(&entry) => {
                    tracing::error!("failed to {error}");
                    damaged.insert(entry.name());
                    left.push(entry.name().to_string());
                }
                // An index, which is mended.
                Err(error) if error.kind() == ErrorKind::Corrupt => failed = failed.or(Some(error)),
                emptied => emptied?,
            }
        }
        if !left.is_empty() {
            tracing::error!("retention left damaged segments as they are: {}", left.join(", "));
        }
        failed.map_or(Ok(()), Err)
    }

    fn empty_segment(&self, entry: &SegmentEntry, cuts: &[Cut]) -> Result<()> {
        let view = self.view();
        let mut first_due = None;
        for range in &view.ranges {
            if range.segment().is_none_or(|segment| segment.entry() != entry) {
                continue;
            }
            for cut in cuts {
                cut.each_due(range, |event| {
                    first_due =
                        Some(first_due.map_or(event.position, |first: Position| first.min(event.position)));
                })?;
            }
        }
        let Some(first_due) = first_due else { return Ok(()) };
        if !is_saved(&view, entry) {
            let message = format!("rewrite segment {}: its index is not saved yet; retry", entry.name());
            return Err(Error::new(ErrorKind::Unavailable, "index_not_saved", message));
        }
        let segment = self.cold_segment(entry)?;
        let name = SegmentName { generation: entry.generation + 1, ..entry.name() };
        let empties = |event_type: &str, position: Position, timestamp: Timestamp| {
            cuts.iter().any(|cut| cut.empties(event_type, position, timestamp))
        };
        let rewritten = self.rewrite(&[Arc::clone(&segment)], name, Some(&empties))?;
        // Held until readers see the new segment: a state that was folded from the old one must not be saved any more.
        let _forgetting = self.states.forget(first_due)?;
        self.replace_segments(&[*entry], rewritten)
    }
}

fn closing() -> Error {
    Error::new(
        ErrorKind::Closed,
        "closed",
        "apply retention: the store is being closed; the next run goes on",
    )
}
