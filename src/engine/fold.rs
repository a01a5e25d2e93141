//! What is an entity's state? The fold of its events, one after the other.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::change::dotted;
use crate::event::filter::{Path, Root, Step};
use crate::event::{EntityId, Event, EventId, Position, Timestamp, Version};
use crate::store::SavedState;

/// Folds the events of one entity, in the order of their versions, into its state.
///
/// Each payload is a JSON merge patch (RFC 7396) on the state so far, unless the event's `metadata.fold` says
/// `replace` (the payload is the state) or `delete` (there is no state until a later event sets one). A payload that
/// is not an object replaces the state, and `null` deletes it, as the RFC says of patches. An event that retention emptied
/// is counted and changes nothing.
///
/// A fold can be [saved](Self::saved) and [gone on with](Self::after); that gives the same bytes as folding from the first
/// event. Whoever changes what a fold gives raises the version of the format of saved states.
///
/// Holds the state and no event: memory is bounded by the state's size. Values are only read once they have survived
/// all events; until then they stay as they were written.
pub(crate) struct Fold {
    state: Draft,
    trace: Option<Trace>,
    last: Option<Arc<Origin>>,
    recorded_at: Timestamp,
    timestamp_max: Timestamp,
    events: u64,
}

/// The event that set something.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Origin {
    pub(crate) version: Version,
    pub(crate) position: Position,
    pub(crate) timestamp: Timestamp,
    pub(crate) event_id: EventId,
}

/// The state of an entity.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Folded {
    /// `None`: it was deleted, or there was no event.
    pub(crate) state: Option<Value>,
    /// The last event that was folded in.
    pub(crate) last: Option<Arc<Origin>>,
    /// How many events were folded in.
    pub(crate) events: u64,
    /// For each leaf of the state, by its dotted path, the event that set it; empty unless asked for.
    pub(crate) provenance: Vec<(String, Arc<Origin>)>,
}

/// Who set what: the shape of the state, with the event that set each value.
struct Trace {
    origin: Arc<Origin>,
    children: BTreeMap<String, Trace>,
}

enum Mode {
    Merge,
    Replace,
    Delete,
}

impl Fold {
    /// No event yet; with `provenance` it remembers which event set each leaf.
    pub(crate) fn new(provenance: bool) -> Self {
        let trace = provenance.then(|| Trace::of(&Arc::new(Origin::nobody())));
        Self {
            state: Draft::default(),
            trace,
            last: None,
            recorded_at: Timestamp::MIN,
            timestamp_max: Timestamp::MIN,
            events: 0,
        }
    }

    /// Goes on from a saved state, whose last event this is; `None` when its document is none.
    pub(crate) fn after(saved: &SavedState, last: &Event) -> Option<Self> {
        let mut state = Draft::default();
        // Read as a replacement: what is null in a state was meant to be.
        Patch { keeps_nulls: true, trace: None }
            .put(std::str::from_utf8(&saved.document).ok()?, &mut state.0);
        Some(Self {
            state,
            trace: None,
            last: Some(Arc::new(Origin::of(last))),
            recorded_at: saved.recorded_at,
            timestamp_max: saved.timestamp_max,
            events: saved.version.get(),
        })
    }

    /// What a later fold can go on from; `None` when events of the entity were left out, or there was none.
    pub(crate) fn saved(&self, entity_id: &EntityId) -> Option<SavedState> {
        let last = self.last.as_ref().filter(|last| last.version.get() == self.events)?;
        let mut document = String::new();
        self.state.write(&mut document);
        Some(SavedState {
            entity_id: entity_id.clone(),
            version: last.version,
            position: last.position,
            recorded_at: self.recorded_at,
            timestamp_max: self.timestamp_max,
            document: document.into_bytes(),
        })
    }

    /// The version of the last event taken.
    pub(crate) fn version(&self) -> Version {
        self.last.as_ref().map_or(Version::ZERO, |last| last.version)
    }

    /// How many events were taken.
    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    /// Takes the next event.
    pub(crate) fn apply(&mut self, event: &Event) {
        let origin = Arc::new(Origin::of(event));
        if !event.emptied {
            self.patch(event, &origin);
        }
        self.last = Some(origin);
        self.recorded_at = event.recorded_at;
        self.timestamp_max = self.timestamp_max.max(event.timestamp);
        self.events += 1;
    }

