//! How is a fork told about? Its fields in one order, those without news left out.

use serde_json::{Value, json};

use crate::engine::MAIN;
use crate::error::{Error, Result};
use crate::event::TimeZone;
use crate::store::{ForkId, ForkInfo, ForkState, NewFork, PromotionConflict};
use crate::tools::Object;
use crate::tools::argument::{Argument, Field, Kind};
use crate::tools::call::Call;

/// The fork that is meant.
pub(super) const FORK_ID: Argument =
    Argument::required("fork_id", Kind::Text, "The fork, as create_sandbox_fork named it");
/// How long a fork may stay.
pub(super) const TTL: Kind = Kind::Integer { min: 0, max: 315_360_000 };
/// The most events of its own that a fork may hold.
pub(super) const QUOTA_EVENTS: Kind = Kind::Integer { min: 1, max: 100_000 };
/// The most bytes of its own that a fork may hold.
pub(super) const QUOTA_BYTES: Kind = Kind::Integer { min: 1, max: 50_331_648 };

/// The fields that tell about one fork.
pub(super) const FORK: &[Field] = &[
    Field::new("fork_id", "string"),
    Field::new("state", "string"),
    Field::new("parent", "string"),
    Field::new("cut", "integer"),
    Field::new("events", "integer"),
    Field::new("expires_at", "string"),
    Field::new("restorable_until", "string"),
    Field::new("promoted_at_position", "integer"),
    Field::new("tags", "object"),
];

impl Call<'_> {
    /// The fork that is meant.
    ///
    /// # Errors
    /// `NotFound` (`unknown_branch`) when no fork can be, `Invalid` (`bad_argument`) when it is `main`.
    pub(super) fn fork_id(&self) -> Result<ForkId> {
        let given = self.arguments.text("fork_id").unwrap_or_default();
        if given == MAIN {
            let message = "fork_id is main, which is no fork; list_forks shows the forks there are";
            return Err(Error::invalid("bad_argument", message).with("argument", "fork_id"));
        }
        ForkId::parse(given)
    }
}

/// What there is to say of a fork.
pub(super) fn fork(info: &ForkInfo) -> Object {
    let mut told = Object::new();
    let mut put = |name: &str, value: Value| drop(told.insert(name.to_owned(), value));
    let time = |time: crate::event::Timestamp| Value::from(time.in_zone(TimeZone::UTC).to_string());
    put("fork_id", info.id.as_str().into());
    match info.state {
        ForkState::Live => {}
        ForkState::Expired => put("state", "expired".into()),
        ForkState::Discarded { restorable_until } => {
            put("state", "discarded".into());
            put("restorable_until", time(restorable_until));
        }
    }
    if info.parent != MAIN {
        put("parent", info.parent.as_str().into());
    }
    put("cut", info.cut.get().into());
    if info.events() > 0 {
        put("events", info.events().into());
    }
    put("purpose", info.purpose.as_str().into());
    if let Some(creator) = &info.creator {
        put("creator", creator.as_str().into());
    }
    put("created_at", time(info.created_at));
    if let Some(expires_at) = info.expires_at.filter(|_| info.state == ForkState::Live) {
        put("expires_at", time(expires_at));
    }
    let default = NewFork::default();
    if info.quota_events != default.quota_events {
        put("quota_events", info.quota_events.into());
    }
    if info.quota_bytes != default.quota_bytes {
        put("quota_bytes", info.quota_bytes.into());
    }
    if let Some(position) = info.promoted_at {
        put("promoted_at_position", position.get().into());
    }
    if !info.tags.is_empty() {
        put(
            "tags",
            info.tags
                .iter()
                .map(|(name, position)| (name.clone(), Value::from(position.get())))
                .collect::<Object>()
                .into(),
        );
    }
    told
}

/// A conflict, as a caller decides on it.
pub(super) fn conflict(conflict: &PromotionConflict) -> Value {
    let mut told = json!({
        "entity_id": conflict.entity_id.as_str(),
        "version_at_cut": conflict.version_at_cut.get(),
        "version_now": conflict.version_now.get(),
    });
    if let Some(members) = told.as_object_mut() {
        if !conflict.parent_positions.is_empty() {
            let positions: Vec<u64> =
                conflict.parent_positions.iter().map(|position| position.get()).collect();
            members.insert("parent_positions".to_owned(), positions.into());
        }
        if let Some(position) = conflict.condition_broken_by {
            members.insert("condition_broken_by".to_owned(), position.get().into());
        }
    }
    told
}
