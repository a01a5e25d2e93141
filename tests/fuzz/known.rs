//! What does a store hold that a call can name? Asked of its own tools, as an agent would.

use serde_json::{Map, Value, json};

use super::draw::Draw;

/// The most names of a kind that are kept.
const NAMES_MAX: usize = 400;
/// The longest value that goes into a condition, in characters.
const VALUE_CHARS_MAX: usize = 60;
/// The forks that are made to be written to.
const FORKS: usize = 4;

/// What a tool answered.
pub(crate) struct Answered {
    /// Its `structuredContent`.
    pub(crate) body: Value,
    /// Whether it is an error.
    pub(crate) is_error: bool,
    /// What is wrong with how it came, whatever it says.
    pub(crate) defect: Option<String>,
}

/// Calls a tool of the store under test.
pub(crate) type Ask<'a> = dyn FnMut(&str, &Map<String, Value>) -> Answered + 'a;

/// Names, values and places in a store.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) entities: Vec<String>,
    pub(crate) types: Vec<String>,
    pub(crate) event_ids: Vec<String>,
    pub(crate) times: Vec<String>,
    /// Paths, each with a value seen there.
    pub(crate) fields: Vec<(String, Value)>,
    pub(crate) words: Vec<String>,
    pub(crate) forks: Vec<String>,
    pub(crate) head: u64,
    /// Query ids with the tool that gave them.
    pub(crate) queries: Vec<(String, String)>,
    /// Cursors with the tool that takes them.
    pub(crate) cursors: Vec<(String, String)>,
}

impl Known {
    /// Looks at samples of a store, and makes forks of it that may be written to.
    pub(crate) fn of(ask: &mut Ask<'_>, draw: &mut Draw) -> Self {
        let mut known = Self::default();
        for spread in ["event_type", "entity_id", "time", "none"] {
            for seed in 0..3 {
                let arguments = json!({"stratified_by": spread, "sample_size": 20, "seed": seed,
                    "response_format": "detailed", "max_tokens": 10_000});
                let body = asked(ask, "sample_events", &arguments);
                for event in body["events"].as_array().into_iter().flatten() {
                    known.see(event);
                }
            }
        }
        known.head = asked(ask, "query_events", &json!({"limit": 1}))["head_position"].as_u64().unwrap_or(0);
        for number in 0..FORKS {
            // The last one is a fork of a fork.
            let parent = if number + 1 == FORKS { known.forks[0].clone() } else { "main".to_owned() };
            let arguments = json!({"purpose": "fuzz", "from_branch": parent});
            let body = asked(ask, "create_sandbox_fork", &arguments);
            let fork = body["fork_id"].as_str().expect("a fork's name").to_owned();
            let event = json!({"entity_id": draw.pick(&known.entities), "event_type": draw.pick(&known.types),
                "payload": {"fuzz": number, "note": "made to be looked at"}});
            asked(ask, "append_events", &json!({"branch": fork, "events": [event]}));
            known.forks.push(fork);
        }
        known
    }

    fn see(&mut self, event: &Value) {
        let keep = |list: &mut Vec<String>, text: &Value| {
            let text = text.as_str().unwrap_or_default();
            let is_whole = !text.is_empty() && !text.contains('…');
            if is_whole && list.len() < NAMES_MAX && !list.iter().any(|known| known == text) {
                list.push(text.to_owned());
            }
        };
        keep(&mut self.entities, &event["entity_id"]);
        keep(&mut self.types, &event["event_type"]);
        keep(&mut self.event_ids, &event["event_id"]);
        keep(&mut self.times, &event["timestamp"]);
        for (key, value) in event["payload"].as_object().into_iter().flatten() {
            self.see_field(&format!("payload{}", step(key)), value);
        }
    }

    fn see_field(&mut self, path: &str, value: &Value) {
        match value {
            Value::Object(members) => {
                for (key, member) in members {
                    self.see_field(&format!("{path}{}", step(key)), member);
                }
            }
            Value::String(text) if text.contains('…') || text.chars().count() > VALUE_CHARS_MAX => {
                self.words.extend(text.split_whitespace().take(5).map(str::to_owned));
            }
            Value::Array(_) => {}
            scalar => {
                if self.fields.len() < NAMES_MAX && !self.fields.iter().any(|(known, _)| known == path) {
                    self.fields.push((path.to_owned(), scalar.clone()));
                }
                self.words.extend(scalar.as_str().into_iter().map(str::to_owned));
            }
        }
        self.words.truncate(NAMES_MAX);
    }

    /// Keeps what an answer gives to go on with; the oldest are forgotten.
    pub(crate) fn learn(&mut self, tool: &str, body: &Value) {
        let given = [(&mut self.queries, "query_id"), (&mut self.cursors, "next_cursor")];
        for (list, name) in given {
            if let Some(text) = body[name].as_str() {
                list.push((tool.to_owned(), text.to_owned()));
                if list.len() > NAMES_MAX {
                    list.remove(0);
                }
            }
        }
    }
}

/// One step of a path, quoted where it has to be.
fn step(key: &str) -> String {
    let is_plain = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if is_plain { format!(".{key}") } else { format!("[{}]", Value::from(key)) }
}

/// The answer to a call that must succeed.
fn asked(ask: &mut Ask<'_>, tool: &str, arguments: &Value) -> Value {
    let Answered { body, is_error, defect } = ask(tool, arguments.as_object().expect("an object"));
    assert!(!is_error && defect.is_none(), "{tool} {arguments}: {body} {defect:?}");
    body
}
