//! The committer: one group at a time is decided, written, synced, published and answered.

use super::call::{Append, Appended, StoredEvent};
use super::group::{Accepted, Decision, Group};
use super::prepare::Prepared;
use super::queue::Outcome;
use crate::error::{Error, Result};
use crate::event::Position;
use crate::store::branch::{Branch, PoisonOnPanic, Writer};
use crate::store::index::{NewEntry, NewFrame};
use crate::store::log::generated_id;
use crate::store::options::{Durability, PlantedBug};

/// What became of an append that had its turn.
pub(crate) enum Verdict {
    Stored(Appended),
    /// Prepare it again.
    Stale(Append),
}

impl Branch {
    /// Commits an append, on this thread or with a group on another.
    pub(crate) fn commit(&self, prepared: Prepared) -> Result<Verdict> {
        let answer = self.queue.submit(prepared, |group| self.commit_group(group));
        answer.unwrap_or_else(|| Err(Error::internal("append: the thread that committed it panicked")))
    }

    fn commit_group(&self, requests: Vec<Prepared>) -> Vec<Outcome<Prepared, Result<Verdict>>> {
        self.background.wait_until_proved();
        self.background.wait_for_room();
        let mut writer = self.writer.lock();
        let _poison = PoisonOnPanic(self);
        let mut group = Group::new(self, &mut writer, requests.len());
        let decisions: Vec<_> = requests.into_iter().map(|request| group.decide(request)).collect();
        let accepted = group.into_accepted();

        // Ordering: write, sync, publish, answer. Conflicts too are answered only behind the sync: one that was found
        // against an append of this very group would otherwise report a version that a crash takes back.
        let stored = self.write(&mut writer, &accepted).inspect(|()| self.publish(&mut writer, &accepted));
        if let Err(error) = &stored {
            return decisions.into_iter().map(|_| Outcome::Done(Err(error.copy()))).collect();
        }
        let head = self.head();
        let mut answers = accepted.into_iter().map(|accepted| answer(accepted, head, self.id_key));
        let outcome = |decision| match decision {
            Decision::Accepted => {
                let lost = || Error::internal("append: an answer is missing");
                Outcome::Done(answers.next().map(Verdict::Stored).ok_or_else(lost))
            }
            Decision::Refused(error) => Outcome::Done(Err(error)),
            Decision::Stale(append) => Outcome::Done(Ok(Verdict::Stale(append))),
            Decision::Again(prepared) => Outcome::Again(prepared),
        };
        decisions.into_iter().map(outcome).collect()
    }

    /// Writes the group's frames in one write and makes them as durable as the caller was promised. A failure of
    /// either poisons the branch: what the disk holds is unknown, and a second attempt could only hide it.
    fn write(&self, writer: &mut Writer, accepted: &[Accepted]) -> Result<()> {
        // A background thread may have met a fault since the group was decided.
        if let Some(fault) = self.fault().filter(|_| !accepted.is_empty()) {
            return Err(fault);
        }
        let written = match accepted {
            [] => return Ok(()),
            [alone] => writer.end.write(alone.prepared.frame.bytes()),
            several => {
                let frames: Vec<&[u8]> =
                    several.iter().map(|accepted| accepted.prepared.frame.bytes()).collect();
                writer.end.write(&frames.concat())
            }
        };
        if let Err(error) = written {
            let fault = self.fault_of("write to", writer.end.log.name(), &error);
            if self.options.has(PlantedBug::ReuseAfterFailedWrite) {
                return Err(fault);
            }
            self.lower_head(writer);
            return Err(self.set_fault(fault));
        }
        self.load.note(accepted.iter().map(|accepted| accepted.prepared.frame.len()).sum());
        if self.options.durability != Durability::Fsync || self.options.has(PlantedBug::SkipSync) {
            return Ok(());
        }
        if self.options.has(PlantedBug::AnswerBeforeSync) && !std::mem::replace(&mut writer.sync_is_due, true)
        {
            return Ok(());
        }
        self.sync_file(&writer.end.log).inspect_err(|_| self.lower_head(writer))
    }

    /// Makes the group visible: its events into the in-memory index, then the head.
    fn publish(&self, writer: &mut Writer, accepted: &[Accepted]) {
        for accepted in accepted {
            let key = accepted.prepared.append.idempotency_key.as_ref();
            let places = accepted.prepared.frame.records().iter().zip(&accepted.versions);
            let events: Vec<_> = accepted
                .prepared
                .new_drafts()
                .zip(places)
                .map(|(draft, (&start, &version))| NewEntry {
                    entity_id: draft.entity_id.as_str(),
                    event_type: draft.event_type.as_str(),
                    given_id: draft.event_id.as_ref(),
                    version,
                    timestamp: draft.timestamp.unwrap_or(accepted.recorded_at),
                    offset: u32::try_from(accepted.offset).unwrap_or(u32::MAX).saturating_add(start),
                })
                .collect();
            writer.memory.push(&NewFrame {
                first: accepted.first,
                call_key: key.map(crate::event::IdempotencyKey::as_str),
                recorded_at: accepted.recorded_at,
                events: &events,
            });
            writer.next = accepted.next();
            writer.recorded_at = accepted.recorded_at;
        }
        if !accepted.is_empty() {
            self.advance(writer.next.previous());
            self.roll_memory_if_full(writer);
        }
    }
}

/// What the caller is told, for each event of the call in its order.
fn answer(accepted: Accepted, head: Position, id_key: u64) -> Appended {
    let Accepted { prepared, first, recorded_at, versions, .. } = accepted;
    let mut fresh = versions.into_iter().zip(first.get()..);
    let events = prepared.append.events.into_iter().zip(prepared.known).filter_map(|(draft, known)| {
        known.or_else(|| {
            let (version, position) = fresh.next()?;
            let position = Position::new(position);
            let event_id = draft.event_id.unwrap_or_else(|| generated_id(recorded_at, position, id_key));
            Some(StoredEvent { event_id, position, version, already_stored: false })
        })
    });
    Appended { events: events.collect(), recorded_at, duplicate: false, head }
}
