//! What a store promised, and whether an opened store keeps it.

use std::collections::{BTreeMap, BTreeSet};

use allsource::event::{
    EntityId, Event, EventDraft, EventId, EventType, Filter, IdempotencyKey, NamePattern, Position, Version,
};
use allsource::store::{Append, Appended, Head, RETENTION_APPLIED, Scan, ScanLimits, Snapshot, Store};

/// A broken promise, in words.
pub type Violation = String;

/// How much of what was acknowledged must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// All of it.
    All,
    /// At least everything up to this position, without a gap, under this epoch or a higher one.
    UpTo { durable: u64, epoch: u64 },
}

/// One append as it was acknowledged.
#[derive(Clone, Debug)]
struct Batch {
    events: Vec<Event>,
    append: Append,
}

impl Batch {
    fn key(&self) -> Option<&IdempotencyKey> {
        self.append.idempotency_key.as_ref()
    }
}

/// Everything a store answered, and the appends that it left without an answer.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    acknowledged: BTreeMap<u64, Batch>,
    unanswered: Vec<Append>,
}

/// The event that a stored draft must read as.
pub fn expected_event(draft: &EventDraft, appended: &Appended, at: usize) -> Event {
    let stored = &appended.events[at];
    Event {
        position: stored.position,
        version: stored.version,
        timestamp: draft.timestamp.unwrap_or(appended.recorded_at),
        recorded_at: appended.recorded_at,
        event_id: stored.event_id.clone(),
        entity_id: draft.entity_id.clone(),
        event_type: draft.event_type.clone(),
        payload: draft.payload().clone(),
        metadata: draft.metadata().cloned(),
        emptied: false,
    }
}

/// Whether `event` is what storing `draft` makes.
fn is_stored_from(draft: &EventDraft, event: &Event) -> bool {
    let is_same_content = event.payload == *draft.payload() && event.metadata.as_ref() == draft.metadata();
    event.entity_id == draft.entity_id
        && event.event_type == draft.event_type
        && (event.emptied || is_same_content)
        && draft.event_id.as_ref().is_none_or(|id| *id == event.event_id)
        && event.timestamp == draft.timestamp.unwrap_or(event.recorded_at)
}

fn check(holds: bool, violation: impl FnOnce() -> Violation) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(violation()) }
}

impl Ledger {
    /// Notes an acknowledged append.
    pub fn acknowledge(&mut self, append: &Append, appended: &Appended) {
        if appended.duplicate {
            return;
        }
        let places = append.events.iter().enumerate();
        let events: Vec<Event> = places
            .filter(|(at, _)| !appended.events[*at].already_stored)
            .map(|(at, draft)| expected_event(draft, appended, at))
            .collect();
        if let Some(first) = events.first() {
            self.acknowledged.insert(first.position.get(), Batch { events, append: append.clone() });
        }
    }

    /// Notes an append that failed without saying what became of it.
    pub fn leave_open(&mut self, append: Append) {
        self.unanswered.push(append);
    }

    /// The appends without an answer.
    pub fn unanswered(&self) -> &[Append] {
        &self.unanswered
    }

    /// The last version of an entity, as far as it was acknowledged.
    pub fn version(&self, entity_id: &EntityId) -> Version {
        let events = self.acknowledged.values().flat_map(|batch| &batch.events);
        events
            .filter(|event| event.entity_id == *entity_id)
            .map(|event| event.version)
            .max()
            .unwrap_or_default()
    }