    fn patch(&mut self, event: &Event, origin: &Arc<Origin>) {
        let payload = event.payload.as_str().trim();
        let mode = mode(event);
        if !matches!(mode, Mode::Merge) {
            self.state = Draft::default();
            if let Some(trace) = &mut self.trace {
                *trace = Trace::of(origin);
            }
        }
        if !matches!(mode, Mode::Delete) {
            let keeps_nulls = matches!(mode, Mode::Replace);
            let trace = self.trace.as_mut().map(|trace| (trace, origin));
            Patch { keeps_nulls, trace }.put(payload, &mut self.state.0);
        }
    }

    /// The state after all events taken.
    pub(crate) fn finish(self) -> Folded {
        let mut provenance = Vec::new();
        let state = Some(self.state.read()).filter(|state| !state.is_null());
        if let Some(trace) = self.trace.filter(|_| state.is_some()) {
            trace.leaves(&mut Vec::new(), &mut provenance);
        }
        Folded { state, last: self.last, events: self.events, provenance }
    }
}

/// How an event is folded in: by `metadata.fold`, which hardly any event has, so it is looked for before it is read.
fn mode(event: &Event) -> Mode {
    let fold =
        event.metadata.as_ref().filter(|metadata| metadata.as_str().contains("\"fold\"")).and_then(|_| {
            let steps = vec![Step::Key("fold".to_owned())];
            Path::Json { root: Root::Metadata, steps }.extract(event)
        });
    match fold.as_ref().and_then(Value::as_str) {
        Some("replace") => Mode::Replace,
        Some("delete") => Mode::Delete,
        _ => Mode::Merge,
    }
}

/// A state under way: objects as maps, whose strings are the JSON text of everything else.
///
/// (A map of this shape keeps the order of its keys and finds them by hash, which is all that is asked of it.)
struct Draft(Value);

impl Default for Draft {
    fn default() -> Self {
        Self(Value::String("null".to_owned()))
    }
}

impl Draft {
    /// The state as JSON text: what was written, as it was written.
    fn write(&self, to: &mut String) {
        fn write(draft: &Value, to: &mut String) {
            match draft {
                Value::Object(object) => {
                    let mut before = '{';
                    for (key, draft) in object {
                        to.push(before);
                        to.push_str(&Value::from(key.as_str()).to_string());
                        to.push(':');
                        write(draft, to);
                        before = ',';
                    }
                    to.push_str(if before == '{' { "{}" } else { "}" });
                }
                Value::String(text) => to.push_str(text),
                // A draft holds nothing else.
                other => to.push_str(&other.to_string()),
            }
        }
        write(&self.0, to);
    }

    /// The state as it is.
    fn read(self) -> Value {
        fn read(draft: Value) -> Value {
            match draft {
                Value::Object(object) => {
                    Value::Object(object.into_iter().map(|(key, draft)| (key, read(draft))).collect())
                }
                Value::String(text) => serde_json::from_str(&text).unwrap_or_default(),
                other => other,
            }
        }
        read(self.0)
    }
}

/// A JSON document on its way into a draft: `MergePatch` of RFC 7396, and who is to be named for it.
struct Patch<'t> {
    /// `null` is a value, not a removal.
    keeps_nulls: bool,
    trace: Option<(&'t mut Trace, &'t Arc<Origin>)>,
}

impl Patch<'_> {
    fn put(mut self, json: &str, target: &mut Value) {
        let is_object = json.starts_with('{');
        if let Some((trace, origin)) = &mut self.trace {
            trace.origin = Arc::clone(origin);
            if !is_object {
                trace.children.clear();
            }
        }
        match &mut *target {
            // The old text's memory serves the new one.
            Value::String(text) if !is_object => {
                text.clear();
                text.push_str(json);
                return;
            }
            Value::Object(_) if is_object => {}
            _ if is_object => *target = Value::Object(Map::new()),
            _ => *target = Value::String(json.to_owned()),
        }
        if let Value::Object(object) = target {
            let mut reader = serde_json::Deserializer::from_str(json);
            // A stored document is an object that can be read, so this cannot fail.
            let _ = reader.deserialize_map(Members { patch: self, object });
        }
    }

    fn put_member(&mut self, key: &str, json: &str, object: &mut Map<String, Value>) {
        if json == "null" && !self.keeps_nulls {
            // A shifting removal keeps the order in which the fields came.
            object.shift_remove(key);
            if let Some((trace, _)) = &mut self.trace {
                trace.children.remove(key);
            }
            return;
        }
        if !object.contains_key(key) {
            object.insert(key.to_owned(), Value::Null);
        }
        let trace = self.trace.as_mut().map(|(trace, origin)| (trace.child(key, origin), *origin));
        if let Some(target) = object.get_mut(key) {
            Patch { keeps_nulls: self.keeps_nulls, trace }.put(json, target);
        }
    }
}

