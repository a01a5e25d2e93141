//! What does an answer look like? Puts its fields in one order, leaves out what is no news, and shares out the
//! budget; [`packing`](super::packing) makes rows fit.
//!
//! The order: `error`, `warnings`, `complete`, `scanned_to`, `matched`, `next_cursor`, `next_steps`, `query_id`, `branch`,
//! `head_position`, `untrusted`, the tool's own fields, rows last: who stops reading early has what it needs to go on.
//!
//! **Invariant:** no answer is estimated at more tokens than its budget, errors included.

use serde_json::{Value, json};

use super::budget::{TOKENS_MAX, cut, fit, tokens, tokens_of, tokens_of_member, tokens_of_object};
use super::cut_texts::{ReadsOn, STEP_TOKENS, has_cut};
use super::packing::{Packed, Rows};
use super::{Answer, Image, Object};
use crate::engine::QueryId;
use crate::error::Error;
use crate::event::{Position, visible};

/// The most characters of an error's message.
const MESSAGE_CHARS_MAX: usize = 600;
/// The most characters of a warning.
const WARNING_CHARS_MAX: usize = 300;
/// The most warnings; further ones are counted.
const WARNINGS_MAX: usize = 8;
/// What the note that rows were cut or left out may cost, in tokens.
const NOTE_TOKENS: usize = 30;

/// How many events match, over all pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Matched {
    /// How many were found.
    pub count: u64,
    /// Whether that is all of them; else there may be more.
    pub exact: bool,
}

/// A call that the reader can send as it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    tool: &'static str,
    arguments: Value,
    why: &'static str,
}

impl Step {
    /// A ready call, and what it is good for in a few words.
    pub(crate) const fn new(tool: &'static str, arguments: Value, why: &'static str) -> Self {
        Self { tool, arguments, why }
    }

    /// Whether the call sends that argument.
    pub(crate) fn sends(&self, argument: &str) -> bool {
        self.arguments.get(argument).is_some()
    }

    /// The step as it is sent.
    pub(crate) fn to_value(&self) -> Value {
        json!({"tool": self.tool, "arguments": self.arguments, "why": self.why})
    }
}

/// What a tool has to say, before it is put in order and packed.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    /// What the reader should know about its arguments or the data.
    pub warnings: Vec<String>,
    /// Time ran out before everything was looked at.
    pub incomplete: bool,
    /// How far it was looked, when `incomplete`.
    pub scanned_to: Option<Position>,
    /// How many events match, where the rows do not say it.
    pub matched: Option<Matched>,
    /// Say how many match even where all rows are shown, because the caller filtered.
    pub says_matched: bool,
    /// Where the next page begins, when this one has no rows.
    pub next_cursor: Option<String>,
    /// Ready calls, where the answer is slow, empty, cut or a conflict.
    pub next_steps: Vec<Step>,
    /// The branch's last position.
    pub head_position: Option<Position>,
    /// JSON pointers to text that callers stored.
    pub untrusted: Vec<&'static str>,
    /// The tool's own fields.
    pub fields: Object,
    /// The rows.
    pub rows: Option<Rows>,
    /// How the rest of their texts is read, where the rows are events.
    pub reads_on: Option<ReadsOn>,
    /// The same call with all the room there is, where it can be sent again.
    pub again: Option<Step>,
    /// A picture for people, outside the budget: no model reads it as text.
    pub image: Option<Box<Image>>,
}

impl Reply {
    /// Adds one of the tool's own fields.
    pub(crate) fn field(&mut self, name: &str, value: impl Into<Value>) {
        self.fields.insert(name.to_owned(), value.into());
    }

    /// The answer, in at most `tokens_max` estimated tokens.
    pub(crate) fn finish(mut self, query_id: Option<QueryId>, tokens_max: usize) -> Answer {
        let mut rows = self.rows.take();
        let fields = std::mem::take(&mut self.fields);
        let reserve = rows.as_mut().map_or(0, |rows| NOTE_TOKENS + rows.cursor_tokens(tokens_max));
        let fixed = tokens_of_object(&self.head(query_id, None)) + reserve;
        // Rows are what was asked for: what stands beside them gets a third at most.
        let share = if rows.is_some() { 3 } else { 1 };
        let room = tokens_max.saturating_sub(fixed) / share;
        let is_large = tokens_of_object(&fields) > room;
        let noted = if is_large { NOTE_TOKENS + self.offer_again() } else { 0 };
        let fields = fit_fields(fields, room.saturating_sub(noted));
        let left = tokens_max.saturating_sub(fixed + noted + tokens_of_object(&fields));
        let packed = rows.map(|rows| self.pack(rows, fields.get("constant"), left));
        let cursor =
            packed.as_ref().and_then(|packed| packed.next_cursor.clone()).or(self.next_cursor.take());
        if let Some(packed) = &packed {
            // Where all rows are shown, they say how many match.
            self.matched = self.matched.filter(|_| cursor.is_some() || self.says_matched);
            self.warnings.extend(packed.warning.clone());
        }
        if is_large {
            let remedy = if tokens_max < TOKENS_MAX {
                "raise max_tokens"
            } else {
                "query_events reads a text on: event_ids, fields, text_offset"
            };
            self.warnings.push(format!("long values were cut at the marks …+N; {remedy}"));
        }
        let mut body = self.head(query_id, cursor);
        body.extend(fields);
        if let Some(packed) = packed {
            body.insert(packed.name.to_owned(), packed.value);
        }
        Answer { body, is_error: false, image: self.image.take() }
    }

