//! Making a fork: one small file, and nothing copied.

use std::collections::BTreeMap;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128;

use super::entry::{QUOTA_BYTES_MAX, QUOTA_EVENTS_MAX};
use super::forks::{Slot, State};
use super::{ForkId, ForkInfo, Forks, NewFork};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Position, Timestamp, quote};
use crate::store::branch::Branch;
use crate::store::manifest::{FORMAT, ForkEntry, MadeBy, Manifest, place};
use crate::store::upkeep::Retention;

/// How many forks may stand on each other, `main` not counted: 8.
const DEPTH_MAX: usize = 8;
/// The longest lifetime: 10 years. Longer is for ever, which is 0.
const TTL_SECONDS_MAX: u64 = 10 * 365 * 86_400;
/// The longest purpose, in bytes.
const PURPOSE_BYTES_MAX: usize = 1_000;

impl Forks {
    pub(super) fn create(&self, parent: &Arc<Branch>, new: NewFork) -> Result<ForkInfo> {
        self.check_writable()?;
        check_limits(&new)?;
        let request = request_of(parent, &new);
        let mut state = self.loaded()?;
        if let Some(id) = new.idempotency_key.as_ref().and_then(|key| state.keys.get(key.as_str()).cloned()) {
            return self.made_before(&mut state, &id, &request, &new);
        }
        let depth =
            std::iter::successors(Some(parent), |one| one.lineage.as_ref().map(|lineage| &lineage.parent));
        if depth.count() > DEPTH_MAX {
            let message = format!(
                "fork a fork that stands on {DEPTH_MAX} others: deeper is not taken; promote or fork its parent"
            );
            return Err(Error::invalid("fork_too_deep", message).with("depth_max", DEPTH_MAX));
        }
        let now = self.main.options.clock.now();
        // Whoever still holds a branch that was reset or discarded holds what is not there any more.
        parent.fault().map_or(Ok(()), Err)?;
        let entry = entry(parent, new, request, now)?;
        if let Ok(id) = ForkId::parse(&entry.parent) {
            state.check_live(&id, now)?;
            self.make_durable(&mut state, &id)?;
        }
        let ids = self.main.options.ids.as_ref();
        let id = std::iter::repeat_with(|| ForkId::random(ids.next_u64()))
            .find(|id| !state.slots.contains_key(id))
            .ok_or_else(|| Error::internal("find an id for a fork"))?;
        let manifest = manifest(&id, ids.next_u64(), entry);
        let (disk, dir) = (self.main.options.disk.as_ref(), self.dir_of(&id));
        disk.create_dir_all(&dir).map_err(|error| {
            let message =
                format!("make the fork directory {}: {error}; free space or check the disk", dir.display());
            Error::new(ErrorKind::Unavailable, "disk_failed", message)
        })?;
        place(disk, &dir, &manifest)?;
        state.insert(id.clone(), Slot::new(manifest, false));
        self.info(&mut state, &id)
    }

    /// The fork that the same call made before.
    fn made_before(&self, state: &mut State, id: &ForkId, request: &str, new: &NewFork) -> Result<ForkInfo> {
        let made_by = state.slots.get(id).and_then(|slot| slot.entry().made_by);
        if made_by.is_none_or(|made_by| made_by.request != request) {
            let key = new.idempotency_key.as_ref().map(|key| quote(key.as_str())).unwrap_or_default();
            let message = format!(
                "make a fork with idempotency key {key}: it made fork {id}, which is another; use a new key"
            );
            return Err(
                Error::new(ErrorKind::Conflict, "idempotency_conflict", message).with("branch", id.as_str())
            );
        }
        Ok(ForkInfo { duplicate: true, ..self.info(state, id)? })
    }
}

pub(super) fn check_limits(new: &NewFork) -> Result<()> {
    let refuse = |argument: &str, message: String| {
        Err(Error::invalid("bad_argument", message).with("argument", argument))
    };
    if new.purpose.len() > PURPOSE_BYTES_MAX {
        let message = format!(
            "purpose is {} bytes but at most {PURPOSE_BYTES_MAX} are taken; say it shorter",
            new.purpose.len()
        );
        return refuse("purpose", message);
    }
    if new.ttl_seconds > TTL_SECONDS_MAX {
        let message = format!(
            "ttl_seconds is {} but at most {TTL_SECONDS_MAX} are taken; 0 keeps the fork",
            new.ttl_seconds
        );
        return refuse("ttl_seconds", message);
    }
    for (name, given, max) in [
        ("quota_events", new.quota_events, QUOTA_EVENTS_MAX),
        ("quota_bytes", new.quota_bytes, QUOTA_BYTES_MAX),
    ] {
        if given == 0 || given > max {
            let message = format!("{name} is {given}; give 1 to {max}, so that one promotion can hold it");
            return refuse(name, message);
        }
    }
    Ok(())
}

/// XXH3-128 of what a call asks for.
fn request_of(parent: &Branch, new: &NewFork) -> String {
    let asked = format!(
        "{:?}",
        (
            &parent.manifest.lock().branch,
            &new.purpose,
            new.cut,
            new.ttl_seconds,
            new.quota_events,
            new.quota_bytes
        )
    );
    format!("{:032x}", xxh3_128(asked.as_bytes()))
}

fn entry(parent: &Branch, new: NewFork, request: String, now: Timestamp) -> Result<ForkEntry> {
    let (cut, cut_recorded_at) = cut_of(parent, new.cut)?;
    Ok(ForkEntry {
        parent: parent.manifest.lock().branch.clone(),
        cut: cut.get(),
        cut_recorded_at: cut_recorded_at.as_micros(),
        purpose: new.purpose,
        creator: new.creator,
        created_at: now.as_micros(),
        used_at: now.as_micros(),
        ttl_seconds: new.ttl_seconds,
        quota_events: new.quota_events,
        quota_bytes: new.quota_bytes,
        made_by: new.idempotency_key.map(|key| MadeBy { key: key.to_string(), request }),
        discarded_at: None,
        promoted: None,
    })
}

/// The cut that is asked for, durable, and when the last frame up to it was committed.
pub(super) fn cut_of(parent: &Branch, asked: Option<Position>) -> Result<(Position, Timestamp)> {
    let head = parent.head();
    let cut = asked.unwrap_or(head);
    if cut > head {
        let message =
            format!("fork at position {cut}: the branch ends at {head}; give a position up to that");
        return Err(Error::invalid("position_beyond_head", message).with("head_position", head.get()));
    }
    if cut > parent.durable() {
        parent.sync_now();
        parent.fault().map_or(Ok(()), Err)?;
    }
    let recorded_at = parent.snapshot().up_to(cut).last_recorded_at();
    Ok((cut, recorded_at.unwrap_or(Timestamp::from_micros(0))))
}

fn manifest(id: &ForkId, id_key: u64, entry: ForkEntry) -> Manifest {
    Manifest {
        format: FORMAT,
        branch: id.to_string(),
        id_key,
        epoch: 1,
        synced_through: entry.cut,
        volatile: false,
        suspect: false,
        backup: false,
        segments: Vec::new(),
        retention: Retention::default(),
        tags: BTreeMap::new(),
        fork: Some(entry),
        log_files: Vec::new(),
    }
}