    /// Checks an opened store against the promise. What it holds is from then on promised: the ledger that comes
    /// back has nothing open.
    pub fn settle(mut self, store: &Store, promise: Promise) -> Result<Self, Violation> {
        let snapshot = store.snapshot();
        let events = read_all(&snapshot, &Filter::default())?;
        check(snapshot.head().get() == events.len() as u64, || {
            format!("the head is {} but {} events can be read", snapshot.head(), events.len())
        })?;
        gapless(&events)?;
        emptied_by_record(&events)?;
        let mut settled = BTreeMap::new();
        for frame in events.chunk_by(|a, b| a.recorded_at == b.recorded_at) {
            let first = frame[0].position.get();
            let append = match self.acknowledged.remove(&first) {
                Some(batch) => {
                    same_or_emptied(&batch.events, frame)?;
                    batch.append
                }
                // What retention says of itself was appended by nobody here.
                None if frame[0].event_type.as_str() == RETENTION_APPLIED => Append::default(),
                None => self.take_unanswered(frame)?,
            };
            settled.insert(first, Batch { events: frame.to_vec(), append });
        }
        self.judge_missing(&snapshot, promise)?;
        let lost_keys = self.acknowledged.values().filter_map(Batch::key);
        let open_keys = self.unanswered.iter().filter_map(|append| append.idempotency_key.as_ref());
        for key in lost_keys.chain(open_keys) {
            check(call(&snapshot, key)?.is_none(), || {
                format!("key {key} is known but its batch is not there")
            })?;
        }
        let settled = Self { acknowledged: settled, unanswered: Vec::new() };
        settled.every_read_agrees(&snapshot, &events)?;
        let report = store.verify();
        check(report.damage.is_empty(), || format!("verify reports {:?}", report.damage))?;
        Ok(settled)
    }

    /// Whether every call that can be known again is: by its key, or by the ids of all its events. Nothing may be
    /// stored by that, however long ago the call was and wherever its events lie now.
    pub fn retries_are_known(&self, store: &Store) -> Result<(), Violation> {
        let head = store.snapshot().head();
        for batch in self.acknowledged.values() {
            if batch.append.events.is_empty() {
                continue;
            }
            let is_keyed = batch.key().is_some();
            if !is_keyed && batch.append.events.iter().any(|draft| draft.event_id.is_none()) {
                continue;
            }
            let said =
                |what: &str| format!("the batch at {} was sent again: {what}", batch.events[0].position);
            let again = store.append(batch.append.clone()).map_err(|error| said(&error.to_string()))?;
            let places = again.events.iter().map(|stored| (stored.position, &stored.event_id));
            let expected = batch.events.iter().map(|event| (event.position, &event.event_id));
            check(places.eq(expected), || said(&format!("{:?}", again.events)))?;
            let is_known =
                again.duplicate == is_keyed && again.events.iter().all(|e| is_keyed || e.already_stored);
            check(is_known, || said("it was taken for a new one"))?;
            let mut other = batch.append.clone();
            other.events[0] = EventDraft::new("another", "another", "0").expect("a draft");
            if is_keyed {
                let code = store.append(other).map_err(|error| error.code().to_owned()).err();
                check(code.as_deref() == Some("idempotency_conflict"), || {
                    said(&format!("with other content: {code:?}"))
                })?;
            }
        }
        let now = store.snapshot().head();
        check(now == head, || format!("sending batches again moved the head from {head} to {now}"))
    }

    /// The open append whose events these are, all of them; it is then no longer open.
    fn take_unanswered(&mut self, frame: &[Event]) -> Result<Append, Violation> {
        let is_it = |append: &Append| {
            append.events.len() == frame.len()
                && append.events.iter().zip(frame).all(|(draft, event)| is_stored_from(draft, event))
        };
        match self.unanswered.iter().position(is_it) {
            Some(at) => Ok(self.unanswered.remove(at)),
            None => Err(format!(
                "positions {} to {} hold what no append stored there: {:?}",
                frame[0].position,
                frame[frame.len() - 1].position,
                frame.iter().map(|event| event.payload.as_str()).collect::<Vec<_>>()
            )),
        }
    }

