//! Appends of every kind, the same for the same seed, with rotations, runs, index builds and a reopen on the way.

use std::path::Path;
use std::sync::Arc;

use allsource::clock::{IdSource, ManualClock, SeededIds};
use allsource::event::{
    EventDraft, EventId, Expected, Filter, IdempotencyKey, NamePattern, Position, Timestamp,
};
use allsource::store::disk::Disk;
use allsource::store::{Append, AppendCondition, Durability, Options, PlantedBug, RetentionPolicy, Store};
use allsource::{Error, ErrorKind};

use super::faulty_disk::FaultyDisk;
use super::ledger::{Ledger, Promise, Violation};

/// 2026-01-01T00:00:00Z.
pub const NEW_YEAR: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// Small files, so that a short workload crosses many of their ends.
pub fn small_options(disk: Arc<dyn Disk>, seed: u64) -> Options {
    Options {
        disk,
        clock: Arc::new(ManualClock::at(NEW_YEAR)),
        ids: Arc::new(SeededIds::new(seed)),
        log_file_bytes: 16 << 10,
        run_bytes: 4 << 10,
        ..Options::default()
    }
}

/// What the appends look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Batches over several entities, with keys, ids, conditions, and payloads up to three disk sectors.
    Mixed,
    /// One event of always the same size, so that any batch fits where another was.
    Uniform,
}

/// When segments are made, and what stays in row form.
#[derive(Clone, Copy, Debug)]
pub struct Upkeep {
    /// Everything is compacted behind every that many appends.
    pub every: u64,
    pub hot_window_bytes: u64,
    /// How many events of the type [`SHIPPED`] keep their payload.
    pub kept: Option<u64>,
}

/// The event type that retention is about.
pub const SHIPPED: &str = "SHIPPED";

/// A workload to run on a disk that may stop.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    pub seed: u64,
    pub appends: u64,
    pub shape: Shape,
    pub durability: Durability,
    pub upkeep: Option<Upkeep>,
    pub planted_bug: Option<PlantedBug>,
}

/// What a run leaves to be kept.
pub struct Outcome {
    pub ledger: Ledger,
    pub promise: Promise,
}

impl Workload {
    pub fn options(&self, disk: &FaultyDisk) -> Options {
        let options = small_options(Arc::new(disk.clone()), self.seed);
        Options {
            durability: self.durability,
            planted_bug: self.planted_bug,
            hot_window_bytes: self.upkeep.map_or(options.hot_window_bytes, |upkeep| upkeep.hot_window_bytes),
            ..options
        }
    }