    /// Offers the same call with more room, and gives what that costs at most.
    fn offer_again(&mut self) -> usize {
        let fits = |step: &Step| tokens_of(&step.to_value()) + NOTE_TOKENS <= STEP_TOKENS;
        let Some(again) = self.again.take().filter(fits) else { return 0 };
        self.add_step(again);
        STEP_TOKENS
    }

    /// Adds a call whose arguments hold stored text.
    fn add_step(&mut self, step: Step) {
        self.next_steps.push(step);
        if !self.untrusted.contains(&"/next_steps") {
            self.untrusted.push("/next_steps");
        }
    }

    /// Packs the rows, and says how to read on where texts of theirs were cut.
    fn pack(&mut self, rows: Rows, constant: Option<&Value>, tokens_max: usize) -> Packed {
        let reads_on = self.reads_on.take();
        let has_room = tokens_max >= 3 * STEP_TOKENS;
        let reads_on =
            reads_on.filter(|_| has_room && (constant.is_some_and(has_cut) || rows.may_be_cut(tokens_max)));
        let Some(reads_on) = reads_on else { return rows.pack(tokens_max) };
        let packed = rows.pack(tokens_max.saturating_sub(STEP_TOKENS));
        if let Some(step) = reads_on.step(&packed.value, constant) {
            self.add_step(step);
        }
        packed
    }

    fn head(&self, query_id: Option<QueryId>, cursor: Option<String>) -> Object {
        let mut head = Object::new();
        let mut put = |name: &str, value: Value| head.insert(name.to_owned(), value);
        if !self.warnings.is_empty() {
            put("warnings", warnings(&self.warnings));
        }
        if self.incomplete {
            put("complete", false.into());
        }
        if let Some(position) = self.scanned_to.filter(|_| self.incomplete) {
            put("scanned_to", position.get().into());
        }
        if let Some(Matched { count, exact }) = self.matched {
            // All of them are shown: exact goes without saying.
            let is_plain = self.says_matched && exact && cursor.is_none();
            put(
                "matched",
                if is_plain { json!({"count": count}) } else { json!({"count": count, "exact": exact}) },
            );
        }
        if let Some(cursor) = cursor {
            put("next_cursor", cursor.into());
        }
        if !self.next_steps.is_empty() {
            put("next_steps", self.next_steps.iter().map(Step::to_value).collect());
        }
        if let Some(query_id) = query_id {
            put("query_id", query_id.to_string().into());
        }
        if let Some(position) = self.head_position {
            put("head_position", position.get().into());
        }
        if !self.untrusted.is_empty() {
            put("untrusted", self.untrusted.clone().into());
        }
        head
    }
}

fn warnings(all: &[String]) -> Value {
    let mut shown: Vec<Value> =
        all.iter().take(WARNINGS_MAX).map(|warning| cut(warning, WARNING_CHARS_MAX).into()).collect();
    if all.len() > WARNINGS_MAX {
        shown.push(format!("…+{}", all.len() - WARNINGS_MAX).into());
    }
    Value::Array(shown)
}

/// The fields, the large ones cut so that all of them fit: each gets its share of what the ones before it left.
fn fit_fields(fields: Object, tokens_max: usize) -> Object {
    if tokens_of_object(&fields) <= tokens_max {
        return fields;
    }
    let mut sizes: Vec<(usize, String)> =
        fields.iter().map(|(name, value)| (tokens_of_member(name, value), name.clone())).collect();
    sizes.sort();
    let (mut left, mut remaining) = (tokens_max.saturating_sub(2), sizes.len());
    let mut shares = Object::new();
    for (size, name) in sizes {
        let share = left / remaining.max(1);
        let granted = size.min(share);
        shares.insert(name, granted.into());
        left -= granted;
        remaining -= 1;
    }
    fields
        .into_iter()
        .map(|(name, value)| {
            let granted =
                shares.get(&name).and_then(Value::as_u64).and_then(|share| usize::try_from(share).ok());
            let budget = granted.unwrap_or(0).saturating_sub(tokens(&name) + 3);
            let (value, _) = fit(value, budget);
            (name, value)
        })
        .collect()
}