/// Reads the members of an object into a draft.
struct Members<'t, 'o> {
    patch: Patch<'t>,
    object: &'o mut Map<String, Value>,
}

impl<'d> Visitor<'d> for Members<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'d>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Key)? {
            let value: &'d RawValue = map.next_value()?;
            self.patch.put_member(&key, value.get(), self.object);
        }
        Ok(())
    }
}

/// Reads a key, without copying it where it holds no escape.
struct Key;

impl<'d> DeserializeSeed<'d> for Key {
    type Value = Cow<'d, str>;

    fn deserialize<D: Deserializer<'d>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'d> Visitor<'d> for Key {
    type Value = Cow<'d, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'d str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

impl Origin {
    fn of(event: &Event) -> Self {
        Self {
            version: event.version,
            position: event.position,
            timestamp: event.timestamp,
            event_id: event.event_id.clone(),
        }
    }

    fn nobody() -> Self {
        Self {
            version: Version::ZERO,
            position: Position::ZERO,
            timestamp: Timestamp::default(),
            event_id: EventId::from_u128(0),
        }
    }
}

impl Trace {
    fn of(origin: &Arc<Origin>) -> Self {
        Self { origin: Arc::clone(origin), children: BTreeMap::new() }
    }

    fn child(&mut self, key: &str, origin: &Arc<Origin>) -> &mut Self {
        self.children.entry(key.to_owned()).or_insert_with(|| Self::of(origin))
    }

