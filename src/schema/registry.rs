//! Which schemas are registered? The fold of the events that say so.
//!
//! ```text
//! allsource.schema.registered  {"subject", "version", "schema", "mode", "enforcement", "upcast"[]}
//! allsource.schema.configured  {"subject", "mode"?, "enforcement"?, "upcast"?}        (upcast: into the newest version)
//! ```
//!
//! Both belong to the entity `allsource.schema/<subject>`.
//!
//! **Invariant:** what cannot be read is passed over: an imported event may say anything, and must not stop a store.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use xxhash_rust::xxh3::xxh3_64;

use super::evolve::Mode;
use super::subject::Subject;
use super::upcast::Operation;
use crate::event::{Event, Position};

/// The type of the events that register a version.
pub const REGISTERED: &str = "allsource.schema.registered";
/// The type of the events that change a mode, an enforcement or an upcast.
pub const CONFIGURED: &str = "allsource.schema.configured";
/// What the entities of both begin with; the subject follows.
pub const SCHEMA_ENTITY_PREFIX: &str = "allsource.schema/";

/// Whether an event of that entity and type is the registry's to write.
#[must_use]
pub fn is_reserved(entity_id: &str, event_type: &str) -> bool {
    entity_id.starts_with(SCHEMA_ENTITY_PREFIX) || event_type == REGISTERED || event_type == CONFIGURED
}

/// What becomes of an append whose payload does not fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Enforcement {
    /// Nothing: the schema only describes.
    Off,
    /// It goes through, and its answer says so.
    #[default]
    Warn,
    /// It is refused.
    Reject,
}

impl Enforcement {
    /// The names, the default first.
    pub const NAMES: &[&str] = &["warn", "reject", "off"];

    /// Its name in calls and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Reject => "reject",
        }
    }

    /// The enforcement with that [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Off, Self::Warn, Self::Reject].into_iter().find(|one| one.name() == name)
    }
}

/// One version of a subject's schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// 1, 2, 3 …
    pub number: u32,
    /// The schema.
    pub schema: Arc<Value>,
    /// Names the schema's text.
    pub hash: u64,
    /// Where it was registered: later events were checked by it.
    pub position: Position,
    /// What a payload of the version before becomes by.
    pub upcast: Vec<Operation>,
}

/// What is registered of a subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The types that are meant.
    pub subject: Subject,
    /// What a new version must be able to do.
    pub mode: Mode,
    /// What becomes of payloads that do not fit.
    pub enforcement: Enforcement,
    /// The versions, oldest first; there is at least one.
    pub versions: Vec<Version>,
}

impl Entry {
    /// The version that payloads are checked by.
    #[must_use]
    pub fn newest(&self) -> Option<&Version> {
        self.versions.last()
    }

    /// The version that was in force when the event at a position was stored; of events before the first, the first.
    #[must_use]
    pub fn version_at(&self, position: Position) -> u32 {
        let before = self.versions.iter().rev().find(|version| version.position < position);
        before.map_or(1, |version| version.number)
    }

    /// What a payload of that version must go through to become one of the newest.
    pub fn upcasts_from(&self, number: u32) -> impl Iterator<Item = &Operation> {
        self.versions
            .iter()
            .filter(move |version| version.number > number)
            .flat_map(|version| &version.upcast)
    }
}

/// What one event of the registry says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    /// The new version's schema; without one the newest version stays.
    pub schema: Option<Value>,
    /// The mode from now on.
    pub mode: Option<Mode>,
    /// The enforcement from now on.
    pub enforcement: Option<Enforcement>,
    /// The upcast into the newest version.
    pub upcast: Option<Vec<Operation>>,
}

impl Change {
    /// The payload of the event that says it; `version` is what the subject is at then.
    #[must_use]
    pub fn to_payload(&self, subject: &Subject, version: u32) -> Map<String, Value> {
        let mut payload = Map::new();
        let mut put = |name: &str, value: Value| payload.insert(name.to_owned(), value);
        put("subject", subject.to_string().into());
        if let Some(schema) = &self.schema {
            put("version", version.into());
            put("schema", schema.clone());
        }
        if let Some(mode) = self.mode {
            put("mode", mode.name().into());
        }
        if let Some(enforcement) = self.enforcement {
            put("enforcement", enforcement.name().into());
        }
        if let Some(upcast) = &self.upcast {
            put("upcast", upcast.iter().map(Operation::to_value).collect());
        }
        payload
    }

    fn read(payload: &Value) -> Option<(Subject, Self)> {
        let text = |name: &str| payload.get(name).and_then(Value::as_str);
        let upcast = payload.get("upcast").and_then(Value::as_array);
        let change = Self {
            schema: payload.get("schema").filter(|schema| schema.is_object()).cloned(),
            mode: text("mode").and_then(Mode::from_name),
            enforcement: text("enforcement").and_then(Enforcement::from_name),
            upcast: upcast.and_then(|items| Operation::read_all(items).ok()),
        };
        Some((Subject::parse(text("subject")?).ok()?, change))
    }
}

/// Every subject and its versions, as of some position.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Registry {
    entries: BTreeMap<String, Entry>,
}