    /// Whether the acknowledged batches that are not there may be missing.
    fn judge_missing(&self, snapshot: &Snapshot, promise: Promise) -> Result<(), Violation> {
        let Some((first, _)) = self.acknowledged.first_key_value() else { return Ok(()) };
        let head = snapshot.head().get();
        match promise {
            Promise::All => {
                Err(format!("the acknowledged batch at position {first} is gone; the head is {head}"))
            }
            Promise::UpTo { durable, epoch } => {
                check(*first > head, || {
                    format!("the batch at position {first} is not a whole one any more")
                })?;
                check(head >= durable, || {
                    format!("positions were durable up to {durable} but end at {head}")
                })?;
                check(snapshot.epoch() > epoch, || {
                    format!("positions were lost but the epoch is still {epoch}")
                })
            }
        }
    }

    /// Whether every way to read gives the same events.
    fn every_read_agrees(&self, snapshot: &Snapshot, events: &[Event]) -> Result<(), Violation> {
        let mut entities: BTreeMap<&EntityId, Vec<Event>> = BTreeMap::new();
        let mut types: BTreeMap<&EventType, Vec<Event>> = BTreeMap::new();
        let mut ids: BTreeSet<&EventId> = BTreeSet::new();
        for event in events {
            entities.entry(&event.entity_id).or_default().push(event.clone());
            types.entry(&event.event_type).or_default().push(event.clone());
            check(ids.insert(&event.event_id), || format!("id {} is stored twice", event.event_id))?;
            let by_position = snapshot.event(event.position).map_err(|error| error.to_string())?;
            let by_id = snapshot.event_by_id(&event.event_id).map_err(|error| error.to_string())?;
            for found in [by_position, by_id] {
                check(found.as_ref() == Some(event), || format!("wanted {event:?} but found {found:?}"))?;
            }
        }
        for (entity_id, history) in &entities {
            let pattern = NamePattern::Exact(entity_id.to_string());
            same(history, &read_all(snapshot, &Filter { entity_id: Some(pattern), ..Filter::default() })?)?;
            let last = &history[history.len() - 1];
            let head = snapshot.entity_head(entity_id).map_err(|error| error.to_string())?;
            let expected = Head { version: last.version, position: last.position };
            check(head == Some(expected), || format!("{entity_id}: head {head:?} instead of {expected:?}"))?;
        }
        for (event_type, history) in &types {
            let pattern = NamePattern::Exact(event_type.to_string());
            same(history, &read_all(snapshot, &Filter { event_type: Some(pattern), ..Filter::default() })?)?;
        }
        for (first, batch) in &self.acknowledged {
            if let Some(key) = batch.key() {
                let found = call(snapshot, key)?;
                check(found == Some(Position::new(*first)), || {
                    format!("key {key} leads to {found:?}, not {first}")
                })?;
            }
        }
        let stats = snapshot.stats().map_err(|error| error.to_string())?;
        let counts = (stats.events, stats.entities, stats.event_types.len());
        let expected = (events.len() as u64, entities.len() as u64, types.len());
        check(counts == expected, || format!("the counts are {counts:?} instead of {expected:?}"))
    }
}

fn call(snapshot: &Snapshot, key: &IdempotencyKey) -> Result<Option<Position>, Violation> {
    snapshot.call(key).map_err(|error| error.to_string())
}

/// Every event that matches, page by page.
pub fn read_all(snapshot: &Snapshot, filter: &Filter) -> Result<Vec<Event>, Violation> {
    let limits = ScanLimits { events_max: 37, ..ScanLimits::default() };
    let mut scan = Scan { filter: filter.clone(), ..Scan::default() };
    let mut events = Vec::new();
    loop {
        let page = snapshot.scan(&scan, &limits).map_err(|error| format!("a scan failed: {error}"))?;
        check(page.damaged == 0, || format!("{} positions are damaged", page.damaged))?;
        events.extend(page.events);
        if page.complete {
            return Ok(events);
        }
        let behind = page.scanned_to.ok_or("an unfinished page looked at nothing")?;
        check(behind > scan.after, || format!("a scan stands still at {behind}"))?;
        scan.after = behind;
    }
}