    fn leaves(&self, path: &mut Vec<String>, to: &mut Vec<(String, Arc<Origin>)>) {
        if self.children.is_empty() {
            to.push((dotted(path), Arc::clone(&self.origin)));
        }
        for (key, child) in &self.children {
            path.push(key.clone());
            child.leaves(path, to);
            path.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::event::{EntityId, EventType, Json, Text};

    fn event(version: u64, payload: &str, metadata: Option<&str>) -> Event {
        Event {
            position: Position::new(version * 10),
            version: Version::new(version),
            timestamp: Timestamp::from_micros(version.cast_signed()),
            recorded_at: Timestamp::from_micros(version.cast_signed()),
            event_id: EventId::from_u128(u128::from(version)),
            entity_id: EntityId::new("order-1").expect("a name"),
            event_type: EventType::new("changed").expect("a name"),
            payload: Json::trusted(Text::from(payload)),
            metadata: metadata.map(|metadata| Json::trusted(Text::from(metadata))),
            emptied: false,
        }
    }

    fn fold(events: &[(&str, Option<&str>)]) -> Folded {
        let mut fold = Fold::new(true);
        for (version, (payload, metadata)) in (1..).zip(events) {
            fold.apply(&event(version, payload, *metadata));
        }
        fold.finish()
    }

    #[track_caller]
    fn check(events: &[(&str, Option<&str>)], expected: Value) {
        assert_eq!(fold(events).state, Some(expected).filter(|state| !state.is_null()));
    }

    #[test]
    fn the_examples_of_rfc_7396_come_out() {
        for (original, patch, result) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a":"b"}), json!(["c"]), json!(["c"])),
            (json!({"a":"foo"}), json!(null), json!(null)),
            (json!({"a":"foo"}), json!("bar"), json!("bar")),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ] {
            let (original, patch) = (original.to_string(), patch.to_string());
            check(&[(original.as_str(), Some(r#"{"fold":"replace"}"#)), (patch.as_str(), None)], result);
        }
    }

    #[test]
    fn events_merge_in_order_and_fields_keep_theirs() {
        let folded = fold(&[
            (r#"{"status":"new","lines":{"a":1,"b":2},"amount":12345678901234567890123}"#, None),
            (r#"{"status":"paid","lines":{"a":null}}"#, None),
        ]);
        assert_eq!(
            folded.state.expect("a state").to_string(),
            r#"{"status":"paid","lines":{"b":2},"amount":12345678901234567890123}"#
        );
        assert_eq!(folded.events, 2);
        assert_eq!(folded.last.expect("an event").position, Position::new(20));
    }

    #[test]
    fn metadata_can_replace_or_delete() {
        let replace = Some(r#"{"actor":"x","fold":"replace"}"#);
        let delete = Some(r#"{"fold":"delete"}"#);
        check(&[(r#"{"a":1}"#, None), (r#"{"b":null}"#, replace)], json!({"b":null}));
        check(&[(r#"{"a":1}"#, None), (r#"{"why":"spam"}"#, delete)], json!(null));
        check(&[(r#"{"a":1}"#, None), ("{}", delete), (r#"{"b":2}"#, None)], json!({"b":2}));
        check(&[(r#"{"a":1}"#, None), (r#"{"b":2}"#, Some(r#"{"note":"\"fold\""}"#))], json!({"a":1,"b":2}));
        check(&[], json!(null));
    }

    #[test]
    fn an_emptied_event_counts_and_changes_nothing() {
        let mut fold = Fold::new(true);
        let payloads = [r#"{"a":1}"#, "null", r#"{"b":2}"#];
        for (version, payload) in (1..).zip(payloads) {
            let emptied = payload == "null";
            fold.apply(&Event { emptied, ..event(version, payload, None) });
        }
        let saved = fold.saved(&EntityId::new("order-1").expect("a name")).expect("whole");
        assert_eq!((saved.version, saved.position), (Version::new(3), Position::new(30)));
        let folded = fold.finish();
        assert_eq!((folded.state, folded.events), (Some(json!({"a":1,"b":2})), 3));
    }

    #[test]
    fn a_fold_that_left_an_event_out_is_not_saved() {
        let entity = EntityId::new("order-1").expect("a name");
        let mut fold = Fold::new(false);
        assert_eq!(fold.saved(&entity), None);
        fold.apply(&event(1, "{}", None));
        assert!(fold.saved(&entity).is_some());
        fold.apply(&event(3, "{}", None));
        assert_eq!(fold.saved(&entity), None);
    }

    #[track_caller]
    fn check_origin(folded: &Folded, path: &str, version: Option<u64>) {
        let found = folded.provenance.iter().find(|(known, _)| known == path);
        assert_eq!(found.map(|(_, origin)| origin.version.get()), version, "{path}");
    }

    #[test]
    fn every_leaf_knows_the_event_that_set_it_last() {
        let folded = fold(&[
            (r#"{"a":{"x":1,"y":2},"b":[1],"odd key":1}"#, None),
            (r#"{"a":{"y":3},"b":null}"#, None),
            (r#"{"c":{"d":{}},"a":{"z":{"deep":null}}}"#, None),
        ]);
        check_origin(&folded, "a.x", Some(1));
        check_origin(&folded, "a.y", Some(2));
        check_origin(&folded, "a.z", Some(3));
        check_origin(&folded, "b", None);
        check_origin(&folded, "c.d", Some(3));
        check_origin(&folded, "[\"odd key\"]", Some(1));
        let replaced = fold(&[(r#"{"a":1}"#, None), (r#"{"b":{"c":1}}"#, Some(r#"{"fold":"replace"}"#))]);
        check_origin(&replaced, "b.c", Some(2));
        assert_eq!(replaced.provenance.len(), 1);
    }

    /// `MergePatch` as RFC 7396 writes it.
    fn merge(target: &Value, patch: &Value) -> Value {
        let Value::Object(patch) = patch else { return patch.clone() };
        let mut object = target.as_object().cloned().unwrap_or_default();
        for (key, value) in patch {
            if value.is_null() {
                object.shift_remove(key);
            } else {
                let before = object.get(key).cloned().unwrap_or_default();
                object.insert(key.clone(), merge(&before, value));
            }
        }
        Value::Object(object)
    }

    proptest! {
        #[test]
        fn a_fold_is_the_patches_one_after_the_other(patches in proptest::collection::vec(patch(), 1..6)) {
            let texts: Vec<String> = patches.iter().map(ToString::to_string).collect();
            let events: Vec<(&str, Option<&str>)> = texts.iter().map(|text| (text.as_str(), None)).collect();
            let expected = patches.iter().fold(Value::Null, |state, patch| merge(&state, patch));
            prop_assert_eq!(fold(&events).state, Some(expected).filter(|state| !state.is_null()));
        }

        #[test]
        fn a_fold_that_goes_on_gives_the_same_bytes(
            events in proptest::collection::vec(written_event(), 1..8), at in any::<prop::sample::Index>(),
        ) {
            let events: Vec<Event> = (1..)
                .zip(&events)
                .map(|(version, (payload, metadata, late))| Event {
                    timestamp: Timestamp::from_micros(i64::from(*late)),
                    ..event(version, payload, *metadata)
                })
                .collect();
            let at = at.index(events.len());
            let mut whole = Fold::new(false);
            events[..=at].iter().for_each(|event| whole.apply(event));
            let saved = whole.saved(&events[at].entity_id).expect("nothing is left out");
            let greatest = events[..=at].iter().map(|event| event.timestamp).max();
            prop_assert_eq!(Some(saved.timestamp_max), greatest);
            let mut resumed = Fold::after(&saved, &events[at]).expect("a document");
            prop_assert_eq!(resumed.saved(&events[at].entity_id), Some(saved));
            for event in &events[at + 1..] {
                whole.apply(event);
                resumed.apply(event);
            }
            prop_assert_eq!(resumed.saved(&events[at].entity_id), whole.saved(&events[at].entity_id));
            let (resumed, whole) = (resumed.finish(), whole.finish());
            let text = |folded: &Folded| folded.state.as_ref().map(ToString::to_string);
            prop_assert_eq!(text(&resumed), text(&whole));
            prop_assert_eq!(resumed, whole);
        }

        #[test]
        fn the_provenance_names_exactly_the_leaves(patches in proptest::collection::vec(patch(), 1..6)) {
            let texts: Vec<String> = patches.iter().map(ToString::to_string).collect();
            let events: Vec<(&str, Option<&str>)> = texts.iter().map(|text| (text.as_str(), None)).collect();
            let folded = fold(&events);
            let mut leaves = Vec::new();
            if let Some(state) = &folded.state {
                leaf_paths(state, &mut Vec::new(), &mut leaves);
            }
            let mut named: Vec<String> = folded.provenance.into_iter().map(|(path, _)| path).collect();
            leaves.sort();
            named.sort();
            prop_assert_eq!(named, leaves);
        }
    }

    fn leaf_paths(value: &Value, path: &mut Vec<String>, to: &mut Vec<String>) {
        match value {
            Value::Object(object) if !object.is_empty() => {
                for (key, value) in object {
                    path.push(key.clone());
                    leaf_paths(value, path, to);
                    path.pop();
                }
            }
            _ => to.push(dotted(path)),
        }
    }

    /// Documents as people write them: odd keys, spacing, long numbers, escapes; and ways of folding.
    fn written_event() -> impl Strategy<Value = (String, Option<&'static str>, u8)> {
        let leaf = prop::sample::select(vec![
            "null",
            "true",
            "12345678901234567890123",
            "1.50e+2",
            "-0.0",
            r#""a\u00e4\n\"b""#,
            "[ 1 ,{ \"x\":null} ]",
            "[]",
            "\"\"",
        ]);
        let document = leaf.prop_map(str::to_owned).prop_recursive(3, 16, 4, |inner| {
            let key = prop::sample::select(vec!["a", "b", "c", r"\u0061", "odd key", r#"q\"uote"#, "ü"]);
            proptest::collection::vec((key, inner), 0..4).prop_map(|members| {
                let members: Vec<String> =
                    members.iter().map(|(key, value)| format!("\"{key}\" :  {value}")).collect();
                format!(" {{{} }}", members.join(" ,"))
            })
        });
        let metadata = prop::sample::select(vec![
            None,
            None,
            None,
            Some(r#"{"fold":"replace"}"#),
            Some(r#"{"fold":"delete"}"#),
        ]);
        (document, metadata, any::<u8>())
    }

    fn patch() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), any::<u8>().prop_map(Value::from), Just(json!([1]))];
        leaf.prop_recursive(3, 16, 3, |inner| {
            proptest::collection::btree_map("[abc]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect()))
        })
    }
}