impl Registry {
    /// Takes in the next event; events of other types say nothing here.
    pub fn apply(&mut self, event: &Event) {
        let event_type = event.event_type.as_str();
        if event_type != REGISTERED && event_type != CONFIGURED {
            return;
        }
        let Some((subject, change)) = Change::read(&event.payload.to_value()) else { return };
        let entry = self.entries.entry(subject.to_string()).or_insert_with(|| Entry {
            subject,
            mode: Mode::default(),
            enforcement: Enforcement::default(),
            versions: Vec::new(),
        });
        entry.mode = change.mode.unwrap_or(entry.mode);
        entry.enforcement = change.enforcement.unwrap_or(entry.enforcement);
        match (change.schema, change.upcast) {
            (Some(schema), upcast) => entry.versions.push(Version {
                number: u32::try_from(entry.versions.len()).unwrap_or(u32::MAX).saturating_add(1),
                hash: hash_of(&schema),
                schema: Arc::new(schema),
                position: event.position,
                upcast: upcast.unwrap_or_default(),
            }),
            (None, Some(upcast)) => {
                if let Some(newest) = entry.versions.last_mut() {
                    newest.upcast = upcast;
                }
            }
            (None, None) => {}
        }
    }

    /// Whether nothing is registered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What is registered of exactly this subject.
    #[must_use]
    pub fn entry(&self, subject: &Subject) -> Option<&Entry> {
        self.entries.get(&subject.to_string()).filter(|entry| !entry.versions.is_empty())
    }

    /// What events of a type are checked by: an exact name first, then the longest prefix.
    #[must_use]
    pub fn of_type(&self, event_type: &str) -> Option<&Entry> {
        self.entries()
            .filter(|entry| entry.subject.matches(event_type))
            .max_by_key(|entry| entry.subject.rank())
    }

    /// Everything that is registered, in order of the subjects.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(|entry| !entry.versions.is_empty())
    }
}

/// Names a schema's text: the same members in the same order.
pub(crate) fn hash_of(schema: &Value) -> u64 {
    xxh3_64(schema.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::{EntityId, EventId, EventType, Json, Timestamp, Version as EventVersion};

    fn event(position: u64, event_type: &str, payload: &Value) -> Event {
        Event {
            position: Position::new(position),
            version: EventVersion::new(1),
            timestamp: Timestamp::default(),
            recorded_at: Timestamp::default(),
            event_id: EventId::from_u128(position.into()),
            entity_id: EntityId::new("allsource.schema/x").expect("an id"),
            event_type: EventType::new(event_type).expect("a type"),
            payload: Json::from(payload),
            metadata: None,
            emptied: false,
        }
    }

    fn registry(events: &[(&str, Value)]) -> Registry {
        let mut registry = Registry::default();
        for (at, (event_type, payload)) in (1..).zip(events) {
            registry.apply(&event(at * 10, event_type, payload));
        }
        registry
    }

    fn change(schema: Option<Value>) -> Change {
        Change { schema, ..Change::default() }
    }

    fn said(subject: &str, change: &Change) -> Value {
        Value::Object(change.to_payload(&Subject::parse(subject).expect("a subject"), 1))
    }

    #[test]
    fn versions_follow_each_other_and_settings_stay() {
        let strict = Change {
            enforcement: Some(Enforcement::Reject),
            mode: Some(Mode::Full),
            ..change(Some(json!({})))
        };
        let registry = registry(&[
            (REGISTERED, said("order.*", &strict)),
            (REGISTERED, said("order.*", &change(Some(json!({"type": "object"}))))),
            (
                CONFIGURED,
                said("order.*", &Change { enforcement: Some(Enforcement::Off), ..Change::default() }),
            ),
        ]);
        let entry = registry.of_type("order.paid").expect("an entry");
        assert_eq!((entry.mode, entry.enforcement, entry.versions.len()), (Mode::Full, Enforcement::Off, 2));
        let at = |position| entry.version_at(Position::new(position));
        assert_eq!([at(1), at(10), at(11), at(20), at(21)], [1, 1, 1, 1, 2]);
        assert!(registry.of_type("payment.made").is_none());
    }

    #[test]
    fn the_nearest_subject_decides() {
        let any = || change(Some(json!({})));
        let registry = registry(&[
            (REGISTERED, said("*", &any())),
            (REGISTERED, said("order.*", &any())),
            (REGISTERED, said("order.placed", &any())),
        ]);
        let name = |event_type| registry.of_type(event_type).map(|entry| entry.subject.to_string());
        assert_eq!(name("order.placed").as_deref(), Some("order.placed"));
        assert_eq!(name("order.paid").as_deref(), Some("order.*"));
        assert_eq!(name("user.created").as_deref(), Some("*"));
        assert_eq!(name(REGISTERED), None);
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        let registry = registry(&[
            (REGISTERED, json!({"schema": {}})),
            (REGISTERED, json!("text")),
            (CONFIGURED, json!({"subject": "a", "mode": "sideways"})),
            (REGISTERED, json!({"subject": "a", "schema": 7})),
        ]);
        assert_eq!(registry.entries().count(), 0);
    }

    #[test]
    fn upcasts_chain_from_the_version_of_an_event() {
        let step = |operation: Value| Some(Operation::read_all(&[operation]).expect("an operation"));
        let second =
            Change { upcast: step(json!({"rename": ["a", "b"]})), ..change(Some(json!({"title": "2"}))) };
        let third =
            Change { upcast: step(json!({"rename": ["b", "c"]})), ..change(Some(json!({"title": "3"}))) };
        let events = [change(Some(json!({}))), second, third].map(|change| (REGISTERED, said("t", &change)));
        let registry = registry(&events);
        let entry = registry.of_type("t").expect("an entry");
        let read = |version| super::super::upcast(json!({"a": 1}), entry.upcasts_from(version)).to_string();
        assert_eq!((read(1).as_str(), read(2).as_str()), (r#"{"c":1}"#, r#"{"a":1}"#));
    }
}