fn same(expected: &[Event], found: &[Event]) -> Result<(), Violation> {
    let differing = expected.iter().zip(found).find(|(expected, found)| expected != found);
    check(differing.is_none(), || {
        let (expected, found) = differing.expect("just found");
        format!("wanted {expected:?} but found {found:?}")
    })?;
    check(expected.len() == found.len(), || {
        let at = found.first().or(expected.first()).map(|event| event.position.get());
        format!("wanted {} events from position {at:?} on but found {}", expected.len(), found.len())
    })
}

/// Whether these are the events, apart from those that retention has emptied since.
fn same_or_emptied(expected: &[Event], found: &[Event]) -> Result<(), Violation> {
    let as_it_may_be = |(expected, found): (&Event, &Event)| {
        if found.emptied { emptied(expected) } else { expected.clone() }
    };
    check(expected.len() == found.len(), || format!("wanted {expected:?} but found {found:?}"))?;
    same(&expected.iter().zip(found).map(as_it_may_be).collect::<Vec<_>>(), found)
}

/// What retention leaves of an event.
fn emptied(event: &Event) -> Event {
    let nothing = EventDraft::new("nothing", "nothing", "null").expect("a draft");
    Event { payload: nothing.payload().clone(), metadata: None, emptied: true, ..event.clone() }
}

/// Whether everything that was emptied was recorded as such, by one record for each run.
fn emptied_by_record(events: &[Event]) -> Result<(), Violation> {
    let records: Vec<_> = events
        .iter()
        .filter(|event| event.event_type.as_str() == RETENTION_APPLIED)
        .map(|event| (event.position, event.payload.to_value()))
        .collect();
    let mut runs = BTreeSet::new();
    for (position, record) in &records {
        let run = record["head_position"].as_u64().unwrap_or(0);
        check(runs.insert(run), || format!("the run that is recorded at {position} was recorded before"))?;
    }
    for event in events.iter().filter(|event| event.emptied) {
        let position = event.position.get();
        let is_covered = records.iter().any(|(_, record)| {
            let through = record["event_types"][event.event_type.as_str()]["through_position"].as_u64();
            through.is_some_and(|through| position <= through)
                && record["head_position"].as_u64().is_some_and(|head| position <= head)
        });
        check(is_covered, || format!("position {position} was emptied but no record says so"))?;
    }
    Ok(())
}

/// Whether of the events of a type exactly all but the newest `kept` are emptied, and no others.
pub fn only_the_newest_are_kept(store: &Store, event_type: &str, kept: u64) -> Result<(), Violation> {
    let mut left = kept;
    for event in read_all(&store.snapshot(), &Filter::default())?.iter().rev() {
        let is_of_type = event.event_type.as_str() == event_type;
        let must_be_emptied = is_of_type && left == 0;
        left -= u64::from(is_of_type && left > 0);
        check(event.emptied == must_be_emptied, || {
            format!(
                "position {} is {} emptied",
                event.position,
                if event.emptied { "already" } else { "not" }
            )
        })?;
    }
    Ok(())
}

/// Whether positions and versions count 1, 2, 3 …, and batches follow each other in time.
fn gapless(events: &[Event]) -> Result<(), Violation> {
    let mut versions: BTreeMap<&EntityId, u64> = BTreeMap::new();
    for (at, event) in (1..).zip(events) {
        check(event.position.get() == at, || format!("position {at} is called {}", event.position))?;
        let version = versions.entry(&event.entity_id).or_default();
        *version += 1;
        check(event.version.get() == *version, || {
            format!("version {version} of {} is called {}", event.entity_id, event.version)
        })?;
    }
    let rising = events.windows(2).all(|pair| pair[0].recorded_at <= pair[1].recorded_at);
    check(rising, || "recorded_at falls".to_owned())
}