/// An error as an answer, in at most `tokens_max` estimated tokens. Its details `next_steps` and `untrusted` (JSON
/// pointers to stored text) stand beside it.
pub(crate) fn error_answer(error: &Error, warnings_so_far: &[String], tokens_max: usize) -> Answer {
    let message = cut(&visible(&error.to_string()), MESSAGE_CHARS_MAX.min(tokens_max));
    let mut inner = Object::new();
    inner.insert("code".to_owned(), error.code().into());
    inner.insert("kind".to_owned(), error.kind().name().into());
    inner.insert("message".to_owned(), message.into());
    let mut details = error.details().clone();
    let next_steps = details.shift_remove("next_steps").filter(|steps| tokens_of(steps) < tokens_max / 2);
    let untrusted = details.shift_remove("untrusted");
    let mut body = Object::new();
    let beside = [&next_steps, &untrusted].into_iter().flatten().map(tokens_of).sum::<usize>();
    let fixed = tokens_of_object(&inner) + beside + 12;
    if !warnings_so_far.is_empty() && fixed < tokens_max / 2 {
        body.insert("warnings".to_owned(), warnings(warnings_so_far));
    }
    let left = tokens_max.saturating_sub(fixed + tokens_of_object(&body));
    inner.extend(if left > 20 { fit_fields(details, left) } else { Object::new() });
    let mut ordered = Object::new();
    ordered.insert("error".to_owned(), Value::Object(inner));
    ordered.extend(body);
    if let Some(next_steps) = next_steps {
        ordered.insert("next_steps".to_owned(), next_steps);
    }
    if let Some(untrusted) = untrusted {
        ordered.insert("untrusted".to_owned(), untrusted);
    }
    Answer { body: ordered, is_error: true, image: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::cursor::Cursor;
    use crate::tools::packing::Paging;

    fn cursor() -> Cursor {
        Cursor {
            query: QueryId::of("query_events", "{}"),
            epoch: 0,
            bound: Position::new(1_000),
            place: Position::ZERO,
            descending: true,
            now: None,
            ranked: Vec::new(),
        }
    }

    fn table(rows: usize, text: &str, next: Option<Position>) -> Reply {
        let items = (0..rows).map(|row| json!([row, text])).collect();
        let places = (0..rows).map(|row| Position::new(1_000 - row as u64)).collect();
        let rows = Rows {
            columns: Some(vec!["position".to_owned(), "text".to_owned()]),
            name: "events",
            items,
            paging: Some(Paging { cursor: cursor(), places, next, is_ranked: false }),
        };
        Reply { rows: Some(rows), head_position: Some(Position::new(1_000)), ..Reply::default() }
    }

    #[track_caller]
    fn check(reply: Reply, tokens_max: usize) -> Object {
        let answer = reply.finish(Some(QueryId::from_number(7)), tokens_max);
        let size = tokens_of_object(&answer.body);
        assert!(size <= tokens_max, "{size} tokens of {tokens_max}: {:?}", answer.body);
        answer.body
    }

    #[test]
    fn rows_beyond_the_budget_go_to_the_next_page() {
        let body = check(table(500, "some words of text", None), 1_000);
        let shown = body["table"]["rows"].as_array().expect("rows").len();
        assert!((50..300).contains(&shown), "{shown}");
        let next = Cursor::decode(body["next_cursor"].as_str().expect("a cursor")).expect("a good cursor");
        assert_eq!(next.place, Position::new(1_000 - shown as u64 + 1));
        assert_eq!(body.keys().next_back().map(String::as_str), Some("table"));
    }

    #[test]
    fn an_answer_that_fits_has_no_cursor_and_little_around_it() {
        let body = check(table(2, "text", None), 5_000);
        assert!(!body.contains_key("next_cursor"));
        let mut around = body;
        around.shift_remove("table");
        assert!(tokens_of_object(&around) <= 40, "{around:?}");
    }

    #[test]
    fn one_row_larger_than_the_budget_is_cut_and_says_so() {
        let body = check(table(3, &"long words ".repeat(5_000), None), 500);
        assert_eq!(body["table"]["rows"].as_array().map(Vec::len), Some(1));
        assert!(body["table"]["rows"][0][1].as_str().is_some_and(|text| text.contains("…+")));
        assert!(body.contains_key("warnings") && body.contains_key("next_cursor"));
    }

    #[test]
    fn large_fields_share_what_is_left() {
        let mut reply = Reply::default();
        reply.field("small", 1);
        reply.field("state", json!({"text": "words ".repeat(20_000)}));
        reply.field("changes", (0..5_000).collect::<Vec<u32>>());
        let body = check(reply, 800);
        assert_eq!(body["small"], 1);
        assert!(body["changes"].as_array().is_some_and(|changes| changes.len() > 5));
    }

    #[test]
    fn an_error_fits_its_budget_too() {
        let error = Error::invalid("bad", "x ".repeat(100_000))
            .with("nearest", vec!["name"; 1_000])
            .with("next_steps", json!([{"tool": "quick_stats", "arguments": {}}]));
        let answer = error_answer(&error, &[], 400);
        for tokens_max in [200, 400, 5_000] {
            let answer = error_answer(&error, &[], tokens_max);
            assert!(tokens_of_object(&answer.body) <= tokens_max, "{:?}", answer.body);
        }
        assert!(answer.is_error);
        let names: Vec<&String> = answer.body.keys().collect();
        assert_eq!(names, ["error", "next_steps"]);
    }
}