    /// Empties what is no longer kept and makes segments of everything, if that is due behind the `n`-th append.
    pub fn keep_up(&self, store: &Store, n: u64) -> Result<(), Error> {
        match self.upkeep {
            Some(upkeep) if (n + 1).is_multiple_of(upkeep.every) => {
                self.retain(store)?;
                store.compact().map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Empties what is no longer kept.
    pub fn retain(&self, store: &Store) -> Result<(), Error> {
        let Some(kept) = self.upkeep.and_then(|upkeep| upkeep.kept) else { return Ok(()) };
        store.set_retention(RetentionPolicy {
            event_type: SHIPPED.to_owned(),
            max_age_seconds: None,
            max_events: Some(kept),
            max_bytes: None,
        })?;
        store.apply_retention(false).map(drop)
    }

    /// Runs until it is done or the disk stops.
    pub fn run(&self, disk: &FaultyDisk, dir: &Path) -> Result<Outcome, Violation> {
        let mut run = Run { workload: *self, ledger: Ledger::default(), durable: 0, epoch: 0 };
        let middle = self.appends / 2;
        for part in [0..middle, middle..self.appends] {
            match Store::open(dir, self.options(disk)) {
                Ok(store) => run.appends(&store, part, disk)?,
                Err(_) if disk.has_stopped() => break,
                Err(error) => return Err(format!("a healthy disk cannot be opened: {error}")),
            }
        }
        let promise = match self.durability {
            Durability::Fsync => Promise::All,
            Durability::Interval { .. } => Promise::UpTo { durable: run.durable, epoch: run.epoch },
        };
        Ok(Outcome { ledger: run.ledger, promise })
    }

    /// The `n`-th append.
    pub fn append(&self, n: u64, ledger: &Ledger) -> Append {
        match self.shape {
            Shape::Mixed => mixed(self.seed, n, ledger),
            Shape::Uniform => uniform(n),
        }
    }
}

struct Run {
    workload: Workload,
    ledger: Ledger,
    durable: u64,
    epoch: u64,
}

impl Run {
    fn appends(
        &mut self,
        store: &Store,
        part: std::ops::Range<u64>,
        disk: &FaultyDisk,
    ) -> Result<(), Violation> {
        self.epoch = store.snapshot().epoch();
        let feed = store.feed(Position::ZERO);
        for n in part {
            let append = self.workload.append(n, &self.ledger);
            match store.append(append.clone()) {
                Ok(appended) => self.ledger.acknowledge(&append, &appended),
                Err(error) if disk.has_stopped() => {
                    self.ledger.leave_open(append);
                    self.durable = feed.head().get();
                    return only(&error, ErrorKind::Unavailable);
                }
                Err(error) => return Err(format!("append {n} was refused: {error}")),
            }
            self.durable = feed.head().get();
            match self.workload.keep_up(store, n) {
                Err(error) if disk.has_stopped() => return only(&error, ErrorKind::Unavailable),
                Err(error) => return Err(format!("compacting behind append {n} failed: {error}")),
                Ok(()) => self.durable = feed.head().get(),
            }
        }
        Ok(())
    }
}

/// Checks the kind of an error that must come.
pub fn only(error: &Error, kind: ErrorKind) -> Result<(), Violation> {
    if error.kind() == kind { Ok(()) } else { Err(format!("wanted {} but got: {error}", kind.name())) }
}

fn number(dice: &SeededIds, end: u64) -> u64 {
    dice.next_u64() % end
}

fn mixed(seed: u64, n: u64, ledger: &Ledger) -> Append {
    let dice = SeededIds::new(seed << 32 | n);
    let batch = 1 + number(&dice, 6) * u64::from(!n.is_multiple_of(3));
    let events: Vec<EventDraft> = (0..batch).map(|at| draft(&dice, n, at)).collect();
    let mut append = Append { events, ..Append::default() };
    if number(&dice, 3) == 0 {
        append.idempotency_key = Some(IdempotencyKey::new(format!("call {n}")).expect("a key"));
    }
    if number(&dice, 3) == 0 {
        let entity = append.events[0].entity_id.clone();
        let expected = Expected::Exactly(ledger.version(&entity));
        append.expected.push((entity, expected));
    }
    if number(&dice, 4) == 0 {
        let filter =
            Filter { event_type: Some(NamePattern::Exact("never happened".to_owned())), ..Filter::default() };
        append.conditions = vec![AppendCondition { filter, after: Position::ZERO }];
    }
    append
}

fn draft(dice: &SeededIds, n: u64, at: u64) -> EventDraft {
    let entity = format!("order {}", number(dice, 5));
    let event_type = match number(dice, 3) {
        0 => "order.placed",
        1 => "Bestellung bezahlt",
        _ => SHIPPED,
    };
    let padding = if number(dice, 4) == 0 { number(dice, 1_500) } else { number(dice, 60) };
    let text: String = (0..padding).map(|_| char::from(b'a' + (dice.next_u64() % 26) as u8)).collect();
    let payload = format!("{{\"batch\": {n}, \"at\": {at}, \"text\": \"{text}\"}}");
    let mut draft = EventDraft::new(&entity, event_type, payload).expect("a valid draft");
    if number(dice, 3) == 0 {
        draft = draft.with_event_id(EventId::new(format!("id-{n}-{at}")).expect("an id"));
    }
    if number(dice, 3) == 0 {
        // The world's time goes its own ways, backwards too.
        let micros = NEW_YEAR.as_micros() - 1_000_000 * number(dice, 100_000).cast_signed();
        draft = draft.at(Timestamp::from_micros(micros));
    }
    if number(dice, 4) == 0 {
        draft = draft.with_metadata(format!("{{\"actor\":\"actor {n}\"}}")).expect("an object");
    }
    draft
}

fn uniform(n: u64) -> Append {
    let payload = format!("{{\"batch\":\"{n:08}\"}}");
    let event = EventDraft::new("counter", "counted", payload).expect("a valid draft");
    Append { events: vec![event], ..Append::default() }
}
